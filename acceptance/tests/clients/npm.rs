//! npm itself: everything that it can do with a registry.

use std::path::Path;

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::{Value as Json, json};

use crate::desk::{Deed, Desk};
use crate::node::{client, library, set_up};

/// One of the npms. Older Nodes brought older ones, with which many still build.
struct Npm {
    name: &'static str,
    /// What it says of a token that is none.
    unknown: &'static str,
    /// Asks who may see a package.
    access: &'static [&'static str],
}

const NEWEST: Npm = Npm {
    name: "npm",
    unknown: "authentication token seems to be invalid",
    access: &["access", "get", "status", "@acme/tool"],
};

#[tokio::test]
async fn npm_on_sqlite_and_disk() -> Result<()> {
    follow(Backing::Embedded, NEWEST).await
}

#[tokio::test]
async fn npm_on_postgresql_and_s3() -> Result<()> {
    follow(Backing::Scaled, NEWEST).await
}

#[tokio::test]
async fn npm_of_node_20() -> Result<()> {
    follow(Backing::Embedded, Npm { name: "npm-10", ..NEWEST }).await
}

#[tokio::test]
async fn npm_of_node_16() -> Result<()> {
    follow(Backing::Embedded, Npm { name: "npm-8", access: &["access", "public", "@acme/tool"], ..NEWEST }).await
}

/// It withdraws an archive at an address with a mistake in it.
#[tokio::test]
async fn npm_of_node_14() -> Result<()> {
    let access = &["access", "public", "@acme/tool"];
    follow(Backing::Embedded, Npm { name: "npm-6", unknown: "Unable to authenticate", access }).await
}

async fn follow(backing: Backing, npm: Npm) -> Result<()> {
    let mut desk = Desk::open(backing, "npm").await?;
    let token = desk.admin.token().to_owned();
    let reader = desk.token("rita", &["repo:npm:read"]).await?;
    for home in ["home", "clean"] {
        set_up(&desk, home, false)?;
    }
    let run = |token: &str, args: &[&str]| -> Result<Deed> {
        Ok(client(&desk, "home", token, npm.name)?.args(args.iter().copied()).at(desk.home.join("tool")))
    };

    library(&desk, "greeting", "greeting", "1.0.0", json!({}))?;
    library(&desk, "tool", "@acme/tool", "1.0.0", json!({"dependencies": {"greeting": "^1.0.0"}}))?;
    assert_eq!(run(&token, &["whoami"])?.works()?.trim(), "admin");
    run(&token, &["ping"])?.works()?;
    run("not-a-token", &["publish"])?.fails_saying(&["E401", npm.unknown])?;
    run(&reader, &["publish"])?.fails_saying(&["E403", "role write"])?;
    run(&token, &["publish", "../greeting"])?.works()?;
    run(&token, &["publish"])?.works()?;
    run(&token, &["publish"])?.fails_saying(&["cannot publish over the previously published versions"])?;

    install(&desk, npm.name, &token, &reader)?;
    tags(&run, &desk, &token)?;
    untagged(&run, &desk, &token).await?;
    let found = run(&token, &["search", "@acme/", "--json"])?.works()?;
    let found: Json = serde_json::from_str(&found)?;
    assert_eq!((&found[0]["name"], &found[0]["version"]), (&json!("@acme/tool"), &json!("1.0.0")), "of latest");
    for args in [npm.access, &["owner", "add", "bob", "@acme/tool"]] {
        run(&token, args)?.fails_saying(&["not offered here", "bindings of the repository"])?;
    }
    let audit = client(&desk, "clean", &reader, npm.name)?.args(["audit"]).at(desk.home.join("app"));
    assert!(audit.works()?.contains("found 0 vulnerabilities"));
    withdraw(&run, &desk, &token).await?;

    // With nobody to ask, and of what was withdrawn since.
    let app = desk.home.join("app");
    std::fs::remove_dir_all(app.join("node_modules"))?;
    let again = client(&desk, "clean", &reader, npm.name)?.args(["ci", "--offline"]).at(&app);
    desk.server.stop()?;
    again.works()?;
    assert!(has_greeting(&app), "what the package depends on is not there");
    Ok(())
}

