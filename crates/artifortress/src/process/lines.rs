//! Standard error for log lines: what is rare leaves at once, the access log in portions.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line of the access log may wait for company.
const WAIT: Duration = Duration::from_millis(100);
/// So much leaves without waiting, in bytes.
const PORTION: usize = 32 << 10;

/// Lines that wait. One for the process, as standard error is.
static GATHERED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static ARRIVED: Condvar = Condvar::new();

/// Where the log is written to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    gather: bool,
}

impl Lines {
    /// Every line by itself, for a person who watches.
    pub(crate) fn at_once() -> Self {
        Self { gather: false }
    }

    /// Answers that went well are gathered: a system call for each would cost as much as the answer.
    /// A line waits 100 ms at most; any other line takes them along, in their order.
    pub(crate) fn gathered() -> io::Result<Self> {
        std::thread::Builder::new().name("log".to_owned()).spawn(carry)?;
        Ok(Self { gather: true })
    }
}

/// One line on its way.
#[derive(Debug)]
pub(crate) struct Line {
    may_wait: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { may_wait: false }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line {
        Line { may_wait: self.gather && of.target() == "access" && *of.level() >= Level::INFO }
    }
}

impl Write for Line {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut gathered = lock();
        let first = gathered.is_empty();
        gathered.extend_from_slice(text);
        if !self.may_wait || gathered.len() >= PORTION {
            write_out(&mut gathered);
        } else if first {
            ARRIVED.notify_one();
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what still waits: before the process ends.
pub(crate) fn flush() {
    write_out(&mut lock());
}

fn lock() -> MutexGuard<'static, Vec<u8>> {
    GATHERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A log that cannot be written must not stop the server.
fn write_out(gathered: &mut Vec<u8>) {
    drop(io::stderr().write_all(gathered));
    gathered.clear();
}

/// Sleeps while nothing waits; then lets company come for a moment.
fn carry() {
    let mut gathered = lock();
    loop {
        gathered = if gathered.is_empty() {
            ARRIVED.wait(gathered).unwrap_or_else(PoisonError::into_inner)
        } else {
            let waited = ARRIVED.wait_timeout(gathered, WAIT);
            let mut gathered = waited.unwrap_or_else(PoisonError::into_inner).0;
            write_out(&mut gathered);
            gathered
        };
    }
}
