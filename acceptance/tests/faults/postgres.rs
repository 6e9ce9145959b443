//! PostgreSQL stopped, paused and cut off: 503 in bounded time, no acknowledged publish lost, no coordinate twice.

use std::time::Duration;

use acceptance::postgres::{Admin, Cluster, Durability};
use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble, backing, environment, nursery};
use rustix::process::Signal;

use crate::load::{File, REPO, Told, plan};
use crate::outage::{Load, is_told, readiness_says, retry};
use crate::proxy::Proxy;
use crate::seed::{Chance, seed};
use crate::truth::{compare, sound};

const WRITERS: usize = 4;

async fn start(admin: Admin) -> Result<(Server, Persona, File)> {
    let server = plan(Backing::Scaled).services(admin, backing::s3()?).start().await?;
    server.repository(REPO, "raw").await?;
    let writer = server.persona("writer")?.with(&format!("repo:{REPO}:write")).arrive().await?;
    let existing = File::new("existing".to_string(), 5, 3000);
    writer.put(&existing.url()).body(existing.bytes()).send().await?.expect(&[201])?;
    Ok((server, writer, existing))
}

fn folders(round: u32) -> Vec<String> {
    (0..WRITERS).map(|writer| format!("round-{round}/writer-{writer}")).collect()
}

/// Nothing acknowledged is lost; after the clients have asked again, each path has exactly one version.
async fn settle(server: &Server, writer: &Persona, round: u32, outcomes: Vec<(File, Told)>) -> Result<usize> {
    compare(writer, &folders(round), &outcomes).await?.perfect("after the outage")?;
    let settled = retry(writer, outcomes).await?;
    compare(writer, &folders(round), &settled).await?.perfect("after asking again")?;
    let sql = format!("SELECT count(*), count(DISTINCT path) FROM entries WHERE path LIKE 'round-{round}/%'");
    let wanted = format!("{0}|{0}", settled.len());
    let found = server.sql(&sql)?;
    if found != wanted {
        return Err(Trouble::new(format!("versions and paths are {found}, not {wanted}")));
    }
    sound(server)?;
    Ok(settled.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_stops_at_once_and_comes_back() -> Result<()> {
    let (rounds, seed) = (environment::rounds(2)?, seed(5_432)?);
    let mut cluster = Cluster::start(Durability::On)?;
    let (server, writer, existing) = start(cluster.admin()).await?;
    let mut files = 0;
    for round in 0..rounds {
        let mut chance = Chance::new(seed, u64::from(round));
        let load = Load::start(&writer, &folders(round), &mut chance);
        tokio::time::sleep(Duration::from_millis(chance.between(50, 500))).await;
        if chance.next().is_multiple_of(2) {
            cluster.stop_at_once()?
        } else {
            cluster.kill9()?
        }
        readiness_says(&server, 503).await?;
        let fresh = File::new(format!("during-{round}"), 6, 3000);
        let slowest = is_told(&writer, &existing, &fresh).await?;
        cluster.resume()?;
        let back = readiness_says(&server, 200).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let outcomes = load.stop().await?;
        let settled = settle(&server, &writer, round, outcomes).await;
        files += settled.map_err(|trouble| Trouble::new(format!("seed {seed}, round {round}: {trouble:?}")))?;
        println!("round {round}: answered within {slowest:?} while it was away, ready {back:?} after it was back");
    }
    println!("PostgreSQL stopped {rounds} times: {files} files, none lost, none twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_pauses_and_goes_on() -> Result<()> {
    let cluster = Cluster::start(Durability::On)?;
    let (server, writer, existing) = start(cluster.admin()).await?;
    let mut chance = Chance::new(seed(5_433)?, 0);
    let load = Load::start(&writer, &folders(0), &mut chance);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let postmaster = cluster.pid().ok_or_else(|| Trouble::new("no PostgreSQL"))?;
    let sessions = nursery::children(postmaster);
    for pid in sessions.iter().chain([&postmaster]) {
        nursery::signal_pid(*pid, Signal::STOP)?;
    }
    let told = is_told(&writer, &existing, &File::new("during".to_string(), 6, 3000)).await;
    let noticed = readiness_says(&server, 503).await;
    for pid in sessions.iter().chain([&postmaster]) {
        nursery::signal_pid(*pid, Signal::CONT)?;
    }
    let (slowest, _) = (told?, noticed?);
    let back = readiness_says(&server, 200).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let files = settle(&server, &writer, 0, load.stop().await?).await?;
    println!("PostgreSQL paused: answered within {slowest:?}, ready {back:?} after it went on, {files} files");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wire_to_postgres_is_cut_during_commits() -> Result<()> {
    let (rounds, seed) = (environment::rounds(3)?, seed(5_434)?);
    let cluster = Cluster::start(Durability::On)?;
    let url = cluster.admin().url().to_string();
    let target = url.rsplit('@').next().and_then(|end| end.split('/').next()).unwrap_or_default().to_string();
    let proxy = Proxy::to(target.parse()?).await?;
    let (server, writer, _) = start(Admin::new(url.replace(&target, &proxy.address().to_string()))).await?;
    let (mut files, mut unknown) = (0, 0);
    for round in 0..rounds {
        let mut chance = Chance::new(seed, u64::from(round));
        let load = Load::start(&writer, &folders(round), &mut chance);
        tokio::time::sleep(Duration::from_millis(chance.between(50, 300))).await;
        proxy.cut(8);
        proxy.has_cut().await.map_err(|trouble| Trouble::new(format!("seed {seed}, round {round}: {trouble:?}")))?;
        let outcomes = load.stop().await?;
        unknown += outcomes.iter().filter(|(_, told)| *told != Told::Published).count();
        proxy.cut(0);
        let settled = settle(&server, &writer, round, outcomes).await;
        files += settled.map_err(|trouble| Trouble::new(format!("seed {seed}, round {round}: {trouble:?}")))?;
    }
    println!("{rounds} rounds of cut commits: {files} files, {unknown} with an unknown outcome, none lost, none twice");
    assert!(unknown > 0, "no publish was cut");
    Ok(())
}
