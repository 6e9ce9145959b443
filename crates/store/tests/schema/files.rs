//! Files that are none of ours are refused as they are, and nothing is made beside them.

use std::path::Path;

use model::Ambient;
use rusqlite::Connection;
use store::{Depth, Options, Store};

/// Every file of the folder with what is in it.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let read = |file: std::path::PathBuf| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::fs::File::open(&file).expect("a file"), &mut bytes).expect("read");
        (file.display().to_string(), bytes)
    };
    files.into_iter().map(read).collect()
}

/// Refused by a start and by a look, for this reason, with everything left as it is.
async fn refused(folder: &Path, path: &Path, why: &str) {
    let before = contents(folder);
    let options = Options::Sqlite { path: path.to_owned() };
    let started = Store::open(&options, &Ambient::system()).await.expect_err("refused").to_string();
    let looked = store::inspect(&options, Depth::Pages).await.expect_err("refused").to_string();
    assert!(started.contains(why) && looked.contains(why), "{started}; {looked}");
    assert!(contents(folder) == before, "something was written");
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let theirs = [
        "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine');",
        "PRAGMA journal_mode = WAL; CREATE TABLE notes (text TEXT);",
        "CREATE TABLE schema_migrations (version TEXT PRIMARY KEY); INSERT INTO schema_migrations VALUES ('20260101');",
        "CREATE TABLE schema_migrations (version INT, name TEXT, oldest_program INT, applied_at INT); CREATE TABLE blobs (x);",
        "CREATE VIEW blobs AS SELECT 1;",
    ];
    for sql in theirs {
        let folder = tempfile::tempdir().expect("a folder");
        // Characters that mean something in a URI.
        let path = folder.path().join("what? is%20this#.db");
        Connection::open(&path).expect("a file").execute_batch(sql).expect("made");
        refused(folder.path(), &path, "of another program").await;
    }
}

#[tokio::test]
async fn what_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("truth.db");
    std::fs::write(&path, "not a database at all, but long enough to be taken for the head of one".repeat(99))
        .expect("written");
    refused(folder.path(), &path, "the database is damaged: file is not a database").await;
}

#[tokio::test]
async fn an_empty_file_becomes_ours_and_a_look_makes_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options::Sqlite { path: folder.path().join("truth.db") };
    assert_eq!(store::inspect(&options, Depth::Pages).await, Ok(None));
    assert_eq!(contents(folder.path()), []);
    std::fs::write(folder.path().join("truth.db"), "").expect("written");
    assert_eq!(store::inspect(&options, Depth::Pages).await, Ok(None));
    drop(Store::open(&options, &Ambient::system()).await.expect("a store"));
    assert!(store::inspect(&options, Depth::Pages).await.expect("sound").is_some());
}

#[tokio::test]
async fn a_trigger_that_says_something_else_is_none_of_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("truth.db");
    let options = Options::Sqlite { path: path.clone() };
    drop(Store::open(&options, &Ambient::system()).await.expect("a store"));
    let attack = "DROP TRIGGER events_stay; CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT 1; END;";
    Connection::open(&path).expect("a file").execute_batch(attack).expect("done");
    refused(folder.path(), &path, "trigger events_stay is not ours").await;
}
