//! Child processes that cannot outlive the test process, not even when it is killed.
//!
//! The kernel signals a child when the *thread* that started it ends, and test threads end often; so one thread, which
//! lives as long as the process, starts them all.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Result, Trouble};

type Order = (Command, Sender<io::Result<Child>>);

/// A command for `program` that receives `signal` ("KILL", "QUIT") when this process dies, in a process group of its own.
pub fn guarded(program: &Path, signal: &str) -> Command {
    guarded_as(program, signal, None)
}

/// Like [`guarded`], run as the user and group `who` when that is given (which needs root).
pub fn guarded_as(program: &Path, signal: &str, who: Option<(u32, u32)>) -> Command {
    let mut command = Command::new("setpriv");
    if let Some((user, group)) = who {
        command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
    }
    command.arg("--pdeathsig").arg(signal).arg("--").arg(program).process_group(0);
    command
}

/// Starts `command` from the one long-lived thread.
pub fn spawn(command: Command) -> Result<Child> {
    static ORDERS: OnceLock<Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in receiver {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, answer) = mpsc::channel();
    orders.send((command, reply)).map_err(|_| Trouble::new("the nursery thread has ended"))?;
    Ok(answer.recv().map_err(|_| Trouble::new("the nursery thread has ended"))??)
}

/// Sends `signal` to the child's process; a child that is already gone is no trouble.
pub fn signal(child: &Child, signal: Signal) -> Result<()> {
    signal_pid(child.id(), signal)
}

/// Sends `signal` to the process `pid`, which may be gone.
pub fn signal_pid(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| Trouble::new("no such process id"))?;
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The children of `pid` at this moment, without their own children.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Waits until the child has ended, at most `patience`; then a trouble that names `what`.
pub fn wait(child: &mut Child, patience: Duration, what: &str) -> Result<ExitStatus> {
    let mut end = None;
    until(patience, &format!("the end of {what}"), || {
        end = child.try_wait()?;
        Ok(end.is_some())
    })?;
    end.ok_or_else(|| Trouble::new(format!("{what} has no exit status")))
}

/// Asks `ready` every few milliseconds until it says yes, at most `patience`; then a trouble that names `what`.
/// Blocks its thread: for starting and stopping processes, not for use beside other work.
pub fn until(patience: Duration, what: &str, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !ready()? {
        if start.elapsed() > patience {
            return Err(Trouble::new(format!("waited {} s for {what}", patience.as_secs())));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Ok(())
}
