//! Limits on how often somebody may ask.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use acceptance::http::{Answer, Request};
use acceptance::server::{Backing, Server};
use acceptance::{Result, Trouble};
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

/// Asks until it is refused. However slow the machine is: what is let in is what the bucket `held` at a moment and what
/// has come back into it since, and no more.
async fn until_refused(limit: u64, held: u64, since: Instant, request: impl Fn(u64) -> Request) -> Result<Answer> {
    until_429(limit, held, since, async |number| ask(request(number)).await).await
}

/// The same, whatever refusals look like where it is asked.
async fn until_429(
    limit: u64,
    held: u64,
    since: Instant,
    answer: impl AsyncFn(u64) -> Result<Answer>,
) -> Result<Answer> {
    for let_in in 0..1000 {
        let answer = answer(let_in).await?;
        if answer.status == 429 {
            let most = held + since.elapsed().as_secs() * limit / 60 + 1;
            ensure((held..=most).contains(&let_in), format!("{let_in} were let in, not {held} to {most}"))?;
            return Ok(answer);
        }
        ensure([200, 401, 413].contains(&answer.status), answer.text())?;
    }
    Err(Trouble::new("nobody waits"))
}

fn number(answer: &Answer, name: &str) -> Option<u64> {
    answer.header(name)?.parse().ok()
}

#[tokio::test]
async fn whoever_asks_too_often_waits_and_nobody_else() -> Result<()> {
    let site = limited("10", "20", &[]).await?;
    let alice = site.person("alice", &["repo:a:read"]).await?;
    let refused = until_refused(10, 10, Instant::now(), |_| alice.get("/v1/auth/whoami")).await?;
    ensure(refused.string("/code")? == "too_many_requests", refused.text())?;
    ensure(number(&refused, "retry-after").is_some_and(|wait| (1..=60).contains(&wait)), "when to come back")?;
    ensure(
        number(&refused, "ratelimit-limit") == Some(10) && number(&refused, "ratelimit-remaining") == Some(0),
        format!("{refused:?}"),
    )?;
    ensure(number(&refused, "ratelimit-reset").is_some(), "when it is full again")?;
    // Another token of hers is still hers; somebody else, and health, are not concerned.
    let emptied = Instant::now();
    ask(site.admin.get("/v1/auth/whoami")).await?.expect(&[200])?;
    ask(site.server.http()?.get("/health/ready")).await?.expect(&[200])?;
    let body = json!({"subject": "alice", "scopes": ["repo:a:read"]});
    let second = ask(site.admin.post("/v1/auth/pats").json(&body)).await?.expect(&[200])?.string("/token")?;
    let http = site.server.http()?;
    until_refused(10, 0, emptied, |_| http.get("/v1/auth/whoami").bearer(&second)).await.map(drop)
}

#[tokio::test]
async fn guessing_is_limited_by_address_and_a_forwarded_one_is_not_believed() -> Result<()> {
    let began = Instant::now();
    let site = limited("30", "20", &[]).await?;
    let http = site.server.http()?;
    let guess = |number: u64| {
        let from = format!("10.0.0.{}", number % 250);
        http.get("/v1/auth/whoami")
            .bearer(&format!("guess-{number}"))
            .header("X-Forwarded-For", from.clone())
            .header("Forwarded", format!("for={from}"))
    };
    until_refused(30, 30, Instant::now(), guess).await?;
    ask(site.admin.get("/v1/auth/whoami")).await?.expect(&[200])?;
    let login = |number: u64| {
        let request = http.post("/v1/auth/pats").header("X-Bootstrap-Token", format!("guessed-bootstrap-{number}"));
        request.json(&json!({"subject": "eve"}))
    };
    // The admin has logged in once already.
    until_refused(20, 19, began, login).await.map(drop)
}

/// The table of tokens is locked until the test ends: who asks it is seen waiting.
#[tokio::test]
async fn a_flood_of_invented_tokens_ends_before_the_database() -> Result<()> {
    let plan = Server::plan(Backing::Scaled).variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "1");
    let server = plan.start().await?;
    let http = server.http()?;
    let guess = |number: u64| http.get("/v1/auth/whoami").bearer(&format!("invented-{number}"));
    until_refused(1, 1, Instant::now(), guess).await?;
    let emptied = Instant::now();
    let _lock = server.lock("tokens", "ACCESS EXCLUSIVE")?;
    let mut flood = std::pin::pin!(async {
        for number in 100..110 {
            ask(guess(number)).await?;
        }
        Ok::<_, Trouble>(())
    });
    let mut waited = BTreeSet::new();
    loop {
        tokio::select! {
            done = &mut flood => return done,
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        waited.extend(server.sql(WAITING)?.lines().map(str::to_owned));
        // One comes back into the allowance in a minute.
        let most = emptied.elapsed().as_secs() / 60 + 1;
        ensure(waited.len() as u64 <= most, format!("{} guesses came to the database", waited.len()))?;
    }
}

/// Since when somebody waits for the table of tokens; other databases have tables with the same number.
const WAITING: &str = "SELECT waitstart FROM pg_locks WHERE NOT granted AND waitstart IS NOT NULL \
                       AND relation = 'tokens'::regclass \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

#[tokio::test]
async fn behind_a_trusted_proxy_the_forwarded_address_counts() -> Result<()> {
    let site = limited("30", "20", &[("ARTIFORTRESS_TRUSTED_PROXIES", "127.0.0.1/32")]).await?;
    let http = site.server.http()?;
    for number in 0..40 {
        let request = http.get("/v1/auth/whoami").bearer("guess").header("X-Forwarded-For", format!("10.0.0.{number}"));
        ask(request).await?.expect(&[401])?;
    }
    let one = |_| http.get("/v1/auth/whoami").bearer("guess").header("X-Forwarded-For", "10.0.0.77");
    until_refused(30, 30, Instant::now(), one).await.map(drop)
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

/// A header that nobody understands costs one unit, and where tokens are made it costs it before the form is read.
#[tokio::test]
async fn headers_that_are_not_understood_are_counted() -> Result<()> {
    let site = limited("3", "20", &[("ARTIFORTRESS_TRUSTED_PROXIES", "127.0.0.1/32")]).await?;
    let http = site.server.http()?;
    let cases = [
        http.get("/v1/auth/whoami"),
        http.get("/v2/token"),
        http.post("/v2/token").body("grant_type=password"),
        http.post("/v2/token").body("x".repeat((64 << 10) + 1)),
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let request = case.header("Authorization", "Digest x").header("X-Forwarded-For", format!("10.0.0.{number}"));
        until_429(3, 3, Instant::now(), async |_| request.clone().send().await).await?;
    }
    Ok(())
}
