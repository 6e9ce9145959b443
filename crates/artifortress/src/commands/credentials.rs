//! The stored logins: one file for each person, readable by nobody else.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use model::Secret;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::files;
use crate::config::Environment;
use crate::console::Console;

/// The largest file that is read.
const LIMIT: u64 = 1024 * 1024;

/// The logins of one person, by server.
#[derive(Debug)]
pub struct Credentials {
    path: PathBuf,
    stored: Stored,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// The server that is meant when none is named.
    default: Option<String>,
    #[serde(default)]
    servers: BTreeMap<String, Login>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Login {
    subject: String,
    token: String,
    /// Further authorities that the server's certificate may be signed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.servers.keys()).finish()
    }
}

impl Credentials {
    /// Reads `$XDG_CONFIG_HOME/artifortress/credentials.toml`, or the same below `~/.config`; an absent file
    /// is empty. A file that others may read is refused.
    pub fn load(environment: &Environment) -> Result<Self, Failure> {
        let path = files::home(environment, "XDG_CONFIG_HOME", ".config")?.join("credentials.toml");
        let stored = match File::open(&path) {
            Ok(file) => read(&path, file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Stored::default(),
            Err(error) => return Err(Failure::new(format!("cannot read '{}': {error}", path.display()))),
        };
        Ok(Self { path, stored })
    }

    /// The server that is meant when none is named.
    pub fn default_server(&self) -> Option<&str> {
        self.stored.default.as_deref()
    }

    /// The token for `server`.
    pub fn token(&self, server: &str) -> Option<Secret<String>> {
        self.stored.servers.get(server).map(|login| Secret::new(login.token.clone()))
    }

    /// Who is logged in to `server`.
    pub fn subject(&self, server: &str) -> Option<&str> {
        self.stored.servers.get(server).map(|login| login.subject.as_str())
    }

    /// The file of further authorities that the login to `server` was made with.
    pub fn ca_file(&self, server: &str) -> Option<PathBuf> {
        self.stored.servers.get(server)?.ca_file.clone()
    }

    /// Keeps a login and makes its server the default. Says what that changes: whose login to the server it replaces,
    /// and which server was meant before.
    pub fn keep(
        &mut self,
        console: &Console,
        server: &str,
        (subject, token): (&str, &Secret<String>),
        ca_file: Option<PathBuf>,
    ) -> Result<(), Failure> {
        let ca_file = ca_file.or_else(|| self.ca_file(server));
        let login = Login { subject: subject.to_owned(), token: token.expose().clone(), ca_file };
        let replaced = self.stored.servers.insert(server.to_owned(), login);
        let meant = self.stored.default.replace(server.to_owned());
        self.write()?;
        if let Some(replaced) = replaced.filter(|replaced| replaced.token != *token.expose()) {
            console.complain(&format!("this replaces the login of {} to {server}", replaced.subject));
        }
        if let Some(meant) = meant.filter(|meant| meant != server) {
            console.complain(&format!("the login to {meant} is kept: --server {meant} chooses it"));
        }
        Ok(())
    }

    /// Forgets a login; tells whether there was one.
    pub fn forget(&mut self, server: &str) -> Result<bool, Failure> {
        let known = self.stored.servers.remove(server).is_some();
        if self.stored.default.as_deref() == Some(server) {
            self.stored.default = self.stored.servers.keys().next().cloned();
        }
        if known {
            self.write()?;
        }
        Ok(known)
    }

    /// Where the logins are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self) -> Result<(), Failure> {
        let told = |error: io::Error| Failure::new(format!("cannot write '{}': {error}", self.path.display()));
        let text = toml::to_string(&self.stored).map_err(|error| told(io::Error::other(error)))?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(told)?;
        files::write_private(&self.path, text.as_bytes()).map_err(told)
    }
}

fn read(path: &Path, file: File) -> Result<Stored, Failure> {
    let unreadable = |error: io::Error| Failure::new(format!("cannot read '{}': {error}", path.display()));
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        let advice = format!("make it private: chmod 600 '{}'", path.display());
        return Err(Failure::new(format!("'{}' holds tokens but others may read it", path.display())).advise(advice));
    }
    let mut text = String::new();
    file.take(LIMIT).read_to_string(&mut text).map_err(unreadable)?;
    // The parser's own message would quote the line, and the line may hold a token.
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        Failure::new(format!("'{}' cannot be understood: {}", path.display(), error.message()))
    })
}
