//! Bytes that no honest client sends. Whatever is in front of us may read them differently: so they end the connection.

use std::time::Duration;

use acceptance::Result;
use acceptance::http::Connection;
use serde_json::json;

use crate::shape::{ask, check};
use crate::site::{Site, ensure, resident};

/// What a smuggler would have us answer as a second request.
const SMUGGLED: &str = "GET /repository/files/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// Heads of a PUT that tell the length in a doubtful way, with the body that follows.
fn doubtful() -> Vec<(&'static str, String)> {
    let body = format!("5\r\nhello\r\n0\r\n\r\n{SMUGGLED}");
    let cases = [
        ("both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        ("both lengths, the other way round", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        ("two lengths", "Content-Length: 5\r\nContent-Length: 6"),
        ("two equal lengths", "Content-Length: 5\r\nContent-Length: 5"),
        ("a list of lengths", "Content-Length: 5, 6"),
        ("a list of equal lengths", "Content-Length: 5, 5"),
        ("a plus", "Content-Length: +5"),
        ("a minus", "Content-Length: -5"),
        ("hex", "Content-Length: 0x5"),
        ("a fraction", "Content-Length: 5.0"),
        ("a word", "Content-Length: five"),
        ("no length", "Content-Length: "),
        ("a blank inside", "Content-Length: 5 5"),
        ("2^64", "Content-Length: 18446744073709551616"),
        ("a longer number", "Content-Length: 999999999999999999999999999999"),
        ("a blank before the colon", "Content-Length : 5"),
        ("a coding with a blank before the colon", "Transfer-Encoding : chunked"),
        ("an unknown coding", "Transfer-Encoding: xchunked"),
        ("identity behind chunked", "Transfer-Encoding: chunked, identity"),
        ("chunked twice", "Transfer-Encoding: chunked, chunked"),
        ("two codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        ("gzip alone", "Transfer-Encoding: gzip"),
        ("a quoted coding", "Transfer-Encoding: \"chunked\""),
        ("a folded line", "Transfer-Encoding:\r\n chunked"),
        ("a folded length", "X: a\r\n Content-Length: 5"),
        ("a vertical tab", "Transfer-Encoding: \u{b}chunked"),
        ("a NUL in a name", "Content-\u{0}Length: 5"),
        ("a NUL in a value", "X: a\u{0}b\r\nContent-Length: 5"),
        ("a lone CR in a value", "X: a\rContent-Length: 5"),
        ("a line without a colon", "Content-Length\r\nContent-Length: 5"),
        ("a blank in a name", "Content Length: 5"),
        ("an empty name", ": 5\r\nContent-Length: 5"),
    ];
    cases.into_iter().map(|(what, head)| (what, format!("{head}\r\n\r\n{body}"))).collect()
}

/// Chunks that are none.
fn chunks() -> Vec<(&'static str, String)> {
    let cases = [
        ("a negative chunk", "-5\r\nhello\r\n0\r\n\r\n"),
        ("a prefixed chunk", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a chunk of 2^64", "10000000000000000\r\nhello"),
        ("a chunk of 2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("a chunk longer than it says", "5\r\nhello and more\r\n0\r\n\r\n"),
        ("a chunk without its end", "5\r\nhello0\r\n\r\n"),
        ("a chunk that is no number", "five\r\nhello\r\n0\r\n\r\n"),
        ("a chunk without a number", "\r\nhello\r\n0\r\n\r\n"),
    ];
    cases
        .into_iter()
        .map(|(what, body)| (what, format!("Transfer-Encoding: chunked\r\n\r\n{body}{SMUGGLED}")))
        .collect()
}

#[tokio::test]
async fn lengths_that_could_be_read_in_two_ways_end_the_connection() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({"anonymousRead": true})).await?;
    ask(site.admin.put("/repository/files/smuggled").body("smuggled bytes")).await?.expect(&[201])?;
    let cases: Vec<_> = doubtful().into_iter().chain(chunks()).collect();
    for (number, (what, rest)) in cases.iter().enumerate() {
        let path = format!("/repository/files/{number}");
        let mut connection = Connection::open(site.server.address()?).await?;
        let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n", site.admin.token());
        connection.write_raw(format!("{head}{rest}").as_bytes()).await?;
        if let Ok(answer) = connection.read_answer(false).await {
            check(&answer)?;
            ensure(answer.status == 400, format!("{what}: {answer:?}"))?;
            while let Ok(more) = connection.read_answer(false).await {
                ensure(!more.text().contains("smuggled bytes"), format!("{what}: smuggled"))?;
            }
        }
        ensure(connection.closes().await, format!("{what}: the connection stays"))?;
        ensure(ask(site.admin.get(&path)).await?.status == 404, format!("{what}: it was stored"))?;
        ask(site.admin.put(&path).body("next")).await?.expect(&[201])?;
    }
    println!("{} cases", cases.len());
    Ok(())
}

#[tokio::test]
async fn heads_that_are_none_are_refused() -> Result<()> {
    let site = Site::embedded().await?;
    let memory = resident(&site.server)?;
    let line = |text: &str| format!("{text}\r\n\r\n").into_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no host", line("GET / HTTP/1.1")),
        ("two hosts", line("GET / HTTP/1.1\r\nHost: a\r\nHost: b")),
        ("two equal hosts", line("GET / HTTP/1.1\r\nHost: a\r\nHost: a")),
        ("a host with a path", line("GET / HTTP/1.1\r\nHost: a/b")),
        ("a host with a blank", line("GET / HTTP/1.1\r\nHost: a b")),
        ("a host with a user", line("GET / HTTP/1.1\r\nHost: a@b")),
        ("a host with markup", line("GET / HTTP/1.1\r\nHost: <script>")),
        ("no version", line("GET /")),
        ("HTTP/0.9", line("GET / HTTP/0.9\r\nHost: x")),
        ("HTTP/3.0", line("GET / HTTP/3.0\r\nHost: x")),
        ("no method", line(" / HTTP/1.1\r\nHost: x")),
        ("a method with a colon", line("GE:T / HTTP/1.1\r\nHost: x")),
        ("two blanks", line("GET  / HTTP/1.1\r\nHost: x")),
        ("a blank in the target", line("GET /a b HTTP/1.1\r\nHost: x")),
        ("a target without a slash", line("GET a HTTP/1.1\r\nHost: x")),
        ("a control character in the target", line("GET /\u{1} HTTP/1.1\r\nHost: x")),
        ("CONNECT", line("CONNECT x:80 HTTP/1.1\r\nHost: x")),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("noise", (0..=255).chain(0..=255).collect::<Vec<u8>>()),
        ("a head without an end", [b"GET / HTTP/1.1\r\nHost: x\r\nX: ".to_vec(), vec![b'a'; 200_000]].concat()),
        ("a name without an end", [b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec(), vec![b'a'; 200_000]].concat()),
        ("a target without an end", [b"GET /".to_vec(), vec![b'a'; 200_000]].concat()),
        ("a method without an end", vec![b'A'; 200_000]),
        (
            "ten thousand fields",
            [b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec(), b"a: b\r\n".repeat(10_000), b"\r\n".to_vec()].concat(),
        ),
        (
            "HTTP/2 on a plain port, broken",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        ),
        ("an expectation", line("PUT / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 0")),
    ];
    for (what, bytes) in &cases {
        let mut connection = Connection::open(site.server.address()?).await?;
        // It may answer and close before all of this is written.
        let _ = connection.write_raw(bytes).await;
        let _ = connection.finish_writing().await;
        let reading = tokio::time::timeout(Duration::from_secs(5), connection.read_answer(false));
        match reading.await {
            Ok(Ok(answer)) => {
                check(&answer)?;
                ensure((400..=431).contains(&answer.status), format!("{what}: {answer:?}"))?;
                let told = answer.text().contains("speaks TLS");
                ensure(told == (*what == "a TLS hello"), format!("{what}: {answer:?}"))?;
            }
            Ok(Err(_)) => (),
            Err(_) => ensure(false, format!("{what}: neither an answer nor an end"))?,
        }
    }
    let growth = resident(&site.server)?.saturating_sub(memory);
    ensure(growth < 32 << 20, format!("memory grew by {} KiB", growth >> 10))?;
    ask(site.admin.get("/v1/repos")).await?.expect(&[200])?;
    println!("{} cases", cases.len());
    Ok(())
}

/// Nothing that a client sends comes back as a header of its own.
#[tokio::test]
async fn no_name_reaches_a_header_with_a_line_break() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let breaks = [
        "%0d%0aX-Evil:%201",
        "%0aX-Evil:1",
        "%0dX-Evil:1",
        "%E5%98%8D%E5%98%8AX-Evil:1",
        "%250d%250aX-Evil:1",
        "%c4%8d%c4%8aX-Evil:1",
    ];
    for name in breaks {
        let paths = [
            format!("/repository/files/{name}"),
            format!("/repository/{name}/a"),
            format!("/{name}"),
            format!("/v1/repos/{name}"),
            format!("/v1/repos/files/bindings/{name}"),
            format!("/v1/repos?cursor={name}"),
            format!("/assets/{name}"),
        ];
        for path in paths {
            for method in ["GET", "PUT", "DELETE"] {
                let answer = ask(site.admin.request(method, &path).header("X-Correlation-Id", name).body("")).await?;
                ensure(answer.header("x-evil").is_none(), format!("{method} {path}"))?;
                let broken = answer.headers.iter().any(|(_, value)| value.contains(['\r', '\n']));
                ensure(!broken, format!("{method} {path}: {answer:?}"))?;
            }
        }
    }
    Ok(())
}
