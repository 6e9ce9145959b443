//! Pages that are not what was written: an error of its own, and nothing is written any more.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rusqlite::Connection;
use store::{Depth, Error, Options};

use super::engines::{Bench, Raw};

/// Spoils the first page of a table, past the program.
fn spoil(path: &Path, table: &str) {
    let conn = Connection::open(path).expect("a file");
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("copied");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: u32 = conn.query_row(sql, [table], |row| row.get(0)).expect("a page");
    drop(conn);
    let file = std::fs::File::options().write(true).open(path).expect("a file");
    file.write_all_at(&[0xa5; 4096], u64::from(page - 1) * 4096).expect("written");
}

#[tokio::test]
async fn damaged_pages_are_told_and_nothing_is_written_any_more() {
    let mut bench = Bench::sqlite().await;
    let repo = bench.repository("files").await;
    let blob = bench.blob(store::blobs::NewBody::Inline(vec![7; 10]), 7, 10);
    bench.publish(repo, "a", blob).await;
    let Options::Sqlite { path } = bench.options.clone() else { panic!("SQLite") };
    spoil(&path, "entries");
    bench.reopen().await;
    assert_eq!(bench.count("SELECT count(*) FROM repositories").await, 1);
    assert_eq!(bench.store.stopped(), None);
    let look = async |session: &mut store::Session<'_>| {
        session.rows("SELECT path, size, added_at FROM entries", &[]).await.map(drop)
    };
    let found = bench.store.read(look).await.expect_err("damaged");
    assert!(matches!(&found, Error::Damaged(_)), "{found:?}");
    assert_eq!(bench.store.stopped(), Some(&found));
    let wrote = bench.store.write(Raw("UPDATE repositories SET description = 'x'")).await.expect_err("stopped");
    assert_eq!(wrote, found);
    assert_eq!(bench.count("SELECT count(*) FROM repositories").await, 1, "what is intact is read");
    let looked = store::inspect(&bench.options, Depth::Pages).await.expect_err("damaged");
    assert!(matches!(&looked, Error::Damaged(why) if why.len() < 500), "{looked:?}");
    assert!(store::inspect(&bench.options, Depth::Schema).await.is_ok(), "the schema alone is sound");
}

#[tokio::test]
async fn a_write_that_finds_damaged_pages_is_the_last() {
    let mut bench = Bench::sqlite().await;
    bench.repository("files").await;
    let Options::Sqlite { path } = bench.options.clone() else { panic!("SQLite") };
    spoil(&path, "repositories");
    bench.reopen().await;
    let wrote = bench.store.write(Raw("UPDATE repositories SET description = 'x'")).await.expect_err("damaged");
    assert!(matches!(&wrote, Error::Damaged(_)), "{wrote:?}");
    let next = bench.store.write(Raw("UPDATE tenants SET created_at = 1")).await.expect_err("stopped");
    assert_eq!(next, wrote);
    assert_eq!(bench.store.stopped(), Some(&wrote));
}

#[tokio::test]
async fn postgres_says_it_with_a_code_of_its_own() {
    let bench = Bench::postgres().await;
    let spoilt = "CREATE FUNCTION spoilt() RETURNS INT LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'invalid page in block 7' USING ERRCODE = 'XX001'; END $$";
    bench.store.write(Raw(spoilt)).await.expect("made");
    let look = async |session: &mut store::Session<'_>| session.rows("SELECT spoilt()", &[]).await.map(drop);
    let found = bench.store.read(look).await.expect_err("damaged");
    assert!(matches!(&found, Error::Damaged(why) if why.contains("block 7")), "{found:?}");
    // One page of a database that others look after is no reason to stop everybody.
    assert_eq!(bench.store.stopped(), None);
    bench.close().await;
}

