//! What the edge costs: a trivial route served `axum` (its own loop), `bare` (our listener, no layers),
//! `edge` (with layers) or `log` (with layers and the access log as JSON to nowhere).
//!
//! `cargo run --release -p server --example cost -- edge 8080`, then drive it and read the process's CPU time.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::routing::get;
use model::Ambient;
use server::edge::{Edge, EdgeConfig, Listener, layers};
use server::ops::{BuildInfo, Metrics};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or_default();
    let port = args.next().and_then(|port| port.parse().ok()).unwrap_or(8080);
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let body = "x".repeat(1024);
    let app = Router::new().route("/", get(move || async move { body.clone() }));
    if mode == "axum" {
        return axum::serve(tokio::net::TcpListener::bind(listen).await?, app).await;
    }
    if mode == "log" {
        tracing_subscriber::fmt().json().with_writer(std::io::sink).init();
    }
    let ambient = Ambient::system();
    let metrics = Metrics::new(&ambient, &BuildInfo { version: "0", commit: "none" });
    let edge = Edge::new(EdgeConfig { listen, ..EdgeConfig::default() }, ambient, metrics);
    let app = if mode == "bare" { app.into() } else { layers(&edge, app) };
    Listener::bind(edge)?.serve(app, std::future::pending()).await;
    Ok(())
}
