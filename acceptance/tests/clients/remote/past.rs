//! An old build once more, through a remote and through a virtual repository: newer versions came, what it used was
//! yanked and withdrawn, the upstream forgot it and went away. As of then real clients resolve to the old versions,
//! without a lock file and with the old one.

use std::fs;

use acceptance::environment::rounds;
use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::json;

use super::goods::Offer;
use super::locks::{
    BERRY_IMMUTABLE, BUN_FROZEN, CARGO_LOCKED, GO_SUM, Lock, MAVEN_FIXED, NPM_CI, PNPM_FROZEN, UV_FOR_PIP, UV_FROZEN,
    YARN_1_FROZEN,
};
use super::mirror::Mirror;
use super::together::{assemble, join};
use crate::desk::Desk;

/// What comes from the upstream.
const THEIRS: &str = "billing";
/// What is published here, and needs what comes from the upstream.
const OURS: &str = "fresh";
const OLD: &str = "1.0.0";
const NEW: &str = "1.1.0";

#[tokio::test]
async fn npm_as_of_then() -> Result<()> {
    told(&NPM_CI, Backing::Embedded).await
}

#[tokio::test]
async fn pip_as_of_then() -> Result<()> {
    told(&UV_FOR_PIP, Backing::Embedded).await
}

#[tokio::test]
async fn cargo_as_of_then() -> Result<()> {
    told(&CARGO_LOCKED, Backing::Embedded).await
}

#[tokio::test]
async fn maven_as_of_then() -> Result<()> {
    told(&MAVEN_FIXED, Backing::Embedded).await
}

#[tokio::test]
async fn go_as_of_then() -> Result<()> {
    told(&GO_SUM, Backing::Embedded).await
}

const OTHERS: [(&Lock, Backing); 10] = [
    (&NPM_CI, Backing::Scaled),
    (&UV_FOR_PIP, Backing::Scaled),
    (&CARGO_LOCKED, Backing::Scaled),
    (&MAVEN_FIXED, Backing::Scaled),
    (&GO_SUM, Backing::Scaled),
    (&UV_FROZEN, Backing::Embedded),
    (&PNPM_FROZEN, Backing::Embedded),
    (&YARN_1_FROZEN, Backing::Embedded),
    (&BERRY_IMMUTABLE, Backing::Embedded),
    (&BUN_FROZEN, Backing::Embedded),
];

/// One of the others; all of them where there are many rounds.
#[tokio::test]
async fn every_client_as_of_then() -> Result<()> {
    for (number, (lock, backing)) in OTHERS.into_iter().enumerate().take(rounds(1)? as usize) {
        let done = told(lock, backing).await;
        done.map_err(|trouble| Trouble::new(format!("number {number}: {trouble:?}")))?;
    }
    Ok(())
}

async fn told(lock: &Lock, backing: Backing) -> Result<()> {
    let (client, mut mirror) = (lock.client, Mirror::begin()?);
    let mut desk = Desk::bare(backing, client.format()).await?;
    assemble(&desk, client.is_mute(), &["own"]).await?;
    client.lay_out(&desk, &mirror)?;
    client.offer(&desk, &mirror, THEIRS, &[Offer { version: OLD, when: "40 days ago" }])?;
    let settings = json!({"upstream": {"indexSeconds": 0}});
    join(&desk, client.is_mute(), json!({"repoType": "remote", "upstreamUrl": mirror.url(), "settings": settings}))
        .await?;
    client.release(&desk, desk.admin.token(), OURS, OLD, true)?.works()?;
    let reader = desk.token("rita", &["repo:*:read"]).await?;
    // Through the remote repository, and through the virtual one.
    let builds = [("up", THEIRS), (desk.key, THEIRS), (desk.key, OURS)];
    for (place, package) in builds {
        desk.place = place.to_owned();
        let home = takes(lock, &desk, &reader, "old", package, OLD)?;
        lock.prepare(&desk, &home, package)?;
    }

    let moment = desk.server.moment("clock").await?;
    desk.place = desk.key.to_owned();
    fs::remove_dir_all(mirror.folder.join(THEIRS)).ok();
    client.offer(&desk, &mirror, THEIRS, &[Offer { version: NEW, when: "1 minute ago" }])?;
    client.release(&desk, desk.admin.token(), OURS, NEW, true)?.works()?;
    act(&desk, "up", THEIRS, "tombstone").await?;
    for verb in ["yank", "tombstone"] {
        act(&desk, "own", OURS, verb).await?;
    }
    for (place, package) in builds {
        desk.place = place.to_owned();
        takes(lock, &desk, &reader, "new", package, NEW)?;
    }
    let old = desk.home.join(home(&desk, "old", OURS));
    lock.carry(&old, &desk.url()?, &desk, "late")?;
    lock.install(&desk, "late", &reader)?.fails_saying(&[OURS])?;

    mirror.stop()?;
    for (place, package) in builds {
        desk.place = place.to_owned();
        let (old, url) = (desk.home.join(home(&desk, "old", package)), desk.url()?);
        desk.place = format!("{place}@{moment}");
        takes(lock, &desk, &reader, "again", package, OLD)?;
        let locked = home(&desk, "locked", package);
        lock.carry(&old, &url, &desk, &locked)?;
        lock.install(&desk, &locked, &reader)?.works()?;
        assert_eq!(lock.installer.installed(&desk, &locked, package)?, OLD, "{place}");
    }
    Ok(())
}

fn home(desk: &Desk, when: &str, package: &str) -> String {
    format!("{when}-{package}-{}", desk.place.split('@').next().unwrap_or_default())
}

/// Installs any version of a package into a new home, which is told: it must be this one.
fn takes(lock: &Lock, desk: &Desk, token: &str, when: &str, package: &str, version: &str) -> Result<String> {
    let (client, home) = (lock.client, home(desk, when, package));
    client.install(desk, &home, token, &client.any(package))?.works()?;
    assert_eq!(client.installed(desk, &home, package)?, version, "{home}");
    Ok(home)
}

/// Does something to the old version of a package.
async fn act(desk: &Desk, repo: &str, package: &str, verb: &str) -> Result<()> {
    let named = match desk.key {
        "maven" => format!("namespace=com.example&name={package}&version={OLD}"),
        "go" => format!("name=example.com/{package}&version=v{OLD}"),
        _ => format!("name={package}&version={OLD}"),
    };
    let versions = format!("/v1/repos/{repo}/packages/versions");
    let found = desk.admin.get(&format!("{versions}/resolve?{named}")).send().await?;
    let id = found.expect(&[200])?.string("/versionId")?;
    let deed = desk.admin.post(&format!("{versions}/{id}/{verb}")).json(&json!({"reason": "a test"}));
    deed.send().await?.expect(&[200]).map(drop)
}
