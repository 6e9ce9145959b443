//! Answers: what is taken, and what is not.

use std::io::Write;

use super::{fails, found, read, settings, upstream};
use crate::fake::{Fake, Seen, answer};
use crate::upstream::{Failure, Limits, Question, Reply, Upstream, UpstreamSettings};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).expect("written");
    encoder.finish().expect("finished")
}

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 X\r\nContent-Length: {}\r\nConnection: close\r\nContent-Encoding: {coding}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// An upstream that always answers the same.
async fn saying(bytes: impl Into<Vec<u8>>) -> (Upstream, Fake) {
    let bytes = bytes.into();
    let fake = Fake::start(move |_, _: &Seen| bytes.clone()).await;
    (upstream(settings(&format!("{}/base/", fake.base))), fake)
}

fn is_broken<T: std::fmt::Debug>(result: Result<T, Failure>) {
    assert!(matches!(result, Err(Failure::Broken(_))), "{result:?}");
}

#[tokio::test]
async fn what_is_there_comes_with_its_headers() {
    let headers = "ETag: \"e\"\r\nLast-Modified: Fri, 21 Nov 2025 04:40:00 GMT\r\nContent-Type: Text/HTML; charset=x\r\nDocker-Content-Digest: d\r\n";
    let (upstream, fake) = saying(answer(200, headers, "body")).await;
    let question = Question { accept: "text/html", etag: Some("\"d\""), ..Question::file("a%20b?c=d", 4) };
    let Ok(Reply::Found(got)) = upstream.ask(question).await else { panic!("not found") };
    assert_eq!((got.etag(), got.media_type().as_str(), got.length()), (Some("\"e\""), "text/html", Some(4)));
    assert_eq!(got.changed_at().map(|at| at.to_seconds()).as_deref(), Some("2025-11-21T04:40:00Z"));
    assert_eq!(got.header("docker-content-digest"), Some("d"));
    assert_eq!(got.address(), format!("{}/base/a%20b?c=d", fake.base));
    assert_eq!(got.whole().await.expect("a body"), "body");
    let seen = &fake.seen()[0];
    assert_eq!(seen.line, "GET /base/a%20b?c=d HTTP/1.1\r\n");
    let sent = ["accept", "if-none-match", "accept-encoding", "authorization", "referer"];
    let sent = sent.map(|name| seen.header(name));
    assert_eq!(sent, [Some("text/html"), Some("\"d\""), Some("identity"), None, None]);
    assert!(seen.header("user-agent").is_some_and(|agent| agent.starts_with("artifortress/")));
}

#[tokio::test]
async fn a_head_has_a_length_and_no_body() {
    let (upstream, fake) = saying("HTTP/1.1 200 X\r\nContent-Length: 99999\r\n\r\n").await;
    let question = Question { head: true, ..Question::file("x", 10) };
    let Ok(Reply::Found(mut got)) = upstream.ask(question).await else { panic!("not found") };
    assert_eq!((got.length(), got.next().await), (Some(99999), Ok(None)));
    assert!(fake.seen()[0].line.starts_with("HEAD "));
}

#[tokio::test]
async fn only_404_and_410_mean_that_there_is_none() {
    for status in
        [201, 203, 204, 205, 206, 304, 400, 401, 402, 403, 404, 407, 408, 410, 418, 429, 451, 500, 502, 503, 504, 599]
    {
        let (upstream, _fake) = saying(answer(status, "", "")).await;
        let reply = upstream.ask(Question::file("x", 10)).await;
        let right = match status {
            404 | 410 => matches!(reply, Ok(Reply::Missing)),
            400..=499 => matches!(reply, Err(Failure::Refused { status: got, .. }) if got == status),
            500..=599 => matches!(reply, Err(Failure::Failing { status: got, .. }) if got == status),
            _ => matches!(reply, Err(Failure::Broken(_))),
        };
        assert!(right, "{status}: {reply:?}");
    }
}

#[tokio::test]
async fn unchanged_answers_conditions_only() {
    let (upstream, _fake) = saying(answer(304, "", "")).await;
    let reply = upstream.ask(Question { etag: Some("\"e\""), ..Question::file("x", 10) }).await;
    assert!(matches!(&reply, Ok(Reply::Unchanged(address)) if address.ends_with("/x")), "{reply:?}");
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    let (upstream, _fake) = saying(answer(403, "Retry-After: 7\r\n", "")).await;
    let failure = fails(&upstream, "x").await;
    assert!(matches!(failure, Failure::Refused { after: Some(after), .. } if after.as_secs() == 7), "{failure:?}");
}

