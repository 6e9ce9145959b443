//! What real clients write down of what they install, and how they install that once more.

use std::path::{Path, PathBuf};

use acceptance::{Result, Trouble};

use super::Chooser;
use super::cargo::Cargo;
use super::go::Go;
use super::maven::Maven;
use super::mirror::bytes;
use super::node::{BERRY, BUN, NPM, PNPM, YARN_1};
use super::python::{PIP, POETRY, UV};
use crate::desk::{Deed, Desk};
use crate::maven::{mvn, settings};
use crate::pypi::python::{environment, set_up};
use crate::pypi::{pip, uv::uv};
use crate::{cargo, go, node};

/// How a project of a client is installed again, elsewhere or at another time.
#[derive(Clone, Copy)]
pub(super) struct Lock {
    /// Who writes it.
    pub(super) client: &'static dyn Chooser,
    /// Who installs from it.
    pub(super) installer: &'static dyn Chooser,
    /// The files of the project, below the home. The last is the lockfile.
    pub(super) files: &'static [&'static str],
    /// Makes of these what installing does not.
    pub(super) prepare: fn(&Desk, &str, &str) -> Result<()>,
    pub(super) install: fn(&Desk, &str, &str) -> Result<Deed>,
}

pub(super) const NPM_CI: Lock = Lock {
    client: &NPM,
    installer: &NPM,
    files: &["app/package.json", "app/package-lock.json"],
    prepare: |_, _, _| Ok(()),
    install: |desk, home, token| of_node(desk, home, token, "npm", &["ci"]),
};

pub(super) const YARN_1_FROZEN: Lock = Lock {
    client: &YARN_1,
    installer: &YARN_1,
    files: &["app/package.json", "app/yarn.lock"],
    install: |desk, home, token| of_node(desk, home, token, "yarn", &["install", "--frozen-lockfile"]),
    ..NPM_CI
};

pub(super) const BERRY_IMMUTABLE: Lock = Lock {
    client: &BERRY,
    installer: &BERRY,
    install: |desk, home, token| of_node(desk, home, token, "berry", &["install", "--immutable"]),
    ..YARN_1_FROZEN
};

pub(super) const PNPM_FROZEN: Lock = Lock {
    client: &PNPM,
    installer: &PNPM,
    files: &["app/package.json", "app/pnpm-lock.yaml"],
    install: |desk, home, token| {
        let deed = of_node(desk, home, token, "pnpm", &["install", "--frozen-lockfile"])?;
        Ok(deed.env("pnpm_config_fetch_retries", "0").env("pnpm_config_minimum_release_age", "0"))
    },
    ..NPM_CI
};

pub(super) const BUN_FROZEN: Lock = Lock {
    client: &BUN,
    installer: &BUN,
    files: &["app/package.json", "app/bun.lock"],
    install: |desk, home, token| of_node(desk, home, token, "bun", &["install", "--frozen-lockfile"]),
    ..NPM_CI
};

pub(super) const CARGO_LOCKED: Lock = Lock {
    client: &Cargo,
    installer: &Cargo,
    files: &["app/Cargo.toml", "app/src/main.rs", "app/.cargo/config.toml", "app/Cargo.lock"],
    install: |desk, home, token| {
        cargo::set_up(desk, home)?;
        Ok(cargo::cargo(desk, home, token)?.args(["fetch", "--locked"]))
    },
    ..NPM_CI
};

pub(super) const GO_SUM: Lock = Lock {
    client: &Go,
    installer: &Go,
    files: &["app/go.mod", "app/main.go", "app/go.sum"],
    // All of them, also those of which nothing is compiled.
    prepare: |desk, home, _| of_go(desk, home)?.at(app(desk, home)).works().map(drop),
    install: |desk, home, _| of_go(desk, home),
};

