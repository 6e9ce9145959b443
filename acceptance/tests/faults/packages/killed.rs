//! `kill -9` while versions of every format are published, one after the other: what was acknowledged is in its
//! document and whole, what was not is whole or absent, and can be sent again.

use std::time::Duration;

use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble, environment};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{FORMATS, Format, Sent, Version, compare, listed, start};
use crate::seed::{Chance, seed};
use crate::truth::sound;

/// Writers of each format at once, all to one package.
const WRITERS: u64 = 2;
/// So many numbers each writer has for itself.
const SHARE: u64 = 1_000_000;

/// What a writer has to tell.
struct Outcome {
    acknowledged: Vec<Sent>,
    /// What was under way when nobody answered any more.
    unknown: Sent,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_the_versions_of_every_format() -> Result<()> {
    let (rounds, seed) = (environment::rounds(3)?, seed(16_003)?);
    let (mut server, admin) = start(Backing::Embedded).await?;
    let (mut kept, mut unknown) = (0, 0);
    for round in 0..rounds {
        let what = |trouble| Trouble::new(format!("seed {seed}, round {round}: {trouble:?}"));
        let mut chance = Chance::new(seed, u64::from(round));
        let package = format!("stream-{round}");
        let outcomes = load(&mut server, &admin, &package, &mut chance).await.map_err(what)?;
        server.resume().await?;
        sound(&server).map_err(what)?;
        for (format, mut outcomes) in FORMATS.into_iter().zip(outcomes) {
            let (mut wanted, mut cut) = (Vec::new(), Vec::new());
            for outcome in outcomes.drain(..) {
                wanted.extend(outcome.acknowledged);
                cut.push(outcome.unknown);
            }
            kept += wanted.len();
            unknown += cut.len();
            settle(format, &admin, &package, wanted, cut).await.map_err(what)?;
        }
    }
    println!("{rounds} rounds of kill -9: {kept} versions kept, {unknown} with an unknown outcome");
    Ok(())
}

/// Publishes versions of every format until the server dies under it: after each format had one acknowledged.
async fn load(server: &mut Server, admin: &Persona, package: &str, chance: &mut Chance) -> Result<Vec<Vec<Outcome>>> {
    let (sender, mut receiver) = unbounded_channel();
    let mut tasks = Vec::new();
    for format in FORMATS {
        for writer in 0..WRITERS {
            let chance = Chance::new(chance.next(), writer);
            let first = writer * SHARE;
            tasks.push(tokio::spawn(stream(format, admin.clone(), package.to_owned(), first, chance, sender.clone())));
        }
    }
    drop(sender);
    let mut waiting: Vec<&str> = FORMATS.iter().map(|format| format.key()).collect();
    while !waiting.is_empty() {
        let Some(key) = receiver.recv().await else { break };
        waiting.retain(|waiting| *waiting != key);
    }
    tokio::time::sleep(Duration::from_millis(chance.between(0, 300))).await;
    server.kill9()?;
    let mut outcomes: Vec<Vec<Outcome>> = FORMATS.iter().map(|_| Vec::new()).collect();
    for (number, task) in tasks.into_iter().enumerate() {
        outcomes[number / WRITERS as usize].push(task.await??);
    }
    Ok(outcomes)
}

/// Publishes one version after the other until nobody answers.
async fn stream(
    format: &'static dyn Format,
    person: Persona,
    package: String,
    first: u64,
    mut chance: Chance,
    sender: UnboundedSender<&'static str>,
) -> Result<Outcome> {
    let mut acknowledged = Vec::new();
    for number in first.. {
        let of = Version::new(&package, number, &mut chance);
        let packed = format.pack(&of)?;
        for request in format.publish(&person, &of, &packed) {
            match request.send().await {
                Ok(answer) => answer.expect(&[200, 201]).map(drop)?,
                Err(_) => return Ok(Outcome { acknowledged, unknown: (of, packed) }),
            }
        }
        acknowledged.push((of, packed));
        let _ = sender.send(format.key());
    }
    Err(Trouble::new("there are no more numbers"))
}

/// What was acknowledged is there; what was cut is there, or is not and comes in when it is sent again.
async fn settle(format: &dyn Format, admin: &Persona, package: &str, wanted: Vec<Sent>, cut: Vec<Sent>) -> Result<()> {
    let listed = listed(format, admin, package).await?;
    let (there, absent): (Vec<Sent>, Vec<Sent>) =
        cut.iter().cloned().partition(|(of, _)| listed.contains_key(&of.number));
    let mut wanted = [wanted, there].concat();
    compare(format, admin, package, &wanted).await?;
    for (of, packed) in &absent {
        for (path, _) in format.files(of, packed).into_iter().take(1) {
            admin.get(&path).send().await?.expect(&[404])?;
        }
    }
    for (of, packed) in &cut {
        for request in format.publish(admin, of, packed) {
            let answer = request.send().await?;
            if !(200..300).contains(&answer.status) && !format.is_conflict(&answer) {
                return Err(Trouble::new(format!("{}: sent again: {} {}", of.number, answer.status, answer.text())));
            }
        }
    }
    wanted.extend(absent);
    compare(format, admin, package, &wanted).await
}
