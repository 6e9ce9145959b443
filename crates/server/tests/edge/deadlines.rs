//! Clients that are slow on purpose.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use server::edge::{Connection, Piece};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::rig::{PATIENCE, Rig};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn slow_header_fields_are_cut_with_408() {
    let rig = Rig::start(|config| config.timeouts.header = SHORT);
    for part in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: "] {
        let mut client = rig.connect().await;
        let start = Instant::now();
        client.send(part).await;
        client.reply().await.is_problem(408, "request_timeout");
        assert!(client.closed().await);
        assert!(start.elapsed() >= SHORT);
    }
}

#[tokio::test]
async fn drip_feeding_does_not_extend_the_time() {
    let rig = Rig::start(|config| config.timeouts.header = SHORT);
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    let (mut reads, mut writes) = tokio::io::split(client.stream);
    let drip = tokio::spawn(async move {
        while tokio::io::AsyncWriteExt::write_all(&mut writes, b"X: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut said = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut reads, &mut said);
    let _ = timeout(PATIENCE, read).await.expect("the connection is cut");
    assert!(said.starts_with(b"HTTP/1.1 408"));
    drop(reads);
    timeout(PATIENCE, drip).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_silent_connection_is_closed_without_a_word() {
    let rig = Rig::start(|config| config.timeouts.header = SHORT);
    assert!(rig.connect().await.closed().await);
}

#[tokio::test]
async fn an_idle_kept_connection_is_closed_and_a_used_one_is_not() {
    let rig = Rig::start(|config| config.timeouts.idle = SHORT);
    let mut client = rig.connect().await;
    for _ in 0..4 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.reply().await.status(), 200);
        tokio::time::sleep(SHORT / 4).await;
    }
    let start = Instant::now();
    assert!(client.closed().await);
    assert!(start.elapsed() >= SHORT / 2 && start.elapsed() < SHORT * 20);
}

#[tokio::test]
async fn a_second_head_has_the_head_time_not_the_idle_time() {
    let rig = Rig::start(|config| config.timeouts.header = SHORT);
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.reply().await.status(), 200);
    client.send("GET / HT").await;
    client.reply().await.is_problem(408, "request_timeout");
}

#[tokio::test]
async fn a_body_that_stops_is_408_and_closes() {
    let rig = Rig::start(|config| config.timeouts.body_idle = SHORT);
    for head in ["Content-Length: 100\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let mut client = rig.connect().await;
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{head}")).await;
        let reply = client.reply().await;
        reply.is_problem(408, "request_timeout");
        assert_eq!(reply.header("connection"), Some("close"));
        assert!(client.closed().await);
    }
}

#[tokio::test]
async fn a_body_that_keeps_coming_may_take_longer() {
    let rig = Rig::start(|config| config.timeouts.body_idle = SHORT);
    let mut client = rig.connect().await;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n").await;
    for _ in 0..6 {
        tokio::time::sleep(SHORT / 3).await;
        client.send("x").await;
    }
    assert_eq!(client.reply().await.text(), "6");
}

#[tokio::test]
async fn a_truncated_body_is_not_taken_for_whole() {
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc").await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
    client.reply().await.is_problem(400, "bad_request");
}

/// Says when the body it lives in is dropped.
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn endless(rung: Arc<Notify>) -> Router {
    let body = move || {
        let bell = Bell(rung.clone());
        let block = Bytes::from(vec![0; 64 << 10]);
        Body::from_stream(stream::repeat_with(move || {
            let _alive = &bell;
            Ok::<_, Infallible>(block.clone())
        }))
    };
    Router::new().route("/endless", get(move || async move { body() }))
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut() {
    let rung = Arc::new(Notify::new());
    let rig = Rig::serving(endless(rung.clone()), |config| config.timeouts.write_stall = SHORT);
    let mut client = rig.connect().await;
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await;
    timeout(PATIENCE, rung.notified()).await.expect("the body is dropped");
}

/// Somebody else waits for it, whatever it is.
#[derive(Debug)]
struct Wanted;

impl Piece for Wanted {
    fn is_wanted(&self) -> bool {
        true
    }
}

/// [`endless`], with something that others wait for.
fn in_the_way(rung: Arc<Notify>) -> Router {
    let held = Arc::new(Wanted);
    endless(rung).layer(axum::middleware::from_fn(
        move |request: axum::extract::Request, next: axum::middleware::Next| {
            let connection = request.extensions().get::<Arc<Connection>>().unwrap();
            connection.holds(&held);
            next.run(request)
        },
    ))
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_sooner_where_others_wait() {
    let rung = Arc::new(Notify::new());
    let rig = Rig::serving(in_the_way(rung.clone()), |config| config.timeouts.crowded_stall = SHORT);
    let mut client = rig.connect().await;
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await;
    timeout(PATIENCE, rung.notified()).await.expect("the body is dropped");
    let mut sender = super::protocols::http2(&rig).await;
    let request = http::Request::get("http://a.example/endless").body(String::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    timeout(PATIENCE, rung.notified()).await.expect("the body is dropped");
    drop(response);
}

#[tokio::test]
async fn an_http2_reader_that_opens_no_window_is_cut() {
    let rung = Arc::new(Notify::new());
    let rig = Rig::serving(endless(rung.clone()), |config| config.timeouts.write_stall = SHORT);
    let mut sender = super::protocols::http2(&rig).await;
    let request = http::Request::get("http://a.example/endless").body(String::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    timeout(PATIENCE, rung.notified()).await.expect("the body is dropped");
    drop(response);
}
