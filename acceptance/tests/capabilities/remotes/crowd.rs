//! Many ask at once for what is not here: the upstream is asked once.

use std::sync::Arc;
use std::time::Duration;

use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble};
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::mended::events;
use super::shelf::{FORMATS, PATIENCE, Shelf, noise, of, site, until};
use super::upstream::{Gate, Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};

const CROWD: usize = 200;
const LENGTH: usize = 5 << 20;

/// All of the crowd ask; the upstream answers only when one of them has been let through and the others had time to ask.
async fn crowd(people: &[Persona], shelf: &Shelf, bytes: &[u8]) -> Result<()> {
    let files = (0..CROWD).map(|number| {
        let request = shelf.get_file(&people[number % people.len()]);
        async move {
            let answer = request.send().await?.expect(&[200])?;
            ensure(answer.body == bytes, format!("reader {number} got other bytes"))
        }
    });
    try_join_all(files).await.map(drop)
}

async fn two_hundred_cold_readers_are_one_question() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in ["raw", "npm", "maven"] {
        let bytes = noise(1, LENGTH);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        if format != "raw" {
            let indexes = join_all((0..CROWD).map(|_| shelf.get_index(&site.admin).send())).await;
            let first = indexes.first().and_then(|answer| answer.as_ref().ok()).map(|answer| answer.body.clone());
            for answer in indexes {
                ensure(Some(answer?.expect(&[200])?.body) == first, format!("{format}: indexes differ"))?;
            }
            ensure(
                upstream.count(&shelf.index()) == 1,
                format!("{format}: {} questions", upstream.count(&shelf.index())),
            )?;
        }
        of(format, crowd(&[site.admin.at(site.server.address()?)], &shelf, &bytes).await)?;
        ensure(upstream.count(&shelf.file()) == 1, format!("{format}: {} questions", upstream.count(&shelf.file())))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_ask_once_together() -> Result<()> {
    let plan = Server::plan(Backing::Scaled).apis(2).variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8");
    let server = plan.variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0").start().await?;
    let (site, upstream) = (Site { admin: server.admin()?, server }, Upstream::start().await?);
    let people: Vec<Persona> = site.server.addresses().into_iter().map(|at| site.admin.at(at)).collect();
    ensure(people.len() == 2, "two processes")?;
    for format in ["raw", "npm"] {
        let bytes = noise(2, LENGTH);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        if format != "raw" {
            let asked = (0..CROWD).map(|number| shelf.get_index(&people[number % 2]).send());
            for answer in join_all(asked).await {
                answer?.expect(&[200])?;
            }
            ensure(
                upstream.count(&shelf.index()) == 1,
                format!("{format}: {} questions", upstream.count(&shelf.index())),
            )?;
        }
        of(format, crowd(&people, &shelf, &bytes).await)?;
        ensure(upstream.count(&shelf.file()) == 1, format!("{format}: {} questions", upstream.count(&shelf.file())))?;
    }
    Ok(())
}

/// A reader who takes what comes piece by piece.
struct Slow(TcpStream);

impl Slow {
    async fn asks(site: &Site, path: &str) -> Result<Self> {
        let mut socket = TcpStream::connect(site.server.address()?).await?;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            site.server.address()?,
            site.admin.token()
        );
        socket.write_all(head.as_bytes()).await?;
        Ok(Self(socket))
    }

    /// Reads until so many bytes have come, head included.
    async fn takes(&mut self, least: usize) -> Result<Vec<u8>> {
        let mut taken = Vec::new();
        let work = async {
            while taken.len() < least {
                if self.0.read_buf(&mut taken).await? == 0 {
                    break;
                }
            }
            Ok::<_, std::io::Error>(())
        };
        tokio::time::timeout(PATIENCE, work).await.map_err(|_| Trouble::new("nothing comes"))??;
        Ok(taken)
    }
}

