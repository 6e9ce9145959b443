//! The program, started as `main` starts it but for its clock.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use acceptance::http::Http;
use acceptance::ports::Port;
use acceptance::postgres::Database;
use acceptance::server::Persona;
use acceptance::{Result, Trouble, backing};
use artifortress::config::Environment;
use artifortress::console::Console;
use artifortress::{Context, run};
use model::{Ambient, ManualClock, SystemRandom, Timestamp};
use serde_json::json;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// How long it may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);
const BOOTSTRAP: &str = "the bootstrap token of a test";

/// A process of the program: as `main` runs it, on a thread in place of a process.
struct Process {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Process {
    fn start(words: Vec<OsString>, context: Context) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = run(words, &context) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(PATIENCE);
        });
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What went wrong in there was said in there.
            thread.join().ok();
        }
    }
}

/// All processes of an installation; gone when this is.
pub(crate) struct Program {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) admin: Persona,
    _running: Vec<Process>,
    _ports: Vec<Port>,
    _database: Option<Database>,
    _home: tempfile::TempDir,
}

impl AsRef<Persona> for Program {
    fn as_ref(&self) -> &Persona {
        &self.admin
    }
}

impl Program {
    /// SQLite and a folder: `serve`.
    pub(crate) async fn embedded() -> Result<Self> {
        Self::start(&["serve"], Vec::new(), None).await
    }

    /// PostgreSQL and S3: `api`, `worker` and `beat`.
    pub(crate) async fn scaled() -> Result<Self> {
        let (database, s3) = (backing::postgres()?.database()?, backing::s3()?);
        let mut variables: Vec<_> = s3.variables().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        variables.extend([
            ("ARTIFORTRESS_DATABASE_URL".to_owned(), database.url()),
            ("ARTIFORTRESS_BLOBS".to_owned(), format!("s3://{}", s3.bucket("clock")?)),
            ("ARTIFORTRESS_MASTER_KEY".to_owned(), "07".repeat(32)),
        ]);
        Self::start(&["api", "worker", "beat"], variables, Some(database)).await
    }

    async fn start(commands: &[&str], shared: Vec<(String, String)>, database: Option<Database>) -> Result<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let home = tempfile::tempdir()?;
        let start = Timestamp::parse("2026-01-02T03:04:05Z").ok_or_else(|| Trouble::new("no time"))?;
        let clock = Arc::new(ManualClock::at(start));
        let context = |variables: Vec<(String, String)>| {
            let environment: Environment = shared.iter().cloned().chain(variables).collect();
            let ambient = Ambient::new(Arc::<ManualClock>::clone(&clock), Arc::new(SystemRandom));
            Context { environment, ambient, console: Console::recorded("").0 }
        };
        let words = |command: &str| vec!["artifortress".into(), command.into()];
        if database.is_some() && run(words("migrate"), &context(Vec::new())).await != 0 {
            return Err(Trouble::new("it does not migrate"));
        }
        let (mut running, mut ports) = (Vec::new(), Vec::new());
        for command in commands {
            let (listen, operations) = (Port::claim()?, Port::claim()?);
            let context = context(variables(&home.path().join(command), &listen, &operations));
            running.push(Process::start(words(command), context)?);
            ports.extend([listen, operations]);
        }
        let address = ports.first().map(Port::address).ok_or_else(|| Trouble::new("nothing was started"))?;
        let admin = admin(&Http::new(address)).await?;
        Ok(Self { clock, admin, _running: running, _ports: ports, _database: database, _home: home })
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }
}

fn variables(data: &Path, listen: &Port, operations: &Port) -> Vec<(String, String)> {
    [
        ("ARTIFORTRESS_DATA_DIR", data.display().to_string()),
        ("ARTIFORTRESS_LISTEN", listen.address().to_string()),
        ("ARTIFORTRESS_OPS_LISTEN", operations.address().to_string()),
        ("ARTIFORTRESS_BOOTSTRAP_TOKEN", BOOTSTRAP.to_owned()),
        ("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8".to_owned()),
        // Time stands still: whoever asks often would never be let in again.
        ("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0".to_owned()),
        ("ARTIFORTRESS_LOG", "error".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The first admin, once it is ready.
async fn admin(http: &Http) -> Result<Persona> {
    let ready = async {
        while !http.get("/health/ready").send().await.is_ok_and(|answer| answer.status == 200) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ready).await.map_err(|_| Trouble::new("it does not get ready"))?;
    let body = json!({"subject": "admin", "scopes": ["tenant:admin", "repo:*:admin"], "ttlMinutes": 1440});
    let minted = http.post("/v1/auth/pats").header("X-Bootstrap-Token", BOOTSTRAP).json(&body).send().await?;
    Ok(Persona::new("admin", minted.expect(&[200, 201])?.string("/token")?, http.clone()))
}
