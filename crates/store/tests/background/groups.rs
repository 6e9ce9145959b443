//! SQLite's groups: many writes, one commit, and a refusal that undoes only itself.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use model::{TenantId, Timestamp};
use store::{Error, Result, Tx, Write, args};

use crate::engines::Bench;

#[derive(Clone, Copy)]
enum End {
    Well,
    RefuseAtOnce,
    RefuseHalfway,
    PanicHalfway,
}

/// Makes a tenant, or fails at it. `gate`: waits in its transaction until it is opened, or gone.
struct Step {
    slug: &'static str,
    end: End,
    id: TenantId,
    applied: Arc<AtomicU32>,
    gate: Option<Mutex<mpsc::Receiver<()>>>,
}

impl Write for Step {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        self.applied.fetch_add(1, Ordering::SeqCst);
        let refusal = || Err(Error::conflict(self.slug));
        if let Some(gate) = &self.gate {
            // Nothing is ever sent: it ends when the other end is dropped.
            assert!(gate.lock().expect("a gate").recv().is_err());
        }
        if matches!(self.end, End::RefuseAtOnce) {
            return refusal();
        }
        let sql = "INSERT INTO tenants (id, slug, created_at) VALUES ($1, $2, $3)";
        tx.execute(sql, args![self.id, *self.slug, Timestamp(0)]).await?;
        match self.end {
            End::RefuseHalfway => refusal(),
            End::PanicHalfway => std::panic::resume_unwind(Box::new("halfway")),
            End::Well | End::RefuseAtOnce => Ok(()),
        }
    }
}

/// Writes all of `steps` as one group: the first holds the writer until the others wait. Returns how
/// each ended and how often each was applied.
async fn group(bench: &Bench, steps: &[(&'static str, End)]) -> Vec<(&'static str, bool, u32)> {
    let (open, gate) = mpsc::channel();
    let mut gate = Some(Mutex::new(gate));
    let write = |&(slug, end): &(&'static str, End)| {
        let applied = Arc::new(AtomicU32::new(0));
        let step = Step { slug, end, id: bench.ambient.id(), applied: Arc::clone(&applied), gate: gate.take() };
        async move { (slug, bench.store.write(step).await.is_ok(), applied.load(Ordering::SeqCst)) }
    };
    let writes = futures_util::future::join_all(steps.iter().map(write).collect::<Vec<_>>());
    // Polled in this order: everybody waits when the gate goes.
    tokio::join!(writes, async move { drop(open) }).0
}

#[tokio::test]
async fn a_refusal_in_a_group_undoes_only_itself() {
    let bench = Bench::sqlite().await;
    let before = bench.count("SELECT count(*) FROM tenants").await;

    let clean = [("a", End::Well), ("b", End::RefuseAtOnce), ("c", End::Well)];
    assert_eq!(group(&bench, &clean).await, [("a", true, 1), ("b", false, 1), ("c", true, 1)]);

    // Whoever leaves something behind makes the group begin anew, once.
    let spoilt = [("d", End::Well), ("e", End::RefuseHalfway), ("f", End::PanicHalfway), ("g", End::Well)];
    assert_eq!(group(&bench, &spoilt).await, [("d", true, 2), ("e", false, 2), ("f", false, 1), ("g", true, 1)]);

    // From then on nobody pays for others who are refused halfway.
    let careful = [("h", End::Well), ("i", End::RefuseHalfway), ("j", End::Well)];
    assert_eq!(group(&bench, &careful).await, [("h", true, 1), ("i", false, 1), ("j", true, 1)]);

    let kept = bench.column::<String>("SELECT slug FROM tenants WHERE length(slug) = 1 ORDER BY slug").await;
    assert_eq!(kept, ["a", "c", "d", "g", "h", "j"]);
    assert_eq!(bench.count("SELECT count(*) FROM tenants").await, before + 6);
}

/// See .cargo/config.toml.
#[test]
fn sqlite_is_compiled_as_configured() {
    let conn = rusqlite::Connection::open_in_memory().expect("a database");
    let mut statement = conn.prepare("PRAGMA compile_options").expect("a statement");
    let options: Vec<String> =
        statement.query_map([], |row| row.get(0)).expect("rows").collect::<rusqlite::Result<_>>().expect("options");
    let has = |option: &str| options.iter().any(|known| known == option);
    assert!(has("DEFAULT_MEMSTATUS=0") || has("OMIT_MEMSTATUS"), "{options:?}");
    assert!(!has("ENABLE_MEMORY_MANAGEMENT") && !has("ENABLE_API_ARMOR"), "{options:?}");
    assert!(has("THREADSAFE=1"), "{options:?}");
}
