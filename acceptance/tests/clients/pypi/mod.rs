//! Python: twine hands in and pip installs; uv and poetry do both.

mod locks;
mod older;
pub(crate) mod poetry;
pub(crate) mod python;
pub(crate) mod uv;
mod wire;

use std::path::Path;

use acceptance::Result;
use acceptance::server::Backing;
use python::{act, client, environment, native, packed, run, set_up};
use serde_json::json;

use crate::desk::{Deed, Desk};

#[tokio::test]
async fn twine_and_pip_on_sqlite_and_disk() -> Result<()> {
    follow(Backing::Embedded).await
}

#[tokio::test]
async fn twine_and_pip_on_postgresql_and_s3() -> Result<()> {
    follow(Backing::Scaled).await
}

async fn follow(backing: Backing) -> Result<()> {
    let desk = Desk::open(backing, "pypi").await?;
    let reader = desk.token("rita", &["repo:pypi:read"]).await?;
    for (who, token) in [("admin", desk.admin.token()), ("reader", &reader), ("stranger", "not-a-token")] {
        set_up(&desk, who, token)?;
    }
    let one = json!({"name": "Greeting.Lib", "version": "1.0", "python": ">=3.8"});
    let (wheel, sdist) = (packed(&desk, "dist", "wheel", &one)?, packed(&desk, "dist", "sdist", &one)?);
    let user = packed(
        &desk,
        "dist",
        "wheel",
        &json!({"name": "greeter", "version": "1.0", "requires": ["greeting-lib>=1.0"],
        "text": "import greeting_lib\n\n\ndef greet():\n    return greeting_lib.greet()\n"}),
    )?;
    let other = packed(&desk, "other", "wheel", &json!({"name": "Greeting.Lib", "version": "1.0", "text": "x = 1\n"}))?;
    let compiled = native(&desk, "compiled")?;

    twine(&desk, "stranger", &[&wheel])?.fails_saying(&["401", "the token is unknown"])?;
    twine(&desk, "reader", &[&wheel])?.fails_saying(&["403", "role write"])?;
    twine(&desk, "admin", &[&wheel, &sdist, &user, &compiled])?.works()?;
    // The same bytes once more: as after an answer that was lost.
    twine(&desk, "admin", &[&wheel, &sdist])?.works()?;
    twine(&desk, "admin", &[&other])?
        .fails_saying(&["409", "Greeting_Lib-1.0-py3-none-any.whl already exists: published files never change"])?;

    let clean = environment(&desk, "clean")?;
    pip(&desk, "reader", &clean, &["install", "greeter", "compiled"])?.works()?;
    let said = run(&desk, &clean, "import greeter, compiled; print(greeter.greet(), compiled.greet())")?;
    assert_eq!(said.trim(), "42 42");
    // Again: it asks whether the indexes have changed, and for nothing more. Without TLS pip keeps only what comes from
    // hosts that its configuration tells it to trust.
    let (again, before) = (environment(&desk, "again")?, desk.asked().await?.len());
    pip(&desk, "reader", &again, &["install", "greeter"])?.works()?;
    let asked = desk.asked().await?.split_off(before);
    assert_eq!(asked, ["GET /simple/greeter/ 304", "GET /simple/greeting-lib/ 304"]);

    // pip tells why only when it is asked to.
    pip(&desk, "stranger", &again, &["install", "-vv", "compiled"])?.fails_saying(&["401", "the token is unknown"])?;
    pip(&desk, "reader", &again, &["install", "nothing"])?
        .fails_saying(&["No matching distribution found for nothing"])?;
    if backing == Backing::Scaled {
        return Ok(());
    }
    let built = environment(&desk, "built")?;
    pip(&desk, "reader", &built, &["install", "--no-binary", "greeting-lib", "greeting.lib"])?.works()?;
    assert_eq!(run(&desk, &built, "import greeting_lib; print(greeting_lib.greet())")?.trim(), "42");
    hashed(&desk, &wheel).await?;
    choices(&desk).await
}

