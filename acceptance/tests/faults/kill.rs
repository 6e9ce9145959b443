//! `kill -9` at random moments under load: nothing acknowledged is lost, nothing is half visible, and the server is
//! back in seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble, environment};

use crate::bundle::{self, Bundle};
use crate::load::{File, Ledger, REPO, Told, plan, write};
use crate::seed::{Chance, seed};
use crate::truth::{Score, compare, sound};

/// Writers at once.
const WRITERS: u64 = 6;
/// Versions of several files that are published meanwhile.
const BUNDLES: u64 = 3;
/// How soon a killed server must be ready again.
const BACK: Duration = Duration::from_secs(5);
/// All that was ever acknowledged is compared again after this many rounds.
const EVERYTHING: u32 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_what_it_acknowledged() -> Result<()> {
    campaign(Backing::Embedded, environment::rounds(25)?, seed(20_261_121)?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_api_process_keeps_what_it_acknowledged() -> Result<()> {
    campaign(Backing::Scaled, environment::rounds(10)?, seed(20_261_122)?).await
}

async fn campaign(backing: Backing, rounds: u32, seed: u64) -> Result<()> {
    let mut server = plan(backing).start().await?;
    server.repository(REPO, "raw").await?;
    let writer = server.persona("writer")?.with(&format!("repo:{REPO}:write")).arrive().await?;
    let mut all: Vec<(File, Told)> = Vec::new();
    let (mut score, mut slowest, mut bundles) = (Score::default(), Duration::ZERO, 0);
    for round in 0..rounds {
        let what = format!("seed {seed}, round {round}");
        let mut chance = Chance::new(seed, u64::from(round));
        let (outcomes, versions) = load(&mut server, &writer, round, &mut chance).await?;
        let start = Instant::now();
        server.resume().await?;
        slowest = slowest.max(start.elapsed());
        let found = compare(&writer, &folders(round), &outcomes).await?;
        score.add(found);
        found.perfect(&what)?;
        let found = bundle::compare(&writer, &versions).await;
        found.map_err(|trouble| Trouble::new(format!("{what}: {trouble:?}")))?;
        bundles += versions.iter().filter(|(_, told)| *told == Told::Published).count();
        sound(&server).map_err(|trouble| Trouble::new(format!("{what}: {trouble:?}")))?;
        all.extend(outcomes.into_iter().filter(|(_, told)| *told == Told::Published));
        if (round + 1) % EVERYTHING == 0 || round + 1 == rounds {
            again(&writer, &all).await.map_err(|trouble| Trouble::new(format!("{what}: {trouble:?}")))?;
        }
    }
    println!(
        "{backing:?}: {rounds} rounds of kill -9, {score:?}, {bundles} versions of three files, slowest return {slowest:?}"
    );
    assert!(slowest <= BACK, "ready again only after {slowest:?} (seed {seed})");
    assert!(score.kept >= rounds as usize && bundles > 0, "the load was no load: {score:?}, {bundles}");
    Ok(())
}

/// Writers write until the server dies under them.
async fn load(
    server: &mut Server,
    writer: &Persona,
    round: u32,
    chance: &mut Chance,
) -> Result<(Vec<(File, Told)>, Vec<(Bundle, Told)>)> {
    let mut bundles = Vec::new();
    for number in 0..BUNDLES {
        bundles.push(bundle::prepare(writer, &format!("bundle-{round}-{number}"), chance).await?);
    }
    let ledger = Ledger::default();
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (folders(round).into_iter())
        .map(|folder| {
            let chance = Chance::new(chance.next(), 0);
            tokio::spawn(write(writer.clone(), folder, chance, ledger.clone(), Arc::clone(&stop)))
        })
        .collect();
    let publishers: Vec<_> = (bundles.into_iter())
        .map(|bundle| {
            let after = Duration::from_millis(chance.between(0, 300));
            tokio::spawn(bundle::publish(writer.clone(), bundle, after))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(chance.between(20, 400))).await;
    match server.backing() {
        Backing::Embedded => server.kill9()?,
        Backing::Scaled => server.kill9_each("api")?,
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await?;
    }
    let mut versions = Vec::new();
    for publisher in publishers {
        versions.push(publisher.await?);
    }
    Ok((ledger.take(), versions))
}

fn folders(round: u32) -> Vec<String> {
    (0..WRITERS).map(|writer| format!("round-{round}/writer-{writer}")).collect()
}

/// What was acknowledged in any round so far is still there.
async fn again(writer: &Persona, all: &[(File, Told)]) -> Result<()> {
    for (file, _) in all {
        let answer = writer.get(&file.url()).send().await?.expect(&[200])?;
        if answer.body != file.bytes() {
            return Err(Trouble::new(format!("{} has other bytes than were acknowledged", file.path)));
        }
    }
    Ok(())
}
