//! pip, uv and Poetry through a remote repository.

use std::path::{Path, PathBuf};

use acceptance::server::Backing;
use acceptance::shelf::hex;
use acceptance::{Result, Trouble};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::goods::Offer;
use super::mirror::{Mirror, bytes};
use super::{Chooser, Client, REFUSED, Says, through_a_mirror, through_another};
use crate::desk::{Deed, Desk};
use crate::pypi::poetry::{self, poetry};
use crate::pypi::python::{environment, packed, run, set_up};
use crate::pypi::uv::{self, uv};
use crate::pypi::{pip, twine};

pub(super) struct Python {
    publish: fn(&Desk, &str, &[String]) -> Result<Vec<Deed>>,
    install: fn(&Desk, &str, &str, &str) -> Result<Deed>,
    /// Where it installs, below the home.
    python: &'static str,
    says: Says,
}

pub(super) const PIP: Python = Python {
    publish: |desk, _, files| files.iter().map(|file| twine(desk, "home", &[file.as_str()])).collect(),
    install: |desk, home, _, package| {
        let python = environment(desk, &format!("{home}/env"))?;
        pip(desk, home, &python, &["install", "-vv", package])
    },
    python: "env/bin/python",
    says: Says {
        package: "greeter",
        missing: "nothing",
        unasked: "something",
        wrong: &["401", "the token is unknown"],
        not_found: &["No matching distribution found for nothing"],
        // It tells no more of it.
        away: &["too many 503 error responses"],
        refused: &["403", REFUSED],
    },
};

#[tokio::test]
async fn pip_of_another_artifortress() -> Result<()> {
    through_another(&PIP, Backing::Embedded).await
}

#[tokio::test]
async fn pip_of_another_artifortress_on_postgresql_and_s3() -> Result<()> {
    through_another(&PIP, Backing::Scaled).await
}

#[tokio::test]
async fn pip_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&PIP).await
}

pub(super) const UV: Python = Python {
    publish: |desk, token, files| {
        let there = format!("{}/", desk.url()?);
        let publish = |file: &String| -> Result<Deed> {
            Ok(uv(desk, "home")?.args(["publish", "--publish-url", &there, "--token", token, file]))
        };
        files.iter().map(publish).collect()
    },
    install: |desk, home, _, package| {
        uv::application(desk, &format!("{home}/app"), &[package])?;
        Ok(uv(desk, home)?.args(["sync"]).at(desk.home.join(home).join("app")))
    },
    python: "app/.venv/bin/python",
    says: Says {
        package: "greeter",
        missing: "nothing",
        unasked: "something",
        wrong: &["401 Unauthorized"],
        not_found: &["nothing was not found in the package registry"],
        away: &["503 the upstream cannot be read"],
        refused: &["403", REFUSED],
    },
};

#[tokio::test]
async fn uv_of_another_artifortress() -> Result<()> {
    through_another(&UV, Backing::Embedded).await
}

#[tokio::test]
async fn uv_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&UV).await
}

pub(super) const POETRY: Python = Python {
    publish: |desk, token, files| {
        poetry_application(desk, "home", token)?;
        let publish = |file: &String| -> Result<Deed> {
            let file = Path::new(file);
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let [stem, version] = [0, 1].map(|part| name.split('-').nth(part).unwrap_or_default());
            let project = format!("[project]\nname = \"{stem}\"\nversion = \"{version}\"\n");
            desk.write(&format!("{stem}/pyproject.toml"), project)?;
            desk.write(&format!("{stem}/dist/{name}"), bytes(file)?)?;
            Ok(poetry(desk, "home")?.args(["publish", "-r", "ours"]).at(desk.home.join(stem)))
        };
        files.iter().map(publish).collect()
    },
    install: |desk, home, token, package| {
        poetry_application(desk, home, token)?;
        Ok(poetry(desk, home)?.args(["add", package]).at(desk.home.join(home).join("app")))
    },
    python: "app/.venv/bin/python",
    says: Says {
        package: "greeter",
        missing: "nothing",
        unasked: "something",
        wrong: &["Authorization error accessing"],
        not_found: &["Could not find a matching version of package nothing"],
        away: &["503"],
        refused: &["403", REFUSED],
    },
};

#[tokio::test]
async fn poetry_of_another_artifortress() -> Result<()> {
    through_another(&POETRY, Backing::Embedded).await
}

#[tokio::test]
async fn poetry_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&POETRY).await
}

/// A project without needs yet, told of the repository as the guide shows.
fn poetry_application(desk: &Desk, home: &str, token: &str) -> Result<()> {
    poetry::application(desk, &format!("{home}/app"), "")?;
    poetry::told(desk, home, token)
}

