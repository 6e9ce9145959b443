//! More than is allowed, of everything.

use super::rig::Rig;

#[tokio::test]
async fn large_header_fields_are_431() {
    let rig = Rig::start(|config| config.limits.header_bytes = 4 << 10);
    for size in [5 << 10, 40 << 10, 400 << 10] {
        let mut client = rig.connect().await;
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(size))).await;
        client.reply().await.is_problem(431, "headers_too_large");
        assert!(client.closed().await);
    }
    assert_eq!(rig.get("/", "").await.status(), 200);
}

#[tokio::test]
async fn many_header_fields_are_431() {
    let rig = Rig::start(|config| config.limits.headers = 20);
    rig.get("/", &"X: y\r\n".repeat(30)).await.is_problem(431, "headers_too_large");
    assert_eq!(rig.get("/", &"X: y\r\n".repeat(10)).await.status(), 200);
}

#[tokio::test]
async fn a_long_target_is_414() {
    let rig = Rig::start(|config| config.limits.uri_bytes = 1000);
    for size in [1001, 9_000, 70_000] {
        rig.get(&format!("/{}", "a".repeat(size)), "").await.is_problem(414, "uri_too_long");
    }
    rig.get(&format!("/{}", "a".repeat(900)), "").await.is_problem(404, "not_found");
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n").await;
    client.stream.readable().await.unwrap();
    for _ in 0..64 {
        client.send(vec![b'x'; 64 << 10]).await;
    }
    client.reply().await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn strict_bodies_and_queries_refuse_in_shape() {
    let rig = Rig::start(|_| {});
    let post = |kind: &str, body: &str| {
        let length = body.len();
        format!("POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    assert_eq!(rig.ask(post("application/json", r#"{"name":"ann"}"#)).await.text(), "ann");
    rig.ask(post("text/plain", "{}")).await.is_problem(415, "unsupported_media_type");
    rig.ask(post("application/json", r#"{"name":"a","name":"b"}"#)).await.is_problem(400, "bad_request");
    rig.ask(post("application/json", r#"{"nam":"a"}"#)).await.is_problem(400, "bad_request");
    let large = format!(r#"{{"name":"{}"}}"#, "a".repeat(2 << 20));
    rig.ask(post("application/json", &large)).await.is_problem(413, "payload_too_large");
    assert_eq!(rig.get("/page?limit=7", "").await.text(), "7");
    rig.get("/page?limt=7", "").await.is_problem(400, "bad_request");
    rig.get("/page?limit=7&limit=7", "").await.is_problem(400, "bad_request");
    rig.get("/items/x", "").await.is_problem(400, "bad_request");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let rig = Rig::start(|config| config.limits.connections = 1);
    let mut first = rig.connect().await;
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(first.reply().await.status(), 200);
    let mut second = rig.connect().await;
    second.send("GET /items/2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    first.send("GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(first.reply().await.text(), "1");
    drop(first);
    assert_eq!(second.reply().await.text(), "2");
}
