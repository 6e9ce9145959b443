//! A private PostgreSQL cluster: made, started, stopped, killed and removed by the tests.

mod database;
mod lock;

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

pub use database::{Admin, Database};
pub use lock::Lock;

use crate::{Result, Trouble, environment, nursery, ports::Port, scratch};

const BIN: &[&str] = &["/usr/lib/postgresql/15/bin"];
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// No fsync: quick, for everything but fault tests.
    Off,
    /// As in production.
    On,
}

/// One PostgreSQL server with its data folder. Dropping it ends the server and removes the folder.
pub struct Cluster {
    folder: PathBuf,
    port: Port,
    password: String,
    durability: Durability,
    who: Option<(u32, u32)>,
    child: Option<Child>,
}

impl Cluster {
    /// Makes a cluster and starts it; about a second. Fails when PostgreSQL 15's server programs are not installed.
    pub fn start(durability: Durability) -> Result<Cluster> {
        let folder = scratch::folder("postgres")?;
        let who = unprivileged()?;
        if let Some((user, group)) = who {
            chown(&folder, Some(user), Some(group))?;
        }
        let password = crate::random::text()?;
        let mut cluster = Cluster { folder, port: Port::claim()?, password, durability, who, child: None };
        cluster.init()?;
        cluster.resume()?;
        Ok(cluster)
    }

    /// The address for an administrator, password included: `postgres://postgres:…@127.0.0.1:…/postgres`.
    pub fn admin(&self) -> Admin {
        Admin::new(format!("postgres://postgres:{}@{}/postgres", self.password, self.port.address()))
    }

    /// Starts a stopped or killed server on the same data and the same port; returns when it answers.
    pub fn resume(&mut self) -> Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let mut command = nursery::guarded_as(&environment::program("postgres", BIN)?, "QUIT", self.who);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        command.arg("-D").arg(self.data()).args(self.settings()).env_clear().env("LC_ALL", "C.UTF-8");
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = nursery::spawn(command)?;
        let ready = environment::program("pg_isready", BIN)?;
        let answers = nursery::until(PATIENCE, "PostgreSQL to answer", || {
            if let Some(end) = child.try_wait()? {
                return Err(Trouble::new(format!("PostgreSQL ended at once ({end}): {}", tail(&self.log()))));
            }
            let mut probe = Command::new(&ready);
            probe.args(["-q", "-h", "127.0.0.1", "-p"]).arg(self.port.number().to_string());
            Ok(probe.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
        });
        self.child = Some(child);
        answers
    }

    /// Ends the server in order, closing connections (`pg_ctl stop -m fast`); returns when it has ended.
    pub fn stop(&mut self) -> Result<()> {
        self.end(Signal::INT)
    }

    /// Ends the server without a checkpoint (`-m immediate`): the next start recovers from its log.
    pub fn stop_at_once(&mut self) -> Result<()> {
        self.end(Signal::QUIT)
    }

    /// Kills the server and all its sessions with SIGKILL.
    pub fn kill9(&mut self) -> Result<()> {
        let Some(child) = &self.child else { return Ok(()) };
        let sessions = nursery::children(child.id());
        nursery::signal(child, Signal::KILL)?;
        for session in sessions {
            nursery::signal_pid(session, Signal::KILL)?;
        }
        self.end(Signal::KILL)
    }

    /// The process id of the server; `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        nursery::signal(&child, signal)?;
        nursery::wait(&mut child, PATIENCE, "PostgreSQL").map(|_| ())
    }

    fn init(&self) -> Result<()> {
        let secret = self.folder.join("password");
        fs::write(&secret, &self.password)?;
        if let Some((user, group)) = self.who {
            chown(&secret, Some(user), Some(group))?;
        }
        let mut command = nursery::guarded_as(&environment::program("initdb", BIN)?, "KILL", self.who);
        command.args(["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--auth=password"]);
        command.arg(format!("--pwfile={}", secret.display())).arg("-D").arg(self.data()).current_dir(&self.folder);
        let done = command.output()?;
        match done.status.success() {
            true => Ok(fs::remove_file(secret)?),
            false => Err(Trouble::new(format!("initdb: {}", String::from_utf8_lossy(&done.stderr)))),
        }
    }

    fn settings(&self) -> Vec<String> {
        let durable = if self.durability == Durability::On { "on" } else { "off" };
        let port = self.port.number();
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_string(),
            format!("port={port}"),
            format!("unix_socket_directories={}", self.folder.display()),
            "max_connections=400".to_string(),
            "shared_buffers=64MB".to_string(),
            format!("fsync={durable}"),
            format!("synchronous_commit={durable}"),
            format!("full_page_writes={durable}"),
            "log_min_messages=warning".to_string(),
            "timezone=UTC".to_string(),
        ];
        settings.iter_mut().for_each(|setting| setting.insert_str(0, "--"));
        settings
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.stop_at_once();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whom PostgreSQL runs as: ourselves, or, since it refuses root, the user `postgres` or else `nobody`.
fn unprivileged() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| users.lines().find_map(|line| ids(line, name)))
        .map(Some)
        .ok_or_else(|| Trouble::new("PostgreSQL refuses root, and there is neither a user `postgres` nor `nobody`"))
}

fn ids(line: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    (fields.next()? == name).then_some(())?;
    Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