fn install(desk: &Desk, npm: &str, token: &str, reader: &str) -> Result<()> {
    desk.write("app/package.json", r#"{"name":"app","version":"1.0.0","private":true}"#)?;
    let app = desk.home.join("app");
    let run = |token: &str, args: &[&str]| -> Result<Deed> {
        Ok(client(desk, "clean", token, npm)?.args(args.iter().copied()).at(&app))
    };
    run("not-a-token", &["install", "@acme/tool"])?.fails_saying(&["E401"])?;
    run(token, &["install", "no-such-package"])?.fails_saying(&["E404", "no-such-package was not found"])?;
    run(reader, &["install", "@acme/tool"])?.works()?;
    let lock: Json = serde_json::from_str(&std::fs::read_to_string(app.join("package-lock.json"))?)?;
    let places = ["/packages/node_modules~1@acme~1tool/resolved", "/dependencies/@acme~1tool/resolved"];
    let resolved = places.iter().find_map(|place| lock.pointer(place)).and_then(Json::as_str);
    assert_eq!(resolved, Some(format!("{}/@acme/tool/-/tool-1.0.0.tgz", desk.url()?).as_str()));
    assert!(has_greeting(&app), "what the package depends on is not there");
    Ok(())
}

/// Where two packages have a command of one name, older ones put one into the other.
fn has_greeting(app: &Path) -> bool {
    let modules = ["node_modules", "node_modules/@acme/tool/node_modules"];
    modules.iter().any(|modules| app.join(modules).join("greeting/index.js").exists())
}

type Run<'r> = dyn Fn(&str, &[&str]) -> Result<Deed> + 'r;

fn tags(run: &Run<'_>, desk: &Desk, token: &str) -> Result<()> {
    library(desk, "tool", "@acme/tool", "2.0.0-rc.1", json!({}))?;
    run(token, &["publish", "--tag", "next"])?.works()?;
    run(token, &["dist-tag", "add", "@acme/tool@1.0.0", "stable"])?.works()?;
    let tags = run(token, &["dist-tag", "ls", "@acme/tool"])?.works()?;
    assert!(["latest: 1.0.0", "next: 2.0.0-rc.1", "stable: 1.0.0"].iter().all(|tag| tags.contains(tag)), "{tags}");
    run(token, &["dist-tag", "rm", "@acme/tool", "stable"])?.works()?;
    run(token, &["dist-tag", "rm", "@acme/tool", "latest"])?.fails_saying(&["latest cannot be removed"])?;
    run(token, &["dist-tag", "add", "@acme/tool@9.9.9", "lost"])?.fails_saying(&["E404", "9.9.9"])?;
    let deprecated = || run(token, &["view", "@acme/tool@1.0.0", "deprecated"])?.works();
    run(token, &["deprecate", "@acme/tool@1.0.0", "use the next one"])?.works()?;
    assert_eq!(deprecated()?.trim(), "use the next one");
    run(token, &["deprecate", "@acme/tool@1.0.0", ""])?.works()?;
    assert_eq!(deprecated()?.trim(), "");
    Ok(())
}

/// A package without `latest` has one nevertheless, also for who asks for that alone.
async fn untagged(run: &Run<'_>, desk: &Desk, token: &str) -> Result<()> {
    library(desk, "odd", "odd", "1.0.0", json!({}))?;
    run(token, &["publish", "../odd", "--tag", "next"])?.works()?;
    let latest = desk.admin.get("/repository/npm/odd/latest").send().await?.expect(&[200])?;
    assert_eq!(latest.string("/version")?, "1.0.0");
    desk.admin.get("/repository/npm/odd/lost").send().await?.expect(&[404]).map(drop)
}

/// Withdrawn versions are gone for installs and for ever for publishing.
async fn withdraw(run: &Run<'_>, desk: &Desk, token: &str) -> Result<()> {
    let writer = desk.token("wim", &["repo:npm:write"]).await?;
    run(&writer, &["unpublish", "@acme/tool@2.0.0-rc.1"])?.fails_saying(&["E403", "role promote"])?;
    run(token, &["unpublish", "@acme/tool@2.0.0-rc.1"])?.works()?;
    let versions = run(token, &["view", "@acme/tool", "versions", "--json"])?.works()?;
    assert!(versions.contains("1.0.0") && !versions.contains("2.0.0-rc.1"), "{versions}");
    run(token, &["publish", "--tag", "next"])?.fails_saying(&["E403", "never used again"])?;
    run(token, &["unpublish", "--force", "@acme/tool"])?.works()?;
    run(token, &["view", "@acme/tool"])?.fails_saying(&["E404"]).map(drop)
}
