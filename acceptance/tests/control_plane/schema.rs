//! Databases that are too new, too old, or of another environment.

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
    std::fs::remove_dir_all(server.blobs())?;
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
