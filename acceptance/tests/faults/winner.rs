//! Sixty-four publishers of one coordinate: one wins, the others are told, and nothing of theirs stays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble, environment};
use tokio::sync::Barrier;

use crate::load::{File, REPO, plan};
use crate::seed::{Chance, seed};
use crate::truth::{places, sound, stored};

const PUBLISHERS: u64 = 64;
/// How long the sweep may take to remove what the losers had stored.
const SWEEP: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_sixty_four_wins_embedded() -> Result<()> {
    race(Backing::Embedded, environment::rounds(15)?, seed(64_001)?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_sixty_four_wins_through_two_api_processes() -> Result<()> {
    race(Backing::Scaled, environment::rounds(15)?, seed(64_002)?).await
}

async fn race(backing: Backing, rounds: u32, seed: u64) -> Result<()> {
    let server = plan(backing).apis(2).start().await?;
    server.repository(REPO, "raw").await?;
    let writer = server.persona("writer")?.with(&format!("repo:{REPO}:write")).arrive().await?;
    for round in 0..rounds {
        let winner = one_winner(&server, &writer, round, seed).await;
        let winner = winner.map_err(|trouble| Trouble::new(format!("seed {seed}, round {round}: {trouble:?}")))?;
        for address in server.addresses() {
            let served = writer.at(address).get(&winner.url()).send().await?.expect(&[200])?;
            assert!(served.body == winner.bytes(), "seed {seed}, round {round}: not the winner's bytes are served");
        }
    }
    nothing_of_the_losers(&server, rounds).await?;
    println!("{backing:?}: {rounds} rounds of {PUBLISHERS} publishers, one winner each");
    Ok(())
}

/// Everybody connects, waits for the others and then sends; returns what the one winner sent.
async fn one_winner(server: &Server, writer: &Persona, round: u32, seed: u64) -> Result<File> {
    let mut chance = Chance::new(seed, u64::from(round));
    let addresses = server.addresses();
    let start = Arc::new(Barrier::new(PUBLISHERS as usize));
    let mut racers = Vec::new();
    for number in 0..PUBLISHERS {
        let length =
            if chance.next().is_multiple_of(2) { chance.between(1, 5000) } else { chance.between(70_000, 150_000) };
        let file = File::new(format!("round-{round}"), chance.next(), length);
        let persona = writer.at(addresses[number as usize % addresses.len()]);
        let start = Arc::clone(&start);
        racers.push(tokio::spawn(async move {
            let request = persona.put(&file.url()).body(file.bytes());
            let mut connection = persona.connect().await?;
            start.wait().await;
            let answer = tokio::time::timeout(Duration::from_secs(60), connection.send(&request)).await??;
            Ok::<_, Trouble>((file, answer.status))
        }));
    }
    let mut winners = Vec::new();
    for racer in racers {
        let (file, status) = racer.await??;
        match status {
            201 => winners.push(file),
            409 => {}
            other => return Err(Trouble::new(format!("a publisher was told {other}"))),
        }
    }
    match winners.len() {
        1 => winners.pop().ok_or_else(|| Trouble::new("no winner")),
        count => Err(Trouble::new(format!("{count} winners"))),
    }
}

/// One version, one event and one blob for each round, and no bytes beside them.
async fn nothing_of_the_losers(server: &Server, rounds: u32) -> Result<()> {
    for (what, sql) in [
        ("versions", "SELECT count(*) FROM versions"),
        ("events", "SELECT count(*) FROM events WHERE action = 'package.version.published'"),
        ("blobs", "SELECT count(*) FROM blobs"),
    ] {
        assert_eq!(server.sql(sql)?, rounds.to_string(), "{what}");
    }
    sound(server)?;
    let start = Instant::now();
    loop {
        let known = places(server)?.into_iter().map(|(place, _)| place).collect();
        let found = stored(server)?;
        if found == known {
            return Ok(());
        }
        if start.elapsed() > SWEEP {
            let left: Vec<_> = found.difference(&known).collect();
            return Err(Trouble::new(format!("{} keys of losers are left: {left:?}", left.len())));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
