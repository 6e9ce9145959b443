//! What is too young is not taken: by our rules, whatever a client asks for, and by the clients' own settings, which rest
//! on the publish times in our indexes.

use std::time::Duration;

use acceptance::environment::rounds;
use acceptance::server::Backing;
use acceptance::{Result, Trouble, nursery};
use serde_json::json;

use super::cargo::Cargo;
use super::go::Go;
use super::goods::Offer;
use super::locks::{BERRY_IMMUTABLE, BUN_FROZEN, NPM_CI, PNPM_FROZEN, UV_FROZEN, YARN_1_FROZEN};
use super::maven::Maven;
use super::mirror::{Mirror, bytes};
use super::node::{BERRY, BUN, NPM, PNPM, YARN_1};
use super::python::{PIP, POETRY, UV};
use super::{Chooser, Client as _};
use crate::cargo::cargo;
use crate::desk::{Deed, Desk};
use crate::pypi;
use crate::pypi::poetry::poetry;
use crate::pypi::python::run;

const PACKAGE: &str = "billing";
const OLD: Offer = Offer { version: "1.0.0", when: "40 days ago" };
const YOUNG: Offer = Offer { version: "1.1.0", when: "1 hour ago" };
/// What pins a version, wherever a client writes it down.
const LOCKS: [&str; 11] = [
    "package.json",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "pyproject.toml",
    "uv.lock",
    "poetry.lock",
    "Cargo.lock",
    "go.mod",
    "go.sum",
];

/// A client, and what it does with what is too young.
struct Patient {
    client: &'static dyn Chooser,
    /// What a waiver calls the package, and its young version.
    waived: [&'static str; 2],
    /// What it says when it asks for the young version by its number, which is in no index.
    pinned: &'static [&'static str],
    /// Installs what is locked, in this home.
    locked: Option<Install>,
    /// What it says when it has locked the young version.
    refused: &'static [&'static str],
    /// Its own settings for what is older than three days.
    own: &'static [Own],
}

/// Desk, home and token of an installation.
type Install = fn(&Desk, &str, &str) -> Result<Deed>;

/// A setting of a client.
#[derive(Clone, Copy)]
enum Own {
    /// Nothing that was published after this moment.
    Before(fn(Deed, &str) -> Deed),
    /// Nothing that is younger than three days; and what it says when all is.
    Days(fn(Deed) -> Deed, &'static [&'static str]),
}

const OF_NPM: Patient = Patient {
    client: &NPM,
    waived: [PACKAGE, "1.1.0"],
    pinned: &["ETARGET", "No matching version found for billing@1.1.0"],
    locked: Some(NPM_CI.install),
    refused: &["E403", "billing 1.1.0 is younger than the 72 hours of npm"],
    own: &[
        Own::Before(|deed, moment| deed.args(["--before", moment])),
        Own::Days(|deed| deed.args(["--min-release-age", "3"]), &["ENOVERSIONS", "No versions available for billing"]),
    ],
};

const OF_PIP: Patient = Patient {
    client: &PIP,
    pinned: &["No matching distribution found for billing==1.1.0"],
    locked: Some(|desk, home, _| {
        let url = format!("{}/packages/billing/1.1.0/billing-1.1.0-py3-none-any.whl", desk.url()?);
        pypi::pip(desk, home, &desk.home.join(home).join("env/bin/python"), &["install", &url])
    }),
    refused: &["423", "billing 1.1.0 is younger than the 72 hours of pypi"],
    own: &[Own::Before(|deed, moment| deed.args(["--uploaded-prior-to", moment]))],
    ..OF_NPM
};

const OF_CARGO: Patient = Patient {
    client: &Cargo,
    pinned: &["failed to select a version for the requirement `billing = \"=1.1.0\"`"],
    locked: Some(|desk, home, token| {
        let deed = cargo(desk, home, token)?.args(["build", "--locked"]);
        Ok(deed.env("CARGO_TARGET_DIR", desk.home.join(home).join("target")))
    }),
    refused: &["(locked to 1.1.0)", "candidate versions found which didn't match: 1.0.0"],
    own: &[],
    ..OF_NPM
};

const OF_MAVEN: Patient = Patient {
    client: &Maven,
    waived: ["com.example:billing", "1.1.0"],
    pinned: &["423", "com.example:billing 1.1.0 is younger than the 72 hours of maven"],
    locked: None,
    own: &[],
    ..OF_NPM
};

const OF_GO: Patient = Patient {
    client: &Go,
    waived: ["example.com/billing", "v1.1.0"],
    pinned: &["423", "example.com/billing v1.1.0 is younger than the 72 hours of go"],
    locked: None,
    own: &[],
    ..OF_NPM
};

#[tokio::test]
async fn npm_waits() -> Result<()> {
    follow(&OF_NPM).await
}

#[tokio::test]
async fn pip_waits() -> Result<()> {
    follow(&OF_PIP).await
}

