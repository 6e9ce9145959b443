//! The harness tested on itself: a harness that forgives proves nothing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use acceptance::http::Http;
use acceptance::postgres::{Cluster, Durability};
use acceptance::s3::{S3, Service};
use acceptance::{Result, Trouble, backing, nursery};
use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[test]
fn a_database_is_fresh_or_a_clone_and_its_refusals_are_seen() -> Result<()> {
    let admin = backing::postgres()?;
    let first = admin.database()?;
    first.sql("create table note (text text not null); insert into note values ('a')")?;
    let second = admin.clone_of(&first)?;
    second.sql("insert into note values ('b')")?;
    assert_eq!(first.sql("select count(*) from note")?, "1");
    assert_eq!(second.sql("select text from note order by 1")?, "a\nb");
    let refusal = first.sql("insert into note values (null)").map_err(|trouble| format!("{trouble:?}"));
    assert!(refusal.is_err_and(|words| words.contains("not-null")));
    assert!(admin.database()?.sql("select * from note").is_err());
    let wrong = first.url().replacen("postgres:", "stranger:", 2);
    assert!(acceptance::postgres::Admin::new(wrong).sql("select 1").is_err(), "the password is checked");
    Ok(())
}

#[test]
fn a_durable_cluster_survives_being_killed() -> Result<()> {
    let mut cluster = Cluster::start(Durability::On)?;
    let admin = cluster.admin();
    assert_eq!(admin.sql("show fsync")?, "on");
    admin.sql("create table kept (n int); insert into kept values (7)")?;
    cluster.kill9()?;
    assert!(admin.sql("select n from kept").is_err(), "it is down");
    cluster.resume()?;
    assert_eq!(admin.sql("select n from kept")?, "7");
    cluster.stop()?;
    cluster.resume()?;
    cluster.stop_at_once()?;
    cluster.resume()?;
    assert_eq!(admin.sql("select n from kept")?, "7");
    let pid = cluster.pid();
    drop(cluster);
    assert!(pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "dropped means ended");
    Ok(())
}

#[tokio::test]
async fn the_s3_server_refuses_what_is_not_signed_and_returns_after_a_kill() -> Result<()> {
    let mut service = Service::start()?;
    let bucket = service.s3().bucket("kept")?;
    assert!(service.s3().root.join(&bucket).is_dir());
    let http = Http::new(service.s3().endpoint.trim_start_matches("http://").parse()?);
    assert_eq!(http.get(&format!("/{bucket}/a")).send().await?.status, 403);
    let forged =
        "AWS4-HMAC-SHA256 Credential=acceptance/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00";
    assert!(http.get(&format!("/{bucket}/a")).header("Authorization", forged).send().await?.status >= 400);
    let address = format!("{}/{bucket}/a", service.s3().endpoint);
    assert_eq!(signed(service.s3(), &address, &service.s3().secret_key)?, "200", "a signed request is served");
    assert_eq!(signed(service.s3(), &address, "wrong")?, "403", "one signed with another secret is not");
    service.kill9()?;
    assert!(http.get("/").send().await.is_err(), "it is down");
    service.resume()?;
    assert_eq!(signed(service.s3(), &address, &service.s3().secret_key)?, "200");
    assert!(service.s3().root.join(&bucket).is_dir(), "its folder stayed");
    Ok(())
}

#[test]
fn a_killed_runner_leaves_nothing_behind() -> Result<()> {
    let mut runner = Command::new(env!("CARGO_BIN_EXE_backing"))
        .args([
            "sh",
            "-c",
            "echo $ARTIFORTRESS_TEST_S3_ROOT; echo ${ARTIFORTRESS_TEST_S3_ENDPOINT#http://}; exec sleep 300",
        ])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(runner.stdout.take().ok_or_else(|| Trouble::new("no output"))?).lines();
    let mut line = || lines.next().transpose().map(Option::unwrap_or_default);
    let (root, s3) = (line()?, line()?);
    let folder = Path::new(&root).parent().ok_or_else(|| Trouble::new("no folder"))?.to_path_buf();
    let postmaster: u32 =
        fs::read_to_string(folder.join("postgres-0/data/postmaster.pid"))?.lines().next().unwrap_or("").parse()?;
    assert!(TcpStream::connect(&s3).is_ok() && Path::new(&format!("/proc/{postmaster}")).exists());
    let command = nursery::children(runner.id());
    assert!(command.len() >= 3, "the two servers, the command (and the broom)");
    runner.kill()?;
    runner.wait()?;
    nursery::until(Duration::from_secs(15), "everything to be gone", || {
        let running = Path::new(&format!("/proc/{postmaster}")).exists() || TcpStream::connect(&s3).is_ok();
        let orphans = command.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists());
        Ok(!running && !orphans && !folder.exists())
    })?;
    Ok(())
}

