//! What may be a member of a virtual repository, also while others change theirs.

use acceptance::{Result, Trouble};
use serde_json::{Value, json};

use crate::engines::both;
use crate::site::{Site, ensure};
use crate::virtuals::{ask, hosted, put_together};

async fn nothing_is_a_member_of_itself() -> Result<()> {
    let site = Site::here().await?;
    hosted(&site, "own", "npm").await?;
    hosted(&site, "files", "raw").await?;
    put_together(&site, "a", "npm", &["own"], json!({})).await?;
    put_together(&site, "b", "npm", &["a", "own"], json!({})).await?;
    let members = |key: &str, members: Value| {
        site.admin.patch(&format!("/v1/repos/{key}")).json(&json!({"memberRepos": members}))
    };
    for (key, named, status) in [
        ("a", json!(["a"]), 409),
        ("a", json!(["own", "b"]), 409),
        ("a", json!(["own", "own"]), 409),
        ("a", json!(["files"]), 409),
        ("a", json!(["nowhere"]), 404),
        ("a", json!([]), 400),
        ("own", json!(["files"]), 400),
    ] {
        ask(members(key, named.clone()))
            .await?
            .expect(&[status])
            .map_err(|_| Trouble::new(format!("{key} {named}")))?;
    }
    let now = ask(site.admin.get("/v1/repos/a")).await?.expect(&[200])?.json()?;
    ensure(now["memberRepos"] == json!(["own"]), now.to_string())?;
    ask(site.admin.delete("/v1/repos/own")).await?.expect(&[409])?;
    ask(members("b", json!(["own"]))).await?.expect(&[200])?;
    ask(members("a", json!(["own", "b"]))).await?.expect(&[200])?;
    for (format, settings) in
        [("npm", json!({"virtual": {"merging": "nope"}})), ("npm", json!({"allowOverwrite": true}))]
    {
        let body = json!({"repoKey": "c", "format": format, "repoType": "virtual", "memberRepos": ["own"],
            "settings": settings});
        ask(site.admin.post("/v1/repos").json(&body)).await?.expect(&[400])?;
    }
    let oci = json!({"repoKey": "c", "format": "oci", "repoType": "virtual", "memberRepos": ["own"]});
    ask(site.admin.post("/v1/repos").json(&oci)).await?.expect(&[409])?;
    Ok(())
}

/// Changes at the same time, at every process there is: what each of them may do, they may not do together.
async fn no_two_changes_close_a_circle_together() -> Result<()> {
    let (site, processes) = Site::each().await?;
    hosted(&site, "own", "npm").await?;
    let keys = ["a", "b", "c"];
    for key in keys {
        put_together(&site, key, "npm", &["own"], json!({})).await?;
    }
    let change = |by: usize, key: &str, members: &[&str]| {
        let path = format!("/v1/repos/{key}");
        processes[by % processes.len()].patch(&path).json(&json!({"memberRepos": members}))
    };
    for round in 0..40 {
        // Each takes the next one in: two of them, or all three.
        let circle = &keys[..2 + round % 2];
        let next = |place: usize| circle[(place + 1) % circle.len()];
        let changes = circle.iter().enumerate().map(|(place, key)| change(place, key, &["own", next(place)]));
        let at_once: Vec<_> = changes.map(|change| tokio::spawn(change.send())).collect();
        let mut taken = 0;
        for answer in at_once {
            let answer = answer.await.map_err(|error| Trouble::new(error.to_string()))??.expect(&[200, 409])?;
            taken += usize::from(answer.status == 200);
        }
        ensure(taken == circle.len() - 1, format!("{taken} changes of {} in round {round}", circle.len()))?;
        for key in keys {
            ask(site.admin.get(&format!("/repository/{key}/none"))).await?.expect(&[404])?;
        }
        for (place, key) in keys.iter().enumerate() {
            ask(change(place, key, &["own"])).await?.expect(&[200])?;
        }
    }
    Ok(())
}

/// One who is taken in and one who goes, at the same time.
async fn nobody_is_taken_in_who_goes() -> Result<()> {
    let (site, processes) = Site::each().await?;
    hosted(&site, "own", "npm").await?;
    put_together(&site, "all", "npm", &["own"], json!({})).await?;
    for round in 0..10 {
        let key = format!("more{round}");
        hosted(&site, &key, "npm").await?;
        let takes = processes[0].patch("/v1/repos/all").json(&json!({"memberRepos": ["own", &key]}));
        let goes = processes[processes.len() - 1].delete(&format!("/v1/repos/{key}"));
        let (taken, gone) = tokio::join!(takes.send(), goes.send());
        let (taken, gone) = (taken?.expect(&[200, 404])?.status == 200, gone?.expect(&[200, 409])?.status == 200);
        ensure(taken != gone, format!("taken in: {taken}, and gone: {gone}"))?;
        let members = ask(site.admin.get("/v1/repos/all")).await?.expect(&[200])?.json()?["memberRepos"].clone();
        let wanted = if taken { json!(["own", key]) } else { json!(["own"]) };
        ensure(members == wanted, format!("{members} and not {wanted}"))?;
        let alone = json!({"memberRepos": ["own"]});
        ask(site.admin.patch("/v1/repos/all").json(&alone)).await?.expect(&[200])?;
    }
    Ok(())
}

both! {
    nothing_is_a_member_of_itself;
    no_two_changes_close_a_circle_together;
    nobody_is_taken_in_who_goes;
}
