//! Cargo: publish, build, search, yank.

use std::path::{Path, PathBuf};

use acceptance::server::Backing;
use acceptance::{Result, environment};
use serde_json::json;

use crate::desk::{Deed, Desk};

#[tokio::test]
async fn crates_on_sqlite_and_disk() -> Result<()> {
    follow(Backing::Embedded).await
}

#[tokio::test]
async fn crates_on_postgresql_and_s3() -> Result<()> {
    follow(Backing::Scaled).await
}

async fn follow(backing: Backing) -> Result<()> {
    let mut desk = Desk::open(backing, "cargo").await?;
    let token = desk.admin.token().to_owned();
    let reader = desk.token("rita", &["repo:cargo:read"]).await?;
    set_up(&desk, "home")?;
    library(&desk, "greeting_lib", "0.1.0", "")?;
    kept_token(&desk, &reader)?;
    let publish = |token: &str| -> Result<Deed> {
        Ok(cargo(&desk, "home", token)?
            .args(["publish", "--registry", "ours", "--no-verify", "--allow-dirty"])
            .at(desk.home.join("greeting_lib")))
    };

    publish("not-a-token")?.fails_saying(&["401", "begins with aft_"])?;
    publish(&reader)?.fails_saying(&["403", "role write"])?;
    publish(&token)?.works()?;
    publish(&token)?.fails_saying(&["already exists"])?;

    let olga = json!({"roles": ["write"]});
    desk.admin.put("/v1/repos/cargo/bindings/olga").json(&olga).send().await?.expect(&[200, 204])?;
    index(&desk).await?;
    application(&desk, "app", "greeting_lib = { version = \"0.1\", registry = \"ours\" }")?;
    let app = desk.home.join("app");
    set_up(&desk, "clean")?;
    cargo(&desk, "clean", &reader)?.args(["build"]).at(&app).works()?;

    application(&desk, "lost", "no_such_crate = { version = \"1\", registry = \"ours\" }")?;
    let lost = cargo(&desk, "clean", &reader)?.args(["build"]).at(desk.home.join("lost"));
    lost.fails_saying(&["no matching package named `no_such_crate` found"])?;

    let found = cargo(&desk, "home", &token)?.args(["search", "--registry", "ours", "greeting"]).works()?;
    assert!(found.contains("greeting_lib = \"0.1.0\""), "{found}");
    // A fix of an older one, published later, is not what is found.
    library(&desk, "greeting_lib", "0.0.9", "")?;
    publish(&token)?.works()?;
    let found = cargo(&desk, "home", &token)?.args(["search", "--registry", "ours", "greeting"]).works()?;
    assert!(found.contains("greeting_lib = \"0.1.0\""), "{found}");

    cargo(&desk, "home", &token)?.args(["yank", "--registry", "ours", "greeting_lib@0.1.0"]).works()?;
    application(&desk, "late", "greeting_lib = { version = \"0.1\", registry = \"ours\" }")?;
    let late = || -> Result<Deed> { Ok(cargo(&desk, "clean", &reader)?.args(["build"]).at(desk.home.join("late"))) };
    late()?.fails_saying(&["yanked"])?;
    // Whoever has it in a lock file still gets it.
    set_up(&desk, "third")?;
    cargo(&desk, "third", &reader)?.args(["build", "--locked"]).at(&app).works()?;
    cargo(&desk, "home", &token)?.args(["yank", "--undo", "--registry", "ours", "greeting_lib@0.1.0"]).works()?;
    late()?.works()?;

    owners(&desk, &token)?;
    rich(&desk, &token, &reader)?;

    // A crate whose name differs in case and dashes alone is the same crate, and says so.
    library(&desk, "Greeting-Lib", "0.2.0", "")?;
    let twin = cargo(&desk, "home", &token)?
        .args(["publish", "--registry", "ours", "--no-verify", "--allow-dirty"])
        .at(desk.home.join("Greeting-Lib"));
    twin.fails_saying(&["409 Conflict", "publish as greeting_lib"])?;

    // With nobody to ask.
    cargo(&desk, "clean", &reader)?.args(["clean"]).at(&app).works()?;
    let again = cargo(&desk, "clean", &reader)?.args(["build", "--offline"]).at(&app);
    desk.server.stop()?;
    again.works().map(drop)
}

/// A token in the file that Cargo keeps tokens in works as well as one in the environment.
fn kept_token(desk: &Desk, token: &str) -> Result<()> {
    set_up(desk, "kept")?;
    let kept = desk.config("cargo", "credentials.toml")?.replace("$TOKEN", token);
    desk.write("kept/credentials.toml", kept)?;
    let program = PathBuf::from(environment::require("CARGO")?);
    let search = desk.command(&program)?.env("CARGO_HOME", desk.home.join("kept"));
    search.args(["search", "--registry", "ours", "greet"]).works().map(drop)
}

