//! Through a remote repository whose upstream is another vendor's server.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use acceptance::environment::rounds;
use acceptance::http::Http;
use acceptance::ports::Port;
use acceptance::server::Backing;
use acceptance::{Result, Trouble, nursery};
use rustix::process::Signal;
use serde_json::json;

use super::cargo::Cargo;
use super::go::Go;
use super::goods::Offer;
use super::maven::Maven;
use super::mirror::Mirror;
use super::node::{BERRY, BUN, NPM, PNPM, YARN_1};
use super::python::{PIP, POETRY, UV};
use super::vendors::{ADA, begin, login, maven_proxy};
use super::{Chooser as _, Client, follow};
use crate::desk::{Deed, Desk};

/// How long such a server may take to begin: they are large, and machines slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server that runs; ends with it.
pub(crate) struct Stranger {
    child: Child,
    _port: Option<Port>,
}

impl Stranger {
    /// Starts it, and waits until it listens at its port.
    pub(crate) fn begin(deed: Deed, port: Port) -> Result<Stranger> {
        let address = port.address();
        let stranger = Stranger { child: deed.begins()?, _port: Some(port) };
        nursery::until(PATIENCE, "another vendor's server", || Ok(TcpStream::connect(address).is_ok()))?;
        Ok(stranger)
    }

    /// Starts one that listens at a socket of the file system.
    pub(crate) fn begin_at_socket(deed: Deed, path: &Path) -> Result<Stranger> {
        let stranger = Stranger { child: deed.begins()?, _port: None };
        nursery::until(PATIENCE, "another vendor's server", || Ok(UnixStream::connect(path).is_ok()))?;
        Ok(stranger)
    }

    pub(crate) fn stop(&mut self) -> Result<()> {
        nursery::signal(&self.child, Signal::KILL)?;
        nursery::wait(&mut self.child, PATIENCE, "another vendor's server").map(drop)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

#[tokio::test]
async fn npm_of_verdaccio() -> Result<()> {
    through_a_stranger(&NPM).await
}

#[tokio::test]
async fn pip_of_devpi() -> Result<()> {
    through_a_stranger(&PIP).await
}

#[tokio::test]
async fn cargo_of_ferro() -> Result<()> {
    through_a_stranger(&Cargo).await
}

#[tokio::test]
async fn maven_of_maven_proxy() -> Result<()> {
    through_a_stranger(&Maven).await
}

/// Of what it does not have, maven-proxy makes up an index that lists nothing and is another group's.
#[tokio::test]
async fn an_index_that_is_made_up_hides_nothing() -> Result<()> {
    let (desk, mirror) = (Desk::bare(Backing::Embedded, "maven").await?, Mirror::begin()?);
    let (_stranger, place) = maven_proxy(&desk)?;
    let url = format!("http://{place}/maven2");
    Maven.offer(&desk, &mirror, "tooling", &[Offer { version: "1.0", when: "40 days ago" }])?;
    desk.make("theirs", json!({"repoType": "remote", "upstreamUrl": url, "upstreamAuth": login()})).await?;
    desk.make("up", json!({"repoType": "remote", "upstreamUrl": mirror.url()})).await?;
    desk.make("maven", json!({"repoType": "virtual", "memberRepos": ["theirs", "up"]})).await?;
    let get = |name: &str| desk.admin.get(&format!("/repository/maven/com/example/{name}/maven-metadata.xml")).send();
    let index = get("tooling").await?.expect(&[200])?;
    assert!(index.text().contains("<version>1.0</version>"), "{}", index.text());
    get("nothing").await?.expect(&[404])?;
    let made_up = Http::new(place).get("/maven2/com/example/nothing/maven-metadata.xml");
    let made_up = made_up.basic(ADA[0], ADA[1]).send().await?.expect(&[200])?;
    assert!(made_up.text().contains("<groupId>example</groupId>"), "{}", made_up.text());
    Ok(())
}

#[tokio::test]
async fn go_of_txtar_goproxy() -> Result<()> {
    through_a_stranger(&Go).await
}

const OTHERS: [&dyn Client; 6] = [&UV, &PNPM, &YARN_1, &BERRY, &BUN, &POETRY];

/// One of the others; all of them where there are many rounds.
#[tokio::test]
async fn every_client_of_another_vendor() -> Result<()> {
    for (number, client) in OTHERS.into_iter().enumerate().take(rounds(1)? as usize) {
        let done = through_a_stranger(client).await;
        done.map_err(|trouble| Trouble::new(format!("number {number}: {trouble:?}")))?;
    }
    Ok(())
}

async fn through_a_stranger(client: &dyn Client) -> Result<()> {
    let desk = Desk::bare(Backing::Embedded, client.format()).await?;
    let (source, fields) = begin(client, &desk).await?;
    desk.make(desk.key, fields).await?;
    follow(client, &desk, source).await
}