/// uv writes a list for pip too.
pub(super) const UV_FOR_PIP: Lock = Lock {
    client: &UV,
    installer: &PIP,
    files: &["app/uv.lock", "app/requirements.txt"],
    prepare: |desk, home, _| {
        let words = ["export", "--format", "requirements-txt", "--no-emit-project", "-o", "requirements.txt"];
        uv(desk, home)?.args(words).at(app(desk, home)).works().map(drop)
    },
    install: |desk, home, token| of_pip(desk, home, token, &["--require-hashes", "-r", "requirements.txt"]),
};

pub(super) const UV_FROZEN: Lock = Lock {
    installer: &UV,
    files: &["app/pyproject.toml", "app/uv.lock"],
    prepare: |_, _, _| Ok(()),
    install: |desk, home, token| {
        set_up(desk, home, token)?;
        Ok(uv(desk, home)?.args(["sync", "--frozen"]))
    },
    ..UV_FOR_PIP
};

/// A project whose dependency has one version, as Maven has no lockfile.
pub(super) const MAVEN_FIXED: Lock = Lock {
    client: &Maven,
    installer: &Maven,
    files: &["app/pom.xml"],
    prepare: |desk, home, package| {
        let version = Maven.installed(desk, home, package)?;
        let gav = |group: &str, name: &str, version: &str| {
            format!("<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>")
        };
        let pom = format!(
            "<project><modelVersion>4.0.0</modelVersion>{}<dependencies><dependency>{}</dependency></dependencies></project>",
            gav("x", "y", "1"),
            gav("com.example", package, &version)
        );
        desk.write(&format!("{home}/app/pom.xml"), pom).map(drop)
    },
    install: |desk, home, token| {
        settings(desk)?;
        Ok(mvn(desk, token, home)?.args(["org.apache.maven.plugins:maven-dependency-plugin:2.8:list"]))
    },
};

/// Poetry does not install from its own file once the address in its project is another one: pip takes what it locked.
pub(super) const POETRY_FOR_PIP: Lock = Lock {
    client: &POETRY,
    files: &["app/poetry.lock"],
    prepare: |_, _, _| Ok(()),
    install: |desk, home, token| of_pip(desk, home, token, &["greeter==1.0"]),
    ..UV_FOR_PIP
};

impl Lock {
    /// Makes the files complete in a home where this package is installed.
    pub(super) fn prepare(&self, desk: &Desk, home: &str, package: &str) -> Result<()> {
        (self.prepare)(desk, home, package)
    }

    /// Brings the files from the home of somebody who was told this address to another one, with the address of that.
    pub(super) fn carry(&self, from: &Path, url: &str, desk: &Desk, home: &str) -> Result<()> {
        for file in self.files {
            let text = String::from_utf8(bytes(&from.join(file))?).map_err(|_| Trouble::new("no text"))?;
            desk.write(&format!("{home}/{file}"), text.replace(url, &desk.url()?))?;
        }
        Ok(())
    }

    /// Installs what is locked into a home that has the files and nothing else; with this token.
    pub(super) fn install(&self, desk: &Desk, home: &str, token: &str) -> Result<Deed> {
        std::fs::create_dir_all(app(desk, home))?;
        Ok((self.install)(desk, home, token)?.at(app(desk, home)))
    }
}

fn of_node(desk: &Desk, home: &str, token: &str, name: &str, words: &[&str]) -> Result<Deed> {
    node::set_up(desk, home, name == "yarn")?;
    Ok(node::client(desk, home, token, name)?.args(words.iter().copied()))
}

fn of_go(desk: &Desk, home: &str) -> Result<Deed> {
    desk.write(".config/go/env", desk.config("go", "env")?)?;
    Ok(go::go(desk, home)?.env("GONOSUMDB", "example.com").args(["mod", "download"]))
}

fn of_pip(desk: &Desk, home: &str, token: &str, words: &[&str]) -> Result<Deed> {
    set_up(desk, home, token)?;
    let python = environment(desk, &format!("{home}/env"))?;
    pip(desk, home, &python, &[&["install"], words].concat())
}

fn app(desk: &Desk, home: &str) -> PathBuf {
    desk.home.join(home).join("app")
}
