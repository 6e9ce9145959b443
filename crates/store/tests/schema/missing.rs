//! Parts of the schema that somebody took away.

use super::engines::Bench;
use super::{either, refused, run, start};
use crate::both;

both! {
    a_fresh_database_is_whole;
    a_missing_part_is_named;
    a_wall_that_reads_otherwise_is_named;
    a_constraint_that_was_taken_away_is_missed;
    a_trigger_of_somebody_else_on_a_table_of_ours_is_named;
    what_is_there_besides_is_nobodys_business;
    every_part_is_missed;
}

async fn a_fresh_database_is_whole(bench: &mut Bench) {
    start(bench).await.expect("whole");
    let found = store::inspect(&bench.options, store::Depth::Pages).await.expect("sound").expect("there");
    assert_eq!(found.state, store::MigrationState::Current);
    assert_eq!(found.stamps, store::tenants::Stamps::default());
}

async fn a_missing_part_is_named(bench: &mut Bench) {
    run(bench, "DROP INDEX marks_by_version").await;
    refused(bench, &["index marks_by_version is missing"]).await;
    run(bench, "DROP TABLE flights").await;
    refused(bench, &["index marks_by_version", "table flights is missing"]).await;
    run(bench, either(bench, "DROP TRIGGER entries_keep", "ALTER TABLE entries DISABLE TRIGGER entries_keep")).await;
    refused(bench, &[either(bench, "trigger entries_keep is missing", "trigger entries_keep is off"), "backup"]).await;
    run(bench, either(bench, "DROP TRIGGER marks_stay", "DROP TRIGGER marks_stay ON marks")).await;
    refused(bench, &["trigger entries_keep", "trigger marks_stay"]).await;
}

async fn a_wall_that_reads_otherwise_is_named(bench: &mut Bench) {
    let (weaker, named): (&[&str], &str) = match bench.store.engine() {
        store::Engine::Sqlite => (
            &[
                "DROP TRIGGER events_stay",
                "CREATE TRIGGER events_stay BEFORE DELETE ON events WHEN OLD.seq = 7
                    BEGIN SELECT RAISE(ABORT, 'artifortress: the journal is never shortened'); END",
            ],
            "trigger events_stay is not ours",
        ),
        store::Engine::Postgres => (
            &[
                "CREATE OR REPLACE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$",
            ],
            "function events_stay is not ours",
        ),
    };
    for sql in weaker {
        run(bench, sql).await;
    }
    refused(bench, &[named, "backup"]).await;
    if bench.store.engine() == store::Engine::Postgres {
        run(bench, "DROP TRIGGER marks_stay ON marks").await;
        run(bench, "CREATE TRIGGER marks_stay BEFORE INSERT ON marks FOR EACH ROW EXECUTE FUNCTION marks_stay()").await;
        refused(bench, &["function events_stay is not ours", "trigger marks_stay is not ours"]).await;
    }
}

/// Other than on SQLite, where a table cannot lose a constraint without being made anew.
async fn a_constraint_that_was_taken_away_is_missed(bench: &mut Bench) {
    if bench.store.engine() == store::Engine::Sqlite {
        return;
    }
    for (sql, named) in [
        ("ALTER TABLE entries DROP CONSTRAINT entries_digest_fkey", "table entries is not ours"),
        ("ALTER TABLE versions DROP CONSTRAINT versions_package_id_version_key", "table versions is not ours"),
        ("ALTER TABLE principals DROP CONSTRAINT principals_check", "table principals is not ours"),
    ] {
        run(bench, sql).await;
        refused(bench, &[named]).await;
    }
}

async fn a_trigger_of_somebody_else_on_a_table_of_ours_is_named(bench: &mut Bench) {
    if bench.store.engine() == store::Engine::Postgres {
        let body = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$";
        run(bench, body).await;
    }
    let swallows = either(
        bench,
        "CREATE TRIGGER zz before insert on \"events\" BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TRIGGER zz BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION swallow()",
    );
    run(bench, swallows).await;
    refused(bench, &["trigger zz is not ours"]).await;
}

async fn what_is_there_besides_is_nobodys_business(bench: &mut Bench) {
    run(bench, "CREATE TABLE of_the_operator (id INT)").await;
    run(bench, "CREATE INDEX of_the_operator_too ON events (actor)").await;
    start(bench).await.expect("whole");
}

/// What is derived from the steps is compared with what the engine says there is: nothing is overlooked.
async fn every_part_is_missed(bench: &mut Bench) {
    let names = either(
        bench,
        "SELECT type || ' ' || name || ' ' || tbl_name FROM sqlite_schema WHERE sql IS NOT NULL AND name <> 'schema_migrations'
            ORDER BY type = 'table'",
        "SELECT 'trigger ' || tgname || ' ' || c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE NOT tgisinternal
         UNION ALL SELECT 'function ' || proname || ' -' FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
         UNION ALL SELECT 'index ' || c.relname || ' -' FROM pg_class c WHERE relkind = 'i'
            AND relnamespace = current_schema()::regnamespace
            AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = c.oid)
         UNION ALL SELECT 'table ' || relname || ' -' FROM pg_class WHERE relkind = 'r'
            AND relnamespace = current_schema()::regnamespace AND relname <> 'schema_migrations'",
    );
    let names: Vec<String> = bench.column(names).await;
    assert!(names.len() > 100, "{names:?}");
    run(bench, either(bench, "PRAGMA defer_foreign_keys = ON", "SET CONSTRAINTS ALL DEFERRED")).await;
    for name in &names {
        run(bench, String::leak(drop_it(bench, name))).await;
    }
    refused(bench, &[&format!("and {} more", names.len() - 8)]).await;
}

fn drop_it(bench: &Bench, part: &str) -> String {
    let (part, table) = part.rsplit_once(' ').expect("kind, name and table");
    match bench.store.engine() {
        store::Engine::Sqlite => format!("DROP {part}"),
        store::Engine::Postgres if part.starts_with("trigger") => format!("DROP {part} ON {table}"),
        store::Engine::Postgres => format!("DROP {part} CASCADE"),
    }
}
