//! Lists: tags, referrers, images.

use acceptance::{Result, Trouble};
use serde_json::{Value, json};

use super::yard::{INDEX, Yard, header, sha256, sha512, texts, told};

pub(super) async fn tags_come_in_order_and_in_pages(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let body = yard.manifest(&image).await?.to_string();
    for tag in ["b", "a", "Z", "1", "_x", "a.1"] {
        yard.push(&image, tag, &body).await?.expect(&[201])?;
    }
    let list = async |query: &str| yard.admin.get(&format!("{image}/tags/list{query}")).send().await;
    let all = list("").await?.expect(&[200])?;
    assert_eq!(all.string("/name")?, image.trim_start_matches("/v2/"));
    assert_eq!(texts(&all, "/tags")?, ["1", "Z", "_x", "a", "a.1", "b"]);
    assert_eq!(all.header("link"), None);
    let (mut page, mut seen) = (list("?n=4").await?.expect(&[200])?, Vec::new());
    loop {
        seen.extend(texts(&page, "/tags")?);
        let Some(link) = page.header("link") else { break };
        let next = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")).unwrap_or_default();
        page = yard.admin.get(next).send().await?.expect(&[200])?;
    }
    assert_eq!(seen, texts(&all, "/tags")?);
    assert_eq!(texts(&list("?last=Z").await?, "/tags")?, ["_x", "a", "a.1", "b"]);
    assert_eq!(texts(&list("?last=a0&n=1").await?, "/tags")?, ["b"], "it need not exist");
    let none = list("?n=0").await?.expect(&[200])?;
    assert!(texts(&none, "/tags")?.is_empty() && none.header("link").is_none());
    assert_eq!(texts(&list("?n=9223372036854775808").await?.expect(&[200])?, "/tags")?.len(), 6);
    for bad in ["?n=-1", "?n=x", "?n="] {
        assert_eq!(list(bad).await?.status, 400, "{bad}");
    }
    told(yard.admin.get("/v2/oci/never/pushed/tags/list").send().await?, 404, "NAME_UNKNOWN").map(drop)
}

async fn attach(yard: &Yard, image: &str, subject: &str, kind: &str, as_type: bool) -> Result<(String, String)> {
    let mut manifest = yard.manifest(image).await?;
    manifest["subject"] = json!({"mediaType": "application/x", "digest": subject, "size": 3});
    manifest["annotations"] = json!({"kind": kind});
    match as_type {
        true => manifest["artifactType"] = json!(kind),
        false => manifest["config"]["mediaType"] = json!(kind),
    }
    let body = manifest.to_string();
    let digest = sha256(body.as_bytes());
    let done = yard.push(image, &digest, &body).await?.expect(&[201])?;
    assert_eq!(header(&done, "oci-subject")?, subject);
    Ok((digest, body))
}

pub(super) async fn referrers_are_listed_filtered_and_withdrawn(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    for subject in [sha256(&yard.noise(8)), sha512(&yard.noise(8))] {
        let list = async |query: &str| {
            let answer = yard.admin.get(&format!("{image}/referrers/{subject}{query}")).send().await?.expect(&[200])?;
            assert_eq!(header(&answer, "content-type")?, INDEX);
            let found: Value = answer.json()?;
            assert_eq!((found["schemaVersion"].as_u64(), found["mediaType"].as_str()), (Some(2), Some(INDEX)));
            let list = found["manifests"].as_array().ok_or_else(|| Trouble::new(format!("no list: {found}")))?;
            Ok::<_, Trouble>((list.clone(), answer))
        };
        assert!(list("").await?.0.is_empty(), "nobody refers to it, and it need not exist");
        let (sign, text) = attach(yard, &image, &subject, "application/x.sign", true).await?;
        let (bill, _) = attach(yard, &image, &subject, "application/x.bill", false).await?;
        let (both, _) = list("").await?;
        assert_eq!(
            both.iter().map(|one| one["digest"].as_str().unwrap_or_default()).collect::<Vec<_>>(),
            [&sign, &bill]
        );
        assert_eq!(both[0]["artifactType"], "application/x.sign");
        assert_eq!(
            (both[0]["annotations"]["kind"].as_str(), both[0]["size"].as_u64()),
            (Some("application/x.sign"), Some(text.len() as u64))
        );
        let (some, answer) = list("?artifactType=application%2Fx.bill").await?;
        assert_eq!((some.len(), some[0]["digest"].as_str()), (1, Some(bill.as_str())));
        assert_eq!(header(&answer, "oci-filters-applied")?, "artifactType");
        assert!(list("?artifactType=application/none").await?.0.is_empty());
        yard.admin.delete(&format!("{image}/manifests/{sign}")).send().await?.expect(&[202])?;
        assert_eq!(list("").await?.0.len(), 1);
    }
    told(yard.admin.get(&format!("{image}/referrers/sha256:x")).send().await?, 400, "DIGEST_INVALID")?;
    let empty =
        yard.admin.get(&format!("/v2/oci/never/pushed/referrers/{}", sha256(b"x"))).send().await?.expect(&[200])?;
    assert_eq!(empty.json()?["manifests"], json!([]));
    Ok(())
}

