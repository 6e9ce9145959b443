//! uv: builds, publishes, locks, syncs.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::python::{act, client, environment, native, packed, run, set_up, shown};
use crate::desk::{Deed, Desk};

#[tokio::test]
async fn uv_publishes_and_syncs() -> Result<()> {
    let mut desk = Desk::open(Backing::Embedded, "pypi").await?;
    let reader = desk.token("rita", &["repo:pypi:read"]).await?;
    for (who, token) in [("admin", desk.admin.token()), ("reader", &reader), ("stranger", "not-a-token")] {
        set_up(&desk, who, token)?;
    }
    library(&desk, "1.0", "42")?;
    let publish = |who: &str, token: &str| -> Result<Deed> {
        Ok(uv(&desk, who)?.args(["publish", "--index", "ours", "--token", token]).at(desk.home.join("library")))
    };
    let token = desk.admin.token().to_owned();
    publish("stranger", "not-a-token")?.fails_saying(&["401"])?;
    let direct = |token: &str| -> Result<Deed> {
        let there = format!("{}/", desk.url()?);
        let words = ["publish", "--publish-url", &there, "--token", token];
        Ok(uv(&desk, "admin")?.args(words).at(desk.home.join("library")))
    };
    direct("not-a-token")?.fails_saying(&["401", "the token is unknown"])?;
    direct(&reader)?.fails_saying(&["403", "role write"])?;
    publish("admin", &token)?.works()?;
    // The same bytes: seen in the index, or answered as if they were new.
    let said = publish("admin", &token)?.works()?;
    assert_eq!(said.matches("already exists, skipping").count(), 2, "{said}");
    direct(&token)?.works()?;
    library(&desk, "1.0", "43")?;
    publish("admin", &token)?.fails_saying(&["Local file and index file do not match"])?;
    direct(&token)?.fails_saying(&["409", "already exists: published files never change"])?;

    let compiled = native(&desk, "compiled")?;
    uv(&desk, "admin")?
        .args(["publish", "--index", "ours", "--token", &token, &compiled])
        .at(desk.home.join("library"))
        .works()?;
    application(&desk, "app", &["greeting", "compiled"])?;
    let app = desk.home.join("app");
    let program = "import greeting, compiled; print(greeting.greet() + compiled.greet())";
    let sync = |who: &str, words: &[&str]| -> Result<Deed> {
        Ok(uv(&desk, who)?.args(["sync"]).args(words.iter().copied()).at(&app))
    };
    sync("stranger", &[])?.fails_saying(&["401 Unauthorized"])?;
    sync("reader", &[])?.works()?;
    assert_eq!(run(&desk, &app.join(".venv/bin/python"), program)?.trim(), "84");

    application(&desk, "lost", &["no-such-thing"])?;
    let lost = uv(&desk, "reader")?.args(["sync"]).at(desk.home.join("lost"));
    lost.fails_saying(&["no-such-thing was not found in the package registry"])?;
    choices(&desk).await?;

    // From the cache and the lock file alone, with nobody to ask.
    std::fs::remove_dir_all(app.join(".venv"))?;
    let again = sync("reader", &["--frozen"])?;
    desk.server.stop()?;
    again.works()?;
    assert_eq!(run(&desk, &app.join(".venv/bin/python"), program)?.trim(), "84");
    Ok(())
}

/// Which version uv takes.
async fn choices(desk: &Desk) -> Result<()> {
    let token = desk.admin.token().to_owned();
    for said in
        [json!({"name": "greeting", "version": "3.0", "python": ">=9"}), json!({"name": "greeting", "version": "2.0"})]
    {
        let file = packed(desk, "dist", "wheel", &said)?;
        let deed = uv(desk, "admin")?.args(["publish", "--index", "ours", "--token", &token, &file]);
        deed.at(desk.home.join("library")).works()?;
    }
    let python = environment(desk, "choices")?.display().to_string();
    let install = |words: &[&str]| -> Result<Deed> {
        let deed = uv(desk, "reader")?.args(["pip", "install", "--reinstall", "--refresh", "--python", &python]);
        Ok(deed.args(words.iter().copied()).at(desk.home.join("app")))
    };
    let takes = |words: &[&str], version: &str| -> Result<String> {
        let said = install(words)?.works()?;
        assert!(said.contains(&format!("greeting=={version}")), "{said}");
        Ok(said)
    };
    takes(&["greeting"], "2.0")?;
    install(&["greeting==3.0"])?.fails_saying(&["Python>=9"])?;
    install(&["--no-binary", "greeting", "greeting==2.0"])?
        .fails_saying(&["greeting==2.0 has no source distribution"])?;
    // Files have times: none is older than this day.
    install(&["--exclude-newer", "2020-01-01", "greeting"])?
        .fails_saying(&["`greeting` was filtered by `exclude-newer`", "published at"])?;
    takes(&["--exclude-newer", "2990-01-01", "greeting"], "2.0")?;

    act(desk, "greeting", "2.0", "yank", "greets nobody").await?;
    takes(&["greeting"], "1.0")?;
    let said = takes(&["greeting==2.0"], "2.0")?;
    assert!(said.contains("greets nobody"), "{said}");
    act(desk, "greeting", "2.0", "tombstone", "leaked a secret").await?;
    install(&["greeting==2.0"])?.fails_saying(&["there is no version of greeting==2.0"]).map(drop)
}

/// uv with the home and the cache of somebody.
pub(crate) fn uv(desk: &Desk, who: &str) -> Result<Deed> {
    let deed = client(desk, who, "uv")?.env("UV_CACHE_DIR", desk.home.join(who).join("uv"));
    let python = "/opt/clients/python/bin/python";
    Ok(deed.env("UV_PYTHON", python).env("UV_PYTHON_DOWNLOADS", "never").env("UV_NO_PROGRESS", "1"))
}

/// A project that uv builds by itself: wheel and source distribution.
fn library(desk: &Desk, version: &str, answer: &str) -> Result<()> {
    let project = format!(
        "[project]\nname = \"greeting\"\nversion = \"{version}\"\nrequires-python = \">=3.8\"\n\n[build-system]\n\
         requires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n\n{}",
        shown(desk, "toml", 0, "")?
    );
    desk.write("library/pyproject.toml", project)?;
    desk.write("library/src/greeting/__init__.py", format!("def greet():\n    return {answer}\n"))?;
    uv(desk, "admin")?.args(["build", "--offline"]).at(desk.home.join("library")).works().map(drop)
}

pub(crate) fn application(desk: &Desk, folder: &str, needs: &[&str]) -> Result<()> {
    let project = format!(
        "[project]\nname = \"app\"\nversion = \"0.1\"\nrequires-python = \">=3.8\"\ndependencies = {needs:?}\n\n{}",
        shown(desk, "toml", 0, "")?
    );
    desk.write(&format!("{folder}/pyproject.toml"), project).map(drop)
}
