//! Ending in good order.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::rig::Rig;

#[tokio::test]
async fn what_is_in_flight_finishes_and_nothing_new_begins() {
    let mut rig = Rig::start(|_| {});
    let mut idle = rig.connect().await;
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(idle.reply().await.status(), 200);
    let mut busy = rig.connect().await;
    busy.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.stop();
    assert!(idle.closed().await, "an idle connection closes");
    assert!(TcpStream::connect(rig.addr).await.is_err(), "a new connection is refused");
    let reply = busy.reply().await;
    assert_eq!((reply.text().as_str(), reply.header("connection")), ("at last", Some("close")));
    rig.ended().await;
}

#[tokio::test]
async fn the_drain_time_is_kept() {
    let mut rig = Rig::start(|config| config.timeouts.drain = Duration::from_millis(200));
    let mut stuck = rig.connect().await;
    stuck.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    rig.stop();
    rig.ended().await;
    assert!(start.elapsed() >= Duration::from_millis(190) && start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_http2_connection_drains_too() {
    let mut rig = Rig::start(|_| {});
    let mut sender = super::protocols::http2(&rig).await;
    let request = http::Request::get("http://a.example/later").body(String::new()).unwrap();
    let asked = tokio::spawn(async move { super::protocols::fetch(&mut sender, request).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.stop();
    assert_eq!(asked.await.unwrap().2, "at last");
    rig.ended().await;
}
