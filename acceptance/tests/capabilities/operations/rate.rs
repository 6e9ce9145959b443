//! Limits on how often somebody may ask.

use std::sync::Arc;
use std::time::Duration;

use acceptance::Result;
use acceptance::http::Answer;
use acceptance::server::{Backing, Server};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::shape::ask;
use crate::site::{Site, ensure};

async fn limited(requests: &str, logins: &str, more: &[(&str, &str)]) -> Result<Site> {
    limited_on(Backing::Embedded, requests, logins, more).await
}

async fn limited_on(backing: Backing, requests: &str, logins: &str, more: &[(&str, &str)]) -> Result<Site> {
    let plan = Server::plan(backing)
        .variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", requests)
        .variable("ARTIFORTRESS_RATE_LOGINS_PER_MINUTE", logins);
    let server = more.iter().fold(plan, |plan, (name, value)| plan.variable(name, *value)).start().await?;
    let admin = server.admin()?;
    Ok(Site { server, admin })
}

fn number(answer: &Answer, name: &str) -> Option<u64> {
    answer.header(name)?.parse().ok()
}

#[tokio::test]
async fn whoever_asks_too_often_waits_and_nobody_else() -> Result<()> {
    let site = limited("30", "20", &[]).await?;
    let alice = site.person("alice", &["repo:a:read"]).await?;
    let mut answers = Vec::new();
    for _ in 0..60 {
        answers.push(ask(alice.get("/v1/auth/whoami")).await?);
    }
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    ensure((25..=45).contains(&served), format!("{served} of 60 were served"))?;
    let refused =
        answers.iter().find(|answer| answer.status == 429).ok_or_else(|| acceptance::Trouble::new("nobody waits"))?;
    ensure(refused.string("/code")? == "too_many_requests", refused.text())?;
    ensure(number(refused, "retry-after").is_some_and(|wait| (1..=60).contains(&wait)), "when to come back")?;
    ensure(
        number(refused, "ratelimit-limit") == Some(30) && number(refused, "ratelimit-remaining") == Some(0),
        format!("{refused:?}"),
    )?;
    ensure(number(refused, "ratelimit-reset").is_some(), "when it is full again")?;
    // Another token of hers is still hers; somebody else, and health, are not concerned.
    ask(site.admin.get("/v1/auth/whoami")).await?.expect(&[200])?;
    ask(site.server.http()?.get("/health/ready")).await?.expect(&[200])?;
    let body = json!({"subject": "alice", "scopes": ["repo:a:read"]});
    let second = ask(site.admin.post("/v1/auth/pats").json(&body)).await?.expect(&[200])?.string("/token")?;
    ask(site.server.http()?.get("/v1/auth/whoami").bearer(&second)).await?.expect(&[429])?;
    Ok(())
}

#[tokio::test]
async fn guessing_is_limited_by_address_and_a_forwarded_one_is_not_believed() -> Result<()> {
    let site = limited("30", "20", &[]).await?;
    let http = site.server.http()?;
    let guess = |number: u32| {
        let from = format!("10.0.0.{}", number % 250);
        http.get("/v1/auth/whoami")
            .bearer(&format!("guess-{number}"))
            .header("X-Forwarded-For", from.clone())
            .header("Forwarded", format!("for={from}"))
    };
    let mut statuses = Vec::new();
    for number in 0..60 {
        statuses.push(ask(guess(number)).await?.status);
    }
    let let_in = statuses.iter().filter(|status| **status == 401).count();
    ensure((25..=45).contains(&let_in) && statuses.last() == Some(&429), format!("{statuses:?}"))?;
    ask(site.admin.get("/v1/auth/whoami")).await?.expect(&[200])?;
    let mut statuses = Vec::new();
    for number in 0..40 {
        let request = http.post("/v1/auth/pats").header("X-Bootstrap-Token", format!("guessed-bootstrap-{number}"));
        statuses.push(ask(request.json(&json!({"subject": "eve"}))).await?.status);
    }
    let let_in = statuses.iter().filter(|status| **status == 401).count();
    ensure((15..=30).contains(&let_in) && statuses.last() == Some(&429), format!("{statuses:?}"))
}

