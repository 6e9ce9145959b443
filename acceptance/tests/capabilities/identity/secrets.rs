//! Secrets are not at any level, wherever they were put.

use std::fs;
use std::io::Read as _;

use acceptance::Result;
use acceptance::server::Persona;
use serde_json::json;

use crate::shape::ask;
use crate::site::{Site, ensure, mint, plan};

#[tokio::test]
async fn no_token_reaches_the_log_or_the_database() -> Result<()> {
    let server = plan().variable("ARTIFORTRESS_LOG", "trace").without_admin().start().await?;
    let bootstrap = fs::read_to_string(server.data().join("bootstrap-token"))?.trim().to_string();
    let first = server.http()?.post("/v1/auth/pats").header("X-Bootstrap-Token", bootstrap.clone());
    let first = ask(first.json(&json!({"subject": "admin"}))).await?.expect(&[200])?.string("/token")?;
    let site = Site { admin: Persona::new("admin", first.clone(), server.http()?), server };
    site.repository("libs", json!({})).await?;
    let used = mint(&site.admin, "alice", &["repo:libs:write"]).await?;
    let revoked = mint(&site.admin, "alice", &["repo:libs:write"]).await?;
    ask(site.admin.post("/v1/auth/pats/revoke").json(&json!({"tokenId": revoked.id}))).await?.expect(&[200])?;
    let http = site.server.http()?;
    let guess = "guessed-secret-0123456789-abcdef";
    for secret in [&first, &used.secret, &revoked.secret, guess, &bootstrap] {
        ask(http.get("/v1/auth/whoami").bearer(secret)).await?;
        ask(http.get("/v1/auth/whoami").basic("alice", secret)).await?;
        ask(http.get("/v1/auth/whoami").basic(secret, "")).await?;
        ask(http.get(&format!("/v1/auth/whoami?token={secret}"))).await?;
        ask(http.get(&format!("/v1/repos?limit={secret}")).bearer(&first)).await?;
        ask(http.put("/repository/libs/a").bearer(secret).body("x")).await?;
        ask(http.post("/v1/auth/pats").header("X-Bootstrap-Token", secret).json(&json!({"subject": "eve"}))).await?;
        ask(http.post("/v1/auth/pats").bearer(&first).json(&json!({"subject": "eve", "secret": secret}))).await?;
        ask(http.get("/v1/repos/libs").header("Cookie", secret)).await?;
    }
    let basic = |secret: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("alice:{secret}"))
    };
    let last = "01a1fd17-0000-7000-8000-000000000001";
    ask(http.get("/v1/auth/whoami").header("X-Correlation-Id", last)).await?;
    let log = site.server.logged(last).await?;
    for secret in [&first, &used.secret, &revoked.secret, guess, &bootstrap] {
        for form in [secret.to_string(), basic(secret), secret[4..].to_string()] {
            let line = log.lines().find(|line| line.contains(&form)).unwrap_or_default();
            ensure(line.is_empty(), format!("in the log: {line}"))?;
        }
    }
    // Only hashes are kept.
    for file in fs::read_dir(site.server.data())?.flatten().filter(|entry| entry.path().is_file()) {
        let name = file.file_name().to_string_lossy().into_owned();
        if name == "bootstrap-token" {
            continue;
        }
        let mut bytes = Vec::new();
        fs::File::open(file.path())?.read_to_end(&mut bytes)?;
        let bytes = String::from_utf8_lossy(&bytes);
        for secret in [&first, &used.secret, &revoked.secret] {
            ensure(!bytes.contains(secret.as_str()), format!("in {name}"))?;
        }
    }
    Ok(())
}