#[tokio::test]
async fn tables_of_another_program_on_postgres_are_left_alone() {
    let database = acceptance::backing::postgres().expect("PostgreSQL").database().expect("a database");
    database.sql("CREATE TABLE blobs (theirs INT)").expect("made");
    let options = Options::Postgres { url: model::Secret::new(database.url()), pool: 1 };
    let ambient = model::Ambient::system();
    let store = store::Store::open(&options, &ambient).await.expect("a store");
    let error = store.migrate(&ambient).await.expect_err("refused").to_string();
    assert!(error.contains("another program") && error.contains("its table blobs") && error.len() < 300, "{error}");
    assert_eq!(
        database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").expect("a count").trim(),
        "1"
    );
    assert_eq!(store.migration_state().await.expect_err("refused").to_string(), error, "nor is it waited for");
    drop(store);
    tokio::task::spawn_blocking(move || drop(database)).await.expect("dropped");
}

#[tokio::test]
async fn a_role_for_which_no_trigger_fires_is_refused() {
    let bench = Bench::postgres().await;
    let error = store::inspect(&as_set_up(&bench, "session_replication_role=replica"), Depth::Schema).await;
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("triggers do not fire") && error.contains("session_replication_role"), "{error}");
    bench.close().await;
}

#[tokio::test]
async fn what_a_role_may_not_do_is_said() {
    let bench = Bench::postgres().await;
    for (setting, words) in [
        ("default_transaction_read_only=on", "it takes no writes"),
        ("role=pg_monitor", "its role lacks a right: permission denied"),
    ] {
        let store = store::Store::open(&as_set_up(&bench, setting), &bench.ambient).await.expect("a store");
        let error = store.write(Raw("UPDATE tenants SET created_at = 1")).await.expect_err("refused");
        assert!(matches!(&error, Error::Unavailable(why) if why.contains(words)), "{error:?}");
    }
    bench.close().await;
}

#[tokio::test]
async fn a_database_that_lets_nobody_in_is_named() {
    let bench = Bench::postgres().await;
    let Options::Postgres { url, .. } = &bench.options else { return };
    let (known, name) = url.expose().rsplit_once('/').expect("a name");
    let (_, place) = known.rsplit_once('@').expect("a place");
    for (url, words) in [
        (format!("{known}/no_such_name"), "there is none of that name"),
        (format!("postgres://nobody:secret@{place}/{name}"), "it refuses the login"),
        (format!("postgres://nobody:secret@127.0.0.1:1/{name}"), "does it run, is its address right"),
    ] {
        let options = Options::Postgres { url: model::Secret::new(url), pool: 1 };
        let error = store::inspect(&options, Depth::Schema).await.expect_err("refused");
        assert!(matches!(&error, Error::Unavailable(why) if why.contains(words)), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    bench.close().await;
}

#[tokio::test]
async fn commits_last_although_the_server_would_answer_before() {
    let bench = Bench::postgres().await;
    for (set, wanted) in [("off", "on"), ("local", "local")] {
        let options = as_set_up(&bench, &format!("synchronous_commit={set}"));
        let store = store::Store::open(&options, &bench.ambient).await.expect("a store");
        let look = async |session: &mut store::Session<'_>| {
            let row = session.row("SELECT current_setting('synchronous_commit')", &[]).await?;
            row.expect("a row").get::<String>(0)
        };
        assert_eq!(store.read(look).await.expect("read"), wanted);
    }
    bench.close().await;
}

#[tokio::test]
async fn connections_that_ended_while_they_lay_idle_are_not_used() {
    let bench = Bench::postgres().await;
    let look = async |session: &mut store::Session<'_>| {
        session.row("SELECT CAST(pg_sleep(0.05) AS TEXT)", &[]).await.map(drop)
    };
    let all = async || futures_util::future::join_all((0..8).map(|_| bench.store.read(look))).await;
    assert!(all().await.iter().all(Result::is_ok));
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    bench.store.write(Raw(end)).await.expect("ended");
    // So long a connection must have been idle to be tried.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let read = all().await;
    assert!(read.iter().all(Result::is_ok), "{read:?}");
    bench.close().await;
}

/// The same database, for connections with this setting.
fn as_set_up(bench: &Bench, setting: &str) -> Options {
    let Options::Postgres { url, pool } = &bench.options else { unreachable!("it is PostgreSQL") };
    let (url, setting) = (url.expose(), setting.replace('=', "%3D"));
    let joint = if url.contains('?') { '&' } else { '?' };
    Options::Postgres { url: model::Secret::new(format!("{url}{joint}options=-c%20{setting}")), pool: *pool }
}
