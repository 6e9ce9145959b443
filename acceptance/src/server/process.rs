//! One process of an installation, which can end and be started again.

use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::http::Http;
use crate::ports::Port;
use crate::strace::Strace;
use crate::{Result, Trouble, environment, nursery};

/// How much of a log is shown when a test fails.
const SHOWN_LINES: usize = 120;

/// The recipe of a process, and the process itself while it runs.
pub(super) struct Process {
    pub(super) command: String,
    pub(super) binary: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) strace: Option<Strace>,
    pub(super) folder: PathBuf,
    pub(super) listen: Option<Port>,
    pub(super) operations: Port,
    pub(super) log: PathBuf,
    pub(super) child: Option<Child>,
}

impl Process {
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listen.as_ref().map(Port::address)
    }

    pub(super) fn operations(&self) -> SocketAddr {
        self.operations.address()
    }

    /// The id of the program itself, also under `strace`.
    pub(super) fn pid(&self) -> Option<u32> {
        let child = self.child.as_ref()?.id();
        match self.strace {
            Some(_) => nursery::children(child).first().copied(),
            None => Some(child),
        }
    }

    /// Another command of its program with its settings, run to its end.
    pub(super) fn beside(&self, words: &[&str]) -> Result<std::process::Output> {
        let mut command = nursery::guarded(&self.binary, "KILL");
        command.args(words).current_dir(&self.folder).env_clear().env("HOME", &self.folder);
        Ok(command.envs(self.variables.iter().cloned()).output()?)
    }

    /// Starts it unless it runs.
    pub(super) fn start(&mut self) -> Result<()> {
        if self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
            return Ok(());
        }
        let words = self.words()?;
        let (program, arguments) = words.split_first().ok_or_else(|| Trouble::new("no program"))?;
        let mut command = nursery::guarded(program.as_ref(), "KILL");
        command.args(arguments).current_dir(&self.folder).env_clear().env("PATH", environment::require("PATH")?);
        command.env("HOME", &self.folder).env("RUST_BACKTRACE", "1").envs(self.variables.iter().cloned());
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(nursery::spawn(command)?);
        Ok(())
    }

    /// The program and its arguments. Under `strace` the program is guarded a second time: a killed `strace` would
    /// let it go on.
    fn words(&self) -> Result<Vec<String>> {
        let mut words = match &self.strace {
            Some(strace) => strace.words()?,
            None => Vec::new(),
        };
        if !words.is_empty() {
            words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(String::from));
        }
        words.push(self.binary.display().to_string());
        words.push(self.command.clone());
        words.extend(self.arguments.iter().cloned());
        Ok(words)
    }

    /// Waits until it says that it is ready: on its own address, or, when it has none or speaks TLS there, on the
    /// operations address.
    pub(super) async fn ready(&mut self, patience: Duration) -> Result<()> {
        let encrypted = self.variables.iter().any(|(name, _)| name == "ARTIFORTRESS_TLS_CERT");
        let http = Http::new(self.address().filter(|_| !encrypted).unwrap_or(self.operations()));
        let mut last = String::from("no answer");
        let waiting = async {
            loop {
                if let Some(end) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                    return Err(Trouble::new(format!("`{}` ended before it was ready: {end}", self.command)));
                }
                match http.get("/health/ready").send().await {
                    Ok(answer) if answer.status == 200 => return Ok(()),
                    Ok(answer) => last = format!("{}: {}", answer.status, answer.text()),
                    Err(trouble) => last = format!("{trouble:?}"),
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let end = tokio::time::timeout(patience, waiting).await;
        end.map_err(|_| {
            Trouble::new(format!("`{}` is not ready after {} s: {last}", self.command, patience.as_secs()))
        })?
    }

    /// Sends `signal` and waits for the end.
    pub(super) fn end(&mut self, signal: Signal, patience: Duration) -> Result<()> {
        let pid = self.pid();
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let (Ok(None), Some(pid)) = (child.try_wait(), pid) {
            nursery::signal_pid(pid, signal)?;
        }
        nursery::wait(&mut child, patience, &self.command).map(|_| ()).inspect_err(|_| {
            let _ = nursery::signal(&child, Signal::KILL);
        })
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(super) fn print_log(&self) {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        println!("--- log of `{}` (the last {SHOWN_LINES} lines at most) ---", self.command);
        lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().for_each(|line| println!("{line}"));
    }
}
