//! From a lockfile that the real client made, `artifortress mirror` brings all that the same client needs to install
//! again where there is no upstream and where it has no cache.

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::json;

use super::Client as _;
use super::locks::{
    BERRY_IMMUTABLE, BUN_FROZEN, CARGO_LOCKED, GO_SUM, Lock, MAVEN_FIXED, NPM_CI, PNPM_FROZEN, POETRY_FOR_PIP,
    UV_FOR_PIP, UV_FROZEN, YARN_1_FROZEN,
};
use super::maven::Maven;
use super::mirror::Mirror;
use crate::desk::Desk;
use crate::go::ours;

/// The home of those who install without an upstream.
const GAP: &str = "gap";
/// What most of them name: a package, and what it needs.
const TWO: &str = "2 named";

#[tokio::test]
async fn npm_ci_without_an_upstream() -> Result<()> {
    told(&NPM_CI, TWO).await
}

#[tokio::test]
async fn yarn_1_without_an_upstream() -> Result<()> {
    told(&YARN_1_FROZEN, TWO).await
}

#[tokio::test]
async fn yarn_berry_without_an_upstream() -> Result<()> {
    told(&BERRY_IMMUTABLE, TWO).await
}

#[tokio::test]
async fn pnpm_without_an_upstream() -> Result<()> {
    told(&PNPM_FROZEN, TWO).await
}

#[tokio::test]
async fn bun_without_an_upstream() -> Result<()> {
    told(&BUN_FROZEN, TWO).await
}

#[tokio::test]
async fn cargo_fetch_locked_without_an_upstream() -> Result<()> {
    told(&CARGO_LOCKED, TWO).await
}

#[tokio::test]
async fn go_mod_download_without_an_upstream() -> Result<()> {
    told(&GO_SUM, TWO).await
}

#[tokio::test]
async fn pip_with_hashes_of_uv_without_an_upstream() -> Result<()> {
    told(&UV_FOR_PIP, TWO).await
}

#[tokio::test]
async fn uv_without_an_upstream() -> Result<()> {
    told(&UV_FROZEN, TWO).await
}

#[tokio::test]
async fn pip_from_a_lockfile_of_poetry_without_an_upstream() -> Result<()> {
    told(&POETRY_FOR_PIP, TWO).await
}

#[tokio::test]
async fn maven_from_a_list_without_an_upstream() -> Result<()> {
    let prepare = |desk: &Desk, home: &str, _: &str| {
        let list = "[INFO]    com.example:app:jar:1.0:compile\ncom.example:core:1.0\ncom.example:parent:1.0:pom\n";
        desk.write(&format!("{home}/list.txt"), list).map(drop)
    };
    let install = |desk: &Desk, home: &str, token: &str| Maven.install(desk, home, token, "app:1.0");
    told(&Lock { files: &["list.txt"], prepare, install, ..MAVEN_FIXED }, "5 named").await
}

/// `named` says how many things are in the lockfile, as the program tells it.
async fn told(lock: &Lock, named: &str) -> Result<()> {
    let (client, mut mirror) = (lock.client, Mirror::begin()?);
    let fields = json!({"repoType": "remote", "upstreamUrl": mirror.url(), "anonymousRead": client.is_mute()});
    let online = Desk::with(Backing::Embedded, client.format(), fields.clone()).await?;
    let gap = Desk::with(Backing::Embedded, client.format(), fields).await?;
    client.lay_out(&online, &mirror)?;
    client.install(&online, "made", online.admin.token(), client.says().package)?.works()?;
    lock.prepare(&online, "made", client.says().package)?;

    let made = online.home.join("made");
    let lockfile = lock.files.last().map(|file| made.join(file).display().to_string()).unwrap_or_default();
    let words = ["mirror", gap.key, "--lockfile", &lockfile];
    let said = ours(&gap, gap.admin.token())?.args(words).works()?;
    if !said.contains(named) || said.contains(": 0 files fetched") {
        return Err(Trouble::new(format!("it brought something else: {said}")));
    }
    mirror.stop()?;
    gap.change(gap.key, json!({"settings": {"upstream": {"offline": true}}})).await?;

    lock.carry(&made, &online.url()?, &gap, GAP)?;
    lock.install(&gap, GAP, gap.admin.token())?.works()?;
    lock.installer.check(&gap, GAP)
}