#[tokio::test]
async fn a_body_is_as_long_as_announced_and_as_wanted() {
    let (short, _one) = saying("HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc").await;
    let mut got = found(&short, "x").await;
    while got.next().await.is_ok_and(|piece| piece.is_some()) {}
    is_broken(got.next().await);
    is_broken(got.whole().await);
    let (cut, _two) = saying("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    is_broken(found(&cut, "x").await.whole().await);
    let both = "HTTP/1.1 200 X\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    is_broken(saying(both).await.0.ask(Question::file("x", 10)).await);
    let (endless, _three) = saying("HTTP/1.1 200 X\r\nConnection: close\r\n\r\nabc").await;
    is_broken(endless.ask(Question::file("x", 10)).await);
    let (whole, _four) = saying(answer(200, "", "abcd")).await;
    is_broken(whole.ask(Question::file("x", 3)).await);
    assert_eq!(read(&whole, Question::file("x", 4)).await.expect("a body"), "abcd");
    let (chunked, _five) = saying("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n").await;
    is_broken(read(&chunked, Question::file("x", 3)).await);
    assert_eq!(read(&chunked, Question::file("x", 4)).await.expect("a body"), "abcd");
    let (both, _six) = saying("HTTP/1.1 200 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab").await;
    is_broken(both.ask(Question::file("x", 10)).await);
}

#[tokio::test]
async fn gzip_is_undone_for_documents_within_their_bound() {
    let plain = vec![b'x'; 5000];
    let (upstream, fake) = saying(coded("gzip", &gzip(&plain))).await;
    let Ok(Reply::Found(got)) = upstream.ask(Question::index("x", "", 5000)).await else { panic!("not found") };
    assert_eq!(got.length(), None);
    assert_eq!(got.whole().await.expect("a body"), plain);
    assert_eq!(fake.seen()[0].header("accept-encoding"), Some("gzip"));
    is_broken(read(&upstream, Question::index("x", "", 4999)).await);
    let (bomb, _fake) = saying(coded("gzip", &gzip(&vec![0; 16 << 20]))).await;
    is_broken(read(&bomb, Question::index("x", "", 1 << 20)).await);
    let (cut, _fake) = saying(coded("gzip", &gzip(&plain)[..20])).await;
    is_broken(read(&cut, Question::index("x", "", 5000)).await);
}

#[tokio::test]
async fn other_codings_are_refused() {
    for coding in ["br", "deflate", "zstd", "gzip, gzip", "gzip, identity", "gzip\r\nContent-Encoding: gzip", "x"] {
        let (upstream, _fake) = saying(coded(coding, b"abc")).await;
        is_broken(upstream.ask(Question::index("x", "", 1000)).await);
    }
    let (upstream, _fake) = saying(coded("gzip", &gzip(b"abc"))).await;
    is_broken(upstream.ask(Question::file("x", 1000)).await);
    let (upstream, _fake) = saying(coded("identity", b"abc")).await;
    assert_eq!(read(&upstream, Question::file("x", 3)).await.expect("a body"), "abc");
}

#[tokio::test]
async fn redirects_end() {
    let (endless, fake) = saying(answer(302, "Location: /again\r\n", "")).await;
    is_broken(endless.ask(Question::file("x", 10)).await);
    assert_eq!(fake.seen().len(), 6);
    let five = Fake::start(|number, _: &Seen| match number {
        5 => answer(200, "", "there"),
        _ => answer(302, "Location: /again\r\n", ""),
    })
    .await;
    assert_eq!(found(&upstream(settings(&five.base)), "x").await.address(), format!("{}/again", five.base));
    let (nowhere, _fake) = saying(answer(302, "", "")).await;
    is_broken(nowhere.ask(Question::file("x", 10)).await);
}

#[tokio::test]
async fn a_path_stays_beneath_the_address() {
    let (upstream, fake) = saying(answer(200, "", "")).await;
    for target in ["../x", "a/../../x", "%2e%2e/x", "a/%2E./.%2e/x", "..\\x", ".."] {
        is_broken(upstream.ask(Question::file(target, 10)).await);
    }
    assert!(fake.seen().is_empty());
    for target in ["", "a/../x", "http:/x", "ftp://x/y", "/x", "//127.0.0.1:9/x", "@x", "x?a=//b"] {
        found(&upstream, target).await;
    }
    assert!(fake.seen().iter().all(|seen| seen.line.starts_with("GET /base/")), "{:?}", fake.seen());
}

#[tokio::test]
async fn headers_are_bounded() {
    let long = format!("X: {}\r\n", "y".repeat(2000));
    let bytes = answer(200, &long, "");
    let fake = Fake::start(move |_, _: &Seen| bytes.clone()).await;
    let limits = Limits { headers: 1500, ..Limits::default() };
    is_broken(upstream(UpstreamSettings { limits, ..settings(&fake.base) }).ask(Question::file("x", 10)).await);
    assert!(upstream(settings(&fake.base)).ask(Question::file("x", 10)).await.is_ok());
    let (many, _fake) = saying(answer(200, &"X: y\r\n".repeat(5000), "")).await;
    is_broken(many.ask(Question::file("x", 10)).await);
    let (huge, _fake) = saying(answer(200, &format!("X: {}\r\n", "y".repeat(1 << 20)), "")).await;
    is_broken(huge.ask(Question::file("x", 10)).await);
}

#[tokio::test]
async fn what_is_no_http_is_broken_and_not_asked_twice() {
    let (upstream, fake) = saying("SSH-2.0-x\r\n\r\n").await;
    is_broken(upstream.ask(Question::file("x", 10)).await);
    assert_eq!(fake.seen().len(), 1);
}
