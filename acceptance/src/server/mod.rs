//! Artifortress as its users meet it: started with flags and variables, spoken to over HTTP, killed without warning.

mod binary;
mod persona;
mod plan;
mod process;
mod time;
mod writes;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

pub use binary::binary;
pub use persona::Persona;
pub use plan::{Backing, Plan};
use process::Process;

use crate::http::{Answer, Http};
use crate::postgres::{Database, Lock};
use crate::{Result, Trouble};

/// How long a server may take until it is ready, and until it has drained.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running installation: one process, or API processes with a worker and a beat. Dropping it kills them all and prints
/// the end of their logs, which the test runner shows only when the test fails.
pub struct Server {
    folder: PathBuf,
    backing: Backing,
    database: Option<Database>,
    blobs: PathBuf,
    bootstrap: Option<String>,
    admin: Option<String>,
    processes: Vec<Process>,
}

impl Server {
    /// An installation on `backing`, ready and with an admin token in hand.
    pub async fn start(backing: Backing) -> Result<Server> {
        Server::plan(backing).start().await
    }

    /// A plan for one with settings of its own.
    pub fn plan(backing: Backing) -> Plan {
        Plan::new(backing)
    }

    /// What it keeps its data in.
    pub fn backing(&self) -> Backing {
        self.backing
    }

    /// The address of the first process that speaks HTTP.
    pub fn address(&self) -> Result<SocketAddr> {
        self.addresses().first().copied().ok_or_else(|| Trouble::new("no process listens"))
    }

