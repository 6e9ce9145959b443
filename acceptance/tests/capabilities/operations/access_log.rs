//! The access log names who asked, on every route and whatever became of the request.

use acceptance::Result;
use acceptance::server::Server;
use serde_json::{Value, json};

use crate::shape::ask;
use crate::site::{Site, ensure, plan};

/// The id of the n-th request.
fn id(number: usize) -> String {
    format!("01a1fd17-0000-7000-8000-{number:012}")
}

/// The line of the access log about the request with this id.
fn line(log: &str, id: &str) -> Option<Value> {
    let about = |line: &&str| line.contains(id) && line.contains("\"target\":\"access\"");
    log.lines().find(about).and_then(|line| serde_json::from_str(line).ok())
}

async fn subject(server: &Server, number: usize) -> Result<Option<String>> {
    let log = server.logged(&id(number)).await?;
    let line = line(&log, &id(number)).unwrap_or_default();
    Ok(line["subject"].as_str().map(str::to_string))
}

async fn every_request_of_somebody_is_logged_with_the_name(site: Site) -> Result<()> {
    site.repository("libs", json!({})).await?;
    ask(site.admin.put("/repository/libs/a").body("x")).await?.expect(&[201])?;
    let reader = site.person("reader", &["repo:libs:read"]).await?;
    let document = site.admin.get("/v1/openapi.json").send().await?.json()?;
    let mut rows: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            if operation["x-access"] != "open" {
                let path = path.replace("{repo}", "libs").replace(['{', '}'], "");
                rows.push((method.to_uppercase(), path));
            }
        }
    }
    ensure(rows.len() >= 40, format!("only {} rows", rows.len()))?;
    for path in ["/repository/libs/a", "/repository/libs/", "/repository/libs", "/repository/libs/none"] {
        rows.extend([("GET".to_string(), path.to_string()), ("HEAD".to_string(), path.to_string())]);
    }
    // Mostly refused: with 400, 403, 404. Even then it is known who asked.
    for (number, (method, path)) in rows.iter().enumerate() {
        ask(reader.request(method, path).header("X-Correlation-Id", id(number)).json(&json!({"unknown": 1}))).await?;
    }
    for (number, (method, path)) in rows.iter().enumerate() {
        let found = subject(&site.server, number).await?;
        ensure(found.as_deref() == Some("reader"), format!("{method} {path}: {found:?}"))?;
    }
    ask(site.server.http()?.get("/v1/repos/libs").header("X-Correlation-Id", id(900))).await?.expect(&[401])?;
    ensure(subject(&site.server, 900).await?.is_none(), "nobody has no name")
}

#[tokio::test]
async fn every_request_of_somebody_is_logged_with_the_name_embedded() -> Result<()> {
    every_request_of_somebody_is_logged_with_the_name(Site::embedded().await?).await
}

#[tokio::test]
async fn every_request_of_somebody_is_logged_with_the_name_scaled_out() -> Result<()> {
    every_request_of_somebody_is_logged_with_the_name(Site::scaled().await?).await
}

/// Whoever asks too often is the one to be found in the log.
#[tokio::test]
async fn who_is_over_the_limit_is_named() -> Result<()> {
    let server = plan().variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "10").start().await?;
    let admin = server.admin()?;
    for (first, path) in [(0, "/v1/auth/whoami"), (1000, "/repository/libs/a")] {
        let mut number = first;
        while ask(admin.get(path).header("X-Correlation-Id", id(number))).await?.status != 429 {
            number += 1;
            ensure(number < first + 1000, format!("{path} is never refused"))?;
        }
        ensure(subject(&server, number).await?.as_deref() == Some("admin"), path)?;
    }
    Ok(())
}
