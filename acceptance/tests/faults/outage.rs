//! What an outage of a backing service must look like from outside, and how it must end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use acceptance::server::{Persona, Server};
use acceptance::{Result, Trouble};
use tokio::task::JoinHandle;

use crate::load::{File, Ledger, Told, publish, write};
use crate::seed::Chance;
use crate::truth::readiness;

/// Until when a request must have been answered while a backing service is away.
const BOUND: Duration = Duration::from_secs(12);
/// Until when readiness must have noticed that a service went, or that it came back.
const NOTICE: Duration = Duration::from_secs(60);

/// Writers at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    ledger: Ledger,
}

impl Load {
    /// One writer for each of `folders`.
    pub(crate) fn start(persona: &Persona, folders: &[String], chance: &mut Chance) -> Load {
        let (stop, ledger) = (Arc::new(AtomicBool::new(false)), Ledger::default());
        let start = |folder: &String| {
            let chance = Chance::new(chance.next(), 0);
            tokio::spawn(write(persona.clone(), folder.clone(), chance, ledger.clone(), Arc::clone(&stop)))
        };
        let tasks = folders.iter().map(start).collect();
        Load { stop, tasks, ledger }
    }

    /// Lets every writer finish what it is doing; returns what each was told.
    pub(crate) async fn stop(self) -> Result<Vec<(File, Told)>> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await?;
        }
        Ok(self.ledger.take())
    }
}

/// A publish and a read while a service is away: each is answered in time, with 503 as a problem.
pub(crate) async fn is_told(persona: &Persona, existing: &File, fresh: &File) -> Result<Duration> {
    let start = Instant::now();
    let put = async {
        let told = publish(persona, fresh).await;
        match told {
            Told::Refused(503) => Ok(start.elapsed()),
            other => Err(Trouble::new(format!("a publish was told {other:?} after {:?}", start.elapsed()))),
        }
    };
    let get = async {
        let answer = persona.get(&existing.url()).send().await?.expect(&[503])?;
        match answer.string("/code")?.as_str() {
            "service_unavailable" => Ok(start.elapsed()),
            other => Err(Trouble::new(format!("a read was told {other}"))),
        }
    };
    let (put, get) = tokio::join!(put, get);
    let slowest = put?.max(get?);
    match slowest <= BOUND {
        true => Ok(slowest),
        false => Err(Trouble::new(format!("answered only after {slowest:?}"))),
    }
}

/// Waits until readiness answers `status`.
pub(crate) async fn readiness_says(server: &Server, status: u16) -> Result<Duration> {
    let start = Instant::now();
    loop {
        let (found, report) = readiness(server).await?;
        if found == status {
            return Ok(start.elapsed());
        }
        if start.elapsed() > NOTICE {
            return Err(Trouble::new(format!("readiness does not become {status}: {found} {report}")));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sends again whatever has no certain outcome, as a careful client does, until each file has one: stored now, or
/// already there. Returns the files that are there.
pub(crate) async fn retry(persona: &Persona, outcomes: Vec<(File, Told)>) -> Result<Vec<(File, Told)>> {
    let mut settled = Vec::new();
    for (file, told) in outcomes {
        if told != Told::Published {
            match publish(persona, &file).await {
                Told::Published | Told::Refused(409) => {}
                other => return Err(Trouble::new(format!("{}: sent again, told {other:?}", file.path))),
            }
        }
        settled.push((file, Told::Published));
    }
    Ok(settled)
}
