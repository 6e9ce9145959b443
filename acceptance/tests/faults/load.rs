//! Writers who publish as fast as they are answered, and the ledger of what they were told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acceptance::server::{Backing, Persona, Plan, Server};
use bytes::Bytes;

use crate::seed::{Chance, content};

/// The repository that the load goes to.
pub(crate) const REPO: &str = "files";

/// An installation that takes any load, and whose log holds what went wrong and not every request.
pub(crate) fn plan(backing: Backing) -> Plan {
    let plan = Server::plan(backing).variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0");
    plan.variable("ARTIFORTRESS_LOG", "info,access=error")
}

/// A file that somebody tried to publish: everything that is needed to know its bytes again.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Its path in the repository.
    pub(crate) path: String,
    seed: u64,
    length: u64,
}

impl File {
    /// A file of `length` bytes.
    pub(crate) fn new(path: String, seed: u64, length: u64) -> File {
        File { path, seed, length }
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Bytes {
        content(self.seed, self.length)
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("/repository/{REPO}/{}", self.path)
    }
}

/// What became of a publish, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Acknowledged with 2xx: it must be there from now on.
    Published,
    /// Refused with this status: it must not be there.
    Refused(u16),
    /// The connection ended without an answer: whole or absent.
    Nothing,
}

/// Everything that was tried, in order.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<(File, Told)>>>);

impl Ledger {
    /// Writes down an outcome.
    pub(crate) fn note(&self, file: File, told: Told) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((file, told));
    }

    /// Takes the outcomes out.
    pub(crate) fn take(&self) -> Vec<(File, Told)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Publishes one file on a connection of its own and says what the client learnt.
pub(crate) async fn publish(persona: &Persona, file: &File) -> Told {
    match persona.put(&file.url()).body(file.bytes()).send().await {
        Ok(answer) if (200..300).contains(&answer.status) => Told::Published,
        Ok(answer) => Told::Refused(answer.status),
        Err(_) => Told::Nothing,
    }
}

/// One writer: publishes files of mixed sizes under `folder` until told to stop or until nobody answers.
pub(crate) async fn write(persona: Persona, folder: String, mut chance: Chance, ledger: Ledger, stop: Arc<AtomicBool>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let file = File::new(format!("{folder}/{number}"), chance.next(), size(&mut chance));
        let told = publish(&persona, &file).await;
        ledger.note(file, told);
        match told {
            Told::Published => {}
            // Nobody refuses a writer for ever; and nobody is asked again at once.
            Told::Refused(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            Told::Nothing => return,
        }
    }
}

/// Mostly small (inline), often around the limit where bytes get a file of their own, sometimes several blocks long.
fn size(chance: &mut Chance) -> u64 {
    match chance.between(0, 10) {
        0 => chance.between(0, 3),
        1..=4 => chance.between(100, 8 << 10),
        5..=6 => chance.between((64 << 10) - 2, (64 << 10) + 3),
        7..=8 => chance.between(65 << 10, 300 << 10),
        _ => chance.between(1 << 20, 5 << 19),
    }
}
