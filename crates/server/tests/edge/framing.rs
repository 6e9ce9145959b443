//! Bytes that two servers could read in two ways.

use super::rig::Rig;

async fn refused(request: &str) {
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    client.send(request).await;
    client.reply().await.is_problem(400, "bad_request");
    assert!(client.closed().await, "{request:?} must close");
    assert_eq!(rig.get("/", "").await.text(), "hello");
}

#[tokio::test]
async fn a_length_beside_chunks_is_refused_in_either_order() {
    let body = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for pair in ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\ncontent-length: 5"] {
        refused(&format!("POST /echo HTTP/1.1\r\nHost: a\r\n{pair}\r\n\r\n{body}")).await;
    }
}

#[tokio::test]
async fn two_lengths_are_refused_equal_or_not() {
    for pair in ["Content-Length: 3\r\nContent-Length: 4", "Content-Length: 3\r\nContent-Length: 3"] {
        refused(&format!("POST /echo HTTP/1.1\r\nHost: a\r\n{pair}\r\n\r\nabcd")).await;
    }
}

#[tokio::test]
async fn odd_lengths_and_encodings_are_refused() {
    for field in [
        "Content-Length: +3",
        "Content-Length: 3, 3",
        "Content-Length: 0x3",
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        "Content-Length : 3",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
    ] {
        refused(&format!("POST /echo HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\nabc")).await;
    }
}

#[tokio::test]
async fn control_characters_in_the_head_are_refused() {
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b",
        "GET / HTTP/1.1\r\nHost: a\r\nX\r: b",
        "GET / HTTP/1.1\r\nHost: a\r\n folded: b",
        "GET /a\tb HTTP/1.1\r\nHost: a",
        "GET /\x01 HTTP/1.1\r\nHost: a",
        "GET / HTTP/9.9\r\nHost: a",
    ] {
        refused(&format!("{head}\r\n\r\n")).await;
    }
}

#[tokio::test]
async fn one_well_formed_host_is_needed() {
    let rig = Rig::start(|_| {});
    for host in ["", "Host: a\r\nHost: b\r\n", "Host: a/b\r\n", "Host: u@h\r\n"] {
        rig.ask(format!("GET / HTTP/1.1\r\n{host}\r\n")).await.is_problem(400, "bad_request");
    }
    assert_eq!(rig.ask("GET / HTTP/1.0\r\n\r\n").await.status(), 200);
}

#[tokio::test]
async fn an_expectation_that_is_not_known_is_417_and_no_body_is_asked_for() {
    for field in ["200-ok", "100-continue, x", "100-continuex", "100-continue\r\nExpect: x"] {
        let rig = Rig::start(|_| {});
        let mut client = rig.connect().await;
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: {field}\r\n\r\n")).await;
        client.reply().await.is_problem(417, "expectation_failed");
        assert!(client.closed().await, "{field:?}: what follows would be a body or not");
    }
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n").await;
    assert_eq!(client.reply().await.status(), 100);
    client.send("abc").await;
    assert_eq!(client.reply().await.text(), "3");
}

#[tokio::test]
async fn one_chunked_body_after_the_other_is_served() {
    let rig = Rig::start(|_| {});
    let chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let mut client = rig.connect().await;
    client.send(chunked).await;
    let first = client.reply().await;
    assert_eq!((first.text().as_str(), first.header("connection")), ("3", None));
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab").await;
    assert_eq!(client.reply().await.text(), "2");
    client.send(chunked).await;
    let doubtful = client.reply().await;
    assert_eq!((doubtful.text().as_str(), doubtful.header("connection")), ("3", Some("close")));
    assert!(client.closed().await);
}

#[tokio::test]
async fn requests_in_one_write_are_answered_in_order() {
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    client.send("GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /items/2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.reply().await.text(), "1");
    assert_eq!(client.reply().await.text(), "2");
}
