//! Faults at the n-th system call: the server under `strace`, which fails, delays or kills where it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::{Result, Trouble, environment, nursery, scratch};

const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to let go by itself.
const GENTLE: Duration = Duration::from_secs(2);

/// What `strace` shall do to the program it starts. With no injection it only counts.
#[derive(Clone, Debug)]
pub struct Strace {
    folder: PathBuf,
    calls: Vec<String>,
    injections: Vec<String>,
    path: Option<PathBuf>,
}

impl Strace {
    /// A trace of nothing yet.
    pub fn new() -> Result<Strace> {
        Ok(Strace { folder: scratch::folder("strace")?, calls: Vec::new(), injections: Vec::new(), path: None })
    }

    /// Writes down every call in `calls`, for instance `fsync,fdatasync`.
    pub fn trace(mut self, calls: &str) -> Strace {
        self.calls.push(calls.to_string());
        self
    }

    /// From the `nth` call of `calls` on (counted from 1 in each thread), for `count` calls, does `what`: `error=EIO`,
    /// `error=ENOSPC`, `signal=KILL`, `delay_enter=100000`.
    pub fn inject(mut self, calls: &str, what: &str, nth: u32, count: u32) -> Strace {
        let last = nth + count.max(1) - 1;
        self.injections.push(format!("{calls}:{what}:when={nth}..{last}"));
        self.trace(calls)
    }

    /// Looks only at calls that concern `path` (a file, or a folder itself).
    pub fn only(mut self, path: &Path) -> Strace {
        self.path = Some(path.to_path_buf());
        self
    }

    /// How many calls were written down so far whose line contains `text`: `fsync(`, `(INJECTED)`.
    pub fn count(&self, text: &str) -> Result<usize> {
        let mut count = 0;
        for entry in fs::read_dir(&self.folder)? {
            count +=
                String::from_utf8_lossy(&lossy(&entry?.path())?).lines().filter(|line| line.contains(text)).count();
        }
        Ok(count)
    }

    /// The lines written down so far that contain `text`, threads one after the other.
    pub fn lines(&self, text: &str) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let calls = String::from_utf8_lossy(&lossy(&entry?.path())?).into_owned();
            lines.extend(calls.lines().filter(|line| line.contains(text)).map(str::to_string));
        }
        Ok(lines)
    }

    /// Starts to watch the running process `pid`, all its threads or only the one called `thread`; returns when every
    /// further call is seen. Calls are counted from here.
    pub fn attach(self, pid: u32, thread: Option<&str>) -> Result<Attached> {
        let target = thread.map_or(Ok(pid), |name| thread_called(pid, name))?;
        let words = self.words_with(if thread.is_some() { &["-yqq"] } else { &["-ffyqq"] })?;
        let (program, arguments) = words.split_first().ok_or_else(|| Trouble::new("no strace"))?;
        let mut command = nursery::guarded(program.as_ref(), "KILL");
        command
            .args(arguments.strip_suffix(&["--".to_string()]).unwrap_or(arguments))
            .args(["-p", &target.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = nursery::spawn(command)?;
        let attached = Attached { strace: self, child: Some(child) };
        nursery::until(PATIENCE, "strace to attach", || Ok(is_traced(pid, thread.map(|_| target))))?;
        Ok(attached)
    }

    /// The words before the program's own command line.
    pub(crate) fn words(&self) -> Result<Vec<String>> {
        // One file per thread (-ff): threads then do not wait for each other's lines.
        self.words_with(&["-ff", "-qq"])
    }

    fn words_with(&self, flags: &[&str]) -> Result<Vec<String>> {
        let mut words = vec![environment::program("strace", &["/usr/bin"])?.display().to_string()];
        words.extend(flags.iter().chain(&["-o"]).map(|flag| flag.to_string()));
        words.push(self.folder.join("calls").display().to_string());
        words.push(format!("--trace={}", if self.calls.is_empty() { "none".into() } else { self.calls.join(",") }));
        words.extend(self.injections.iter().map(|injection| format!("--inject={injection}")));
        if let Some(path) = &self.path {
            words.push(format!("--trace-path={}", path.display()));
        }
        words.push("--".to_string());
        Ok(words)
    }
}

/// A `strace` that watches a process. Dropping it lets the process go on alone: every fault is lifted.
pub struct Attached {
    strace: Strace,
    child: Option<Child>,
}

impl Attached {
    /// What it has written down so far.
    pub fn seen(&self) -> &Strace {
        &self.strace
    }

    /// Lets go of the process; returns when it is free.
    pub fn detach(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        nursery::signal(&child, Signal::INT)?;
        if nursery::wait(&mut child, GENTLE, "strace").is_err() {
            // It can hang on a process that is dying; the kernel frees whatever a dead tracer held.
            nursery::signal(&child, Signal::KILL)?;
            nursery::wait(&mut child, PATIENCE, "strace")?;
        }
        Ok(())
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.detach();
        let _ = fs::remove_dir_all(&self.strace.folder);
    }
}

/// The id of the thread called `name`.
fn thread_called(pid: u32, name: &str) -> Result<u32> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        if fs::read_to_string(task.path().join("comm")).is_ok_and(|found| found.trim_end() == name) {
            return Ok(task.file_name().to_string_lossy().parse()?);
        }
    }
    Err(Trouble::new(format!("process {pid} has no thread `{name}`")))
}

/// Whether the thread, or every thread, of the process is being traced.
fn is_traced(pid: u32, thread: Option<u32>) -> bool {
    let tasks = match thread {
        Some(thread) => vec![PathBuf::from(format!("/proc/{pid}/task/{thread}"))],
        None => {
            fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().map(|task| task.path()).collect()
        }
    };
    // A thread that has ended, perhaps by our own fault, is beyond watching.
    let traced = |status: String| {
        let says = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        says("TracerPid:").is_some_and(|tracer| tracer != "0")
            || says("State:").is_some_and(|state| state.starts_with('Z'))
    };
    tasks.iter().all(|task| fs::read_to_string(task.join("status")).map_or(true, traced))
}

fn lossy(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut fs::File::open(path)?, &mut bytes)?;
    Ok(bytes)
}
