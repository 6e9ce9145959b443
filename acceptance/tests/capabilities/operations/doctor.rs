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
    online_it_tells_of_damaged_and_lost_bytes;
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
