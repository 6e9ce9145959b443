//! Other vendors' servers, each filled as its own documentation says.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use acceptance::http::Http;
use acceptance::ports::Port;
use acceptance::{Result, Trouble};
use serde_json::{Value as Json, json};

use super::cargo::{CRATES, publish, source};
use super::go::{MODULES, go_mod, text};
use super::node::sources;
use super::python::wheels;
use super::stranger::Stranger;
use super::{Client, Source};
use crate::desk::{Deed, Desk};
use crate::maven::{PLUGINS, build, mvn};
use crate::node::{self, CLIENTS};
use crate::pypi::python;

/// Where `kit/install-tools` puts them.
const DEVPI: &str = "/opt/clients/devpi/bin";
const FERRO: &str = "/opt/clients/cargo/bin/ferro-cargo-registry-server";
const MAVEN_PROXY: &str = "/opt/clients/maven-proxy/bin/python";
const TXTAR_GOPROXY: &str = "/opt/clients/bin/txtar-goproxy";
/// Who may do everything in a server that lets in nobody without a password, and the password.
pub(crate) const ADA: [&str; 2] = ["ada", "correct horse"];
/// The same as a registry's file of passwords has it.
const PASSWORDS: &str = "ada:$2b$04$60IQGzu2JKKrwguet3eRwOcgWDiYkA/1G4mdbjGY6EuWO.5iiNSD6\n";

/// Another vendor's server of a client's format with what the client installs, and what reads from it. The desk lends
/// its tools.
pub(super) async fn begin(client: &dyn Client, desk: &Desk) -> Result<(Source, Json)> {
    let (stranger, url) = match client.format() {
        "npm" => verdaccio(desk).await?,
        "pypi" => devpi(desk).await?,
        "cargo" => ferro(desk)?,
        "maven" => deployed(desk)?,
        "go" => txtar_goproxy(desk)?,
        format => return Err(Trouble::new(format!("nobody else serves {format} here"))),
    };
    let mut fields = json!({"repoType": "remote", "upstreamUrl": url});
    if client.format() == "maven" {
        fields["upstreamAuth"] = login();
    }
    Ok((Source::Stranger(stranger), fields))
}

/// How a remote repository says who it is where [`ADA`] may do everything.
pub(super) fn login() -> Json {
    json!({"kind": "basic", "user": ADA[0], "password": ADA[1]})
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

fn ferro(desk: &Desk) -> Result<(Stranger, String)> {
    let port = Port::claim()?;
    let (place, data) = (port.address().to_string(), desk.home.join("ferro"));
    let deed = desk.command(FERRO)?.env("FERRO_CARGO_REGISTRY_LISTEN", &place).env("FERRO_CARGO_REGISTRY_DATA", data);
    let stranger = Stranger::begin(deed, port)?;
    // The crates need each other from the registry that they are published to.
    desk.write("theirs/config.toml", format!("[registries.ours]\nindex = \"sparse+http://{place}/\"\n"))?;
    for (name, needs) in CRATES {
        source(desk, name, needs)?;
        publish(desk, "theirs", "any", name)?.works()?;
    }
    Ok((stranger, format!("http://{place}")))
}

fn deployed(desk: &Desk) -> Result<(Stranger, String)> {
    let (stranger, place) = maven_proxy(desk)?;
    let url = format!("http://{place}/maven2");
    let [user, password] = ADA;
    let mirror = format!("<mirror><id>plugins</id><mirrorOf>central</mirrorOf><url>file://{PLUGINS}</url></mirror>");
    let server = format!("<server><id>theirs</id><username>{user}</username><password>{password}</password></server>");
    let settings = format!("<settings><mirrors>{mirror}</mirrors><servers>{server}</servers></settings>");
    desk.write("settings.xml", settings)?;
    build(desk)?;
    let there = format!("-DaltDeploymentRepository=theirs::default::{url}");
    mvn(desk, "", "build")?.args(["deploy", &there]).at(desk.home.join("build")).works()?;
    Ok((stranger, url))
}

/// An empty one, which lets in nobody without a password. Its own command would listen at every address of the machine.
pub(super) fn maven_proxy(desk: &Desk) -> Result<(Stranger, SocketAddr)> {
    let port = Port::claim()?;
    let (place, [user, password]) = (port.address(), ADA);
    let program = "from maven_proxy.proxy import app\nfrom maven_proxy.config import app_config\n\
                   app.run(host='127.0.0.1', port=app_config.PORT, threaded=True)\n";
    let data = desk.home.join("maven-proxy");
    fs::create_dir(&data)?;
    let deed = desk.command(MAVEN_PROXY)?.args(["-c", program, "--port", &place.port().to_string()]);
    let deed = deed.args(["--local-repo-dir", &data.display().to_string(), "--remote-repos", "[]"]);
    let stranger = Stranger::begin(deed.args(["--auth-user", user, "--auth-password", password]), port)?;
    Ok((stranger, place))
}

/// It has a folder of modules: one folder each, whose name has path and version, with what is in the module.
fn txtar_goproxy(desk: &Desk) -> Result<(Stranger, String)> {
    for (folder, path, needs) in MODULES {
        let module = format!("theirs/{}_v1.0.0", path.replace('A', "!a").replace('/', "_"));
        desk.write(&format!("{module}/go.mod"), go_mod(path, needs))?;
        desk.write(&format!("{module}/name.go"), text(folder))?;
    }
    let port = Port::claim()?;
    let place = port.address().to_string();
    let deed = desk.command(TXTAR_GOPROXY)?.args(["-addr", &place, "theirs"]);
    Ok((Stranger::begin(deed, port)?, format!("http://{place}/mod")))
}
