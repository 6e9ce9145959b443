//! Upstreams against small servers that misbehave.

mod answers;
mod origins;
mod proxies;
mod tls;
mod trouble;
mod walls;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use model::{Ambient, Secret};

use super::resolver::Lookup;
use super::{Credentials, Failure, Found, Question, Reply, Upstream, UpstreamSettings, Walls};

/// Where the test's own servers may be; what is not there is behind the walls.
const OPEN: &str = "127.0.0.2";

fn settings(base: &str) -> UpstreamSettings {
    UpstreamSettings { walls: walls(&["127.0.0.0/8"]), ..UpstreamSettings::new(base) }
}

fn walls(private: &[&str]) -> Walls {
    Walls { private: private.iter().map(|text| text.parse().expect("a network")).collect() }
}

fn upstream(settings: UpstreamSettings) -> Upstream {
    Upstream::new(settings, Ambient::system()).expect("an upstream")
}

/// `canary` as name and password.
fn canary() -> Credentials {
    Credentials::Basic { user: "canary".to_owned(), password: Secret::new("canary".to_owned()) }
}

/// Each name has the addresses that `addresses` gives; without any it is not known.
fn names(addresses: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Lookup {
    Arc::new(move |name| {
        let found = addresses(&name);
        let unknown = || std::io::Error::other("unknown name");
        async move { if found.is_empty() { Err(unknown()) } else { Ok(found) } }.boxed()
    })
}

async fn found(upstream: &Upstream, target: &str) -> Found {
    match upstream.ask(Question::file(target, 1000)).await {
        Ok(Reply::Found(found)) => *found,
        other => panic!("{other:?}"),
    }
}

async fn fails(upstream: &Upstream, target: &str) -> Failure {
    upstream.ask(Question::file(target, 1000)).await.expect_err("a failure")
}

async fn read(upstream: &Upstream, question: Question<'_>) -> Result<Bytes, Failure> {
    match upstream.ask(question).await? {
        Reply::Found(found) => found.whole().await,
        other => panic!("{other:?}"),
    }
}
