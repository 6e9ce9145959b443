//! Clients that take their time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use acceptance::Result;
use acceptance::http::Connection;
use bytes::Bytes;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::shape::{ask, check};
use crate::site::{Site, ensure, plan, resident};

async fn hasty() -> Result<Site> {
    let plan = ["HEADER", "BODY_IDLE", "IDLE"]
        .into_iter()
        .fold(plan(), |plan, name| plan.variable(&format!("ARTIFORTRESS_HTTP_{name}_SECONDS"), "1"));
    let server = plan.start().await?;
    let admin = server.admin()?;
    let site = Site { server, admin };
    site.repository("files", json!({})).await?;
    Ok(site)
}

#[tokio::test]
async fn a_head_that_does_not_arrive_is_given_up() -> Result<()> {
    let site = hasty().await?;
    for (what, first) in
        [("nothing", ""), ("half a line", "GET /v1/re"), ("half a head", "GET / HTTP/1.1\r\nHost: x\r\nX-A: ")]
    {
        let mut connection = Connection::open(site.server.address()?).await?;
        connection.write_raw(first.as_bytes()).await?;
        // One byte now and then does not keep the door open.
        let mut more = 0;
        while !first.is_empty() && connection.write_raw(b"a").await.is_ok() {
            more += 1;
            ensure(more < 50, format!("{what}: it stays open"))?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        ensure(connection.closes().await, format!("{what}: it stays open"))?;
    }
    let mut connection = Connection::open(site.server.address()?).await?;
    connection.write_raw(b"GET / HTTP/1.1\r\nHost: x\r\n").await?;
    let answer = connection.read_answer(false).await?;
    check(&answer)?;
    ensure(answer.status == 408, format!("{answer:?}"))?;
    ask(site.admin.get("/v1/repos")).await?.expect(&[200])?;
    Ok(())
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up_and_leaves_nothing() -> Result<()> {
    let site = hasty().await?;
    let lengths = ["Content-Length: 100", "Transfer-Encoding: chunked", "Content-Length: 2000000"];
    for (number, length) in lengths.into_iter().enumerate() {
        let path = format!("/repository/files/{number}");
        let mut connection = Connection::open(site.server.address()?).await?;
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{length}\r\n\r\n5\r\nhello",
            site.admin.token()
        );
        connection.write_raw(head.as_bytes()).await?;
        let answer = connection.read_answer(false).await?;
        check(&answer)?;
        ensure(answer.status == 408, format!("{length}: {answer:?}"))?;
        ensure(connection.closes().await, "and the connection ends")?;
        ask(site.admin.get(&path)).await?.expect(&[404])?;
        ask(site.admin.put(&path).body("x")).await?.expect(&[201])?;
    }
    let mut connection = Connection::open(site.server.address()?).await?;
    let head = format!(
        "POST /v1/repos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        site.admin.token()
    );
    connection.write_raw(head.as_bytes()).await?;
    ensure(connection.read_answer(false).await?.status == 408, "JSON likewise")
}

#[tokio::test]
async fn a_connection_without_a_request_ends() -> Result<()> {
    let site = hasty().await?;
    let mut connection = Connection::open(site.server.address()?).await?;
    ensure(connection.send(&site.admin.get("/v1/repos")).await?.status == 200, "served")?;
    ensure(connection.send(&site.admin.get("/v1/repos")).await?.status == 200, "kept")?;
    ensure(connection.closes().await, "and ended")
}

/// Readers that take nothing are cut, and cost no more than their buffers.
#[tokio::test]
async fn readers_that_take_nothing_are_cut() -> Result<()> {
    let site = hasty().await?;
    let size = 24 << 20;
    let piece = Bytes::from(vec![7; 1 << 20]);
    ask(site.admin.put("/repository/files/large").pieces(vec![piece; size >> 20])).await?.expect(&[201])?;
    let (memory, began) = (resident(&site.server)?, Instant::now());
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(stalled(&site, site.admin.token()).await?);
    }
    while ended(&site).await? < sockets.len() {
        ensure(began.elapsed() < Duration::from_secs(25), "they are not cut")?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let growth = resident(&site.server)?.saturating_sub(memory);
    ensure(growth < 128 << 20, format!("memory grew by {} KiB", growth >> 10))?;
    for mut socket in sockets {
        let (mut read, mut buffer) = (0, vec![0; 1 << 20]);
        while let Ok(count @ 1..) = socket.read(&mut buffer).await {
            read += count;
        }
        ensure(read < size, format!("{read} bytes: it was served to the end"))?;
    }
    ask(site.admin.get("/v1/repos")).await?.expect(&[200])?;
    Ok(())
}

/// How many readers of the large file are done, by the access log.
async fn ended(site: &Site) -> Result<usize> {
    static MARKS: AtomicU64 = AtomicU64::new(0);
    let mark = format!("01a1fd17-0000-7000-8000-{:012}", MARKS.fetch_add(1, Ordering::Relaxed));
    ask(site.admin.get("/v1/auth/whoami").header("X-Correlation-Id", &mark)).await?.expect(&[200])?;
    let read = |line: &&str| line.contains("\"method\":\"GET\"") && line.contains("/repository/files/large");
    Ok(site.server.logged(&mark).await?.lines().filter(read).count())
}

/// Readers that take nothing and hold all the memory for downloads are cut when somebody waits for it: here they would
/// hold it for longer than anybody may wait.
#[tokio::test]
async fn readers_that_take_nothing_stop_nobody_else() -> Result<()> {
    let settings = [("DOWNLOAD_BUFFER_MIB", "16"), ("HTTP_BODY_IDLE_SECONDS", "300")];
    let plan =
        settings.iter().fold(plan(), |plan, (name, value)| plan.variable(&format!("ARTIFORTRESS_{name}"), *value));
    let server = plan.start().await?;
    let admin = server.admin()?;
    let site = Site { server, admin };
    site.repository("files", json!({})).await?;
    let piece = Bytes::from(vec![7; 1 << 20]);
    for name in ["large", "other"] {
        let put = site.admin.put(&format!("/repository/files/{name}")).pieces(vec![piece.clone(); 24]);
        ask(put).await?.expect(&[201])?;
    }
    let mut sockets = Vec::new();
    for subject in ["one", "two"] {
        let person = site.person(subject, &["repo:files:read"]).await?;
        for number in 0..24 {
            let socket = stalled(&site, person.token()).await?;
            if number < 8 {
                socket.readable().await?;
            }
            sockets.push(socket);
        }
    }
    let answer = ask(site.admin.get("/repository/files/other")).await?.expect(&[200])?;
    ensure(answer.body.len() == 24 << 20, "it is whole")
}

/// Somebody who asks for the large file and reads nothing of it.
async fn stalled(site: &Site, token: &str) -> Result<tokio::net::TcpStream> {
    let mut socket = tokio::net::TcpStream::connect(site.server.address()?).await?;
    let head = format!("GET /repository/files/large HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await?;
    Ok(socket)
}
