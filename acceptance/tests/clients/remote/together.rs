//! The same clients through a virtual repository: of what is published through it, and of an upstream.

use acceptance::environment::rounds;
use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::{Value as Json, json};

use super::cargo::Cargo;
use super::go::Go;
use super::maven::Maven;
use super::mirror::Mirror;
use super::node::{BERRY, BUN, NPM, PNPM, YARN_1};
use super::python::{PIP, POETRY, UV};
use super::{Chooser, Client, Source, another, vendors};
use crate::desk::Desk;

/// Whose packages the remote member has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Ours,
    Static,
    Stranger,
}

#[tokio::test]
async fn npm_of_another_artifortress() -> Result<()> {
    together(&NPM, Kind::Ours).await
}

#[tokio::test]
async fn pnpm_of_a_static_mirror() -> Result<()> {
    together(&PNPM, Kind::Static).await
}

#[tokio::test]
async fn yarn_1_of_another_artifortress() -> Result<()> {
    together(&YARN_1, Kind::Ours).await
}

#[tokio::test]
async fn yarn_berry_of_a_static_mirror() -> Result<()> {
    together(&BERRY, Kind::Static).await
}

#[tokio::test]
async fn bun_of_verdaccio() -> Result<()> {
    together(&BUN, Kind::Stranger).await
}

#[tokio::test]
async fn pip_of_another_artifortress() -> Result<()> {
    together(&PIP, Kind::Ours).await
}

#[tokio::test]
async fn uv_of_devpi() -> Result<()> {
    together(&UV, Kind::Stranger).await
}

#[tokio::test]
async fn poetry_of_a_static_mirror() -> Result<()> {
    together(&POETRY, Kind::Static).await
}

#[tokio::test]
async fn cargo_of_another_artifortress() -> Result<()> {
    together(&Cargo, Kind::Ours).await
}

#[tokio::test]
async fn maven_of_a_static_mirror() -> Result<()> {
    together(&Maven, Kind::Static).await
}

#[tokio::test]
async fn go_of_a_static_mirror() -> Result<()> {
    together(&Go, Kind::Static).await
}

/// With those above, every client has every kind of upstream that there is for its format.
const OTHERS: [(&dyn Chooser, Kind); 22] = [
    (&Cargo, Kind::Static),
    (&Cargo, Kind::Stranger),
    (&Go, Kind::Ours),
    (&Go, Kind::Stranger),
    (&Maven, Kind::Ours),
    (&Maven, Kind::Stranger),
    (&NPM, Kind::Static),
    (&NPM, Kind::Stranger),
    (&PNPM, Kind::Ours),
    (&PNPM, Kind::Stranger),
    (&YARN_1, Kind::Static),
    (&YARN_1, Kind::Stranger),
    (&BERRY, Kind::Ours),
    (&BERRY, Kind::Stranger),
    (&BUN, Kind::Ours),
    (&BUN, Kind::Static),
    (&PIP, Kind::Static),
    (&PIP, Kind::Stranger),
    (&UV, Kind::Ours),
    (&UV, Kind::Static),
    (&POETRY, Kind::Ours),
    (&POETRY, Kind::Stranger),
];

/// One of the others; all of them where there are many rounds.
#[tokio::test]
async fn every_client_of_every_upstream() -> Result<()> {
    for (number, (client, kind)) in OTHERS.into_iter().enumerate().take(rounds(1)? as usize) {
        let done = together(client, kind).await;
        done.map_err(|trouble| Trouble::new(format!("number {number}: {trouble:?}")))?;
    }
    Ok(())
}

async fn together(client: &dyn Chooser, kind: Kind) -> Result<()> {
    let desk = Desk::bare(Backing::Embedded, client.format()).await?;
    let mut source = members(client, kind, &desk).await?;
    let reader = desk.token("rita", &["repo:*:read"]).await?;
    // What is published needs what the upstream has.
    client.release(&desk, desk.admin.token(), "fresh", "1.0.0", true)?.works()?;
    let wanted = client.exactly("fresh", "1.0.0");
    client.install(&desk, "first", &reader, &wanted)?.works()?;
    check(client, &desk, "first")?;
    for (member, has) in [("own", true), ("up", false)] {
        let packages = desk.admin.get(&format!("/v1/repos/{member}/packages")).send().await?.expect(&[200])?;
        assert_eq!(packages.text().contains("fresh"), has, "{member}: {}", packages.text());
    }
    // Now nothing is believed without asking, and nobody answers.
    source.stop()?;
    desk.change("up", json!({"settings": {"upstream": {"indexSeconds": 0}}})).await?;
    client.install(&desk, "second", &reader, &wanted)?.works()?;
    check(client, &desk, "second")
}

fn check(client: &dyn Chooser, desk: &Desk, home: &str) -> Result<()> {
    assert_eq!(client.installed(desk, home, "fresh")?, "1.0.0");
    client.check(desk, home)
}

/// Puts a virtual repository together, its remote member last. Whose packages that has.
pub(super) async fn members(client: &dyn Client, kind: Kind, desk: &Desk) -> Result<Source> {
    assemble(desk, client.is_mute(), &["own"]).await?;
    let (source, fields) = match kind {
        Kind::Ours => another(client).await?,
        Kind::Stranger => vendors::begin(client, desk).await?,
        Kind::Static => {
            let mirror = Mirror::begin()?;
            client.lay_out(desk, &mirror)?;
            let fields = json!({"repoType": "remote", "upstreamUrl": mirror.url()});
            (Source::Static(mirror), fields)
        }
    };
    join(desk, client.is_mute(), fields).await?;
    Ok(source)
}

/// A hosted repository `own`, and a virtual one called as the format that publishes there.
pub(super) async fn assemble(desk: &Desk, open: bool, members: &[&str]) -> Result<()> {
    desk.make("own", json!({"repoType": "local", "anonymousRead": open})).await?;
    let fields = json!({"repoType": "virtual", "memberRepos": members, "anonymousRead": open,
        "settings": {"virtual": {"deployTo": "own"}}});
    desk.make(desk.key, fields).await
}

/// Makes the remote member `up`, asked before the hosted one by its place.
pub(super) async fn join(desk: &Desk, open: bool, mut fields: Json) -> Result<()> {
    fields["anonymousRead"] = json!(open);
    desk.make("up", fields).await?;
    desk.change(desk.key, json!({"memberRepos": ["up", "own"]})).await
}
