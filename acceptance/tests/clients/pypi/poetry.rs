//! Poetry: builds, publishes, locks, installs.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::python::{act, client, packed, run, set_up, shown};
use crate::desk::{Deed, Desk};

#[tokio::test]
async fn poetry_publishes_and_installs() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "pypi").await?;
    let (admin, reader) = (desk.admin.token().to_owned(), desk.token("rita", &["repo:pypi:read"]).await?);
    library(&desk, "42")?;
    set_up(&desk, "reader", &reader)?;
    application(&desk, "reader/app", "greeting = \"*\"\n")?;
    told(&desk, "reader", &reader)?;
    for (who, token) in [("admin", admin.as_str()), ("stranger", "not-a-token")] {
        set_up(&desk, who, token)?;
        for file in ["config/config.toml", "config/auth.toml", "app/pyproject.toml"] {
            let text = std::fs::read_to_string(desk.home.join("reader").join(file))?;
            desk.write(&format!("{who}/{file}"), text.replace(&reader, token))?;
        }
    }
    let publish = |who: &str, more: &[&str]| -> Result<Deed> {
        let deed = poetry(&desk, who)?.args(["publish", "-r", "ours"]).args(more.iter().copied());
        Ok(deed.at(desk.home.join("library")))
    };
    publish("stranger", &[])?.fails_saying(&["401", "the token is unknown"])?;
    publish("reader", &[])?.fails_saying(&["403", "role write"])?;
    publish("admin", &[])?.works()?;
    publish("admin", &[])?.works()?;
    library(&desk, "43")?;
    publish("admin", &[])?.fails_saying(&["409", "already exists: published files never change"])?;
    let said = publish("admin", &["--skip-existing"])?.works()?;
    assert_eq!(said.matches("File exists. Skipping").count(), 2, "{said}");

    let app = desk.home.join("reader/app");
    let install =
        |words: &[&str]| -> Result<Deed> { Ok(poetry(&desk, "reader")?.args(words.iter().copied()).at(&app)) };
    let lock = poetry(&desk, "stranger")?.args(["lock"]).at(desk.home.join("stranger/app"));
    lock.fails_saying(&["Authorization error accessing"])?;
    install(&["lock"])?.works()?;
    install(&["install", "--no-root"])?.works()?;
    let program = "import greeting; print(greeting.greet(), greeting.__file__)";
    assert!(run(&desk, &app.join(".venv/bin/python"), program)?.starts_with("42 "));
    // Again, from the cache: it asks whether the index has changed, and for no file a second time.
    std::fs::remove_dir_all(app.join(".venv"))?;
    let before = desk.asked().await?.len();
    install(&["sync", "--no-root"])?.works()?;
    assert!(run(&desk, &app.join(".venv/bin/python"), program)?.starts_with("42 "));
    assert_eq!(desk.asked().await?.split_off(before), ["GET /simple/greeting/ 304"]);

    install(&["add", "no-such-thing"])?
        .fails_saying(&["Could not find a matching version of package no-such-thing"])?;
    choices(&desk).await
}

/// Which version poetry takes: what the project's interpreters fit, what is not yanked, what is still there.
async fn choices(desk: &Desk) -> Result<()> {
    let young = packed(desk, "dist", "wheel", &json!({"name": "greeting", "version": "2.0"}))?;
    let later = packed(desk, "dist", "wheel", &json!({"name": "greeting", "version": "3.0", "python": ">=9"}))?;
    let words = ["upload", "--non-interactive", "--disable-progress-bar", "-r", "ours", &young, &later];
    client(desk, "admin", "twine")?.args(words).works()?;
    let app = desk.home.join("reader/app");
    let lock = |version: &str| -> Result<()> {
        poetry(desk, "reader")?.args(["lock", "--regenerate", "--no-cache"]).at(&app).works()?;
        let locked = std::fs::read_to_string(app.join("poetry.lock"))?;
        assert!(locked.contains(&format!("version = \"{version}\"")), "{version}: {locked}");
        Ok(())
    };
    lock("2.0")?;
    act(desk, "greeting", "2.0", "yank", "greets nobody").await?;
    lock("1.0")?;
    act(desk, "greeting", "2.0", "unyank", "").await?;
    act(desk, "greeting", "2.0", "tombstone", "leaked a secret").await?;
    lock("1.0")
}

/// Poetry with the home of somebody.
pub(crate) fn poetry(desk: &Desk, who: &str) -> Result<Deed> {
    let deed = client(desk, who, "poetry")?.env("POETRY_CACHE_DIR", desk.home.join(who).join("poetry"));
    let deed = deed.env("POETRY_CONFIG_DIR", desk.home.join(who).join("config"));
    Ok(deed
        .env("POETRY_VIRTUALENVS_IN_PROJECT", "true")
        .env("POETRY_REQUESTS_MAX_RETRIES", "0")
        .args(["--no-interaction"]))
}

/// A project that poetry builds: wheel and source distribution.
fn library(desk: &Desk, answer: &str) -> Result<()> {
    let project = "[project]\nname = \"greeting\"\nversion = \"1.0\"\ndescription = \"greets\"\n\
                   requires-python = \">=3.8\"\n\n[build-system]\nrequires = [\"poetry-core\"]\n\
                   build-backend = \"poetry.core.masonry.api\"\n";
    desk.write("library/pyproject.toml", project)?;
    desk.write("library/src/greeting/__init__.py", format!("def greet():\n    return {answer}\n"))?;
    poetry(desk, "admin")?.args(["build"]).at(desk.home.join("library")).works().map(drop)
}

/// A project with these needs, one a line.
pub(crate) fn application(desk: &Desk, folder: &str, needs: &str) -> Result<()> {
    let project = format!(
        "[tool.poetry]\npackage-mode = false\n\n[tool.poetry.dependencies]\npython = \">=3.8,<4\"\n{needs}\n[build-system]\n\
         requires = [\"poetry-core\"]\nbuild-backend = \"poetry.core.masonry.api\"\n"
    );
    desk.write(&format!("{folder}/pyproject.toml"), project).map(drop)
}

/// The lines of the guide, in the project of somebody with this token.
pub(crate) fn told(desk: &Desk, who: &str, token: &str) -> Result<()> {
    for line in shown(desk, "sh", 0, token)?.lines() {
        let words = line.split_whitespace().skip(1);
        poetry(desk, who)?.args(words).at(desk.home.join(who).join("app")).works()?;
    }
    Ok(())
}
