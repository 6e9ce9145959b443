//! Somebody publishes 99.9.9 of an internal package at an upstream and waits. Through a virtual repository no client
//! takes it, however it asks, and the upstream never hears of the name.

use acceptance::environment::rounds;
use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::json;

use super::Chooser;
use super::cargo::Cargo;
use super::go::Go;
use super::goods::Offer;
use super::maven::Maven;
use super::mirror::Mirror;
use super::node::{BERRY, BUN, NPM, PNPM, YARN_1};
use super::python::{PIP, POETRY, UV};
use super::together::{assemble, join};
use crate::desk::Desk;

/// What is published here, and nowhere by ourselves.
const OWN: &str = "billing";
/// What is claimed here, and published by others alone.
const CLAIMED: &str = "payroll";
/// What the upstream has and may be asked for.
const THEIRS: &str = "tooling";

/// A client, all ways in which it may ask for a package, and what it says of a name that nobody answers for.
struct Victim {
    client: &'static dyn Chooser,
    asks: &'static [&'static str],
    /// How the pattern of a claim is written.
    pattern: &'static str,
    lost: &'static [&'static str],
    /// What the upstream has: of a Go module, no other major version.
    theirs: &'static str,
}

const NODE: &[&str] = &["@", "@@latest", "@@*", "@@^1", "@@>=1"];

const OF_NPM: Victim = Victim {
    client: &NPM,
    asks: NODE,
    pattern: "@",
    lost: &["E404", "a claim keeps its name from every upstream"],
    theirs: "99.9.9",
};
const OF_PIP: Victim = Victim {
    client: &PIP,
    asks: &["@", "@>=1", "@!=0"],
    pattern: "@",
    lost: &["No matching distribution found for payroll"],
    theirs: "99.9.9",
};
const OF_CARGO: Victim = Victim {
    client: &Cargo,
    asks: &["@ *", "@ >=1", "@ 1"],
    pattern: "@",
    lost: &["no matching package named `payroll` found"],
    theirs: "99.9.9",
};
const OF_MAVEN: Victim = Victim {
    client: &Maven,
    asks: &["@:[1,)", "@:LATEST", "@:RELEASE"],
    pattern: "com.example:@",
    lost: &["com.example:payroll"],
    theirs: "99.9.9",
};
const OF_GO: Victim = Victim {
    client: &Go,
    asks: &["example.com/@@latest", "example.com/@@upgrade", "example.com/@@>=v1.0.0", "example.com/@"],
    pattern: "example.com/@",
    lost: &["404 Not Found", "a claim keeps its name from every upstream"],
    theirs: "1.99.9",
};

#[tokio::test]
async fn npm_takes_what_is_ours() -> Result<()> {
    follow(&OF_NPM).await
}

#[tokio::test]
async fn pip_takes_what_is_ours() -> Result<()> {
    follow(&OF_PIP).await
}

#[tokio::test]
async fn cargo_takes_what_is_ours() -> Result<()> {
    follow(&OF_CARGO).await
}

#[tokio::test]
async fn maven_takes_what_is_ours() -> Result<()> {
    follow(&OF_MAVEN).await
}

#[tokio::test]
async fn go_takes_what_is_ours() -> Result<()> {
    follow(&OF_GO).await
}

const OTHERS: [Victim; 6] = [
    Victim { client: &UV, lost: &["payroll was not found in the package registry"], ..OF_PIP },
    Victim {
        client: &POETRY,
        asks: &["@", "@>=1"],
        lost: &["Could not find a matching version of package payroll"],
        ..OF_PIP
    },
    Victim { client: &PNPM, lost: &["404", "payroll"], ..OF_NPM },
    Victim { client: &YARN_1, lost: &["a claim keeps its name from every upstream"], ..OF_NPM },
    Victim { client: &BERRY, lost: &["Package not found", "404", "payroll"], ..OF_NPM },
    Victim { client: &BUN, lost: &["404", "payroll"], ..OF_NPM },
];

/// One of the others; all of them where there are many rounds.
#[tokio::test]
async fn every_client_takes_what_is_ours() -> Result<()> {
    for (number, victim) in OTHERS.iter().enumerate().take(rounds(1)? as usize) {
        follow(victim).await.map_err(|trouble| Trouble::new(format!("number {number}: {trouble:?}")))?;
    }
    Ok(())
}

async fn follow(victim: &Victim) -> Result<()> {
    let client = victim.client;
    let desk = Desk::bare(Backing::Embedded, client.format()).await?;
    assemble(&desk, client.is_mute(), &["own"]).await?;
    client.release(&desk, desk.admin.token(), OWN, "1.0.0", false)?.works()?;
    let mirror = Mirror::begin()?;
    for name in [OWN, CLAIMED, THEIRS] {
        client.offer(&desk, &mirror, name, &[Offer { version: victim.theirs, when: "40 days ago" }])?;
    }
    join(&desk, client.is_mute(), json!({"repoType": "remote", "upstreamUrl": mirror.url()})).await?;
    let claim = json!({"rules": [{"kind": "claim", "pattern": victim.pattern.replace('@', CLAIMED)}]});
    desk.admin.put("/v1/repos/own/rules").json(&claim).send().await?.expect(&[200])?;
    let reader = desk.token("rita", &["repo:*:read"]).await?;
    for (number, ask) in victim.asks.iter().enumerate() {
        let home = format!("home{number}");
        client.install(&desk, &home, &reader, &named(ask, OWN))?.works()?;
        assert_eq!(client.installed(&desk, &home, OWN)?, "1.0.0", "{ask}");
    }
    client.install(&desk, "exact", &reader, &client.exactly(OWN, victim.theirs))?.fails_saying(&[OWN])?;
    client.install(&desk, "lost", &reader, &named(victim.asks[0], CLAIMED))?.fails_saying(victim.lost)?;
    // Who has claimed a name may publish it, whatever others have published before.
    client.release(&desk, desk.admin.token(), CLAIMED, "1.0.0", false)?.works()?;
    client.install(&desk, "found", &reader, &named(victim.asks[0], CLAIMED))?.works()?;
    assert_eq!(client.installed(&desk, "found", CLAIMED)?, "1.0.0");
    let heard = mirror.asked();
    let told: Vec<_> = heard.iter().filter(|path| [OWN, CLAIMED].iter().any(|name| path.contains(name))).collect();
    assert!(told.is_empty(), "the upstream was asked: {told:?}");
    // It would have answered, and been believed.
    client.install(&desk, "theirs", &reader, &named(victim.asks[0], THEIRS))?.works()?;
    assert_eq!(client.installed(&desk, "theirs", THEIRS)?, victim.theirs);
    Ok(())
}

/// The first `@` stands for the name.
fn named(ask: &str, name: &str) -> String {
    ask.replacen('@', name, 1)
}
