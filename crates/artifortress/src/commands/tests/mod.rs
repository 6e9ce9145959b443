//! The commands against a small registry, as a person runs them.

mod admin;
mod logins;
mod pull;
mod push;
mod registry;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Ambient, ManualClock, SystemRandom, Timestamp};

use crate::Context;
use crate::console::{Console, Written};
use registry::Registry;

/// The token that the registry knows.
const TOKEN: &str = "good-token";

/// Somebody with a home folder of their own.
struct Person {
    home: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
struct Outcome {
    code: u8,
    out: String,
    err: String,
}

impl Outcome {
    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    #[track_caller]
    fn failed(self, code: u8, parts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert!(parts.iter().all(|part| self.err.contains(part)), "{self:?}");
        self
    }

    #[track_caller]
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Person {
    /// Somebody without a login.
    fn stranger(registry: &Registry) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let data = home.path().join("data").display().to_string();
        let variables = [
            ("HOME", home.path().display().to_string()),
            ("ARTIFORTRESS_SERVER", registry.base.clone()),
            ("ARTIFORTRESS_DATA_DIR", data),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self { home, variables }
    }

    /// Somebody with the right token.
    fn of(registry: &Registry) -> Self {
        Self::stranger(registry).with("ARTIFORTRESS_TOKEN", TOKEN)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, bytes).expect("written");
        path
    }

    async fn run(&self, words: &[&str]) -> Outcome {
        self.type_and_run("", words).await
    }

    async fn type_and_run(&self, input: &str, words: &[&str]) -> Outcome {
        self.run_with(Console::recorded(input), words).await
    }

    async fn type_at_a_terminal(&self, input: &str, words: &[&str]) -> Outcome {
        let (console, out, err) = Console::recorded(input);
        self.run_with((console.with_a_person(), out, err), words).await
    }

    async fn run_with(&self, (console, out, err): (Console, Written, Written), words: &[&str]) -> Outcome {
        let clock = ManualClock::at(Timestamp::parse("2026-01-02T03:04:05Z").expect("a time"));
        let ambient = Ambient::new(Arc::new(clock), Arc::new(SystemRandom));
        let context = Context { environment: self.variables.iter().cloned().collect(), ambient, console };
        let arguments = std::iter::once("artifortress").chain(words.iter().copied()).map(Into::into).collect();
        let code = crate::run(arguments, &context).await;
        Outcome { code, out: out.text(), err: err.text() }
    }
}

fn read(path: &Path) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path).expect("there").read_to_end(&mut bytes).expect("read");
    bytes
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn digest(bytes: &[u8]) -> String {
    let mut hasher = super::hashing::Hasher::default();
    hasher.take(bytes);
    hasher.digest().hex()
}

/// Bytes that compress badly and differ everywhere.
fn noise(length: usize) -> Vec<u8> {
    use model::Random;
    let mut bytes = vec![0; length];
    model::SeededRandom::new(7).fill(&mut bytes);
    bytes
}
