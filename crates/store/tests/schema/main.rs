//! A start on a database that is not what it should be: it is refused, says why, and is left as it is.
#![expect(clippy::expect_used, reason = "tests")]

#[path = "../engines/mod.rs"]
mod engines;

mod damage;
mod files;
mod ledger;
mod missing;

use engines::Bench;
use store::{Depth, Engine, Error, MigrationState, Store};

/// What a process does with the database at its start.
async fn start(bench: &Bench) -> store::Result<()> {
    let store = Store::open(&bench.options, &bench.ambient).await?;
    match store.migration_state().await? {
        MigrationState::Current => store.check_walls().await,
        MigrationState::Pending { .. } => store.migrate(&bench.ambient).await.map(drop),
    }
}

/// It is refused with these words, by a start as by who only looks.
async fn refused(bench: &Bench, words: &[&str]) {
    let looked = store::inspect(&bench.options, Depth::Pages).await.expect_err("a look refuses");
    let started = start(bench).await.expect_err("a start refuses");
    for error in [looked, started] {
        let text = error.to_string();
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
        assert!(words.iter().all(|word| text.contains(word)) && text.len() < 600, "{words:?}: {text}");
    }
}

/// The engine's own words.
fn either(bench: &Bench, sqlite: &'static str, postgres: &'static str) -> &'static str {
    match bench.store.engine() {
        Engine::Sqlite => sqlite,
        Engine::Postgres => postgres,
    }
}

async fn run(bench: &Bench, sql: &'static str) {
    bench.store.write(engines::Raw(sql)).await.expect("done");
}
