//! What was collected is gone for every moment, and says so.

use acceptance::Result;
use serde_json::json;

use super::images::{IMAGE, digest_of, push_to};
use super::{FOR_GOOD, ask, compact};
use crate::engines::both;
use crate::remotes::shelf::of;
use crate::site::{Site, ensure};
use crate::virtuals::put_together;
use crate::wares::{FORMATS, Ware};

/// The reason, wherever a client shows it.
const WHY: &str = "was withdrawn and has been collected since: its bytes are gone for every moment";
/// What a collection of what was withdrawn does to the rows: versions and places stay taken, files go.
const COLLECT: &str = "UPDATE versions SET state = 'collected' WHERE state = 'tombstoned';
    DELETE FROM entries WHERE version_id IN (SELECT id FROM versions WHERE state = 'collected');";

async fn what_was_collected_is_gone_for_every_moment() -> Result<()> {
    let site = Site::here().await?;
    for format in FORMATS.into_iter().chain(["oci"]) {
        Ware(format).shelf(&site).await?;
        put_together(&site, &format!("{format}-all"), format, &[format], json!({})).await?;
    }
    for ware in FORMATS.map(Ware) {
        for version in ["0.1.0", "0.2.0"] {
            of(ware.0, ware.publish(&site.admin, version).await)?;
        }
    }
    let gone = push_to(&site.admin, "oci/app", "0.1.0", "0.1.0", None).await?;
    push_to(&site.admin, "oci/app", "0.2.0", "0.2.0", None).await?;
    let then = site.server.moment("then").await?;
    for ware in FORMATS.map(Ware) {
        ware.act(&site.admin, &ware.id(&site.admin, "0.1.0").await?, "tombstone").await?;
    }
    ask(site.admin.delete(&format!("/v2/oci/app/manifests/{gone}"))).await?.expect(&[202])?;
    let withdrawn = site.server.moment("withdrawn").await?;
    site.server.sql(COLLECT)?;
    for door in ["", "-all"] {
        for ware in FORMATS.map(Ware) {
            of(ware.0, files_are_gone(&site, ware, door, [&then, &withdrawn]).await)?;
        }
        images_are_gone(&site, &format!("oci{door}"), &gone, [&then, &withdrawn]).await?;
    }
    Ok(())
}

async fn files_are_gone(site: &Site, ware: Ware, door: &str, moments: [&str; 2]) -> Result<()> {
    let now = String::new();
    for moment in moments.map(|moment| format!("@{moment}")).iter().chain([&now]) {
        let path = ware.file(&format!("{door}{moment}"), "0.1.0");
        let answer = ask(site.admin.get(&path)).await?.expect(&[410])?;
        // Clients show their users what stands where their own protocol has it.
        let said = match ware.0 {
            "npm" => answer.string("/error")?,
            "cargo" => answer.string("/errors/0/detail")?,
            "go" => answer.text(),
            _ => answer.string("/detail")?,
        };
        ensure(said.contains(WHY), format!("{path}: {}", answer.text()))?;
        ensure(answer.header("cache-control") != Some(FOR_GOOD), format!("{path}: {:?}", answer.headers))?;
        ask(site.admin.head(&path)).await?.expect(&[410])?;
        ask(site.admin.get(&path).range("bytes=0-0")).await?.expect(&[410])?;
    }
    ask(site.admin.get(&ware.file(&format!("{door}@2020-01-01"), "0.1.0"))).await?.expect(&[404])?;
    ask(site.admin.get(&ware.file(&format!("{door}@{}", moments[0]), "0.2.0"))).await?.expect(&[200])?;
    for (path, accept) in ware.indexes(&format!("{door}@{}", moments[0])) {
        let index = ask(site.admin.get(&path).header("Accept", accept)).await?.expect(&[200])?;
        ensure(!index.text().contains("0.1.0"), format!("{path}: {}", index.text()))?;
    }
    Ok(())
}

async fn images_are_gone(site: &Site, key: &str, gone: &str, [then, withdrawn]: [&str; 2]) -> Result<()> {
    let get = |moment: &str, rest: &str| {
        site.admin.get(&format!("/v2/{key}/{}/app/{rest}", compact(moment))).header("Accept", IMAGE)
    };
    let by_digest = format!("manifests/{gone}");
    let both = [then, withdrawn].map(|moment| ["manifests/0.1.0", &by_digest].map(|rest| (moment, rest)));
    for (moment, rest) in both.into_iter().flatten() {
        let answer = of(rest, ask(get(moment, rest)).await?.expect(&[410]))?;
        let said = answer.string("/errors/0/message")?;
        ensure(said.contains(WHY) && answer.string("/errors/0/code")? == "MANIFEST_UNKNOWN", answer.text())?;
        let head = format!("/v2/{key}/{}/app/{rest}", compact(moment));
        ask(site.admin.head(&head).header("Accept", IMAGE)).await?.expect(&[410])?;
    }
    // Without its manifest nobody knows of what image it was.
    ask(get(then, &format!("blobs/{}", digest_of(b"0.1.0")))).await?.expect(&[404])?;
    ask(get("2020-01-01T00:00:00", &by_digest)).await?.expect(&[404])?;
    ask(get(then, "manifests/0.2.0")).await?.expect(&[200])?;
    let tags = ask(get(then, "tags/list")).await?.expect(&[200])?;
    ensure(tags.json()?["tags"] == json!(["0.2.0"]), tags.text())?;
    // Of now it is unknown to these clients, as all that was withdrawn.
    let now = site.admin.get(&format!("/v2/{key}/app/{by_digest}")).header("Accept", IMAGE);
    ask(now).await?.expect(&[404]).map(drop)
}

both! {
    what_was_collected_is_gone_for_every_moment;
}
