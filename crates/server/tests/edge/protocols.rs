//! HTTP/1.1 and HTTP/2 on one port.

use std::time::{Duration, Instant};

use http::Request;
use http_body_util::BodyExt;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::rig::Rig;

/// An HTTP/2 client with prior knowledge.
pub(crate) async fn http2(rig: &Rig) -> SendRequest<String> {
    let stream = TcpStream::connect(rig.addr).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Sends one request; gives status, content type and body.
pub(crate) async fn fetch(sender: &mut SendRequest<String>, request: Request<String>) -> (u16, String, String) {
    let response = sender.send_request(request).await.unwrap();
    let kind = response.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let status = response.status().as_u16();
    let (mut body, mut bytes) = (response.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    (status, kind, String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn http2_with_prior_knowledge_serves_many_streams() {
    let rig = Rig::start(|_| {});
    let sender = http2(&rig).await;
    let asks = (0..50).map(|id| {
        let mut sender = sender.clone();
        async move {
            let request = Request::get(format!("http://a.example/items/{id}")).body(String::new()).unwrap();
            assert_eq!(fetch(&mut sender, request).await.2, id.to_string());
        }
    });
    futures_util::future::join_all(asks).await;
}

#[tokio::test]
async fn http2_problems_have_the_same_shape() {
    let rig = Rig::start(|config| {
        config.limits.uri_bytes = 100;
        config.limits.header_bytes = 4 << 10;
    });
    let mut sender = http2(&rig).await;
    let get = |path: String| Request::get(format!("http://a.example{path}")).body(String::new()).unwrap();
    let mut large = get("/".into());
    large.headers_mut().insert("x-large", "x".repeat(5000).parse().unwrap());
    for (request, status, code) in [
        (get("/nowhere".into()), 404, "not_found"),
        (get("/panic".into()), 500, "internal_error"),
        (get(format!("/{}", "a".repeat(200))), 414, "uri_too_long"),
        (large, 431, "headers_too_large"),
        (Request::post("http://a.example/").body(String::new()).unwrap(), 405, "method_not_allowed"),
    ] {
        let (found, kind, body) = fetch(&mut sender, request).await;
        assert_eq!((found, kind.as_str()), (status, "application/problem+json"));
        assert!(body.contains(code), "{body}");
    }
    assert_eq!(fetch(&mut sender, get("/".into())).await.2, "hello");
}

#[tokio::test]
async fn http2_base_url_comes_from_the_authority() {
    let rig = Rig::start(|_| {});
    let request = Request::get("http://b.example:81/who").body(String::new()).unwrap();
    assert_eq!(fetch(&mut http2(&rig).await, request).await.2, "127.0.0.1 http://b.example:81");
}

#[tokio::test]
async fn an_http2_request_has_one_host() {
    let rig = Rig::start(|_| {});
    let mut sender = http2(&rig).await;
    for (host, status) in [("b.example:81", 200), ("B.example:81", 200), ("c.example", 400), ("b.example", 400)] {
        let request = Request::get("http://b.example:81/who").header("host", host).body(String::new()).unwrap();
        assert_eq!(fetch(&mut sender, request).await.0, status, "{host}");
    }
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed() {
    let rig = Rig::start(|config| config.timeouts.idle = Duration::from_millis(200));
    let mut sender = http2(&rig).await;
    let request = Request::get("http://a.example/").body(String::new()).unwrap();
    fetch(&mut sender, request).await;
    let start = Instant::now();
    while !sender.is_closed() {
        assert!(start.elapsed() < super::rig::PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn small_streamed_answers_on_a_kept_connection_do_not_stall() {
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    let mut times = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.reply().await.status(), 200);
        times.push(start.elapsed());
    }
    times.sort();
    assert!(times[50] < Duration::from_millis(20), "p50 {:?}: delayed acknowledgements?", times[50]);
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let mut said = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut said).await.unwrap();
    let text = String::from_utf8(said).unwrap();
    assert!(text.contains("content-length: 5\r\n") && text.ends_with("\r\n\r\n"), "{text}");
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn rapidly_reset_streams_end_the_connection() {
    const GET_ROOT: &[u8] = b"\x82\x86\x84\x41\x01a";
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, b""));
    for stream in (1..=2001).step_by(2) {
        bytes.extend(frame(1, 5, stream, GET_ROOT));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    client.send(bytes).await;
    let mut said = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut said);
    let _ = tokio::time::timeout(super::rig::PATIENCE, read).await.expect("the connection ends");
    let enhance_your_calm = [0, 0, 0, 11];
    assert!(said.windows(4).any(|window| window == enhance_your_calm), "{said:?}");
    assert_eq!(rig.get("/", "").await.text(), "hello");
}
