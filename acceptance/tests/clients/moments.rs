//! An old build, once more: newer versions came, tags moved, what it used was yanked, deprecated, withdrawn. As of then, real
//! clients resolve to the old tree, without a lock file and with the old one.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::{Value as Json, json};

use crate::cargo::{self, application};
use crate::desk::Desk;
use crate::node::{self, library};
use crate::pypi::python::{self, environment, packed};
use crate::pypi::{pip, twine};

/// The configuration of one home for another one, as of a moment.
fn as_of(desk: &Desk, moment: &str, from: &str, to: &str, file: &str) -> Result<()> {
    let (now, then) = (format!("/repository/{}/", desk.key), format!("/repository/{}@{moment}/", desk.key));
    let text = std::fs::read_to_string(desk.home.join(from).join(file))?;
    desk.write(&format!("{to}/{file}"), text.replace(&now, &then)).map(drop)
}

/// Does something to a version over the control plane.
async fn act(desk: &Desk, package: &str, version: &str, verb: &str, body: Json) -> Result<()> {
    let base = format!("/v1/repos/{}/packages/versions", desk.key);
    let found = desk.admin.get(&format!("{base}/resolve?name={package}&version={version}")).send().await?;
    let id = found.expect(&[200])?.string("/versionId")?;
    desk.admin.post(&format!("{base}/{id}/{verb}")).json(&body).send().await?.expect(&[200]).map(drop)
}

/// Name and version of all that a package-lock.json has installed.
fn tree(desk: &Desk, app: &str) -> Result<Vec<(String, String)>> {
    let lock: Json = serde_json::from_str(&std::fs::read_to_string(desk.home.join(app).join("package-lock.json"))?)?;
    let packages = lock["packages"].as_object().cloned().unwrap_or_default();
    let named = packages.into_iter().filter(|(place, _)| !place.is_empty());
    Ok(named.map(|(place, one)| (place, one["version"].as_str().unwrap_or_default().to_owned())).collect())
}

#[tokio::test]
async fn npm_installs_the_tree_of_then() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let desk = Desk::open(backing, "npm").await?;
        let token = desk.admin.token().to_owned();
        node::set_up(&desk, "home", false)?;
        let run = |home: &str, at: &str, args: &[&str]| -> Result<String> {
            node::client(&desk, home, &token, "npm")?.args(args.iter().copied()).at(desk.home.join(at)).works()
        };
        let publish = |name: &str, version: &str, more: Json| -> Result<()> {
            let folder = format!("{}-{version}", name.trim_start_matches("@acme/"));
            library(&desk, &folder, name, version, more)?;
            run("home", &folder, &["publish"]).map(drop)
        };
        let app = |name: &str| desk.write(&format!("{name}/package.json"), r#"{"name":"app","version":"1.0.0"}"#);
        publish("greeting", "1.0.0", json!({}))?;
        publish("@acme/tool", "1.0.0", json!({"dependencies": {"greeting": "^1.0.0"}}))?;
        app("old")?;
        run("home", "old", &["install", "@acme/tool"])?;
        let before = tree(&desk, "old")?;

        let moment = desk.server.moment("clock").await?;
        publish("greeting", "1.1.0", json!({}))?;
        publish("@acme/tool", "1.1.0", json!({"dependencies": {"greeting": "^1.1.0"}}))?;
        act(&desk, "greeting", "1.0.0", "deprecate", json!({"text": "use the next one"})).await?;
        act(&desk, "@acme/tool", "1.0.0", "tombstone", json!({"reason": "a test"})).await?;

        app("new")?;
        node::set_up(&desk, "now", false)?;
        run("now", "new", &["install", "@acme/tool"])?;
        assert!(tree(&desk, "new")?.iter().all(|(_, version)| version == "1.1.0"), "{:?}", tree(&desk, "new")?);
        app("again")?;
        as_of(&desk, &moment, "home", "then", ".npmrc")?;
        let said = run("then", "again", &["install", "@acme/tool"])?;
        assert!(!said.contains("use the next one"), "{said}");
        assert_eq!(tree(&desk, "again")?, before);
        // The old lock file, with the address of then: `npm ci` compares the digests that it names.
        as_of(&desk, &moment, "old", "locked", "package-lock.json")?;
        as_of(&desk, &moment, "old", "locked", "package.json")?;
        as_of(&desk, &moment, "home", "clean", ".npmrc")?;
        run("clean", "locked", &["ci"])?;
        assert!(desk.home.join("locked/node_modules/greeting/index.js").exists());
    }
    Ok(())
}

