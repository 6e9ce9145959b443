//! From a lockfile that the real client made, `artifortress mirror` brings all that the same client needs to install
//! again where there is no upstream and where it has no cache.

use std::path::PathBuf;

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::json;

use super::Client;
use super::cargo::Cargo;
use super::go::Go;
use super::maven::Maven;
use super::mirror::{Mirror, bytes};
use super::node::{BERRY, NPM, PNPM, YARN_1};
use super::python::{PIP, POETRY, UV};
use crate::cargo::cargo;
use crate::desk::{Deed, Desk};
use crate::go::{go, ours};
use crate::pypi::pip;
use crate::pypi::python::{environment, set_up};
use crate::pypi::uv::uv;

/// The home of those who install without an upstream.
const GAP: &str = "gap";
/// What most of them name: a package, and what it needs.
const TWO: &str = "2 named";

/// A story told of one client.
struct Story<'c> {
    client: &'c dyn Client,
    /// The files of the project, below the home; of these the lockfile.
    files: &'c [&'c str],
    lockfile: &'c str,
    /// How many things it names, as the program says it.
    named: &'c str,
    /// Makes what is not made by installing.
    prepare: fn(&Desk, &str) -> Result<()>,
    /// Installs from the lockfile.
    install: fn(&Desk, &str) -> Result<Deed>,
}

#[tokio::test]
async fn npm_ci_without_an_upstream() -> Result<()> {
    let install = |desk: &Desk, token: &str| {
        crate::node::set_up(desk, GAP, false)?;
        Ok(crate::node::client(desk, GAP, token, "npm")?.args(["ci"]).at(desk.home.join("gap/app")))
    };
    let files = ["app/package.json", "app/package-lock.json"];
    Story { client: &NPM, files: &files, lockfile: files[1], named: TWO, prepare: |_, _| Ok(()), install }.told().await
}

#[tokio::test]
async fn yarn_1_without_an_upstream() -> Result<()> {
    let install = |desk: &Desk, token: &str| {
        crate::node::set_up(desk, GAP, true)?;
        let deed = crate::node::client(desk, GAP, token, "yarn")?.args(["install", "--frozen-lockfile"]);
        Ok(deed.at(desk.home.join("gap/app")))
    };
    let files = ["app/package.json", "app/yarn.lock"];
    Story { client: &YARN_1, files: &files, lockfile: files[1], named: TWO, prepare: |_, _| Ok(()), install }
        .told()
        .await
}

#[tokio::test]
async fn yarn_berry_without_an_upstream() -> Result<()> {
    let install = |desk: &Desk, token: &str| {
        crate::node::set_up(desk, GAP, false)?;
        let deed = crate::node::client(desk, GAP, token, "berry")?.args(["install", "--immutable"]);
        Ok(deed.at(desk.home.join("gap/app")))
    };
    let files = ["app/package.json", "app/yarn.lock"];
    Story { client: &BERRY, files: &files, lockfile: files[1], named: TWO, prepare: |_, _| Ok(()), install }
        .told()
        .await
}

#[tokio::test]
async fn pnpm_without_an_upstream() -> Result<()> {
    let install = |desk: &Desk, token: &str| {
        crate::node::set_up(desk, GAP, false)?;
        let deed = crate::node::client(desk, GAP, token, "pnpm")?.args(["install", "--frozen-lockfile"]);
        Ok(deed.env("pnpm_config_fetch_retries", "0").at(desk.home.join("gap/app")))
    };
    let files = ["app/package.json", "app/pnpm-lock.yaml"];
    Story { client: &PNPM, files: &files, lockfile: files[1], named: TWO, prepare: |_, _| Ok(()), install }.told().await
}

#[tokio::test]
async fn cargo_fetch_locked_without_an_upstream() -> Result<()> {
    let install = |desk: &Desk, token: &str| {
        crate::cargo::set_up(desk, GAP)?;
        Ok(cargo(desk, GAP, token)?.args(["fetch", "--locked"]).at(desk.home.join("gap/app")))
    };
    let files = ["app/Cargo.toml", "app/Cargo.lock", "app/src/main.rs", "app/.cargo/config.toml"];
    Story { client: &Cargo, files: &files, lockfile: files[1], named: TWO, prepare: |_, _| Ok(()), install }
        .told()
        .await
}