#[tokio::test]
async fn cargo_waits() -> Result<()> {
    follow(&OF_CARGO).await
}

#[tokio::test]
async fn maven_waits() -> Result<()> {
    follow(&OF_MAVEN).await
}

#[tokio::test]
async fn go_waits() -> Result<()> {
    follow(&OF_GO).await
}

const OTHERS: [Patient; 6] = [
    Patient {
        client: &UV,
        pinned: &["there is no version of billing==1.1.0"],
        locked: Some(UV_FROZEN.install),
        refused: &["423", "billing 1.1.0 is younger than the 72 hours of pypi"],
        own: &[Own::Before(|deed, moment| deed.env("UV_EXCLUDE_NEWER", moment))],
        ..OF_PIP
    },
    Patient {
        client: &POETRY,
        pinned: &["Could not find a matching version of package billing"],
        locked: Some(|desk, home, _| Ok(poetry(desk, home)?.args(["install", "--no-root"]))),
        refused: &["Unable to find installation candidates for billing (1.1.0)"],
        own: &[Own::Days(
            |deed| deed.env("POETRY_SOLVER_MIN_RELEASE_AGE", "3"),
            &["Could not find a matching version of package billing"],
        )],
        ..OF_PIP
    },
    Patient {
        client: &PNPM,
        pinned: &["No matching version found for", "billing@1.1.0"],
        locked: Some(PNPM_FROZEN.install),
        refused: &["HTTP 403", "billing-1.1.0.tgz"],
        own: &[Own::Days(
            |deed| deed.env("pnpm_config_minimum_release_age", "4320"),
            &["billing@1.1.0 was published at", "minimumReleaseAge"],
        )],
        ..OF_NPM
    },
    Patient {
        client: &YARN_1,
        pinned: &["Couldn't find any versions for \"billing\" that matches \"1.1.0\""],
        locked: Some(YARN_1_FROZEN.install),
        refused: &["billing-1.1.0.tgz", "403"],
        own: &[],
        ..OF_NPM
    },
    Patient {
        client: &BERRY,
        pinned: &["billing@npm:1.1.0: No candidates found"],
        locked: Some(BERRY_IMMUTABLE.install),
        refused: &["billing-1.1.0.tgz", "403"],
        own: &[Own::Days(
            |deed| deed.env("YARN_NPM_MINIMAL_AGE_GATE", "3d"),
            &["is quarantined, and no lower version is available"],
        )],
        ..OF_NPM
    },
    Patient {
        client: &BUN,
        pinned: &["No version matching \"1.1.0\" found for specifier \"billing\""],
        locked: Some(BUN_FROZEN.install),
        refused: &["billing-1.1.0.tgz", "403"],
        own: &[Own::Days(
            |deed| deed.args(["--minimum-release-age", "259200"]),
            &["all versions blocked by minimum-release-age"],
        )],
        ..OF_NPM
    },
];

/// One of the others; all of them where there are many rounds.
#[tokio::test]
async fn every_client_waits() -> Result<()> {
    for (number, patient) in OTHERS.iter().enumerate().take(rounds(1)? as usize) {
        follow(patient).await.map_err(|trouble| Trouble::new(format!("number {number}: {trouble:?}")))?;
    }
    Ok(())
}

async fn follow(patient: &Patient) -> Result<()> {
    let client = patient.client;
    let mirror = Mirror::begin()?;
    let fields = json!({"repoType": "remote", "upstreamUrl": mirror.url(), "anonymousRead": client.is_mute()});
    let desk = Desk::with(Backing::Embedded, client.format(), fields).await?;
    client.offer(&desk, &mirror, PACKAGE, &[OLD, YOUNG])?;
    let reader = desk.token("rita", &["repo:*:read"]).await?;
    let takes = |home: &str, what: &str, version: &str, own: Option<Own>| -> Result<()> {
        let deed = client.install(&desk, home, &reader, what)?;
        let before = desk.moment("3 days ago", "%Y-%m-%dT%H:%M:%SZ")?;
        match own {
            None => deed.works()?,
            Some(Own::Before(set)) => set(deed, &before).works()?,
            Some(Own::Days(set, _)) => set(deed).works()?,
        };
        let found = client.installed(&desk, home, PACKAGE)?;
        if found == version { Ok(()) } else { Err(Trouble::new(format!("{home} took {found}"))) }
    };
    takes("free", &client.any(PACKAGE), YOUNG.version, None)?;
    for (number, own) in patient.own.iter().enumerate() {
        takes(&format!("own{number}"), &client.any(PACKAGE), OLD.version, Some(*own))?;
    }

    let rules = json!({"rules": [{"kind": "minimumAge", "hours": 72}]});
    desk.admin.put(&format!("/v1/repos/{}/rules", desk.key)).json(&rules).send().await?.expect(&[200])?;
    takes("ruled", &client.any(PACKAGE), OLD.version, None)?;
    let pinned = client.exactly(PACKAGE, YOUNG.version);
    client.install(&desk, "pinned", &reader, &pinned)?.fails_saying(patient.pinned)?;
    if let Some(locked) = patient.locked {
        from_lock(patient, &desk, &reader, "locked", locked)?.fails_saying(patient.refused)?;
    }

    let [name, version] = patient.waived;
    desk.ours(&["admin", "waivers", "give", desk.key, name, "--version", version, "--reason", "a fix", "--days", "3"])?;
    takes("waived", &pinned, YOUNG.version, None)?;
    match patient.locked {
        Some(locked) => from_lock(patient, &desk, &reader, "relocked", locked)?.works().map(drop),
        None => Ok(()),
    }
}