#[tokio::test]
async fn pip_installs_what_was_there_then() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "pypi").await?;
    python::set_up(&desk, "admin", desk.admin.token())?;
    let wheel = |name: &str, version: &str, requires: &[&str]| {
        packed(&desk, "dist", "wheel", &json!({"name": name, "version": version, "requires": requires}))
    };
    let frozen = |home: &str, who: &str, words: &[&str]| -> Result<String> {
        let python = environment(&desk, home)?;
        pip(&desk, who, &python, &[&["install"], words].concat())?.works()?;
        pip(&desk, who, &python, &["freeze"])?.works()
    };
    let old = [wheel("greeting-lib", "1.0", &[])?, wheel("greeter", "1.0", &["greeting-lib>=1.0"])?];
    twine(&desk, "admin", &[&old[0], &old[1]])?.works()?;
    let before = frozen("old", "admin", &["greeter"])?;
    assert!(before.contains("greeter==1.0") && before.contains("==1.0\n"), "{before}");

    let moment = desk.server.moment("clock").await?;
    let new = [wheel("greeting-lib", "1.1", &[])?, wheel("greeter", "1.1", &["greeting-lib>=1.0"])?];
    twine(&desk, "admin", &[&new[0], &new[1]])?.works()?;
    act(&desk, "greeting-lib", "1.0", "yank", json!({"reason": "a test"})).await?;
    act(&desk, "greeter", "1.0", "tombstone", json!({"reason": "a test"})).await?;

    python::set_up(&desk, "now", desk.admin.token())?;
    let after = frozen("new", "now", &["greeter"])?;
    assert!(after.contains("greeter==1.1") && !after.contains("==1.0"), "{after}");
    python::set_up(&desk, "then", desk.admin.token())?;
    as_of(&desk, &moment, "admin", "then", "pip.conf")?;
    assert_eq!(frozen("again", "then", &["greeter"])?, before);
    // The old lock file.
    let locked = desk.write("requirements.txt", &before)?.display().to_string();
    let python = environment(&desk, "none")?;
    pip(&desk, "now", &python, &["install", "-r", &locked])?.fails_saying(&["greeter==1.0"])?;
    assert_eq!(frozen("locked", "then", &["-r", &locked])?, before);
    Ok(())
}

#[tokio::test]
async fn cargo_builds_with_what_was_there_then() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "cargo").await?;
    let token = desk.admin.token().to_owned();
    cargo::set_up(&desk, "home")?;
    let run = |home: &str, at: &str, args: &[&str]| -> Result<crate::desk::Deed> {
        Ok(cargo::cargo(&desk, home, &token)?.args(args.iter().copied()).at(desk.home.join(at)))
    };
    let publish = |version: &str| -> Result<()> {
        cargo::library(&desk, "greeting_lib", version, "")?;
        let words = ["publish", "--registry", "ours", "--no-verify", "--allow-dirty"];
        run("home", "greeting_lib", &words)?.works().map(drop)
    };
    let needs = "greeting_lib = { version = \"0.1\", registry = \"ours\" }";
    let locked = |app: &str| std::fs::read_to_string(desk.home.join(app).join("Cargo.lock"));
    publish("0.1.0")?;
    application(&desk, "old", needs)?;
    run("home", "old", &["build"])?.works()?;

    let moment = desk.server.moment("clock").await?;
    publish("0.1.1")?;
    act(&desk, "greeting_lib", "0.1.0", "yank", json!({"reason": "a test"})).await?;
    act(&desk, "greeting_lib", "0.1.0", "tombstone", json!({"reason": "a test"})).await?;

    cargo::set_up(&desk, "now")?;
    application(&desk, "new", needs)?;
    run("now", "new", &["build"])?.works()?;
    assert!(locked("new")?.contains("version = \"0.1.1\""), "{}", locked("new")?);
    application(&desk, "again", needs)?;
    as_of(&desk, &moment, "home", "then", "config.toml")?;
    run("then", "again", &["build"])?.works()?;
    assert!(!locked("again")?.contains("version = \"0.1.1\""), "{}", locked("again")?);
    // The old lock file, with the address of then, in a home that has fetched nothing.
    application(&desk, "locked/old", needs)?;
    as_of(&desk, &moment, "old", "locked/old", "Cargo.lock")?;
    as_of(&desk, &moment, "home", "clean", "config.toml")?;
    run("clean", "locked/old", &["build", "--locked"])?.works()?;
    Ok(())
}