/// The status of an upload that `curl` signs with `secret`.
fn signed(s3: &S3, address: &str, secret: &str) -> Result<String> {
    let done = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", "--data-binary", "bytes"])
        .args(["--aws-sigv4", &format!("aws:amz:{}:s3", S3::REGION), "--user", &format!("{}:{secret}", s3.access_key)])
        .args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", address])
        .output()?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Answers the next connections with `answers`, one each, and returns what was sent to them.
async fn stand_in(answers: Vec<&'static str>) -> Result<(Http, tokio::task::JoinHandle<Vec<String>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let http = Http::new(listener.local_addr()?);
    let task = tokio::spawn(async move {
        let mut heard = Vec::new();
        for answer in answers {
            let Ok((mut socket, _)) = listener.accept().await else { break };
            let mut text = Vec::new();
            // A test request ends with its head, or with what its body says.
            while let Ok(1..) = socket.read_buf(&mut text).await {
                let bare = text.starts_with(b"GET") || text.starts_with(b"HEAD");
                let end: &[u8] = if bare { b"\r\n\r\n" } else { b"0\r\n\r\n" };
                if [end, b"END", b"END\"}"].iter().any(|end| text.ends_with(end)) {
                    break;
                }
            }
            let _ = socket.write_all(answer.as_bytes()).await;
            heard.push(String::from_utf8_lossy(&text).into_owned());
        }
        heard
    });
    Ok((http, task))
}

#[tokio::test]
async fn the_client_reads_every_kind_of_answer() -> Result<()> {
    let (http, task) = stand_in(vec![
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 206 Partial\r\ncontent-length: 2\r\nETag: \"x\"\r\n\r\nabAND MORE",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
    ])
    .await?;
    assert_eq!(http.get("/").header("X", "END").send().await?.text(), "hello world");
    let partial = http.get("/").range("bytes=0-1").send().await?;
    assert_eq!((partial.status, partial.text().as_str(), partial.interim.as_slice()), (206, "ab", [100].as_slice()));
    assert_eq!(partial.header("etag"), Some("\"x\""));
    assert!(http.head("/").send().await?.body.is_empty(), "HEAD has a length and no body");
    assert_eq!(http.get("/").send().await?.text(), "until the end");
    assert!(http.get("/").send().await.is_err(), "a short body is no answer");
    task.await?;
    Ok(())
}

#[tokio::test]
async fn the_client_sends_what_it_is_told() -> Result<()> {
    let ok = "HTTP/1.1 204 No Content\r\n\r\n";
    let (http, task) = stand_in(vec![ok; 4]).await?;
    http.with_token("abc").put("/a/%2e%2e/b c").body("bodyEND").send().await?;
    http.post("/j").basic("u", "p").json(&json!({"k": "END"})).send().await?;
    http.put("/c").chunks(vec![Bytes::from("0123456789abcdef0"), Bytes::from("x")]).send().await?;
    let mut raw = http.connect().await?;
    raw.write_raw(b"BREW /\x00 HTCPCP/1.0\r\nEND").await?;
    assert_eq!(raw.read_answer(false).await?.status, 204);
    assert!(raw.closes().await);
    let heard = task.await?;
    assert!(heard[0].starts_with("PUT /a/%2e%2e/b c HTTP/1.1\r\nHost: 127.0.0.1:"));
    assert!(
        heard[0].contains("Authorization: Bearer abc\r\n") && heard[0].ends_with("Content-Length: 7\r\n\r\nbodyEND")
    );
    assert!(heard[1].contains("Authorization: Basic dTpw\r\n"));
    assert!(heard[2].ends_with("Transfer-Encoding: chunked\r\n\r\n11\r\n0123456789abcdef0\r\n1\r\nx\r\n0\r\n\r\n"));
    assert_eq!(heard[3], "BREW /\0 HTCPCP/1.0\r\nEND");
    Ok(())
}