#[tokio::test]
async fn go_mod_download_without_an_upstream() -> Result<()> {
    let install = |desk: &Desk, _: &str| {
        desk.write(".config/go/env", desk.config("go", "env")?)?;
        Ok(go(desk, GAP)?.env("GONOSUMDB", "example.com").args(["mod", "download"]).at(desk.home.join("gap/app")))
    };
    let files = ["app/go.mod", "app/go.sum", "app/main.go"];
    Story { client: &Go, files: &files, lockfile: files[1], named: TWO, prepare: |_, _| Ok(()), install }.told().await
}

fn pip_with_hashes(desk: &Desk, token: &str) -> Result<Deed> {
    set_up(desk, GAP, token)?;
    let python = environment(desk, "gap/env")?;
    let file = desk.home.join("gap/app/requirements.txt").display().to_string();
    pip(desk, GAP, &python, &["install", "--require-hashes", "-r", &file])
}

#[tokio::test]
async fn pip_with_hashes_of_uv_without_an_upstream() -> Result<()> {
    let prepare = |desk: &Desk, _: &str| {
        let words = ["export", "--format", "requirements-txt", "--no-emit-project", "-o", "requirements.txt"];
        uv(desk, "made")?.args(words).at(desk.home.join("made/app")).works().map(drop)
    };
    let files = ["app/requirements.txt", "app/uv.lock"];
    for lockfile in files {
        let story = Story { client: &UV, files: &files, lockfile, named: TWO, prepare, install: pip_with_hashes };
        story.told_by(&PIP).await?;
    }
    Ok(())
}

#[tokio::test]
async fn pip_from_a_lockfile_of_poetry_without_an_upstream() -> Result<()> {
    let files = ["app/poetry.lock"];
    let install = |desk: &Desk, token: &str| {
        set_up(desk, GAP, token)?;
        let python = environment(desk, "gap/env")?;
        pip(desk, GAP, &python, &["install", "greeter==1.0"])
    };
    let story =
        Story { client: &POETRY, files: &files, lockfile: files[0], named: TWO, prepare: |_, _| Ok(()), install };
    story.told_by(&PIP).await
}

#[tokio::test]
async fn maven_from_a_list_without_an_upstream() -> Result<()> {
    let prepare = |desk: &Desk, _: &str| {
        let list = "[INFO]    com.example:app:jar:1.0:compile\ncom.example:core:1.0\ncom.example:parent:1.0:pom\n";
        desk.write("made/list.txt", list).map(drop)
    };
    let install = |desk: &Desk, token: &str| Maven.install(desk, GAP, token, "app:1.0");
    let files = ["list.txt"];
    Story { client: &Maven, files: &files, lockfile: files[0], named: "5 named", prepare, install }.told().await
}

impl Story<'_> {
    async fn told(&self) -> Result<()> {
        self.told_by(self.client).await
    }

    /// `checks` looks at what was installed.
    async fn told_by(&self, checks: &dyn Client) -> Result<()> {
        let (client, mut mirror) = (self.client, Mirror::begin()?);
        let fields = json!({"repoType": "remote", "upstreamUrl": mirror.url(), "anonymousRead": client.is_mute()});
        let online = Desk::with(Backing::Embedded, client.format(), fields.clone()).await?;
        let gap = Desk::with(Backing::Embedded, client.format(), fields).await?;
        client.lay_out(&online, &mirror)?;
        client.install(&online, "made", online.admin.token(), client.says().package)?.works()?;
        (self.prepare)(&online, online.admin.token())?;

        let lockfile = online.home.join("made").join(self.lockfile).display().to_string();
        let words = ["mirror", gap.key, "--lockfile", &lockfile];
        let said = ours(&gap, gap.admin.token())?.args(words).works()?;
        if !said.contains(self.named) || said.contains(": 0 files fetched") {
            return Err(Trouble::new(format!("it brought something else: {said}")));
        }
        mirror.stop()?;
        let offline = json!({"settings": {"upstream": {"offline": true}}});
        gap.admin.patch(&format!("/v1/repos/{}", gap.key)).json(&offline).send().await?.expect(&[200])?;

        self.carry(&online, &gap)?;
        (self.install)(&gap, gap.admin.token())?.works()?;
        checks.check(&gap, GAP)
    }

    /// The project, with this server's address in place of that one's.
    fn carry(&self, online: &Desk, gap: &Desk) -> Result<()> {
        let address = |desk: &Desk| -> Result<String> { Ok(desk.server.address()?.to_string()) };
        for file in self.files {
            let from: PathBuf = online.home.join("made").join(file);
            let text = String::from_utf8(bytes(&from)?).map_err(|_| Trouble::new("no text"))?;
            gap.write(&format!("{GAP}/{file}"), text.replace(&address(online)?, &address(gap)?))?;
        }
        Ok(())
    }
}