    /// The addresses of all API processes.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.processes.iter().filter_map(Process::address).collect()
    }

    /// The operations address (metrics, health in detail) of the first process.
    pub fn operations(&self) -> Result<Http> {
        let first = self.processes.first().ok_or_else(|| Trouble::new("no process"))?;
        Ok(Http::new(first.operations()))
    }

    /// A client without credentials.
    pub fn http(&self) -> Result<Http> {
        self.address().map(Http::new)
    }

    /// The data folder of the first process.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where the bytes lie: the blob folder, or the bucket's folder of the S3 server.
    pub fn blobs(&self) -> &Path {
        &self.blobs
    }

    /// Runs `sql` past the program, as an attacker with the database's password would. The refusal is the trouble.
    pub fn sql(&self, sql: &str) -> Result<String> {
        match &self.database {
            Some(database) => database.sql(sql),
            None => sqlite(&self.data(), sql),
        }
    }

    /// Locks a table of PostgreSQL in this mode until the lock is dropped: whoever needs the table waits.
    pub fn lock(&self, table: &str, mode: &str) -> Result<Lock> {
        let database = self.database.as_ref().ok_or_else(|| Trouble::new("SQLite locks no tables"))?;
        database.lock(table, mode)
    }

    /// Who made the first token: tenant admin.
    pub fn admin(&self) -> Result<Persona> {
        let token = self.admin.clone().ok_or_else(|| Trouble::new("this server was started without an admin"))?;
        Ok(Persona::new("admin", token, self.http()?))
    }

    /// A new persona called `subject`, without any power until [`Newcomer::with`] gives her some.
    pub fn persona(&self, subject: &str) -> Result<Newcomer> {
        Ok(Newcomer { admin: self.admin()?, subject: subject.to_string(), scopes: Vec::new() })
    }

    /// Makes a local repository.
    pub async fn repository(&self, key: &str, format: &str) -> Result<Answer> {
        let body = json!({"repoKey": key, "format": format, "repoType": "local"});
        self.admin()?.post("/v1/repos").json(&body).send().await?.expect(&[200, 201])
    }

    /// Kills every process without warning.
    pub fn kill9(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(|process| process.end(Signal::KILL, PATIENCE))
    }

    /// Kills the processes whose command is `name` (`api`, `worker`, …) without warning; the others go on.
    pub fn kill9_each(&mut self, name: &str) -> Result<()> {
        let named = self.processes.iter_mut().filter(|process| process.command() == name);
        named.into_iter().try_for_each(|process| process.end(Signal::KILL, PATIENCE))
    }

    /// Asks every process to end and waits until it has drained.
    pub fn stop(&mut self) -> Result<()> {
        self.processes.iter_mut().rev().try_for_each(|process| process.end(Signal::TERM, PATIENCE))
    }

    /// Starts the processes that have ended, on the same data and the same ports; returns when all are ready.
    pub async fn resume(&mut self) -> Result<()> {
        for process in &mut self.processes {
            process.start()?;
        }
        self.ready().await
    }

    /// Stops and resumes.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.resume().await
    }

    /// The first process whose command is `name` (`serve`, `api`, `worker`, `beat`): its id, while it runs.
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.processes.iter().find(|process| process.command() == name).and_then(Process::pid)
    }

    /// Runs another command of the program to its end, with the settings of the first process.
    pub fn beside(&self, words: &[&str]) -> Result<std::process::Output> {
        self.processes.first().ok_or_else(|| Trouble::new("no process"))?.beside(words)
    }

    /// Everything that the processes have written to their logs so far.
    pub fn log(&self) -> String {
        self.processes.iter().map(Process::log).collect()
    }

    /// The log, once the request with the correlation id `id` is in it. Lines of the access log may wait for company:
    /// this one brings all before it.
    pub async fn logged(&self, id: &str) -> Result<String> {
        let waiting = async {
            loop {
                let log = self.log();
                if log.contains(id) {
                    return log;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let log = tokio::time::timeout(PATIENCE, waiting).await;
        log.map_err(|_| Trouble::new(format!("the log has no line about {id}")))
    }

    async fn ready(&mut self) -> Result<()> {
        for process in &mut self.processes {
            process.ready(PATIENCE).await?;
        }
        Ok(())
    }

    /// Exchanges the bootstrap token for the first admin token.
    async fn bootstrap(&mut self) -> Result<()> {
        let secret = match &self.bootstrap {
            Some(secret) => secret.clone(),
            None => fs::read_to_string(self.data().join("bootstrap-token"))?.trim().to_string(),
        };
        let body = json!({"subject": "admin", "scopes": ["tenant:admin", "repo:*:admin"], "ttlMinutes": 1440});
        let request = self.http()?.post("/v1/auth/pats").header("X-Bootstrap-Token", secret).json(&body);
        self.admin = Some(request.send().await?.expect(&[200, 201])?.string("/token")?);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.kill9();
        self.processes.iter().for_each(Process::print_log);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A persona in the making.
pub struct Newcomer {
    admin: Persona,
    subject: String,
    scopes: Vec<String>,
}

impl Newcomer {
    /// Adds a scope, for instance `repo:files:write`.
    pub fn with(mut self, scope: &str) -> Newcomer {
        self.scopes.push(scope.to_string());
        self
    }

    /// Has the admin mint her token.
    pub async fn arrive(self) -> Result<Persona> {
        let body: Value = json!({"subject": self.subject, "scopes": self.scopes, "ttlMinutes": 60});
        let answer = self.admin.post("/v1/auth/pats").json(&body).send().await?.expect(&[200, 201])?;
        Ok(Persona::new(&self.subject, answer.string("/token")?, self.admin.client()))
    }
}

fn sqlite(data: &Path, sql: &str) -> Result<String> {
    let file = fs::read_dir(data)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "db" || ending == "sqlite"))
        .ok_or_else(|| Trouble::new(format!("no database file in {}", data.display())))?;
    let program = crate::environment::program("sqlite3", &["/usr/bin"])?;
    let done = std::process::Command::new(program)
        .args(["-bail", "-batch", "-cmd", ".timeout 60000"])
        .arg(file)
        .arg(sql)
        .output()?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_string()),
        false => Err(Trouble::new(String::from_utf8_lossy(&done.stderr).trim_end().to_string())),
    }
}