/// The table of tokens is locked: whoever is answered did not wait for it.
#[tokio::test]
async fn a_flood_of_invented_tokens_ends_before_the_database() -> Result<()> {
    let plan = Server::plan(Backing::Scaled).variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "30");
    let server = Arc::new(plan.start().await?);
    let http = server.http()?;
    let guess = |number: u32| http.get("/v1/auth/whoami").bearer(&format!("invented-{number}"));
    for number in 0..60 {
        ask(guess(number)).await?;
    }
    let holder = Arc::clone(&server);
    let hold = "BEGIN; LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(5); COMMIT";
    let held = tokio::task::spawn_blocking(move || holder.sql(hold));
    let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'tokens'::regclass";
    while server.sql(locks)?.trim() == "0" {
        ensure(!held.is_finished(), "the lock was never seen")?;
        tokio::task::yield_now().await;
    }
    let mut cut = 0;
    for number in 100..110 {
        let answer = tokio::time::timeout(Duration::from_millis(200), ask(guess(number))).await;
        cut += u32::from(answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status == 429)));
    }
    // One or two may have come back into the allowance meanwhile, and wait.
    ensure(cut >= 7, format!("{cut} of 10 were answered while the table was locked"))?;
    held.await??;
    Ok(())
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_forwarded_address_counts() -> Result<()> {
    let site = limited("30", "20", &[("ARTIFORTRESS_TRUSTED_PROXIES", "127.0.0.1/32")]).await?;
    let http = site.server.http()?;
    for number in 0..40 {
        let request = http.get("/v1/auth/whoami").bearer("guess").header("X-Forwarded-For", format!("10.0.0.{number}"));
        ask(request).await?.expect(&[401])?;
    }
    let mut last = 0;
    for _ in 0..60 {
        last = ask(http.get("/v1/auth/whoami").bearer("guess").header("X-Forwarded-For", "10.0.0.77")).await?.status;
    }
    ensure(last == 429, "one address is one client")
}

#[tokio::test]
async fn zero_turns_a_limit_off() -> Result<()> {
    let site = limited("0", "0", &[]).await?;
    for number in 0..200 {
        ask(site.admin.get("/v1/auth/whoami")).await?.expect(&[200])?;
        ask(site.server.http()?.get("/v1/auth/whoami").bearer(&number.to_string())).await?.expect(&[401])?;
    }
    Ok(())
}

/// What `cargo publish` sends of a crate that is nothing but its `Cargo.toml`.
fn bare_crate() -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let manifest = &b"[package]\nname = \"tool\"\nversion = \"1.0.0\"\n"[..];
    let mut header = tar::Header::new_ustar();
    header.set_size(manifest.len() as u64);
    archive.append_data(&mut header, "tool-1.0.0/Cargo.toml", manifest)?;
    let (said, packed) = (json!({"name": "tool", "vers": "1.0.0"}).to_string(), archive.into_inner()?.finish()?);
    let long = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    Ok([&long(said.len()), said.as_bytes(), &long(packed.len()), &packed].concat())
}

/// Scaled out, a read that was made before takes a short way, which counts and refuses for itself.
#[tokio::test]
async fn one_read_too_many_is_refused_as_its_client_shows_it() -> Result<()> {
    let site = limited_on(Backing::Scaled, "10", "20", &[]).await?;
    site.repository("crates", json!({"format": "cargo"})).await?;
    site.admin.put("/repository/crates/api/v1/crates/new").body(bare_crate()?).send().await?.expect(&[200])?;
    let alice = site.person("alice", &["repo:crates:read"]).await?;
    let mut waits = 0;
    for _ in 0..30 {
        let read = alice.get("/repository/crates/dl/tool/1.0.0/download").header("User-Agent", "cargo/1.90.0");
        let answer = read.send().await?.expect(&[200, 429])?;
        if answer.status == 429 {
            waits += 1;
            ensure(!answer.string("/errors/0/detail")?.is_empty(), answer.text())?;
            ensure(number(&answer, "retry-after").is_some(), "when to come back")?;
        }
    }
    ensure(waits > 0, "nobody waits")
}

/// A token for nobody costs as much as any answer to nobody, and so does what is no form. Credentials in a form are
/// counted for whom they name, not for the address.
#[tokio::test]
async fn tokens_without_credentials_are_counted() -> Result<()> {
    let site = limited("10", "20", &[]).await?;
    let http = site.server.http()?;
    let rita = site.person("rita", &["repo:a:read"]).await?;
    let shown = format!("grant_type=password&username=rita&password={}", rita.token());
    for _ in 0..6 {
        http.post("/v2/token").body(shown.clone()).send().await?.expect(&[200])?;
    }
    for _ in 0..8 {
        http.get("/v2/token").send().await?.expect(&[200])?;
    }
    for (what, expected) in [("grant_type=password".to_owned(), 200), ("x".repeat((64 << 10) + 1), 413)] {
        let mut waits = 0;
        for _ in 0..30 {
            let answer = http.post("/v2/token").body(what.clone()).send().await?.expect(&[expected, 429])?;
            let code = if answer.status >= 400 { answer.string("/errors/0/code")? } else { String::new() };
            let right = match answer.status {
                413 => code == "SIZE_INVALID",
                429 => code == "TOOMANYREQUESTS",
                _ => true,
            };
            ensure(right, answer.text())?;
            waits += u32::from(answer.status == 429);
        }
        ensure(waits > 0, format!("{expected}: nobody waits"))?;
    }
    Ok(())
}
