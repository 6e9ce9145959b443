//! No answer before the disk's: what a kill cannot show, because the kernel keeps what was never synced.

use std::time::{Duration, Instant};

use acceptance::server::{Backing, Persona, Server};
use acceptance::strace::Strace;
use acceptance::{Result, Trouble};

use crate::load::{File, REPO, Told, plan, publish};

/// The thread that commits to SQLite.
const WRITER: &str = "store-writer";

async fn started() -> Result<(Server, Persona, u32)> {
    let server = plan(Backing::Embedded).start().await?;
    server.repository(REPO, "raw").await?;
    let writer = server.persona("writer")?.with(&format!("repo:{REPO}:write")).arrive().await?;
    let pid = server.pid("serve").ok_or_else(|| Trouble::new("no `serve`"))?;
    Ok((server, writer, pid))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_publish_is_synced_before_its_answer() -> Result<()> {
    let (_server, writer, pid) = started().await?;
    let trace = Strace::new()?.trace("fsync,fdatasync").attach(pid, Some(WRITER))?;
    for number in 0..10 {
        let before = trace.seen().count("sync(")?;
        let told = publish(&writer, &File::new(format!("synced/{number}"), number, 4096)).await;
        assert_eq!(told, Told::Published);
        let log: Vec<_> = trace.seen().lines("sync(")?.into_iter().skip(before).collect();
        assert!(
            log.iter().any(|line| line.contains("-wal>")),
            "publish {number} was acknowledged without a sync: {log:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_waits_for_a_slow_disk() -> Result<()> {
    let (_server, writer, pid) = started().await?;
    let slow = Duration::from_millis(400);
    for (what, thread, length) in [("the database", Some(WRITER), 4096), ("the blob store", None, 100_000)] {
        let trace = Strace::new()?.inject("fsync,fdatasync", &format!("delay_enter={}", slow.as_micros()), 1, 1000);
        let _trace = trace.attach(pid, thread)?;
        let start = Instant::now();
        assert_eq!(publish(&writer, &File::new(format!("slow/{length}"), 7, length)).await, Told::Published);
        // Stored bytes wait twice: for their own file and for the row.
        let least = if thread.is_some() { slow } else { 2 * slow };
        assert!(start.elapsed() >= least, "{what}: answered after {:?}", start.elapsed());
    }
    Ok(())
}
