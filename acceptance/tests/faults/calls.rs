//! ENOSPC, EIO and SIGKILL at every durable call of a publish, one after the other.
//!
//! The database's calls are made by one thread, so its k-th call is the k-th of the publish. The blob store's calls are
//! spread over a pool of threads whose order nobody fixes: there, publishes are repeated under a fault at the k-th call
//! of each thread until every kind of call has been hit.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use acceptance::server::{Backing, Persona, Server};
use acceptance::strace::{Attached, Strace};
use acceptance::{Result, Trouble, environment};

use crate::load::{File, REPO, Told, plan};
use crate::truth::{Score, compare, readiness, sound};

/// The thread that commits to SQLite.
const WRITER: &str = "store-writer";
/// More calls of one kind than any publish makes.
const ENOUGH: u32 = 60;
/// The three faults, as `strace` knows them.
const FAULTS: [&str; 3] = ["error=ENOSPC", "error=EIO", "signal=KILL"];
/// Every kind of durable call that the blob store makes for a new file.
const BLOB_CALLS: [&str; 5] = ["openat", "writev", "fdatasync", "renameat2", "fsync"];

/// A server, what it was sent, and what it said.
struct Patient {
    server: Server,
    writer: Persona,
    outcomes: Vec<(File, Told)>,
    healthy: File,
    cases: u32,
}

impl Patient {
    async fn arrive() -> Result<Patient> {
        let server = plan(Backing::Embedded).start().await?;
        server.repository(REPO, "raw").await?;
        let writer = server.persona("writer")?.with(&format!("repo:{REPO}:write")).arrive().await?;
        let healthy = File::new("sweep/healthy".to_string(), 1, 150_000);
        writer.put(&healthy.url()).body(healthy.bytes()).send().await?.expect(&[201])?;
        Ok(Patient { server, writer, outcomes: vec![(healthy.clone(), Told::Published)], healthy, cases: 0 })
    }

    fn pid(&self) -> Result<u32> {
        self.server.pid("serve").ok_or_else(|| Trouble::new("no `serve`"))
    }

    /// A publish of `length` bytes; what the client was told must be an answer that a client can act upon.
    async fn publish(&mut self, length: u64, fault: &str) -> Result<Told> {
        self.cases += 1;
        let file = File::new(format!("sweep/{}", self.cases), u64::from(self.cases), length);
        let told = match self.writer.put(&file.url()).body(file.bytes()).send().await {
            // Killed, or the fault hit the socket.
            Err(_) if !fault.is_empty() => Told::Nothing,
            Err(trouble) => return Err(Trouble::new(format!("no answer: {trouble:?}"))),
            Ok(answer) if answer.status == 201 => Told::Published,
            Ok(answer) => {
                let code = answer.string("/code")?;
                match (answer.status, code.as_str()) {
                    (503, "service_unavailable") | (507, "insufficient_storage") => Told::Refused(answer.status),
                    (status, code) => return Err(Trouble::new(format!("answered {status} {code}: {}", answer.text()))),
                }
            }
        };
        self.outcomes.push((file, told));
        Ok(told)
    }

    /// What was there before is still served, whatever happened.
    async fn reads(&self) -> Result<()> {
        let answer = self.writer.get(&self.healthy.url()).send().await?.expect(&[200])?;
        match answer.body == self.healthy.bytes() {
            true => Ok(()),
            false => Err(Trouble::new("other bytes are served than were published")),
        }
    }

    /// After a failed sync nothing is acknowledged any more, until the restart.
    async fn stands_still(&mut self, length: u64) -> Result<()> {
        self.reads().await?;
        let (status, report) = ready_within_its_second(&self.server, 503).await?;
        if status != 503 || report["status"] != "not_ready" {
            return Err(Trouble::new(format!("a sync failed, and it says {status} {report}")));
        }
        match self.publish(length, "").await? {
            Told::Refused(503) => Ok(()),
            other => Err(Trouble::new(format!("a sync failed, and the next publish was told {other:?}"))),
        }
    }

    /// The fault is gone: writing goes on by itself.
    async fn goes_on(&mut self, length: u64) -> Result<()> {
        self.reads().await?;
        match self.publish(length, "").await? {
            Told::Published => {}
            other => return Err(Trouble::new(format!("the fault is lifted, and the next publish was told {other:?}"))),
        }
        let (status, report) = ready_within_its_second(&self.server, 200).await?;
        match status {
            200 => Ok(()),
            _ => Err(Trouble::new(format!("the fault is lifted, and it says {status} {report}"))),
        }
    }

    /// Killed, started again: what was acknowledged is there and whole.
    async fn restart(&mut self) -> Result<()> {
        self.server.kill9()?;
        self.server.resume().await?;
        let score: Score = compare(&self.writer, &["sweep".to_string()], &self.outcomes).await?;
        score.perfect("after a restart")?;
        sound(&self.server)
    }