/// Only what has the digest that is asked for is installed, and it has.
async fn hashed(desk: &Desk, wheel: &str) -> Result<()> {
    let index = desk.admin.get("/repository/pypi/pypi/greeting-lib/1.0/json").send().await?.expect(&[200])?.json()?;
    let sha256 = index.pointer("/urls/0/digests/sha256").and_then(|text| text.as_str()).unwrap_or_default().to_owned();
    assert!(wheel.ends_with(index.pointer("/urls/0/filename").and_then(|text| text.as_str()).unwrap_or("?")));
    let strict = environment(desk, "strict")?;
    for (digest, fine) in [(sha256, true), ("0".repeat(64), false)] {
        let text = format!("greeting-lib==1.0 --hash=sha256:{digest}\n");
        let file = desk.write("requirements.txt", text)?.display().to_string();
        let deed = pip(desk, "reader", &strict, &["install", "--force-reinstall", "--require-hashes", "-r", &file])?;
        if fine {
            deed.works()?
        } else {
            deed.fails_saying(&["DO NOT MATCH"])?
        };
    }
    Ok(())
}

/// Which version pip takes: what the interpreter fits, what is not yanked, what is still there.
async fn choices(desk: &Desk) -> Result<()> {
    let (later, young) = (
        packed(desk, "dist", "wheel", &json!({"name": "greeting-lib", "version": "3.0", "python": ">=9"}))?,
        packed(desk, "dist", "wheel", &json!({"name": "greeting-lib", "version": "2.0"}))?,
    );
    twine(desk, "admin", &[&later, &young])?.works()?;
    let python = environment(desk, "choices")?;
    let install = |what: &str| pip(desk, "reader", &python, &["install", "--force-reinstall", what]);
    let said = install("greeting-lib")?.works()?;
    assert!(said.contains("greeting-lib-2.0"), "{said}");
    install("greeting-lib==3.0")?.fails_saying(&["Requires-Python >=9"])?;

    act(desk, "greeting-lib", "2.0", "yank", "greets \"nobody\"").await?;
    let said = install("greeting-lib")?.works()?;
    assert!(said.contains("-1.0"), "{said}");
    let said = install("greeting-lib==2.0")?.works()?;
    assert!(said.contains("greets \"nobody\""), "{said}");
    act(desk, "greeting-lib", "2.0", "unyank", "").await?;
    let said = install("greeting-lib")?.works()?;
    assert!(said.contains("greeting-lib-2.0"), "{said}");

    act(desk, "greeting-lib", "2.0", "tombstone", "leaked a secret").await?;
    install("greeting-lib==2.0")?.fails_saying(&["No matching distribution found"])?;
    // Its name is never used again, and that is nothing to be skipped.
    twine(desk, "admin", &[&young])?.fails_saying(&["400", "its name is never used again"])?;
    let other = packed(desk, "dist", "wheel", &json!({"name": "greeting-lib", "version": "1.0.0"}))?;
    twine(desk, "admin", &[&other])?.fails_saying(&["400", "1.0.0 and 1.0 are one version"]).map(drop)
}

/// twine with the configuration of somebody.
pub(crate) fn twine(desk: &Desk, who: &str, files: &[&str]) -> Result<Deed> {
    let deed =
        client(desk, who, "twine")?.args(["upload", "--non-interactive", "--disable-progress-bar", "-r", "ours"]);
    Ok(deed.args(files.iter().copied()))
}

/// pip for an environment, with the configuration and the cache of somebody.
pub(crate) fn pip(desk: &Desk, who: &str, python: &Path, words: &[&str]) -> Result<Deed> {
    let cache = desk.home.join(who).join("cache");
    let python = python.display().to_string();
    let deed = client(desk, who, "pip")?.env("PIP_CACHE_DIR", cache).args(["--no-input", "--python", &python]);
    Ok(deed.args(words.iter().copied()))
}
