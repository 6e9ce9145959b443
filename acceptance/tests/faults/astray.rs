//! A bucket that is another one for a while, and a database that takes no writes for a while: nothing is acknowledged that
//! would be missing afterwards, and all goes on by itself.

use std::fs;
use std::time::Duration;

use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble};
use serde_json::json;

use crate::load::plan;
use crate::seed::content;

/// Too large to lie beside the rows.
const LENGTH: u64 = 200_000;

async fn site() -> Result<(Server, Persona)> {
    let server = plan(Backing::Scaled).start().await?;
    let admin = server.admin()?;
    for (key, format) in [("files", "raw"), ("jars", "maven")] {
        let body = json!({"repoKey": key, "format": format});
        admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
    }
    Ok((server, admin))
}

const PLACES: [&str; 2] = ["/repository/files/new", "/repository/jars/org/example/tool/1.0/tool-1.0.jar"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_into_another_bucket() -> Result<()> {
    let (server, admin) = site().await?;
    let (bucket, away) = (server.blobs(), server.blobs().with_extension("away"));
    fs::rename(bucket, &away)?;
    fs::create_dir(bucket)?;
    for place in PLACES {
        admin.put(place).body(content(1, LENGTH)).send().await?.expect(&[503])?;
    }
    fs::remove_dir_all(bucket)?;
    fs::rename(&away, bucket)?;
    for place in PLACES {
        admin.put(place).body(content(1, LENGTH)).send().await?.expect(&[201])?;
        assert!(admin.get(place).send().await?.expect(&[200])?.body == content(1, LENGTH), "{place}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_writes_is_said_and_comes_back() -> Result<()> {
    let (server, admin) = site().await?;
    let name = server.sql("SELECT current_database()")?;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    server.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))?;
    server.sql(end)?;
    until(&admin, 503).await?;
    for place in PLACES {
        let answer = admin.put(place).body(content(2, LENGTH)).send().await?.expect(&[503])?;
        assert!(!answer.text().contains("internal_error"), "{}", answer.text());
    }
    // Nobody ends the connections that are there: they are given up.
    server.sql(&format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"))?;
    until(&admin, 200).await?;
    for place in PLACES {
        // Each connection that is left over costs one refusal.
        let written = async {
            while admin.put(place).body(content(2, LENGTH)).send().await?.expect(&[201, 503])?.status == 503 {}
            Ok::<_, Trouble>(())
        };
        tokio::time::timeout(Duration::from_secs(30), written).await.map_err(|_| Trouble::new("never written"))??;
    }
    Ok(())
}

/// Readiness says so, within a while.
async fn until(admin: &Persona, status: u16) -> Result<()> {
    let waiting = async {
        while admin.get("/health/ready").send().await?.status != status {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, Trouble>(())
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.map_err(|_| Trouble::new(format!("never {status}")))?
}