    /// What must hold once `call` was hit by `fault`; the fault is lifted on the way.
    async fn verdict(&mut self, mut trace: Attached, call: &str, fault: &str, length: u64) -> Result<()> {
        if fault.starts_with("signal") {
            self.server.kill9()?;
            trace.detach()?;
            return self.restart().await;
        }
        trace.detach()?;
        self.reads().await?;
        if call.contains("sync") {
            self.stands_still(length).await?;
            self.restart().await?;
        }
        self.goes_on(length).await
    }
}

/// Readiness is at most a second old: waits for `wanted`, longer on a slow machine.
pub(crate) async fn ready_within_its_second(server: &Server, wanted: u16) -> Result<(u16, serde_json::Value)> {
    let start = Instant::now();
    loop {
        let found = readiness(server).await?;
        if found.0 == wanted || start.elapsed() > Duration::from_secs(20) {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_fails_at_every_call() -> Result<()> {
    // A sync costs a restart and a write does not: `make test` tries every third write, `make soak` every one.
    let step = if environment::rounds(3)? > 3 { 1 } else { 3 };
    let mut patient = Patient::arrive().await?;
    let mut hit = 0;
    for length in [4096, 1 << 20] {
        for fault in FAULTS {
            for (call, step) in [("fsync,fdatasync", 1), ("pwrite64", step)] {
                let first = if step == 1 { 1 } else { 1 + length as u32 % step };
                for nth in (first..ENOUGH).step_by(step as usize) {
                    let what = format!("{fault} at {call} {nth} of the database, {length} bytes");
                    if !at_nth(&mut patient, call, fault, nth, length).await.map_err(|trouble| named(&what, trouble))? {
                        break;
                    }
                    hit += 1;
                }
            }
        }
    }
    patient.restart().await?;
    println!("the database: {hit} calls failed, {} publishes tried", patient.cases);
    assert!(hit >= 20, "only {hit} calls were hit");
    Ok(())
}

/// Whether the publish reached the call.
async fn at_nth(patient: &mut Patient, call: &str, fault: &str, nth: u32, length: u64) -> Result<bool> {
    let trace = Strace::new()?.inject(call, fault, nth, 1).attach(patient.pid()?, Some(WRITER))?;
    let told = patient.publish(length, fault).await?;
    let reached = told == Told::Nothing || trace.seen().count("(INJECTED)")? > 0;
    if reached {
        patient.verdict(trace, call, fault, length).await?;
    }
    Ok(reached)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_blob_store_fails_at_every_call() -> Result<()> {
    let mut patient = Patient::arrive().await?;
    let mut hit = BTreeSet::new();
    for fault in FAULTS {
        for call in BLOB_CALLS {
            for place in places_of(call) {
                let what = format!("{fault} at {call} of {place}");
                at_place(&mut patient, call, fault, place).await.map_err(|trouble| named(&what, trouble))?;
                hit.insert(what);
            }
        }
    }
    patient.restart().await?;
    println!("the blob store: {} kinds of failures, {} publishes tried", hit.len(), patient.cases);
    Ok(())
}

/// What a call of the blob store may concern: staged files, and folders of keys.
fn places_of(call: &str) -> &'static [&'static str] {
    match call {
        "openat" => &["staging/", "blobs/"],
        "fsync" => &["blobs/"],
        _ => &["staging/"],
    }
}

/// Publishes under the fault until it hits a call that concerns `place`.
async fn at_place(patient: &mut Patient, call: &str, fault: &str, place: &str) -> Result<()> {
    let length = (1 << 20) + 4096;
    for attempt in 0..ENOUGH {
        let trace = Strace::new()?.inject(call, fault, 1 + attempt % 4, 1).attach(patient.pid()?, None)?;
        let mut told = Told::Published;
        let mut injected = Vec::new();
        for _ in 0..4 {
            told = patient.publish(length, fault).await?;
            injected = trace.seen().lines("(INJECTED)")?;
            injected.retain(|line| !line.contains("<TCP:") && !line.contains("<socket:"));
            if told == Told::Nothing || !injected.is_empty() {
                break;
            }
        }
        let killed = told == Told::Nothing && fault.starts_with("signal");
        if killed {
            // A killed call has no result: its line ends with a question mark.
            injected = trace.seen().lines(" = ?")?;
        }
        let synced = injected.iter().any(|line| line.contains("sync("));
        let reached = injected.iter().any(|line| line.contains(place));
        if killed || !injected.is_empty() {
            patient.verdict(trace, if synced { "fsync" } else { call }, fault, length).await?;
        }
        if reached {
            return Ok(());
        }
    }
    Err(Trouble::new("no publish came there"))
}

fn named(what: &str, trouble: Trouble) -> Trouble {
    Trouble::new(format!("{what}: {trouble:?}"))
}
