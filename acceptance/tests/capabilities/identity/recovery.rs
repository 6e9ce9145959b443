//! A lone admin whose token has ended is let in by the database that is hers, and by nothing else.

use std::process::Output;

use acceptance::Result;
use acceptance::server::Server;
use serde_json::json;

use crate::shape::{ask, refused};
use crate::site::{Site, ensure};

/// What a command said, both ways, and that it ended so.
fn said(done: &Output, code: i32) -> Result<String> {
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure(done.status.code() == Some(code), format!("{:?}: {said}", done.status))?;
    Ok(said)
}

async fn give_up(site: &Site) -> Result<()> {
    let id = site.admin.get("/v1/auth/whoami").send().await?.string("/tokenId")?;
    ask(site.admin.post("/v1/auth/pats/revoke").json(&json!({"tokenId": id}))).await?.expect(&[200]).map(drop)
}

/// The token that is printed opens everything, and the journal says where it came from.
async fn opens(server: &Server, done: &Output) -> Result<()> {
    let told = said(done, 0)?;
    let token = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    ensure(token.starts_with("aft_") && !String::from_utf8_lossy(&done.stderr).contains(&token), told)?;
    let admin = server.http()?.with_token(&token);
    let who = ask(admin.get("/v1/auth/whoami")).await?.expect(&[200])?;
    ensure(who.string("/subject")? == "olga", who.text())?;
    ask(admin.post("/v1/repos").json(&json!({"repoKey": "new", "format": "raw"}))).await?.expect(&[201])?;
    for _ in 0..250 {
        let found = ask(admin.get("/v1/audit?action=auth.recovered")).await?.expect(&[200])?.json()?;
        if found["items"][0]["subject"] == "database owner" {
            return ensure(found["items"].as_array().is_some_and(|items| items.len() == 1), format!("{found}"));
        }
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
    ensure(false, "the journal does not say that it was done")
}

#[tokio::test]
async fn embedded_it_takes_the_folder_of_a_stopped_server() -> Result<()> {
    let mut site = Site::embedded().await?;
    let recover = ["recover", "--subject", "olga"];
    let told = said(&site.server.beside(&recover)?, 1)?;
    ensure(told.contains("belongs to another artifortress"), told)?;
    site.server.stop()?;
    let told = said(&site.server.beside(&recover)?, 1)?;
    ensure(told.contains("in force until") && told.contains("admin") && told.contains("--lost"), told)?;
    let told = said(&site.server.beside(&["recover", "--data", "elsewhere"])?, 3)?;
    ensure(told.contains("no database") && !site.server.data().join("../elsewhere").exists(), told)?;
    site.server.resume().await?;
    give_up(&site).await?;
    refused(site.admin.get("/v1/auth/whoami"), 401).await?;
    site.server.restart().await?;
    ensure(!site.server.data().join("bootstrap-token").exists(), "a start alone lets nobody in")?;
    site.server.logged("artifortress recover").await?;
    site.server.stop()?;
    let done = site.server.beside(&recover)?;
    let told = said(&site.server.beside(&recover)?, 1)?;
    ensure(told.contains("olga"), told)?;
    site.server.resume().await?;
    opens(&site.server, &done).await
}

/// The token is there, but nobody knows it any more.
#[tokio::test]
async fn where_an_admin_is_left_it_must_be_said_that_the_token_is_lost() -> Result<()> {
    let mut site = Site::embedded().await?;
    site.server.stop()?;
    let lost = site.server.beside(&["recover", "--subject", "olga", "--lost", "--json"])?;
    let minted: serde_json::Value = serde_json::from_str(&String::from_utf8_lossy(&lost.stdout))?;
    let token = minted["token"].as_str().unwrap_or_default();
    ensure(lost.status.success() && minted["subject"] == "olga", format!("{lost:?}"))?;
    site.server.resume().await?;
    for (token, subject) in [(token, "olga"), (site.admin.token(), "admin")] {
        let who = ask(site.server.http()?.with_token(token).get("/v1/auth/whoami")).await?.expect(&[200])?;
        ensure(who.string("/subject")? == subject, who.text())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_fresh_server_has_its_bootstrap_token() -> Result<()> {
    let mut server = crate::site::plan().without_admin().start().await?;
    server.stop()?;
    let told = said(&server.beside(&["recover"])?, 1)?;
    ensure(told.contains("bootstrap token"), told)
}

#[tokio::test]
async fn scaled_out_it_is_in_force_at_once_and_one_of_many_wins() -> Result<()> {
    let site = Site::scaled().await?;
    said(&site.server.beside(&["recover", "--subject", "olga"])?, 1)?;
    give_up(&site).await?;
    let runs = std::thread::scope(|scope| {
        let run = || site.server.beside(&["recover", "--subject", "olga"]);
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<Result<Vec<_>>>()
    })?;
    let (won, lost): (Vec<_>, Vec<_>) = runs.into_iter().partition(|done| done.status.success());
    ensure(won.len() == 1 && lost.len() == 2, format!("{won:?} {lost:?}"))?;
    opens(&site.server, &won[0]).await
}

#[tokio::test]
async fn doctor_says_when_the_last_admin_ends() -> Result<()> {
    let site = Site::embedded().await?;
    let doctor = |token: &str| crate::site::program(&site.server, token, &["doctor", "--json"]);
    let of = |done: &Output| -> Result<serde_json::Value> {
        let report: serde_json::Value = serde_json::from_str(&String::from_utf8_lossy(&done.stdout))?;
        let checks = report["checks"].as_array().cloned().unwrap_or_default();
        Ok(checks.into_iter().find(|check| check["check"] == "admin tokens").unwrap_or_default())
    };
    // Its token lives for a day: what is soon depends on how long one may live.
    for (longest, state) in [(10_080, "WARN"), (2_880, "WARN"), (1_440, "PASS"), (10_080, "WARN")] {
        let policy = json!({"maxTtlMinutes": longest});
        ask(site.admin.put("/v1/admin/auth/pat-policy").json(&policy)).await?.expect(&[200])?;
        let found = of(&doctor(site.admin.token())?)?;
        let mint = format!("mint --subject NAME --scope 'repo:*:admin' --ttl-minutes {longest}`");
        let told = found["action"].as_str().is_some_and(|text| text.contains(&mint));
        ensure(found["state"] == state && told == (state == "WARN"), found.to_string())?;
    }
    let body = json!({"subject": "second", "scopes": ["tenant:admin"], "ttlMinutes": 10_080});
    ask(site.admin.post("/v1/auth/pats").json(&body)).await?.expect(&[200])?;
    let well = of(&doctor(site.admin.token())?)?;
    ensure(well["state"] == "PASS", well.to_string())?;
    let rita = site.person("rita", &["repo:x:read"]).await?;
    ensure(of(&doctor(rita.token())?)?.is_null(), "who is no auditor is told nothing")
}
