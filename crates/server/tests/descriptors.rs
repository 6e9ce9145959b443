//! Out of file descriptors: the accept loop waits and comes back. A process of its own, for its limit.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use model::Ambient;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::edge::{Edge, EdgeConfig, Listener, layers};
use server::ops::{BuildInfo, Metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

#[tokio::test]
async fn the_accept_loop_survives_running_out_of_descriptors() {
    let config = EdgeConfig { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..EdgeConfig::default() };
    let ambient = Ambient::system();
    let metrics = Metrics::new(&ambient, &BuildInfo { version: "0", commit: "test" });
    let edge = Edge::new(config, ambient, metrics);
    let app = layers(&edge, Router::new().route("/", get(|| async { "hello" })));
    let listener = Listener::bind(edge).unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(listener.serve(app, std::future::pending()));

    let client = TcpSocket::new_v4().unwrap();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: limit.maximum }).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    let mut client = client.connect(addr).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let early = timeout(Duration::from_millis(200), client.read_to_end(&mut said)).await;
    assert!(early.is_err() && said.is_empty(), "nobody could have accepted this");
    drop(hoard);
    timeout(Duration::from_secs(20), client.read_to_end(&mut said)).await.unwrap().unwrap();
    assert!(said.starts_with(b"HTTP/1.1 200"));
}
