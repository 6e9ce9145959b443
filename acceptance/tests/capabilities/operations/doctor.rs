//! What `doctor` sees: of the database without a server, of the bytes with one.

use std::process::Output;

use acceptance::Result;
use acceptance::server::{Backing, Server};
use serde_json::Value;

use crate::engines::both;
use crate::shape::ask;
use crate::site::{Site, ensure, plan, program};

both! {
    offline_it_opens_the_database_and_changes_nothing;
    offline_it_sees_what_does_not_belong_together;
    online_it_tells_of_damaged_and_lost_bytes;
    online_it_tells_of_work_that_was_given_up;
}

/// What it found under this name.
fn found(done: &Output, check: &str) -> Result<Value> {
    let report: Value = serde_json::from_str(&String::from_utf8_lossy(&done.stdout))?;
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    Ok(checks.into_iter().find(|one| one["check"] == check).unwrap_or_default())
}

fn offline(server: &Server, state: &str, detail: &str) -> Result<()> {
    let database = found(&server.beside(&["doctor", "--offline", "--json"])?, "database")?;
    let told = database["detail"].as_str().is_some_and(|text| text.contains(detail));
    ensure(database["state"] == state && told, format!("{state} {detail}: {database}"))?;
    ensure(state == "PASS" || database["action"] != "", database.to_string())
}

fn names(server: &Server) -> Result<Vec<String>> {
    let files = std::fs::read_dir(server.data())?.flatten();
    let mut names: Vec<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

async fn offline_it_opens_the_database_and_changes_nothing() -> Result<()> {
    let mut server = plan().start().await?;
    offline(&server, "PASS", "whole")?;
    server.repository("files", "raw").await?;
    server.stop()?;
    if server.backing() == Backing::Scaled {
        server.sql("DELETE FROM schema_migrations WHERE version = 2")?;
        return offline(&server, "FAIL", "step 2 ('remote') is not there");
    }
    let before = names(&server)?;
    offline(&server, "PASS", "its file is sound")?;
    ensure(names(&server)? == before, "something was made")?;
    let database = server.data().join("artifortress.db");
    let away = server.data().join("away.db");
    std::fs::rename(&database, &away)?;
    offline(&server, "WARN", "there is none yet")?;
    ensure(!database.exists(), "it was made")?;
    for garbage in ["no database".repeat(1000), "SQLite format 3\0".repeat(1000)] {
        std::fs::write(&database, &garbage)?;
        offline(&server, "FAIL", "the database is damaged")?;
        ensure(std::fs::read_to_string(&database)? == garbage, "it was written to")?;
    }
    std::fs::rename(&away, &database)?;
    server.sql("DELETE FROM schema_migrations WHERE version = 2")?;
    offline(&server, "FAIL", "step 2 ('remote') is not there")
}

/// What a start refuses, it has refused before.
async fn offline_it_sees_what_does_not_belong_together() -> Result<()> {
    let mut server = plan().start().await?;
    server.repository("files", "raw").await?;
    server.stop()?;
    let belongs = |arguments: &[&str]| {
        let done = server.beside(&[&["doctor", "--offline", "--json"][..], arguments].concat())?;
        found(&done, "belongs")
    };
    let well = belongs(&[])?;
    ensure(well["state"] == "PASS", well.to_string())?;
    let other = belongs(&["--environment", "staging"])?;
    let told = other["detail"].as_str().is_some_and(|text| text.contains("belongs to the environment"));
    ensure(other["state"] == "FAIL" && told && other["action"] != "", other.to_string())?;
    let stamp = server.blobs().join("environment");
    if server.backing() == Backing::Embedded {
        let word = std::fs::read_to_string(&stamp)?;
        std::fs::write(&stamp, format!("{word}0"))?;
        let foreign = belongs(&[])?;
        ensure(foreign["detail"] == "the blob store belongs to another database", foreign.to_string())?;
        std::fs::remove_file(&stamp)?;
        let gone = belongs(&[])?;
        ensure(gone["detail"].to_string().contains("the blob store is empty"), gone.to_string())?;
        std::fs::write(&stamp, word)?;
        std::fs::write(server.data().join("master-key"), "no key")?;
        let key = belongs(&[])?;
        ensure(key["state"] == "FAIL" && key["detail"].to_string().contains("master-key"), key.to_string())?;
    }
    Ok(())
}

async fn online_it_tells_of_work_that_was_given_up() -> Result<()> {
    let site = Site::here().await?;
    let doctor = || found(&program(&site.server, site.admin.token(), &["doctor", "--json"])?, "jobs");
    let well = doctor()?;
    ensure(well["state"] == "PASS", well.to_string())?;
    let (id, no) = match site.server.backing() {
        Backing::Embedded => ("X'01900000000070008000000000000001'", "0"),
        Backing::Scaled => ("'01900000-0000-7000-8000-000000000001'", "FALSE"),
    };
    site.server.sql(&format!(
        "INSERT INTO jobs SELECT {id}, id, 'webhook', 'one', '{{}}', 'dead', 0, 5, 1, NULL, NULL, {no}, 'nobody answers', 1
         FROM tenants"
    ))?;
    let sick = doctor()?;
    let told = sick["action"].as_str().is_some_and(|action| action.contains("admin jobs retry"));
    ensure(sick["state"] == "WARN" && told && sick["detail"].to_string().contains(": 1"), sick.to_string())
}

async fn online_it_tells_of_damaged_and_lost_bytes() -> Result<()> {
    let site = Site::here().await?;
    site.server.repository("files", "raw").await?;
    ask(site.admin.put("/repository/files/a").body(vec![7; 1000])).await?.expect(&[201])?;
    let doctor = || found(&program(&site.server, site.admin.token(), &["doctor", "--json"])?, "bytes");
    let well = doctor()?;
    ensure(well["state"] == "PASS", well.to_string())?;
    site.server.sql("UPDATE copies SET state = 'damaged'")?;
    let sick = doctor()?;
    let told = sick["detail"] == "damaged copies: 1; blobs without a good copy: 1";
    ensure(
        sick["state"] == "FAIL" && told && sick["action"].as_str().unwrap_or_default().contains("push"),
        sick.to_string(),
    )?;
    let rita = site.person("rita", &["repo:files:read"]).await?;
    let hers = found(&program(&site.server, rita.token(), &["doctor", "--json"])?, "bytes")?;
    ensure(hers.is_null(), "who is no auditor is told nothing")
}
