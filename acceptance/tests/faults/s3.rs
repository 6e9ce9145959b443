//! The object store killed, frozen and brought back: 503 in bounded time, and nothing acknowledged is lost.

use std::time::Duration;

use acceptance::s3::Service;
use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble, backing, environment};

use crate::load::{File, REPO, Told, plan};
use crate::outage::{Load, is_told, readiness_says, retry};
use crate::seed::{Chance, seed};
use crate::truth::{compare, sound};

const WRITERS: usize = 4;

struct Installation {
    server: Server,
    writer: Persona,
    inline: File,
    stored: File,
}

async fn start(service: &Service) -> Result<Installation> {
    let server = plan(Backing::Scaled).services(backing::postgres()?, service.s3().clone()).start().await?;
    server.repository(REPO, "raw").await?;
    let writer = server.persona("writer")?.with(&format!("repo:{REPO}:write")).arrive().await?;
    let (inline, stored) = (File::new("inline".to_string(), 5, 3000), File::new("stored".to_string(), 6, 3 << 20));
    for file in [&inline, &stored] {
        writer.put(&file.url()).body(file.bytes()).send().await?.expect(&[201])?;
    }
    Ok(Installation { server, writer, inline, stored })
}

fn folders(round: u32) -> Vec<String> {
    (0..WRITERS).map(|writer| format!("round-{round}/writer-{writer}")).collect()
}

impl Installation {
    /// While the bytes are away: large files wait for nobody, small ones live in the database and go on.
    async fn suffers(&self, round: u32) -> Result<Duration> {
        let mut slowest = Duration::ZERO;
        // One request to the object store, and an upload in several parts.
        for length in [200_000, 20 << 20] {
            let fresh = File::new(format!("during-{round}-{length}"), 7, length);
            slowest = slowest.max(is_told(&self.writer, &self.stored, &fresh).await?);
        }
        self.writer.get(&self.inline.url()).send().await?.expect(&[200])?;
        readiness_says(&self.server, 503).await?;
        Ok(slowest)
    }

    async fn recovers(&self, round: u32, load: Load) -> Result<usize> {
        readiness_says(&self.server, 200).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let outcomes = load.stop().await?;
        compare(&self.writer, &folders(round), &outcomes).await?.perfect("after the outage")?;
        let settled = retry(&self.writer, outcomes).await?;
        compare(&self.writer, &folders(round), &settled).await?.perfect("after asking again")?;
        let existing = [(self.inline.clone(), Told::Published), (self.stored.clone(), Told::Published)];
        for (file, _) in &existing {
            let answer = self.writer.get(&file.url()).send().await?.expect(&[200])?;
            assert!(answer.body == file.bytes(), "{}", file.path);
        }
        sound(&self.server)?;
        Ok(settled.len())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_object_store_dies_and_comes_back() -> Result<()> {
    let (rounds, seed) = (environment::rounds(2)?, seed(9_000)?);
    let mut service = Service::start()?;
    let installation = start(&service).await?;
    for round in 0..rounds {
        let mut chance = Chance::new(seed, u64::from(round));
        let load = Load::start(&installation.writer, &folders(round), &mut chance);
        tokio::time::sleep(Duration::from_millis(chance.between(50, 400))).await;
        service.kill9()?;
        let slowest = installation.suffers(round).await;
        service.resume()?;
        let slowest = slowest.map_err(|trouble| Trouble::new(format!("seed {seed}, round {round}: {trouble:?}")))?;
        let files = installation.recovers(round, load).await;
        let files = files.map_err(|trouble| Trouble::new(format!("seed {seed}, round {round}: {trouble:?}")))?;
        println!("S3 killed, round {round}: answered within {slowest:?}, {files} files, none lost");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_object_store_freezes_and_thaws() -> Result<()> {
    let service = Service::start()?;
    let installation = start(&service).await?;
    let mut chance = Chance::new(seed(9_001)?, 0);
    let load = Load::start(&installation.writer, &folders(0), &mut chance);
    tokio::time::sleep(Duration::from_millis(300)).await;
    service.freeze()?;
    let slowest = installation.suffers(0).await;
    service.thaw()?;
    let slowest = slowest?;
    let files = installation.recovers(0, load).await?;
    println!("S3 frozen: answered within {slowest:?}, {files} files, none lost");
    Ok(())
}
