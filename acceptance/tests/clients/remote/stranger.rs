//! Through a remote repository whose upstream is another vendor's server.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use acceptance::environment::rounds;
use acceptance::http::Http;
use acceptance::ports::Port;
use acceptance::server::Backing;
use acceptance::{Result, Trouble, nursery};
use rustix::process::Signal;
use serde_json::{Value as Json, json};

use super::node::{BERRY, BUN, NPM, PNPM, YARN_1, sources};
use super::python::{PIP, POETRY, UV, wheels};
use super::{Client, Source, follow};
use crate::desk::{Deed, Desk};
use crate::node::{self, CLIENTS};
use crate::pypi::python;

/// How long such a server may take to begin: they are large, and machines slow.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where `kit/install-tools` puts devpi.
const DEVPI: &str = "/opt/clients/devpi/bin";
/// Who may do everything in a registry of images, and the password; as its file of passwords has it.
pub(crate) const ADA: [&str; 2] = ["ada", "correct horse"];
const PASSWORDS: &str = "ada:$2b$04$60IQGzu2JKKrwguet3eRwOcgWDiYkA/1G4mdbjGY6EuWO.5iiNSD6\n";

/// A server that runs; ends with it.
pub(crate) struct Stranger {
    child: Child,
    _port: Port,
}

impl Stranger {
    fn begin(deed: Deed, port: Port) -> Result<Stranger> {
        let stranger = Stranger { child: deed.begins()?, _port: port };
        let address = stranger._port.address();
        nursery::until(PATIENCE, "another vendor's server", || Ok(TcpStream::connect(address).is_ok()))?;
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

/// Another vendor's server of a client's format with what the client installs, and what reads from it. The desk lends
/// its tools.
pub(super) async fn begin(client: &dyn Client, desk: &Desk) -> Result<(Source, Json)> {
    let (stranger, url) = match client.format() {
        "npm" => verdaccio(desk).await?,
        "pypi" => devpi(desk).await?,
        format => return Err(Trouble::new(format!("nobody else serves {format} here"))),
    };
    Ok((Source::Stranger(stranger), json!({"repoType": "remote", "upstreamUrl": url})))
}

async fn verdaccio(desk: &Desk) -> Result<(Stranger, String)> {
    let port = Port::claim()?;
    let (http, place) = (Http::new(port.address()), port.address());
    let config = "storage: ./storage\nauth: {htpasswd: {file: ./htpasswd}}\nuplinks: {}\npackages:\n  \
                  '**': {access: $all, publish: $authenticated}\nlog: {type: stdout, level: fatal}\n";
    let config = desk.write("verdaccio/config.yaml", config)?.display().to_string();
    let program = Path::new(CLIENTS).join("verdaccio/node_modules/.bin/verdaccio");
    let deed = desk.command(program)?.args(["-c", config.as_str(), "-l", &place.to_string()]);
    let stranger = Stranger::begin(deed.at(desk.home.join("verdaccio")), port)?;

    let user = json!({"name": "ada", "password": "correct horse"});
    let made = http.request("PUT", "/-/user/org.couchdb.user:ada").json(&user).send().await?;
    let token = made.expect(&[201])?.string("/token")?;
    desk.write("theirs/.npmrc", format!("registry=http://{place}/\n//{place}/:_authToken=${{NPM_TOKEN}}\n"))?;
    for (folder, _, _) in sources(desk)? {
        let publish = node::client(desk, "theirs", &token, "npm")?.args(["publish"]);
        publish.at(desk.home.join(folder)).works()?;
    }
    Ok((stranger, format!("http://{place}")))
}

async fn devpi(desk: &Desk) -> Result<(Stranger, String)> {
    let port = Port::claim()?;
    let (http, place) = (Http::new(port.address()), port.address());
    let data = desk.home.join("devpi").display().to_string();
    let own = |program: &str| -> Result<Deed> {
        Ok(desk.command(Path::new(DEVPI).join(program))?.args(["--serverdir", data.as_str()]))
    };
    own("devpi-init")?.args(["--no-root-pypi", "--root-passwd", "another secret"]).works()?;
    let stranger = Stranger::begin(own("devpi-server")?.args(["--port", &place.port().to_string()]), port)?;

    http.put("/ada").json(&json!({"password": "secret"})).send().await?.expect(&[201])?;
    let ada = json!({"user": "ada", "password": "secret"});
    let login = http.post("/+login").json(&ada).send().await?.expect(&[200])?;
    let session = login.string("/result/password")?;
    let index = http.put("/ada/dev").json(&json!({"type": "stage", "bases": []}));
    index.basic("ada", &session).send().await?.expect(&[200])?;
    let theirs = format!(
        "[distutils]\nindex-servers = theirs\n\n[theirs]\nrepository = http://{place}/ada/dev/\nusername = ada\npassword = secret\n"
    );
    desk.write("theirs/.pypirc", theirs)?;
    for wheel in wheels(desk)? {
        let twine = python::client(desk, "theirs", "twine")?;
        twine.args(["upload", "--non-interactive", "--disable-progress-bar", "-r", "theirs", &wheel]).works()?;
    }
    fs::remove_dir_all(desk.home.join("dist"))?;
    Ok((stranger, format!("http://{place}/ada/dev/+simple")))
}

/// An empty registry of images that lets in nobody without a password: it, and its address.
pub(crate) fn docker_registry(desk: &Desk) -> Result<(Stranger, String)> {
    let port = Port::claim()?;
    let place = port.address().to_string();
    let (home, passwords) = (desk.home.join("registry"), desk.write("registry/passwords", PASSWORDS)?);
    let config = json!({"version": "0.1", "log": {"level": "error"}, "http": {"addr": place},
        "storage": {"filesystem": {"rootdirectory": home.join("storage")}},
        "auth": {"htpasswd": {"realm": "theirs", "path": passwords}}});
    let config = desk.write("registry/config.yml", config.to_string())?.display().to_string();
    let deed = desk.command("docker-registry")?.args(["serve", config.as_str()]);
    Ok((Stranger::begin(deed.at(home), port)?, place))
}
