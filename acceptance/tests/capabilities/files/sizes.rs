//! Every size, told beforehand or not.

use acceptance::Result;
use acceptance::http::Connection;
use bytes::Bytes;
use serde_json::json;

use super::{noise, sha256};
use crate::shape::{ask, check};
use crate::site::{Site, ensure};

const K: usize = 1 << 10;
const M: usize = 1 << 20;

#[tokio::test]
async fn every_size_comes_back_as_it_went_in() -> Result<()> {
    every_size(&Site::embedded().await?).await
}

#[tokio::test]
async fn every_size_comes_back_as_it_went_in_scaled_out() -> Result<()> {
    every_size(&Site::scaled().await?).await
}

async fn every_size(site: &Site) -> Result<()> {
    site.repository("files", json!({})).await?;
    let sizes = [0, 1, 2, 64 * K - 1, 64 * K, 64 * K + 1, M - 1, M, M + 1, 5 * M + 3, 20 * M];
    for (number, size) in sizes.into_iter().enumerate() {
        let bytes = noise(size, number as u64);
        for chunked in [false, true] {
            let path = format!("/repository/files/{size}-{chunked}");
            let put = site.admin.put(&path);
            let pieces = bytes.chunks(100_000).map(Bytes::copy_from_slice).collect();
            let put = if chunked { put.chunks(pieces) } else { put.pieces(pieces) };
            let stored = ask(put).await?.expect(&[201])?;
            ensure(stored.json()?["sizeBytes"] == size as u64, "the size is told")?;
            ensure(stored.string("/sha256")? == sha256(&bytes), "the digest is told")?;
            ensure(stored.header("location") == Some(&path), "and where it is")?;
            let got = ask(site.admin.get(&path)).await?.expect(&[200])?;
            ensure(got.body == bytes, format!("{size} bytes, chunked {chunked}: other bytes came back"))?;
            ensure(got.header("content-length") == Some(&size.to_string()), "the length is announced")?;
            ensure(got.header("etag") == Some(&format!("\"{}\"", sha256(&bytes))), "the tag is the digest")?;
            let head = ask(site.admin.head(&path)).await?.expect(&[200])?;
            let told = |answer: &acceptance::http::Answer| {
                let varies = |name: &str| matches!(name, "date" | "x-correlation-id");
                let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| !varies(name)).cloned().collect();
                headers.sort();
                headers
            };
            ensure(told(&head) == told(&got), format!("HEAD {:?} is not GET {:?}", told(&head), told(&got)))?;
        }
    }
    Ok(())
}

/// The server says that it wants the body before it comes, and not when it would refuse it.
#[tokio::test]
async fn expect_100_continue() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let address = site.server.address()?;
    let head = |path: &str, token: &str, length: usize| {
        format!(
            "PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let mut connection = Connection::open(address).await?;
    connection.write_raw(head("/repository/files/a", site.admin.token(), 5).as_bytes()).await?;
    // Only after "100 Continue" has arrived is the body sent: read_answer would wait for the final one.
    let (answer, sent) =
        tokio::join!(connection_answer(address, head("/repository/files/b", site.admin.token(), 5)), async {
            connection.write_raw(b"hello").await
        });
    sent?;
    let answer = answer?;
    ensure(answer.interim == [100] && answer.status == 201, format!("{answer:?}"))?;
    ensure(connection.read_answer(false).await?.status == 201, "and whoever does not wait is served, too")?;
    let stranger = site.person("stranger", &["repo:files:read"]).await?;
    let mut connection = Connection::open(address).await?;
    connection.write_raw(head("/repository/files/c", stranger.token(), 1 << 30).as_bytes()).await?;
    let refused = connection.read_answer(false).await?;
    check(&refused)?;
    ensure(
        refused.status == 403 && refused.interim.is_empty(),
        format!("nobody asks for a body to refuse it: {refused:?}"),
    )
}

async fn connection_answer(address: std::net::SocketAddr, head: String) -> Result<acceptance::http::Answer> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(address).await?;
    socket.write_all(head.as_bytes()).await?;
    let mut told = vec![0; 25];
    socket.read_exact(&mut told).await?;
    ensure(told == b"HTTP/1.1 100 Continue\r\n\r\n", String::from_utf8_lossy(&told))?;
    socket.write_all(b"hello").await?;
    let mut rest = vec![0; 12];
    socket.read_exact(&mut rest).await?;
    let status = String::from_utf8_lossy(&rest).rsplit(' ').next().unwrap_or_default().parse()?;
    Ok(acceptance::http::Answer { status, interim: vec![100], ..Default::default() })
}
