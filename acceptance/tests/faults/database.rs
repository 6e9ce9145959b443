//! Pages of the database that are not what was written: it is said, nothing is written any more, what is intact is served.

use std::os::unix::fs::FileExt;

use acceptance::Result;
use acceptance::server::{Backing, Server};

use crate::calls::ready_within_its_second;
use crate::load::{File, REPO, Told, plan, publish};

/// Overwrites the first page of a table of a stopped server.
fn spoil(server: &Server, table: &str) -> Result<()> {
    let page = server.sql(&format!("SELECT rootpage FROM sqlite_schema WHERE name = '{table}'"))?;
    let file = std::fs::File::options().write(true).open(server.data().join("artifortress.db"))?;
    Ok(file.write_all_at(&[0xa5; 4096], (page.parse::<u64>()? - 1) * 4096)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_database_is_no_secret() -> Result<()> {
    let mut server = plan(Backing::Embedded).start().await?;
    server.repository(REPO, "raw").await?;
    let writer = server.persona("writer")?.with(&format!("repo:{REPO}:write")).arrive().await?;
    let file = File::new("damage/first".to_string(), 11, 100_000);
    assert_eq!(publish(&writer, &file).await, Told::Published);
    server.stop()?;
    spoil(&server, "entries")?;
    server.resume().await?;
    server.http()?.get("/health/ready").send().await?.expect(&[200])?;
    for _ in 0..2 {
        let problem = writer.get(&file.url()).send().await?.expect(&[503])?;
        assert_eq!(problem.string("/code")?, "service_unavailable");
        assert!(problem.text().contains("the database is damaged"), "{}", problem.text());
    }
    let (status, ready) = ready_within_its_second(&server, 503).await?;
    assert_eq!(status, 503, "{ready}");
    let ready = server.operations()?.get("/health/ready").send().await?.expect(&[503])?;
    assert!(ready.text().contains("writes have stopped: the database is damaged"), "{}", ready.text());
    assert!(server.log().contains("nothing is written any more"), "{}", server.log());
    let next = File::new("damage/second".to_string(), 12, 1000);
    let told = writer.put(&next.url()).body(next.bytes()).send().await?.expect(&[503])?;
    assert!(told.text().contains("the database is damaged"), "{}", told.text());
    writer.get("/v1/repos").send().await?.expect(&[200])?;
    let done = server.beside(&["doctor", "--offline"])?;
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("FAIL  database") && said.contains("the database is damaged"), "{said}");
    Ok(())
}
