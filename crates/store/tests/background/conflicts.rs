//! Transactions that lose on PostgreSQL: told by SQLSTATE, whatever language the server speaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use store::{Error, Result, Tx, Write};

use crate::engines::Bench;

/// Fails with `sql` at the first attempt.
struct FailsOnce {
    sql: &'static str,
    attempts: Arc<AtomicU32>,
}

impl Write for FailsOnce {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        if self.attempts.fetch_add(1, Ordering::Relaxed) == 0 {
            tx.execute(self.sql, &[]).await?;
        }
        Ok(())
    }
}

async fn attempts(bench: &Bench, sql: &'static str) -> (u32, Result<()>) {
    let attempts = Arc::new(AtomicU32::new(0));
    let outcome = bench.store.write(FailsOnce { sql, attempts: Arc::clone(&attempts) }).await;
    (attempts.load(Ordering::Relaxed), outcome)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_race_is_run_again_whatever_the_server_calls_it() {
    let bench = Bench::postgres().await;
    for sql in [
        "DO $$ BEGIN RAISE EXCEPTION 'Serialisierung gescheitert' USING ERRCODE = '40001'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'Verklemmung entdeckt' USING ERRCODE = '40P01'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'Sperre nicht erhalten' USING ERRCODE = '55P03'; END $$",
    ] {
        let (attempts, outcome) = attempts(&bench, sql).await;
        assert_eq!((attempts, outcome.is_ok()), (2, true), "{sql}: {outcome:?}");
    }
    // Words alone prove nothing.
    let sql = "DO $$ BEGIN RAISE EXCEPTION 'deadlock: could not serialize' USING ERRCODE = '57014'; END $$";
    let (attempts, outcome) = attempts(&bench, sql).await;
    assert_eq!(attempts, 1);
    assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
}
