//! Databases that are too new, too old, not whole, or of another environment: refused, and left as they were.

use std::process::Command;
use std::time::Duration;

use acceptance::Result;
use acceptance::server::{Backing, Server};

#[tokio::test]
async fn a_database_that_needs_a_newer_program_is_left_alone() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let mut server = Server::start(backing).await?;
        server.repository("files", "raw").await?;
        let count = "SELECT count(*) FROM schema_migrations";
        let before: u32 = server.sql(count)?.trim().parse()?;
        server.sql(
            "INSERT INTO schema_migrations (version, name, oldest_program, applied_at) VALUES (999, 'future', 999, 0)",
        )?;
        server.stop()?;
        let resumed = tokio::time::timeout(Duration::from_secs(20), server.resume()).await;
        assert!(!matches!(resumed, Ok(Ok(()))), "an older program must refuse");
        assert!(server.log().contains("install a newer artifortress"), "{}", server.log());
        assert_eq!(server.sql(count)?.trim().parse::<u32>()?, before + 1);
    }
    Ok(())
}

#[tokio::test]
async fn an_empty_place_is_not_taken_for_lost_bytes() -> Result<()> {
    let mut server = Server::start(Backing::Embedded).await?;
    server.repository("files", "raw").await?;
    let admin = server.admin()?;
    let large = vec![7; 1 << 20];
    admin.put("/repository/files/a").body(large.clone()).send().await?.expect(&[201])?;
    server.stop()?;
    let away = server.blobs().with_extension("away");
    std::fs::rename(server.blobs(), &away)?;
    let resumed = tokio::time::timeout(Duration::from_secs(20), server.resume()).await;
    assert!(!matches!(resumed, Ok(Ok(()))), "an empty place must be refused");
    assert!(server.log().contains("is its volume mounted"), "{}", server.log());
    assert!(!server.blobs().exists(), "a start that is refused makes nothing");
    std::fs::rename(&away, server.blobs())?;
    server.resume().await?;
    assert_eq!(server.admin()?.get("/repository/files/a").send().await?.expect(&[200])?.body, large);
    Ok(())
}

#[tokio::test]
async fn another_environment_is_refused() -> Result<()> {
    let mut server = Server::start(Backing::Embedded).await?;
    server.stop()?;
    server.sql("UPDATE meta SET value = 'production' WHERE key = 'environment'")?;
    let resumed = tokio::time::timeout(Duration::from_secs(20), server.resume()).await;
    assert!(!matches!(resumed, Ok(Ok(()))), "another environment must be refused");
    assert!(server.log().contains("belongs to the environment production"), "{}", server.log());
    Ok(())
}

/// The server does not start, and says why.
async fn refused(server: &mut Server, why: &str) {
    let resumed = tokio::time::timeout(Duration::from_secs(20), server.resume()).await;
    assert!(!matches!(resumed, Ok(Ok(()))), "it must refuse: {why}");
    assert!(server.log().contains(why), "{}", server.log());
}

/// As a program that knew three steps left it.
const OLDER: &str = "DROP TABLE cached; DROP INDEX blobs_condemned; DROP INDEX tombstones_by_version;
    DROP INDEX marks_by_version;
    DROP INDEX tokens_by_expiry; DROP TRIGGER locations_lie; DROP TRIGGER refs_say_who; DROP TRIGGER trash_keep;
    DELETE FROM schema_migrations WHERE version > 3";

#[tokio::test]
async fn a_start_that_is_refused_migrates_nothing() -> Result<()> {
    let mut server = Server::start(Backing::Embedded).await?;
    server.repository("files", "raw").await?;
    server.stop()?;
    server.sql(OLDER)?;
    let stamp = server.blobs().join("environment");
    let ours = std::fs::read_to_string(&stamp)?;
    std::fs::write(&stamp, "development 01900000-0000-7000-8000-000000000000")?;
    refused(&mut server, "belongs to another database").await;
    assert_eq!(server.sql("SELECT max(version) FROM schema_migrations")?, "3");
    std::fs::write(&stamp, ours)?;
    server.sql("DROP TRIGGER waivers_stay")?;
    refused(&mut server, "trigger waivers_stay is missing").await;
    assert_eq!(server.sql("SELECT max(version) FROM schema_migrations")?, "3");
    server.sql(
        "CREATE TRIGGER waivers_stay BEFORE DELETE ON waivers
         BEGIN SELECT RAISE(ABORT, 'artifortress: a waiver is never forgotten'); END",
    )?;
    server.resume().await?;
    assert_eq!(server.sql("SELECT max(version) FROM schema_migrations")?, "7");
    Ok(())
}

#[tokio::test]
async fn a_first_start_that_is_refused_makes_nothing() -> Result<()> {
    let server = Server::start(Backing::Embedded).await?;
    let blobs = format!("file:{}", server.blobs().display());
    let file = format!("file:{}", server.data().join("lock").display());
    let fresh = server.data().with_file_name("fresh");
    let data = fresh.display().to_string();
    let taken = server.address()?.to_string();
    let broken = server.data().with_file_name("broken.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nbroken")?;
    let broken = broken.display().to_string();
    let wrong: [(&[&str], &str); 6] = [
        (&["--blobs", &blobs], "belongs to another database"),
        (&["--blobs", &file], "is no folder"),
        (&["--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"], "/nowhere/cert.pem"),
        (&["--tls-cert", &broken, "--tls-key", &broken], "broken.pem"),
        (&["--listen", &taken], "`listen` says: 127.0.0.1:"),
        (&["--listen", "127.0.0.1:0", "--ops-listen", &taken], "`ops_listen` says: 127.0.0.1:"),
    ];
    for (words, why) in wrong {
        let done = server.beside(&[&["serve", "--data", &data], words].concat())?;
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && said.contains(why), "{said}");
        assert!(!fresh.exists(), "{why}: something was made");
    }
    let theirs = server.data().with_file_name("theirs.db");
    let made = Command::new("sqlite3").arg(&theirs).arg("CREATE TABLE invoices (id INT)").status()?;
    assert!(made.success(), "a database of another program");
    let theirs = format!("sqlite:{}", theirs.display());
    let done = server.beside(&["migrate", "--data", &data, "--database-url", &theirs])?;
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("of another program"), "{said}");
    assert!(!fresh.exists(), "a refused `migrate` made something");
    let ours = format!("sqlite:{}", server.data().join("artifortress.db").display());
    for words in [&["serve", "--listen", &taken][..], &["serve", "--data", &data, "--database-url", &ours]] {
        let done = server.beside(words)?;
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(said.contains("belongs to another artifortress that is running"), "{words:?}: {said}");
        assert!(!fresh.exists(), "something was made");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_served_from_a_database_without_its_walls() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let mut server = Server::start(backing).await?;
        server.stop()?;
        match backing {
            Backing::Embedded => server.sql("DROP TRIGGER entries_keep")?,
            Backing::Scaled => server.sql("DROP TRIGGER entries_keep ON entries")?,
        };
        refused(&mut server, "trigger entries_keep is missing").await;
        let done = server.beside(&["doctor", "--offline"])?;
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(!done.status.success() && said.contains("FAIL  database") && said.contains("entries_keep"), "{said}");
        assert!(!server.beside(&["migrate"])?.status.success(), "it is no older schema");
        assert!(!server.beside(&["recover", "--lost"])?.status.success(), "nor is it good enough to recover from");
    }
    Ok(())
}
