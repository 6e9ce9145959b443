//! How an installation shall be started.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::process::Process;
use super::{Server, binary};
use crate::ports::Port;
use crate::postgres::{Admin, Database};
use crate::s3::S3;
use crate::strace::Strace;
use crate::{Result, Trouble, backing, nursery, random, scratch};

/// What an installation keeps its data in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// SQLite and a folder, one process: `serve`.
    Embedded,
    /// PostgreSQL and S3, several processes: `api`, `worker`, `beat`.
    Scaled,
}

/// Settings for an installation; [`Plan::start`] makes it.
pub struct Plan {
    backing: Backing,
    apis: usize,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    services: Option<(Admin, S3)>,
    strace: Option<Strace>,
    admin: bool,
    program: Option<PathBuf>,
}

impl Plan {
    pub(super) fn new(backing: Backing) -> Plan {
        let (variables, arguments) = (Vec::new(), Vec::new());
        Plan { backing, apis: 1, variables, arguments, services: None, strace: None, admin: true, program: None }
    }

    /// A setting from the environment, for every process.
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Plan {
        self.variables.push((name.to_string(), value.into()));
        self
    }

    /// A flag or its value, for every process that serves.
    pub fn argument(mut self, argument: impl Into<String>) -> Plan {
        self.arguments.push(argument.into());
        self
    }

    /// How many API processes (scaled out only).
    pub fn apis(mut self, count: usize) -> Plan {
        self.apis = count;
        self
    }

    /// PostgreSQL and S3 of the test's own, which it may stop and kill, instead of those of the run.
    pub fn services(mut self, postgres: Admin, s3: S3) -> Plan {
        self.services = Some((postgres, s3));
        self
    }

    /// Runs the first process (`serve` or `api`) under `strace`.
    pub fn under(mut self, strace: Strace) -> Plan {
        self.strace = Some(strace);
        self
    }

    /// Another program than the one just built: an older release, for instance.
    pub fn program(mut self, path: impl Into<PathBuf>) -> Plan {
        self.program = Some(path.into());
        self
    }

    /// Leaves the bootstrap token unused.
    pub fn without_admin(mut self) -> Plan {
        self.admin = false;
        self
    }

    /// Starts every process, waits until each is ready, and fetches the admin token.
    pub async fn start(self) -> Result<Server> {
        let folder = scratch::folder("server")?;
        let mut server = match self.backing {
            Backing::Embedded => self.embedded(folder)?,
            Backing::Scaled => self.scaled(folder)?,
        };
        server.resume().await?;
        if self.admin {
            server.bootstrap().await?;
        }
        Ok(server)
    }

    fn embedded(&self, folder: PathBuf) -> Result<Server> {
        let blobs = folder.join("data").join("blobs");
        let serve = self.process("serve", 0, &folder, &[], self.strace.clone())?;
        Ok(self.server(folder, None, blobs, None, vec![serve]))
    }

    fn scaled(&self, folder: PathBuf) -> Result<Server> {
        let (postgres, s3) = match &self.services {
            Some((postgres, s3)) => (postgres.clone(), s3.clone()),
            None => (backing::postgres()?, backing::s3()?),
        };
        let database = migrated(&postgres)?;
        let bucket = s3.bucket("artifacts")?;
        let bootstrap = random::text()?;
        let mut shared: Vec<(String, String)> = vec![
            ("ARTIFORTRESS_DATABASE_URL".into(), database.url()),
            ("ARTIFORTRESS_BLOBS".into(), format!("s3://{bucket}")),
            ("ARTIFORTRESS_BOOTSTRAP_TOKEN".into(), bootstrap.clone()),
            ("ARTIFORTRESS_MASTER_KEY".into(), random_key()?),
        ];
        shared.extend(s3.variables().into_iter().map(|(name, value)| (name.to_string(), value)));
        let mut processes = Vec::new();
        for number in 0..self.apis {
            let strace = if number == 0 { self.strace.clone() } else { None };
            processes.push(self.process("api", number, &folder, &shared, strace)?);
        }
        processes.push(self.process("worker", 0, &folder, &shared, None)?);
        processes.push(self.process("beat", 0, &folder, &shared, None)?);
        Ok(self.server(folder, Some(database), s3.root.join(bucket), Some(bootstrap), processes))
    }

    fn server(
        &self,
        folder: PathBuf,
        database: Option<Database>,
        blobs: PathBuf,
        bootstrap: Option<String>,
        processes: Vec<Process>,
    ) -> Server {
        Server { folder, backing: self.backing, database, blobs, bootstrap, admin: None, processes }
    }

    fn process(
        &self,
        command: &str,
        number: usize,
        folder: &Path,
        shared: &[(String, String)],
        strace: Option<Strace>,
    ) -> Result<Process> {
        let data = match (command, number) {
            ("serve" | "api", 0) => folder.join("data"),
            _ => folder.join(format!("data-{command}-{number}")),
        };
        let listen = matches!(command, "serve" | "api").then(Port::claim).transpose()?;
        let operations = Port::claim()?;
        let mut variables = vec![
            ("ARTIFORTRESS_DATA_DIR".to_string(), data.display().to_string()),
            ("ARTIFORTRESS_OPS_LISTEN".to_string(), operations.address().to_string()),
        ];
        variables.extend(listen.iter().map(|port| ("ARTIFORTRESS_LISTEN".to_string(), port.address().to_string())));
        variables.extend(shared.iter().chain(&self.variables).cloned());
        Ok(Process {
            command: command.to_string(),
            binary: self.program.clone().map_or_else(binary, Ok)?,
            arguments: self.arguments.clone(),
            variables,
            strace,
            folder: folder.to_path_buf(),
            listen,
            operations,
            log: folder.join(format!("{command}-{number}.log")),
            child: None,
        })
    }
}

/// 32 bytes in hex.
fn random_key() -> Result<String> {
    Ok(random::text()?.bytes().map(|byte| format!("{byte:02x}")).collect())
}

/// A new database with the program's schema: migrated once in each test process, then cloned.
fn migrated(postgres: &Admin) -> Result<Database> {
    static TEMPLATES: Mutex<Vec<(String, Database)>> = Mutex::new(Vec::new());
    let mut templates = TEMPLATES.lock().map_err(|_| Trouble::new("a migration failed in another test"))?;
    if let Some((_, template)) = templates.iter().find(|(url, _)| url == postgres.url()) {
        return postgres.clone_of(template);
    }
    let template = postgres.database()?;
    migrate(&template)?;
    let database = postgres.clone_of(&template)?;
    templates.push((postgres.url().to_string(), template));
    Ok(database)
}

fn migrate(database: &Database) -> Result<()> {
    let folder = scratch::folder("migrate")?;
    let mut command = nursery::guarded(&binary()?, "KILL");
    command.arg("migrate").env_clear().env("ARTIFORTRESS_DATABASE_URL", database.url()).current_dir(&folder);
    let done = command.output()?;
    fs::remove_dir_all(folder)?;
    match done.status.success() {
        true => Ok(()),
        false => Err(Trouble::new(format!("`artifortress migrate`: {}", String::from_utf8_lossy(&done.stderr)))),
    }
}