/// Half of it comes at once, the rest when the gate opens.
fn halved(bytes: &[u8], gate: &Gate) -> Say {
    let (one, two) = bytes.split_at(bytes.len() / 2);
    Say::announces(bytes.len()).bytes(one.to_vec()).waits(gate).bytes(two.to_vec())
}

async fn the_first_reader_reads_while_it_comes() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in FORMATS {
        let (bytes, gate) = (noise(1, 1 << 20), Gate::new());
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        upstream.says(&shelf.file(), halved(&bytes, &gate));
        let mut first = Slow::asks(&site, &shelf.our_file()).await?;
        let early = of(format, first.takes(bytes.len() / 4).await)?;
        ensure(early.starts_with(b"HTTP/1.1 200"), format!("{format}: {}", String::from_utf8_lossy(&early[..40])))?;
        gate.open();
        let all = [early, first.takes(usize::MAX).await?].concat();
        ensure(all.ends_with(&bytes), format!("{format}: other bytes"))?;
        ensure(upstream.count(&shelf.file()) == 1, format!("{format}: asked again"))?;
    }
    Ok(())
}

async fn a_reader_who_goes_away_does_not_stop_it() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let (bytes, gate) = (noise(1, 1 << 20), Gate::new());
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &bytes).await?;
    upstream.says(&shelf.file(), halved(&bytes, &gate));
    let mut first = Slow::asks(&site, &shelf.our_file()).await?;
    first.takes(1000).await?;
    drop(first);
    gate.open();
    let file = until(PATIENCE, || shelf.get_file(&site.admin), 200).await?;
    ensure(file.body == bytes && upstream.count(&shelf.file()) == 1, "fetched again")
}

async fn a_slow_reader_slows_nobody() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let bytes: Arc<[u8]> = noise(1, 40 << 20).into();
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &bytes).await?;
    let mut first = Slow::asks(&site, &shelf.our_file()).await?;
    let early = first.takes(1000).await?;
    // Whoever comes later has all of it, while the first one does not move.
    let file = shelf.get_file(&site.admin).send().await?.expect(&[200])?;
    ensure(file.body == Bytes::copy_from_slice(&bytes), "the second reader's bytes")?;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let all = [early, first.takes(usize::MAX).await?].concat();
    ensure(all.ends_with(&bytes), "the slow reader's bytes")?;
    ensure(upstream.count(&shelf.file()) == 1, "fetched again")
}

/// Whoever brings a file may lose its turn to another one, and the upstream has other bytes by then.
async fn nobody_reads_halves_of_two_answers() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let (bytes, others, gate) = (noise(1, 1 << 20), noise(2, 1 << 20), Gate::new());
    let shelf = Shelf::stocked(&site, &upstream, "raw", json!({}), &bytes).await?;
    upstream.says(&shelf.file(), halved(&bytes, &gate));
    let mut first = Slow::asks(&site, &shelf.our_file()).await?;
    let early = first.takes(bytes.len() / 4).await?;
    upstream.says(&shelf.file(), Say::file(others.clone()));
    let change = json!({"description": "whoever asks now does not join who is at it"});
    site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&change).send().await?.expect(&[200])?;
    site.server.sql("DELETE FROM flights")?;
    let file = shelf.get_file(&site.admin).send().await?.expect(&[200])?;
    ensure(file.body == others, "the second reader's bytes")?;
    gate.open();
    let rest = first.takes(usize::MAX).await.unwrap_or_default();
    let all = [early, rest].concat();
    let begins = all.windows(4).position(|end| end == b"\r\n\r\n").map_or(all.len(), |at| at + 4);
    ensure(all.len() - begins < bytes.len(), "a whole answer of bytes that are not kept")?;
    ensure(bytes.starts_with(&all[begins..]), "pieces of two answers")?;
    events(&site, "upstream.changed", 1).await
}

both! {
    nobody_reads_halves_of_two_answers;
    two_hundred_cold_readers_are_one_question;
    the_first_reader_reads_while_it_comes;
    a_reader_who_goes_away_does_not_stop_it;
    a_slow_reader_slows_nobody;
}
