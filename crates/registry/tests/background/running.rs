//! The processes: who leads, what they cost, how they end.

use std::time::Duration;

use registry::{Beat, BeatSettings, Registry, Worker, WorkerSettings, keep_notes};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bench::Bench;

/// Worker, beat and notes of one process; all end with [`Running::stop`].
pub(crate) struct Running {
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(registry: &Registry) -> Self {
        let shutdown = CancellationToken::new();
        let over = shutdown.clone();
        let beat = BeatSettings { lease: Duration::from_millis(600) };
        let worker = WorkerSettings { poll: Duration::from_millis(200), ..WorkerSettings::default() };
        let tasks = vec![
            tokio::spawn(Beat::run(registry.clone(), beat, over.clone())),
            tokio::spawn(Worker::run(registry.clone(), worker, over.clone())),
            tokio::spawn(keep_notes(registry.clone(), over)),
        ];
        Self { shutdown, tasks }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        for task in self.tasks {
            tokio::time::timeout(Duration::from_secs(10), task).await.expect("it ends").expect("in order");
        }
    }

    /// As after `kill -9`: nothing is released, handed back or finished.
    fn kill(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

crate::both! {
    another_process_takes_over;
    events_are_sequenced_soon;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_embedded_server_writes_nothing() {
    let bench = Bench::sqlite().await;
    bench.publish("a", b"hello", bench.now()).await;
    let running = Running::start(&bench.registry);
    bench.until("all is done", async || bench.summary().await.pending_events == 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let writes = || bench.registry.store().fresh().expect("embedded").writes();
    let log =
        || std::fs::metadata(bench.folder.path().join("truth.db-wal")).map(|log| (log.len(), log.modified().ok())).ok();
    let before = (writes(), log());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((writes(), log()), before);
    running.stop().await;
    assert_eq!((writes(), log()), before, "and goes without writing");
}

async fn events_are_sequenced_soon(bench: Bench) {
    let running = Running::start(&bench.registry);
    bench.until("the repository's event", async || bench.actions().await.len() == 1).await;
    let started = std::time::Instant::now();
    bench.publish("a", b"hello", bench.now()).await;
    bench.until("the event", async || bench.actions().await.len() == 2).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    running.stop().await;
}

/// The next process takes over also when the first one was killed.
async fn another_process_takes_over(bench: Bench) {
    for round in 0..3 {
        let running = Running::start(&bench.registry);
        let standby =
            (bench.registry.store().engine() == store::Engine::Postgres).then(|| Running::start(&bench.registry));
        bench.publish(&format!("file-{round}"), b"hello", bench.now()).await;
        bench.until("the event", async || bench.summary().await.pending_events == 0).await;
        running.kill();
        if let Some(standby) = standby {
            bench.publish(&format!("other-{round}"), b"hello", bench.now()).await;
            bench.until("the standby", async || bench.summary().await.pending_events == 0).await;
            standby.stop().await;
        }
    }
}
