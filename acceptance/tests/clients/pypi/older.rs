//! The pip that comes with distributions that many still run: each reads an index in a way of its own.

use std::path::PathBuf;

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::python::{packed, set_up};
use super::twine;
use crate::desk::{Deed, Desk};

/// Where `kit/install-tools` puts them, the oldest first.
const OLDER: [&str; 3] = ["pip-20.0", "pip-22.0", "pip-23.0"];

#[tokio::test]
async fn what_came_with_a_distribution_installs() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "pypi").await?;
    set_up(&desk, "admin", desk.admin.token())?;
    set_up(&desk, "stranger", "not-a-token")?;
    let lib = |version: &str| json!({"name": "greeting-lib", "version": version, "python": ">=3.8"});
    let wheel = packed(&desk, "dist", "wheel", &lib("1.0"))?;
    let user = json!({"name": "greeter", "version": "1.0", "requires": ["greeting-lib>=1.0"],
        "text": "import greeting_lib\n\n\ndef greet():\n    return greeting_lib.greet()\n"});
    let user = packed(&desk, "dist", "wheel", &user)?;
    let later = packed(&desk, "dist", "wheel", &lib("2.0"))?;
    twine(&desk, "admin", &[&wheel, &user, &later])?.works()?;
    super::act(&desk, "greeting-lib", "2.0", "yank", "broken").await?;
    for name in OLDER {
        let into = desk.home.join(name).display().to_string();
        let install = ["install", "--target", &into, "greeter"];
        pip(&desk, "admin", name)?.args(install).works()?;
        let program = "import greeter, greeting_lib; print(greeter.greet())";
        let said = desk.command(python(name))?.env("PYTHONPATH", &into).args(["-c", program]).works()?;
        assert_eq!(said.trim(), "42", "{name}");
        assert!(PathBuf::from(&into).join("greeting_lib-1.0.dist-info").is_dir(), "{name} took what was yanked");
        // Why, they tell only when they are asked to.
        pip(&desk, "stranger", name)?.args(["install", "-vv", "--target", &into, "greeter"]).fails_saying(&["401"])?;
        pip(&desk, "admin", name)?
            .args(["install", "--target", &into, "nothing"])
            .fails_saying(&["No matching distribution found for nothing"])?;
    }
    Ok(())
}

fn python(name: &str) -> PathBuf {
    PathBuf::from("/opt/clients").join(name).join("bin/python")
}

/// One of them, with the configuration of somebody and a cache of its own.
fn pip(desk: &Desk, who: &str, name: &str) -> Result<Deed> {
    let home = desk.home.join(who);
    let deed = desk.command(python(name))?.env("HOME", &home).env("PIP_CONFIG_FILE", home.join("pip.conf"));
    let deed = deed.env("PIP_CACHE_DIR", home.join(name)).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    Ok(deed.env("PIP_RETRIES", "0").args(["-m", "pip", "--no-input"]))
}
