//! A check asks for real, and tells administrators whether there are credentials.

use acceptance::Result;
use serde_json::{Value, json};

use super::checks::problem;
use super::shelf::{remote, site};
use super::upstream::{Say, Upstream};
use crate::site::ensure;

/// An administrator who has mended an upstream need not wait until it is asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_asks_an_upstream_that_is_left_alone() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    remote(&site, "up", "raw", &upstream.url(), json!({})).await?;
    upstream.always(Some(Say::status(500)));
    let read = |path: String| site.admin.get(&format!("/repository/up/{path}")).send();
    for number in 0..10 {
        read(format!("broken-{number}")).await?.expect(&[503])?;
    }
    let before = upstream.total();
    read("alone".to_owned()).await?.expect(&[503])?;
    ensure(upstream.total() == before, "the upstream is not left alone")?;
    // In vain, as often as one likes.
    for _ in 0..3 {
        let said = problem(&site, "up").await?;
        ensure(said["problem"] == "failing" && said["status"] == 500, said.to_string())?;
    }
    ensure(upstream.total() == before + 3, "the check did not ask")?;
    upstream.always(Some(Say::file("mended")));
    let said = problem(&site, "up").await?;
    ensure(said["reachable"] == true, said.to_string())?;
    let answer = read("mended".to_owned()).await?.expect(&[200])?;
    ensure(answer.text() == "mended", answer.text())
}

/// Who administrates the repository is told whether there are credentials; who reads it is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_says_whether_credentials_are_set() -> Result<()> {
    let (site, upstream, other) = (site().await?, Upstream::start().await?, Upstream::start().await?);
    for closed in [&upstream, &other] {
        closed.always(Some(Say::status(401)));
    }
    let auth = json!({"kind": "basic", "user": "robot", "password": "canary-4711"});
    for (key, auth) in [("bare", Value::Null), ("known", auth)] {
        let body = json!({"repoKey": key, "format": "raw", "repoType": "remote", "upstreamUrl": upstream.url()});
        site.admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
        let patch = site.admin.patch(&format!("/v1/repos/{key}")).json(&json!({"upstreamAuth": auth}));
        patch.send().await?.expect(&[200])?;
    }
    let reader = site.person("reader", &["repo:*:read"]).await?;
    let detail = async |key: &str| -> Result<String> {
        let said = problem(&site, key).await?;
        ensure(said["problem"] == "credentials" && !said.to_string().contains("canary"), said.to_string())?;
        Ok(said["detail"].as_str().unwrap_or_default().to_owned())
    };
    let mut told = Vec::new();
    for (key, words) in [("bare", "no credentials are set"), ("known", "were shown, and refused")] {
        let said = detail(key).await?;
        ensure(said.contains(words), said)?;
        let answer = reader.get(&format!("/repository/{key}/x")).send().await?.expect(&[503])?;
        let text = answer.json()?["detail"].as_str().unwrap_or_default().to_owned();
        ensure(text.contains("administrators are told more") && !text.contains("credentials"), text.clone())?;
        told.push(text);
    }
    ensure(told[0] == told[1], format!("a reader learns which it is: {told:?}"))?;
    upstream.always(Some(Say::redirect(&format!("{}/x", other.url()))));
    let said = detail("known").await?;
    ensure(said.contains("were not shown") && said.contains("--upstream-realm"), said)
}
