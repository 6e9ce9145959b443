//! Limits on how often somebody may ask.

use std::sync::Arc;
use std::time::Duration;

use acceptance::Result;
use acceptance::http::Answer;
use acceptance::server::{Backing, Server};
use serde_json::json;

use crate::shape::ask;
use crate::site::{Site, ensure};

async fn limited(requests: &str, logins: &str, more: &[(&str, &str)]) -> Result<Site> {
    let plan = Server::plan(Backing::Embedded)
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