/// Who owns a crate is who may write, and is changed elsewhere.
fn owners(desk: &Desk, token: &str) -> Result<()> {
    let owner = |words: &[&'static str]| -> Result<Deed> {
        let deed = cargo(desk, "home", token)?.args(["owner", "--registry", "ours"]);
        Ok(deed.args(words.iter().copied()))
    };
    let listed = owner(&["--list", "greeting_lib"])?.works()?;
    assert!(listed.contains("olga") && !listed.contains("rita"), "{listed}");
    owner(&["--list", "no_such_crate"])?.fails_saying(&["404", "no-such-crate"])?;
    for change in ["--add", "--remove"] {
        owner(&[change, "rita", "greeting_lib"])?.fails_saying(&["403", "artifortress admin bindings"])?;
    }
    Ok(())
}

/// Features of the new kind, a dependency under another name and from a registry that is named; and a version
/// that differs from another in its build metadata alone.
fn rich(desk: &Desk, token: &str, reader: &str) -> Result<()> {
    let more = "[dependencies]\nhello = { package = \"greeting_lib\", version = \"0.1\", registry = \"ours\", optional = true }\n\
                [features]\nloud = [\"dep:hello\"]\n";
    let publish = |version: &str| -> Result<Deed> {
        library(desk, "rich", version, more)?;
        let deed = cargo(desk, "home", token)?.args(["publish", "--registry", "ours", "--no-verify", "--allow-dirty"]);
        Ok(deed.at(desk.home.join("rich")))
    };
    publish("0.2.0+one")?.works()?;
    publish("0.2.0+two")?.fails_saying(&["already exists"])?;
    application(desk, "fancy", "rich = { version = \"0.2\", registry = \"ours\", features = [\"loud\"] }")?;
    let fancy = desk.home.join("fancy");
    desk.write("fancy/src/main.rs", "fn main() { assert_eq!(rich::greet(), 42) }\n")?;
    cargo(desk, "clean", reader)?.args(["run"]).at(&fancy).works()?;
    let tree = cargo(desk, "clean", reader)?.args(["tree", "--offline"]).at(&fancy).works()?;
    assert!(tree.contains("rich v0.2.0+one") && tree.contains("greeting_lib v0.1.0"), "{tree}");
    Ok(())
}

/// The index names our addresses, and is sent again only when it has changed.
async fn index(desk: &Desk) -> Result<()> {
    let at = |path: &str| format!("/repository/{}/{path}", desk.key);
    let config = desk.admin.get(&at("config.json")).send().await?.expect(&[200])?;
    assert_eq!(config.string("/dl")?, format!("{}/dl", desk.url()?));
    // Where clients look whose configuration names no template.
    let usual = desk.admin.get(&at("api/v1/crates/greeting_lib/0.1.0/download")).send().await?.expect(&[200])?;
    let ours = desk.admin.get(&at("dl/greeting_lib/0.1.0/download")).send().await?.expect(&[200])?;
    assert!(!ours.body.is_empty() && usual.body == ours.body && usual.header("etag") == ours.header("etag"));
    let first = desk.admin.get(&at("gr/ee/greeting_lib")).send().await?.expect(&[200])?;
    let tag = first.header("etag").unwrap_or_default().to_owned();
    let again = desk.admin.get(&at("gr/ee/greeting_lib")).header("If-None-Match", &tag).send().await?;
    again.expect(&[304]).map(drop)
}

/// A home with the configuration that our program prints, without patience for a network.
pub(crate) fn set_up(desk: &Desk, home: &str) -> Result<()> {
    desk.write(&format!("{home}/config.toml"), desk.config("cargo", "config.toml")? + "[net]\nretry = 0\n").map(drop)
}

/// Cargo with a home of its own and this token.
pub(crate) fn cargo(desk: &Desk, home: &str, token: &str) -> Result<Deed> {
    let program = PathBuf::from(environment::require("CARGO")?);
    let tools = program.parent().unwrap_or(Path::new("/")).display().to_string();
    let deed = desk.command(&program)?.env("CARGO_HOME", desk.home.join(home));
    let path = environment::require("PATH")?;
    Ok(deed.env("PATH", format!("{tools}:{path}")).env("CARGO_REGISTRIES_OURS_TOKEN", token))
}

pub(crate) fn library(desk: &Desk, name: &str, version: &str, more: &str) -> Result<()> {
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\ndescription = \"d\"\n\
         license = \"MIT\"\n{more}\n[workspace]\n"
    );
    desk.write(&format!("{name}/Cargo.toml"), manifest)?;
    desk.write(&format!("{name}/src/lib.rs"), "pub fn greet() -> u8 { 42 }\n").map(drop)
}

pub(crate) fn application(desk: &Desk, name: &str, dependency: &str) -> Result<()> {
    let manifest = format!(
        "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n[dependencies]\n{dependency}\n",
        name.rsplit('/').next().unwrap_or(name)
    );
    desk.write(&format!("{name}/Cargo.toml"), manifest)?;
    desk.write(&format!("{name}/src/main.rs"), "fn main() {}\n").map(drop)
}