impl Client for Python {
    fn format(&self) -> &'static str {
        "pypi"
    }

    fn upstream(&self, url: &str) -> String {
        format!("{url}/simple")
    }

    fn publish(&self, desk: &Desk, token: &str) -> Result<Vec<Deed>> {
        set_up(desk, "home", token)?;
        (self.publish)(desk, token, &wheels(desk)?)
    }

    /// A page for each project, its files beside it, with their digests.
    fn lay_out(&self, desk: &Desk, mirror: &Mirror) -> Result<()> {
        for path in wheels(desk)? {
            let (path, bytes) = (PathBuf::from(&path), bytes(Path::new(&path))?);
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let digest = hex(&Sha256::digest(&bytes));
            let project = name.split('-').next().unwrap_or_default().to_lowercase().replace('_', "-");
            let page =
                format!("<!DOCTYPE html><html><body><a href=\"{name}#sha256={digest}\">{name}</a><br></body></html>\n");
            mirror.write(&format!("{project}/index.html"), page)?;
            mirror.write(&format!("{project}/{name}"), bytes)?;
        }
        Ok(())
    }

    fn install(&self, desk: &Desk, home: &str, token: &str, package: &str) -> Result<Deed> {
        set_up(desk, home, token)?;
        (self.install)(desk, home, token, package)
    }

    fn check(&self, desk: &Desk, home: &str) -> Result<()> {
        let python = desk.home.join(home).join(self.python);
        let said = run(desk, &python, "import greeter; print(greeter.greet())")?;
        if said.trim() == "42" { Ok(()) } else { Err(Trouble::new(said)) }
    }

    fn says(&self) -> Says {
        self.says
    }
}

impl Chooser for Python {
    fn release(&self, desk: &Desk, token: &str, name: &str, version: &str, needy: bool) -> Result<Deed> {
        set_up(desk, "home", token)?;
        let needs: &[&str] = if needy { &["greeter>=1.0"] } else { &[] };
        let said = json!({"name": name, "version": version, "python": ">=3.8", "requires": needs});
        let file = packed(desk, "dist", "wheel", &said)?;
        let deed = (self.publish)(desk, token, &[file])?.pop();
        deed.ok_or_else(|| Trouble::new("it publishes nothing"))
    }

    /// A version that is offered once more has one more file, for this machine alone.
    fn offer(&self, desk: &Desk, mirror: &Mirror, name: &str, offers: &[Offer]) -> Result<()> {
        let mut files: Vec<Json> = Vec::new();
        for offer in offers {
            let again = files.iter().any(|file| file["version"] == offer.version);
            let tag =
                if again { format!("py3-none-linux_{}", std::env::consts::ARCH) } else { "py3-none-any".to_owned() };
            let text = format!("def greet():\n    return {}\n", if again { 13 } else { 42 });
            let said = json!({"name": name, "version": offer.version, "python": ">=3.8", "tag": tag, "text": text});
            let path = packed(desk, "offered", "wheel", &said)?;
            let (path, bytes) = (PathBuf::from(&path), bytes(Path::new(&path))?);
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            files.push(json!({"filename": file, "url": format!("{}/{name}/{file}", mirror.url()), "size": bytes.len(),
                "hashes": {"sha256": hex(&Sha256::digest(&bytes))}, "upload-time": offer.time(desk)?,
                "requires-python": ">=3.8", "version": offer.version}));
            mirror.write(&format!("{name}/{file}"), bytes)?;
        }
        let page = json!({"meta": {"api-version": "1.1"}, "name": name, "files": files});
        mirror.head(&format!("{name}/index.json"), "Content-Type: application/vnd.pypi.simple.v1+json")?;
        mirror.write(&format!("{name}/index.json"), page.to_string())
    }

    fn exactly(&self, name: &str, version: &str) -> String {
        format!("{name}=={version}")
    }

    fn installed(&self, desk: &Desk, home: &str, name: &str) -> Result<String> {
        let text = format!("import importlib.metadata; print(importlib.metadata.version('{name}'))");
        Ok(run(desk, &desk.home.join(home).join(self.python), &text)?.trim().to_owned())
    }
}

/// Two wheels, the second of which needs the first.
pub(super) fn wheels(desk: &Desk) -> Result<Vec<String>> {
    let base = json!({"name": "greeting-lib", "version": "1.0", "python": ">=3.8"});
    let user = json!({"name": "greeter", "version": "1.0", "python": ">=3.8", "requires": ["greeting-lib>=1.0"],
        "text": "import greeting_lib\n\n\ndef greet():\n    return greeting_lib.greet()\n"});
    [base, user].iter().map(|said| packed(desk, "dist", "wheel", said)).collect()
}
