//! What belongs to an image of another registry, under rules: a list has what a pull by digest would give.

use acceptance::Result;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::shelf::{hex, remote, site};
use super::upstream::{Say, Upstream};
use crate::site::ensure;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn digest_of(text: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(text)))
}

/// An artifact that belongs to `subject`.
fn signature(subject: &str, word: &str) -> String {
    let config = json!({"mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"});
    let subject = json!({"mediaType": IMAGE, "digest": subject, "size": 7});
    json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [], "subject": subject,
        "annotations": {"word": word}})
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn referrers_that_a_pull_would_refuse_are_not_listed() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let subject = digest_of("an image");
    let (met, fresh, lost) = (signature(&subject, "met"), signature(&subject, "fresh"), signature(&subject, "lost"));
    let entry = |text: &String| json!({"mediaType": IMAGE, "digest": digest_of(text), "size": text.len()});
    let all = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry(&met), entry(&fresh), entry(&lost)]});
    upstream
        .says(&format!("/v2/app/referrers/{subject}"), Say::answer(200, &[("Content-Type", INDEX)], all.to_string()));
    for text in [&met, &fresh] {
        let digest = digest_of(text);
        let headers = [("Content-Type", IMAGE), ("Docker-Content-Digest", digest.as_str())];
        upstream.says(&format!("/v2/app/manifests/{digest}"), Say::answer(200, &headers, text.clone()));
    }
    remote(&site, "up", "oci", &upstream.url(), json!({})).await?;
    let pull = async |text: &str| -> Result<u16> {
        let path = format!("/v2/up/app/manifests/{}", digest_of(text));
        Ok(site.admin.get(&path).header("Accept", IMAGE).send().await?.status)
    };
    let listed = async || -> Result<Vec<String>> {
        let path = format!("/v2/up/app/referrers/{subject}");
        let told: Value = site.admin.get(&path).send().await?.expect(&[200])?.json()?;
        let digests = told["manifests"].as_array().into_iter().flatten();
        Ok(digests.filter_map(|one| one["digest"].as_str().map(str::to_owned)).collect())
    };
    let rules = async |rules: Value| -> Result<()> {
        site.admin.put("/v1/repos/up/rules").json(&json!({"rules": rules})).send().await?.expect(&[200])?;
        Ok(())
    };
    ensure(pull(&met).await? == 200, "it is met")?;
    ensure(listed().await?.len() == 3, "without rules all are listed")?;
    let then = site.server.moment("clock").await?;
    rules(json!([{"kind": "freeze", "notAfter": then}])).await?;
    let seen = listed().await?;
    ensure(seen == [digest_of(&met)], format!("what was known before is let in, the others are not: {seen:?}"))?;
    for (text, status) in [(&met, 200), (&fresh, 403), (&lost, 404)] {
        ensure(pull(text).await? == status, format!("{text}: {} and not {status}", pull(text).await?))?;
    }
    // What was listed once is known since then: it comes in when it is old enough, without anybody pulling it.
    rules(json!([{"kind": "minimumAge", "hours": 1}])).await?;
    ensure(listed().await? == [digest_of(&met)], "the other one is too young")?;
    site.server.moment("later").await?;
    rules(json!([{"kind": "minimumAge", "hours": 2}])).await?;
    let seen = listed().await?;
    ensure(seen == [digest_of(&met), digest_of(&fresh)], format!("it is old enough now: {seen:?}"))?;
    rules(json!([{"kind": "block", "pattern": "app"}])).await?;
    let path = format!("/v2/up/app/referrers/{subject}");
    site.admin.get(&path).send().await?.expect(&[403])?;
    Ok(())
}