/// What is about to install in a new home what was locked in the first.
fn from_lock(patient: &Patient, desk: &Desk, token: &str, home: &str, locked: Install) -> Result<Deed> {
    drop(patient.client.install(desk, home, token, &patient.client.any(PACKAGE))?);
    for file in LOCKS {
        let from = desk.home.join("free/app").join(file);
        if from.is_file() {
            desk.write(&format!("{home}/app/{file}"), bytes(&from)?)?;
        }
    }
    std::fs::create_dir_all(desk.home.join(home).join("app"))?;
    Ok(locked(desk, home, token)?.at(desk.home.join(home).join("app")))
}

/// A file that is added today to a release of last year is young, and only that file.
#[tokio::test]
async fn a_file_that_came_later_waits() -> Result<()> {
    let mirror = Mirror::begin()?;
    let fields = json!({"repoType": "remote", "upstreamUrl": mirror.url()});
    let desk = Desk::with(Backing::Embedded, "pypi", fields).await?;
    PIP.offer(&desk, &mirror, PACKAGE, &[OLD, Offer { version: OLD.version, ..YOUNG }])?;
    let reader = desk.token("rita", &["repo:*:read"]).await?;
    let greets = |home: &str| -> Result<String> {
        PIP.install(&desk, home, &reader, PACKAGE)?.works()?;
        let python = desk.home.join(home).join("env/bin/python");
        Ok(run(&desk, &python, "import billing; print(billing.greet())")?.trim().to_owned())
    };
    assert_eq!(greets("free")?, "13", "pip prefers what was made for this machine");
    let rules = json!({"rules": [{"kind": "minimumAge", "hours": 72}]});
    desk.admin.put("/v1/repos/pypi/rules").json(&rules).send().await?.expect(&[200])?;
    assert_eq!(greets("ruled")?, "42");
    desk.ours(&["admin", "waivers", "give", "pypi", PACKAGE, "--version", "1.0.0", "--reason", "ours", "--days", "1"])?;
    assert_eq!(greets("waived")?, "13");
    Ok(())
}

#[tokio::test]
async fn npm_knows_how_old_is_what_is_hosted() -> Result<()> {
    hosted(&OF_NPM).await
}

#[tokio::test]
async fn pip_knows_how_old_is_what_is_hosted() -> Result<()> {
    hosted(&OF_PIP).await
}

/// One of the others; all of them where there are many rounds.
#[tokio::test]
async fn every_client_knows_how_old_is_what_is_hosted() -> Result<()> {
    let others = OTHERS.iter().filter(|patient| !patient.own.is_empty());
    for (number, patient) in others.enumerate().take(rounds(1)? as usize) {
        hosted(patient).await.map_err(|trouble| Trouble::new(format!("number {number}: {trouble:?}")))?;
    }
    Ok(())
}

/// Two versions are published here, and a client's own setting lies between them, or after both.
async fn hosted(patient: &Patient) -> Result<()> {
    let client = patient.client;
    let desk = Desk::open(Backing::Embedded, client.format()).await?;
    client.release(&desk, desk.admin.token(), PACKAGE, OLD.version, false)?.works()?;
    let between = desk.moment("1 second", "%Y-%m-%dT%H:%M:%SZ")?;
    nursery::until(Duration::from_secs(20), "the next second", || {
        Ok(desk.moment("now", "%Y-%m-%dT%H:%M:%SZ")? > between)
    })?;
    client.release(&desk, desk.admin.token(), PACKAGE, YOUNG.version, false)?.works()?;
    let install = |home: &str| client.install(&desk, home, desk.admin.token(), &client.any(PACKAGE));
    for (number, own) in patient.own.iter().enumerate() {
        let home = format!("own{number}");
        match own {
            Own::Before(set) => {
                set(install(&home)?, &between).works()?;
                assert_eq!(client.installed(&desk, &home, PACKAGE)?, OLD.version);
            }
            Own::Days(set, young) => drop(set(install(&home)?).fails_saying(young)?),
        }
    }
    install("free")?.works()?;
    assert_eq!(client.installed(&desk, "free", PACKAGE)?, YOUNG.version);
    Ok(())
}
