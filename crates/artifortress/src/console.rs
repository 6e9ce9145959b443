//! Where commands read, write and complain. Passed in, so that tests can listen.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use model::Secret;

/// The longest secret that is read.
const SECRET_LIMIT: u64 = 64 * 1024;

type Writer = Mutex<Box<dyn Write + Send>>;

/// Standard input, output and error of a command.
pub struct Console {
    input: Mutex<Box<dyn BufRead + Send>>,
    out: Writer,
    err: Writer,
    person_types: bool,
    person_watches: bool,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Console")
    }
}

/// What a command wrote, for tests.
#[derive(Clone, Debug, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// The text so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Console {
    /// The process's own streams.
    pub fn process() -> Self {
        Self {
            input: Mutex::new(Box::new(io::BufReader::new(io::stdin()))),
            out: Mutex::new(Box::new(io::stdout())),
            err: Mutex::new(Box::new(io::stderr())),
            person_types: io::stdin().is_terminal() && io::stderr().is_terminal(),
            person_watches: io::stderr().is_terminal(),
        }
    }

    /// A console that reads `input` and keeps what is written (standard output, standard error).
    pub fn recorded(input: &str) -> (Self, Written, Written) {
        let (out, err) = (Written::default(), Written::default());
        let console = Self {
            input: Mutex::new(Box::new(io::Cursor::new(input.to_owned()))),
            out: Mutex::new(Box::new(out.clone())),
            err: Mutex::new(Box::new(err.clone())),
            person_types: false,
            person_watches: false,
        };
        (console, out, err)
    }

    /// Writes a line of the result. A reader that went away is not an error.
    pub fn line(&self, text: &str) {
        write(&self.out, text);
    }

    /// Writes a line beside the result: progress, advice, errors.
    pub fn complain(&self, text: &str) {
        write(&self.err, text);
    }

    /// Whether a person sees standard error.
    pub fn person_watches(&self) -> bool {
        self.person_watches
    }

    /// Whether a person who is there says yes to `question`; `None`: nobody is there to be asked.
    pub fn confirms(&self, question: &str) -> io::Result<Option<bool>> {
        if !self.person_types {
            return Ok(None);
        }
        let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
        write!(err, "{question} [y/N] ")?;
        err.flush()?;
        let mut answer = String::new();
        self.input.lock().unwrap_or_else(PoisonError::into_inner).by_ref().take(SECRET_LIMIT).read_line(&mut answer)?;
        Ok(Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
    }

    /// The same console with a person at it who types what was given as input.
    #[cfg(test)]
    pub fn with_a_person(mut self) -> Self {
        self.person_types = true;
        self
    }

    /// Reads a secret: typed without echo when a person is there, else the whole standard input.
    pub fn secret(&self, prompt: &str) -> io::Result<Secret<String>> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        if self.person_types {
            let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
            write!(err, "{prompt}: ")?;
            err.flush()?;
            let _silence = Silence::begin();
            input.by_ref().take(SECRET_LIMIT).read_line(&mut text)?;
            writeln!(err)?;
        } else {
            input.by_ref().take(SECRET_LIMIT).read_to_string(&mut text)?;
        }
        Ok(Secret::new(text.trim().to_owned()))
    }
}

fn write(writer: &Writer, text: &str) {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = writeln!(writer, "{text}").and_then(|()| writer.flush());
}

/// A terminal that does not echo, until dropped.
struct Silence(Option<rustix::termios::Termios>);

impl Silence {
    fn begin() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut modes) = before.clone() {
            modes.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
        }
        Self(before)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
    }
}
