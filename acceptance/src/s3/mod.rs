//! A private S3 server over a folder, with real signature checks, in a process of its own that can be killed.

pub mod serve;

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::{Result, Trouble, nursery, ports::Port, scratch};

const PATIENCE: Duration = Duration::from_secs(10);

/// How to reach an S3 server, and the folder that it keeps its buckets in.
#[derive(Clone, Debug)]
pub struct S3 {
    /// `http://127.0.0.1:…`
    pub endpoint: String,
    /// The only access key that it knows.
    pub access_key: String,
    /// The secret of that key.
    pub secret_key: String,
    /// Where the bytes lie: `<root>/<bucket>/<key>`, so that a test can look at them and damage them.
    pub root: PathBuf,
}

impl S3 {
    /// The region that requests are signed for.
    pub const REGION: &'static str = "us-east-1";

    /// Makes an empty bucket whose name starts with `prefix` and returns its name. Works while the server is down, too.
    pub fn bucket(&self, prefix: &str) -> Result<String> {
        let folder = tempfile::Builder::new().prefix(&format!("{prefix}-")).rand_bytes(8).tempdir_in(&self.root)?;
        // Bucket names are lower case; the random end need not be.
        let name = folder.path().file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        fs::create_dir_all(self.root.join(&name))?;
        if self.root.join(&name) == folder.path() {
            let _ = folder.keep();
        }
        Ok(name)
    }

    /// The standard variables with which a client finds this server.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", self.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key.clone()),
            ("AWS_REGION", Self::REGION.to_string()),
            ("AWS_DEFAULT_REGION", Self::REGION.to_string()),
            ("AWS_ALLOW_HTTP", "true".to_string()),
        ]
    }
}

/// A running S3 server. Dropping it ends the process and removes the folder.
pub struct Service {
    s3: S3,
    port: Port,
    child: Option<Child>,
}

impl Service {
    /// Starts a server over a new folder; a few milliseconds.
    pub fn start() -> Result<Service> {
        let port = Port::claim()?;
        let s3 = S3 {
            endpoint: format!("http://{}", port.address()),
            access_key: "acceptance".to_string(),
            secret_key: crate::random::text()?,
            root: scratch::folder("s3")?,
        };
        let mut service = Service { s3, port, child: None };
        service.resume()?;
        Ok(service)
    }

    /// How to reach it.
    pub fn s3(&self) -> &S3 {
        &self.s3
    }

    /// Starts a killed server on the same folder and the same port; returns when it accepts connections.
    pub fn resume(&mut self) -> Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let mut command = nursery::guarded(&program()?, "KILL");
        command.arg("s3").arg(self.port.address().to_string()).arg(&self.s3.root);
        command.env("ARTIFORTRESS_TEST_S3_ACCESS_KEY", &self.s3.access_key);
        command.env("ARTIFORTRESS_TEST_S3_SECRET_KEY", &self.s3.secret_key);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = nursery::spawn(command)?;
        let address = self.port.address();
        let answers = nursery::until(PATIENCE, "the S3 server to answer", || match child.try_wait()? {
            Some(end) => Err(Trouble::new(format!("the S3 server ended at once ({end})"))),
            None => Ok(TcpStream::connect(address).is_ok()),
        });
        self.child = Some(child);
        answers
    }

    /// Kills the server; its folder stays.
    pub fn kill9(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        nursery::signal(&child, Signal::KILL)?;
        nursery::wait(&mut child, PATIENCE, "the S3 server").map(|_| ())
    }

    /// Stops the process without ending it: connections are accepted by the kernel and never answered.
    pub fn freeze(&self) -> Result<()> {
        self.child.as_ref().map_or(Ok(()), |child| nursery::signal(child, Signal::STOP))
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) -> Result<()> {
        self.child.as_ref().map_or(Ok(()), |child| nursery::signal(child, Signal::CONT))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.kill9();
        let _ = fs::remove_dir_all(&self.s3.root);
    }
}

/// The program `backing`, which lies beside the test programs, or is this one.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder: &Path| folder.join("backing"))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Trouble::new("the program `backing` is not built: run `cargo build -p acceptance`"))
}
