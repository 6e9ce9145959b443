//! The ledger of steps: holes, other names, newer and older schemas.

use std::time::Duration;

use super::engines::{Bench, Raw};
use super::{either, refused, run, start};
use crate::both;
use store::{Engine, SchemaVersion, Store};

both! {
    a_hole_is_refused;
    a_step_by_another_name_is_refused;
    of_a_newer_schema_nothing_is_asked;
    an_older_schema_is_migrated;
    an_older_schema_that_is_not_whole_is_left_alone;
    of_several_that_migrate_one_takes_each_step;
    an_error_does_not_repeat_the_statement;
    a_step_that_fails_is_named;
    a_step_that_meets_a_server_at_work_is_begun_again;
}

async fn a_hole_is_refused(bench: &mut Bench) {
    run(bench, "DELETE FROM schema_migrations WHERE version = 3").await;
    refused(bench, &["step 3 ('waivers') is not there", "backup"]).await;
}

async fn a_step_by_another_name_is_refused(bench: &mut Bench) {
    run(bench, "UPDATE schema_migrations SET name = 'theirs' WHERE version = 2").await;
    refused(bench, &["step 2 ('remote') is called 'theirs'"]).await;
}

async fn of_a_newer_schema_nothing_is_asked(bench: &mut Bench) {
    let newer =
        "INSERT INTO schema_migrations (version, name, oldest_program, applied_at) VALUES (999, 'future', 1, 0)";
    run(bench, newer).await;
    run(bench, either(bench, "DROP TRIGGER marks_keep", "DROP TRIGGER marks_keep ON marks")).await;
    start(bench).await.expect("a program goes on where a newer one says that it may");
}

/// As step 3 left it.
async fn older(bench: &Bench) {
    for sql in [
        "DROP TABLE cached",
        "DROP INDEX blobs_condemned",
        "DROP INDEX tombstones_by_version",
        "DROP INDEX marks_by_version",
        "DROP INDEX tokens_by_expiry",
        either(bench, "DROP TRIGGER locations_lie", "DROP FUNCTION locations_lie CASCADE"),
        either(bench, "DROP TRIGGER refs_say_who", "DROP FUNCTION refs_say_who CASCADE"),
        either(bench, "DROP TRIGGER trash_keep", "DROP FUNCTION trash_keep CASCADE"),
        "DELETE FROM schema_migrations WHERE version > 3",
    ] {
        run(bench, sql).await;
    }
    if bench.store.engine() == Engine::Postgres {
        run(bench, "DROP FUNCTION never_emptied CASCADE").await;
    }
}

async fn an_older_schema_is_migrated(bench: &mut Bench) {
    older(bench).await;
    start(bench).await.expect("migrated");
    start(bench).await.expect("whole");
    assert_eq!(bench.count("SELECT count(*) FROM schema_migrations").await, 7);
    assert_eq!(bench.count("SELECT count(*) FROM cached").await, 0);
}

async fn an_older_schema_that_is_not_whole_is_left_alone(bench: &mut Bench) {
    older(bench).await;
    run(bench, either(bench, "DROP TRIGGER marks_keep", "DROP TRIGGER marks_keep ON marks")).await;
    refused(bench, &["trigger marks_keep is missing"]).await;
    assert_eq!(bench.count("SELECT max(version) FROM schema_migrations").await, 3);
}

async fn an_error_does_not_repeat_the_statement(bench: &mut Bench) {
    let wrong =
        "UPDATE events SET actor = nothing_of_that_name WHERE action = 'a long text that nobody reads in a log'";
    let error = bench.store.write(Raw(wrong)).await.expect_err("wrong").to_string();
    assert!(error.contains("nothing_of_that_name") && !error.contains("nobody reads") && error.len() < 200, "{error}");
}

async fn a_step_that_fails_is_named(bench: &mut Bench) {
    older(bench).await;
    run(bench, "CREATE TABLE cached (theirs INT)").await;
    let error = start(bench).await.expect_err("it is in the way").to_string();
    let words =
        either(bench, "step 5 of the schema (cached): table cached already exists", "holds parts of another program");
    assert!(error.contains(words) && error.contains("cached") && error.len() < 300, "{error}");
    let reached = bench.count("SELECT max(version) FROM schema_migrations").await;
    assert_eq!(reached, either(bench, "3", "4").parse::<u64>().expect("a number"), "SQLite takes all steps or none");
}

/// A server's transaction that needs, once the step waits for it, what the step has taken.
struct AtWork;

impl store::Write for AtWork {
    type Out = ();

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<()> {
        tx.execute("LOCK TABLE waivers IN ROW EXCLUSIVE MODE", &[]).await?;
        let waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'waivers'::regclass";
        let waited = async {
            while tx.row(waits, &[]).await?.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok::<_, store::Error>(())
        };
        tokio::time::timeout(Duration::from_secs(20), waited).await.expect("the step waits")?;
        tx.execute("LOCK TABLE entries IN ROW EXCLUSIVE MODE", &[]).await.map(drop)
    }
}

async fn a_step_that_meets_a_server_at_work_is_begun_again(bench: &mut Bench) {
    if bench.store.engine() == Engine::Sqlite {
        return;
    }
    older(bench).await;
    let (migrated, worked) = tokio::join!(start(bench), bench.store.write(AtWork));
    migrated.expect("begun again");
    worked.expect("done");
    assert_eq!(bench.count("SELECT max(version) FROM schema_migrations").await, 7);
}

/// Of SQLite the first to open it takes them all.
async fn of_several_that_migrate_one_takes_each_step(bench: &mut Bench) {
    older(bench).await;
    if bench.store.engine() == Engine::Sqlite {
        return;
    }
    let open = async || Store::open(&bench.options, &bench.ambient).await.expect("open");
    let stores = [open().await, open().await, open().await];
    let each = stores.iter().map(async |store| store.migrate(&model::Ambient::system()).await.expect("migrated"));
    let mut taken = futures_util::future::join_all(each).await.concat();
    taken.sort();
    assert_eq!(taken, (4..=SchemaVersion::of_program().0).map(SchemaVersion).collect::<Vec<_>>());
}
