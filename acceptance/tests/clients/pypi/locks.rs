//! Files of requirements that hold the digest of every file.

use std::path::PathBuf;

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::python::{packed, set_up};
use super::twine;
use crate::desk::{Deed, Desk};

/// The environments that have pip-tools: one asks beside the index for what it calls the project, one beneath it.
const PLACES: [&str; 2] = ["pip-tools", "pip-23.0"];

/// pip-tools takes digests from the project, also of files that it has no other use for, and pip installs what has them.
#[tokio::test]
async fn pip_tools_needs_no_file_for_its_digest() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "pypi").await?;
    set_up(&desk, "admin", desk.admin.token())?;
    let said = json!({"name": "greeting-lib", "version": "1.0", "python": ">=3.8"});
    let files = [packed(&desk, "dist", "wheel", &said)?, packed(&desk, "dist", "sdist", &said)?];
    twine(&desk, "admin", &[&files[0], &files[1]])?.works()?;
    desk.write("admin/requirements.in", "greeting-lib\n")?;
    for place in PLACES {
        let lock = format!("{place}.txt");
        let before = desk.asked().await?.len();
        let compile = tools(&desk, place)?.args(["-m", "piptools", "compile", "--generate-hashes", "--no-annotate"]);
        compile.args(["--rebuild", "--output-file", &lock, "requirements.in"]).at(desk.home.join("admin")).works()?;
        let locked = std::fs::read_to_string(desk.home.join("admin").join(&lock))?;
        for file in &files {
            let said = desk.command("sha256sum")?.args([file.as_str()]).works()?;
            let digest = said.split(' ').next().unwrap_or_default();
            assert!(locked.contains(&format!("--hash=sha256:{digest}")), "{place}: {digest} of {file} in {locked}");
        }
        let asked = desk.asked().await?.split_off(before);
        assert!(!asked.iter().any(|line| line.contains(".tar.gz ")), "{place} asked {asked:?}");
        assert!(asked.iter().any(|line| line.ends_with("/json 200")), "{place} asked {asked:?}");
        let into = desk.home.join(place).display().to_string();
        let install = ["-m", "pip", "install", "--require-hashes", "--target", &into, "-r", &lock];
        tools(&desk, place)?.args(install).at(desk.home.join("admin")).works()?;
    }
    Ok(())
}

fn tools(desk: &Desk, place: &str) -> Result<Deed> {
    let home = desk.home.join("admin");
    let deed = desk.command(PathBuf::from("/opt/clients").join(place).join("bin/python"))?.env("HOME", &home);
    let deed = deed.env("PIP_CONFIG_FILE", home.join("pip.conf")).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    Ok(deed.env("PIP_RETRIES", "0").env("XDG_CACHE_HOME", home.join(place)))
}
