//! pnpm, Yarn and Bun: publish, install, install again from the cache, and what they say when it does not work.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use crate::desk::{Deed, Desk};
use crate::node::{client, library, set_up};

/// A client and how it is told things.
struct Client {
    name: &'static str,
    /// Run before publishing.
    prepare: Option<&'static [&'static str]>,
    publish: &'static [&'static str],
    add: &'static str,
    /// Installs from the cache alone.
    again: &'static [&'static str],
    /// What it says when a package is missing, and when the token is wrong.
    missing: &'static [&'static str],
    wrong: &'static [&'static str],
    /// What it says when the token is wrong and something is to be published.
    unpublished: &'static [&'static str],
    /// What it says when the version exists.
    taken: &'static str,
    deprecated: Deprecated,
    whoami: Option<&'static [&'static str]>,
}

/// When a client tells that a version is deprecated.
enum Deprecated {
    /// It says this when it installs it.
    Installing(&'static str),
    /// It says why when it is told this, and fails.
    Auditing(&'static [&'static str]),
    /// It says why when it is asked this.
    Asked(&'static [&'static str]),
}

#[tokio::test]
async fn pnpm() -> Result<()> {
    follow(Client {
        name: "pnpm",
        prepare: None,
        publish: &["publish", "--no-git-checks"],
        add: "add",
        again: &["install", "--offline", "--frozen-lockfile"],
        missing: &["404"],
        wrong: &["401"],
        unpublished: &["401"],
        taken: "403",
        deprecated: Deprecated::Installing("deprecated"),
        whoami: Some(&["whoami"]),
    })
    .await
}

#[tokio::test]
async fn yarn_1() -> Result<()> {
    follow(Client {
        name: "yarn",
        prepare: None,
        publish: &["publish", "--non-interactive", "--new-version", "1.0.0"],
        add: "add",
        again: &["install", "--offline", "--frozen-lockfile"],
        missing: &["was not found"],
        wrong: &["the token is unknown"],
        unpublished: &["the token is unknown"],
        taken: "previously published versions",
        deprecated: Deprecated::Installing("use-another-tool"),
        whoami: None,
    })
    .await
}

#[tokio::test]
async fn yarn_berry() -> Result<()> {
    follow(Client {
        name: "berry",
        prepare: Some(&["install"]),
        publish: &["npm", "publish"],
        add: "add",
        again: &["install", "--immutable"],
        missing: &["Package not found", "404"],
        wrong: &["Invalid authentication"],
        unpublished: &["Invalid authentication"],
        taken: "previously published versions",
        deprecated: Deprecated::Auditing(&["npm", "audit", "--all"]),
        whoami: Some(&["npm", "whoami"]),
    })
    .await
}

#[tokio::test]
async fn bun() -> Result<()> {
    follow(Client {
        name: "bun",
        prepare: None,
        publish: &["publish"],
        add: "add",
        again: &["install", "--frozen-lockfile"],
        missing: &["404"],
        wrong: &["401"],
        unpublished: &["unable to authenticate"],
        taken: "previously published versions",
        deprecated: Deprecated::Asked(&["info", "@acme/tool"]),
        whoami: Some(&["pm", "whoami"]),
    })
    .await
}

async fn follow(it: Client) -> Result<()> {
    let mut desk = Desk::open(Backing::Embedded, "npm").await?;
    let token = desk.admin.token().to_owned();
    let reader = desk.token("rita", &["repo:npm:read"]).await?;
    for home in ["home", "clean", "third", "fourth"] {
        set_up(&desk, home, it.name == "yarn")?;
    }
    let run = |home: &str, folder: &str, token: &str, args: &[&str]| -> Result<Deed> {
        Ok(client(&desk, home, token, it.name)?.args(args.iter().copied()).at(desk.home.join(folder)))
    };
    library(&desk, "base", "base-lib", "1.0.0", json!({}))?;
    client(&desk, "home", &token, "npm")?.args(["publish"]).at(desk.home.join("base")).works()?;

    library(&desk, "tool", "@acme/tool", "1.0.0", json!({"dependencies": {"base-lib": "^1.0.0"}}))?;
    desk.write("tool/yarn.lock", "")?;
    if let Some(prepare) = it.prepare {
        run("home", "tool", &token, prepare)?.works()?;
    }
    run("home", "tool", "not-a-token", it.publish)?.fails_saying(it.unpublished)?;
    run("home", "tool", &reader, it.publish)?.fails_saying(&["role write"])?;
    run("home", "tool", &token, it.publish)?.works()?;
    run("home", "tool", &token, it.publish)?.fails_saying(&[it.taken])?;
    if let Some(whoami) = it.whoami {
        assert!(run("home", "tool", &reader, whoami)?.works()?.contains("rita"));
    }

    desk.write("app/package.json", r#"{"name":"app","version":"1.0.0","private":true,"license":"MIT"}"#)?;
    desk.write("app/yarn.lock", "")?;
    run("clean", "app", "not-a-token", &[it.add, "@acme/tool"])?.fails_saying(it.wrong)?;
    run("clean", "app", &reader, &[it.add, "@acme/no-such-tool"])?.fails_saying(it.missing)?;
    run("clean", "app", &reader, &[it.add, "@acme/tool"])?.works()?;
    assert!(installed(&desk));

    // What npm deprecates and withdraws, the others see.
    let npm =
        |args: &[&str]| -> Result<String> { client(&desk, "home", &token, "npm")?.args(args.iter().copied()).works() };
    npm(&["deprecate", "@acme/tool@1.0.0", "use-another-tool"])?;
    desk.write("warned/package.json", r#"{"name":"warned","version":"1.0.0","private":true,"license":"MIT"}"#)?;
    desk.write("warned/yarn.lock", "")?;
    let said = run("third", "warned", &reader, &[it.add, "@acme/tool"])?.works()?;
    match it.deprecated {
        Deprecated::Installing(warning) => assert!(said.contains(warning), "{said}"),
        Deprecated::Auditing(args) => {
            run("third", "warned", &reader, args)?.fails_saying(&["use-another-tool"]).map(drop)?
        }
        Deprecated::Asked(args) => {
            let told = run("third", "warned", &reader, args)?.works()?;
            assert!(told.contains("use-another-tool"), "{told}");
        }
    }
    npm(&["unpublish", "--force", "@acme/tool"])?;
    desk.write("late/package.json", r#"{"name":"late","version":"1.0.0","private":true,"license":"MIT"}"#)?;
    desk.write("late/yarn.lock", "")?;
    run("fourth", "late", &reader, &[it.add, "@acme/tool"])?.fails_saying(it.missing)?;

    // With nobody to ask, and of what was withdrawn since.
    std::fs::remove_dir_all(desk.home.join("app/node_modules"))?;
    let again = run("clean", "app", &reader, it.again)?;
    desk.server.stop()?;
    again.works()?;
    assert!(installed(&desk));
    Ok(())
}

fn installed(desk: &Desk) -> bool {
    let there = |file: &&str| desk.home.join("app/node_modules/@acme/tool").join(file).exists();
    ["index.js", "package.json"].iter().all(there)
}
