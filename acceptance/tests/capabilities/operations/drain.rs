//! Being asked to stop.

use std::path::Path;
use std::time::{Duration, Instant};

use acceptance::http::Connection;
use acceptance::{Result, Trouble, nursery};
use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::metrics::series;
use crate::shape::ask;
use crate::site::{Site, ensure};

#[tokio::test]
async fn what_is_under_way_is_finished_and_nothing_new_begun() -> Result<()> {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let site = Site::embedded().await?;
        site.repository("files", json!({})).await?;
        let size = 24 << 20;
        ask(site.admin.put("/repository/files/large").pieces(vec![Bytes::from(vec![7; 1 << 20]); size >> 20]))
            .await?
            .expect(&[201])?;
        let address = site.server.address()?;
        let mut idle = Connection::open(address).await?;
        idle.send(&site.admin.get("/v1/repos")).await?;
        let token = site.admin.token();
        let mut download = TcpStream::connect(address).await?;
        let head = format!("GET /repository/files/large HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        download.write_all(head.as_bytes()).await?;
        let mut buffer = vec![0; 64 << 10];
        let mut read = download.read(&mut buffer).await?;
        let mut upload = Connection::open(address).await?;
        let head = format!(
            "PUT /repository/files/new HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 10\r\n\r\nhello"
        );
        upload.write_raw(head.as_bytes()).await?;
        let began = Instant::now();
        while !uploading(&site).await? {
            ensure(began.elapsed() < Duration::from_secs(10), "the upload does not begin")?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }

        let pid = site.server.pid("serve").ok_or_else(|| Trouble::new("it does not run"))?;
        nursery::signal_pid(pid, signal)?;
        let began = Instant::now();
        while TcpStream::connect(address).await.is_ok() {
            ensure(began.elapsed() < Duration::from_secs(10), "it still takes connections")?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ensure(idle.closes().await, "an idle connection is closed")?;
        ensure(Path::new(&format!("/proc/{pid}")).exists(), "it waits for what is under way")?;
        upload.write_raw(b"world").await?;
        ensure(upload.read_answer(false).await?.status == 201, "the upload is finished")?;
        loop {
            match download.read(&mut buffer).await? {
                0 => break,
                count => read += count,
            }
            if read < 4 << 20 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        ensure(read > size, format!("the download is finished: {read} of {size}"))?;
        nursery::until(Duration::from_secs(10), "the process to end", || Ok(ended(pid)))?;
        ensure(!site.server.log().contains("\"level\":\"ERROR\""), "without an error in the log")?;
        let mut site = site;
        site.server.stop()?;
        site.server.resume().await?;
        ensure(
            ask(site.admin.get("/repository/files/new")).await?.text() == "helloworld",
            "what was acknowledged is there",
        )?;
    }
    Ok(())
}

async fn uploading(site: &Site) -> Result<bool> {
    let put = |name: &String| name.starts_with("http_requests_inprogress{method=\"PUT\"");
    Ok(series(site).await?.iter().any(|(name, now)| put(name) && *now > 0.0))
}

/// Gone, or waiting for its parent to notice.
fn ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
}