pub(super) async fn referrers_come_in_pages(yard: &Yard) -> Result<()> {
    let (image, subject) = (yard.image("oci"), sha256(&yard.noise(8)));
    let mut manifest = yard.manifest(&image).await?;
    manifest["subject"] = json!({"mediaType": "application/x", "digest": subject, "size": 3});
    let mut pushed = Vec::new();
    for number in 0..501 {
        manifest["artifactType"] = json!(if number % 2 == 0 { "application/x.even" } else { "application/x.odd" });
        manifest["annotations"] = json!({"number": number.to_string()});
        let body = manifest.to_string();
        pushed.push(sha256(body.as_bytes()));
        yard.push(&image, &pushed[number], &body).await?.expect(&[201])?;
    }
    let odd: Vec<String> = pushed.iter().skip(1).step_by(2).cloned().collect();
    for (query, mut wanted) in [("", pushed), ("?artifactType=application/x.odd", odd)] {
        let (mut at, mut seen, mut pages) = (format!("{image}/referrers/{subject}{query}"), Vec::new(), 0);
        loop {
            let page = yard.admin.get(&at).send().await?.expect(&[200])?;
            let list = page.json()?["manifests"].as_array().cloned().unwrap_or_default();
            seen.extend(list.iter().filter_map(|one| one["digest"].as_str().map(str::to_owned)));
            pages += 1;
            let Some(link) = page.header("link") else { break };
            let next = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\""));
            at = next.unwrap_or_default().to_owned();
        }
        seen.sort();
        wanted.sort();
        assert_eq!((seen, pages), (wanted, 2));
    }
    Ok(())
}

pub(super) async fn the_catalogue_shows_what_the_caller_may_read(yard: &Yard) -> Result<()> {
    let images = [yard.image("oci"), yard.image("other"), yard.image("public")];
    for image in &images {
        yard.tagged(image, "v1").await?;
    }
    let [first, second, public] = images.map(|image| image.trim_start_matches("/v2/").to_owned());
    let all = texts(&yard.admin.get("/v2/_catalog").send().await?.expect(&[200])?, "/repositories")?;
    assert!(all.is_sorted() && [&first, &second, &public].iter().all(|name| all.contains(name)), "{all:?}");
    let rita = yard.person("rita", &["repo:oci:read"]).await?;
    let hers = texts(&rita.get("/v2/_catalog").send().await?.expect(&[200])?, "/repositories")?;
    assert!(hers.contains(&first) && hers.contains(&public) && !hers.contains(&second), "{hers:?}");
    // Most clients show their credentials only where they are asked for: an empty list would be believed.
    let nobody = yard.server.http()?;
    let asked = nobody.get("/v2/_catalog").send().await?.expect(&[401])?;
    let challenge = asked.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains("scope=\"registry:catalog:*\""), "{challenge}");
    let token = nobody.get("/v2/token?scope=registry:catalog:*").send().await?.expect(&[200])?.string("/token")?;
    let shows = nobody.get("/v2/_catalog").header("Authorization", format!("Bearer {token}"));
    let anybody = texts(&shows.send().await?.expect(&[200])?, "/repositories")?;
    assert!(anybody.contains(&public) && !anybody.contains(&first), "{anybody:?}");
    let (mut at, mut seen) = ("/v2/_catalog?n=1".to_owned(), Vec::new());
    loop {
        let page = yard.admin.get(&at).send().await?.expect(&[200])?;
        seen.extend(texts(&page, "/repositories")?);
        let Some(link) = page.header("link") else { break };
        at = link
            .strip_prefix('<')
            .and_then(|rest| rest.split_once('>'))
            .map(|(to, _)| to.to_owned())
            .unwrap_or_default();
    }
    assert_eq!(seen, all);
    yard.admin.get("/v2/_catalog?n=99999999999999999999").send().await?.expect(&[200]).map(drop)
}
