//! Sixteen publishers at once, of one version and of sixteen.

use std::sync::Arc;
use std::time::Duration;

use acceptance::http::Answer;
use acceptance::server::{Backing, Persona};
use acceptance::{Result, Trouble, environment};
use tokio::sync::Barrier;

use super::{FORMATS, Format, Sent, Version, compare, listed, start};
use crate::seed::{Chance, seed};
use crate::truth::sound;

const PUBLISHERS: u64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_publishers_of_each_format_embedded() -> Result<()> {
    races(Backing::Embedded, environment::rounds(2)?, seed(16_001)?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_publishers_of_each_format_through_two_api_processes() -> Result<()> {
    races(Backing::Scaled, environment::rounds(1)?, seed(16_002)?).await
}

async fn races(backing: Backing, rounds: u32, seed: u64) -> Result<()> {
    let (server, admin) = start(backing).await?;
    let people: Vec<Persona> = server.addresses().into_iter().map(|address| admin.at(address)).collect();
    for round in 0..rounds {
        let mut chance = Chance::new(seed, u64::from(round));
        for format in FORMATS {
            let what = format!("{}, seed {seed}, round {round}", format.key());
            let named = |trouble| Trouble::new(format!("{what}: {trouble:?}"));
            one_version(format, &people, round, &mut chance).await.map_err(named)?;
            many_versions(format, &people, round, &mut chance).await.map_err(named)?;
        }
    }
    sound(&server)
}

/// One wins, the others are told so in the format's own words, and readers get the winner's bytes.
async fn one_version(format: &'static dyn Format, people: &[Persona], round: u32, chance: &mut Chance) -> Result<()> {
    let package = format!("race-{round}");
    let versions = (0..PUBLISHERS).map(|_| Version::new(&package, 0, chance)).collect();
    let mut winners = Vec::new();
    for (sent, answer) in race(format, people, versions).await? {
        match answer.status {
            200..300 => winners.push(sent),
            _ if format.is_conflict(&answer) => {}
            other => return Err(Trouble::new(format!("a publisher was told {other}: {}", answer.text()))),
        }
    }
    if winners.len() != 1 {
        return Err(Trouble::new(format!("{} winners", winners.len())));
    }
    seen(format, people, &package, &winners).await
}

/// All come in, and nobody's is missing in the document.
async fn many_versions(format: &'static dyn Format, people: &[Persona], round: u32, chance: &mut Chance) -> Result<()> {
    let package = format!("many-{round}");
    let versions = (0..PUBLISHERS).map(|number| Version::new(&package, number, chance)).collect();
    let mut published = Vec::new();
    for (sent, answer) in race(format, people, versions).await? {
        answer.expect(&[200, 201])?;
        published.push(sent);
    }
    seen(format, people, &package, &published).await
}

/// Through every process.
async fn seen(format: &dyn Format, people: &[Persona], package: &str, wanted: &[Sent]) -> Result<()> {
    for person in people {
        compare(format, person, package, wanted).await?;
    }
    Ok(())
}

/// Everybody prepares, connects, waits for the others and then publishes. Whoever is told that it is published sees it
/// at once, in the document that the neighbours' publishes have just changed.
async fn race(format: &'static dyn Format, people: &[Persona], all: Vec<Version>) -> Result<Vec<(Sent, Answer)>> {
    let start = Arc::new(Barrier::new(all.len()));
    let racers: Vec<_> = (all.into_iter().zip(people.iter().cycle()).zip(people.iter().cycle().skip(1)))
        .map(|((of, person), reader)| {
            let (person, reader, start) = (person.clone(), reader.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                let (sent, answer) = publish(format, person, of, start).await?;
                let listed = listed(format, &reader, &sent.0.package).await?;
                match (200..300).contains(&answer.status) && !listed.contains_key(&sent.0.number) {
                    true => Err(Trouble::new(format!("{} is published and not listed: {listed:?}", sent.0.number))),
                    false => Ok((sent, answer)),
                }
            })
        })
        .collect();
    let mut told = Vec::new();
    for racer in racers {
        told.push(racer.await??);
    }
    Ok(told)
}

async fn publish(
    format: &'static dyn Format,
    person: Persona,
    of: Version,
    start: Arc<Barrier>,
) -> Result<(Sent, Answer)> {
    let packed = format.pack(&of)?;
    let mut requests = format.publish(&person, &of, &packed);
    let last = requests.pop().ok_or_else(|| Trouble::new("nothing to send"))?;
    let prepared = async {
        for request in requests {
            request.send().await?.expect(&[200, 201])?;
        }
        person.connect().await
    };
    // Whoever fails lets the others go all the same.
    let prepared = prepared.await;
    start.wait().await;
    let answer = tokio::time::timeout(Duration::from_secs(60), prepared?.send(&last)).await??;
    Ok(((of, packed), answer))
}
