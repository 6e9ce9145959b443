//! What settings must agree on among themselves, and what each process needs.

use super::problem::{ConfigError, Place, Problem};
use super::{BlobPlace, Config, DatabaseUrl};

/// Which of the server's processes is about to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// Everything in one process.
    Serve,
    /// One of many: HTTP.
    Api,
    /// One of many: jobs.
    Worker,
    /// Schedules.
    Beat,
    /// Migrations only: touches no bytes and seals nothing.
    Migrate,
}

impl Config {
    /// Checks what settings must agree on; `place` tells where a setting was given.
    pub(super) fn agrees(&self, place: &dyn Fn(&str) -> Place) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        match (&self.tls.cert, &self.tls.key) {
            (Some(_), None) => problems.push(("tls.key", "is missing: TLS needs tls.cert and tls.key")),
            (None, Some(_)) => problems.push(("tls.cert", "is missing: TLS needs tls.cert and tls.key")),
            _ => {}
        }
        if self.tokens.default_ttl_minutes > self.tokens.max_ttl_minutes {
            problems.push(("tokens.default_ttl_minutes", "is larger than tokens.max_ttl_minutes"));
        }
        problems.extend(self.lacks_object_storage_keys());
        let problems: Vec<_> = problems.into_iter().map(|(key, what)| Problem::new(key, place(key), what)).collect();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    /// Checks what `process` needs beyond that: secrets that must be given, a database that can be shared.
    pub fn check_for(&self, process: Process) -> Result<(), ConfigError> {
        let shared = matches!(self.database_url(), DatabaseUrl::Postgres(_));
        if !shared && matches!(process, Process::Api | Process::Worker | Process::Beat) {
            let what = "must be a postgres:// URL: with SQLite one process owns the data folder (use `serve`)";
            return Err(Problem::new("database.url", Place::Unset, what).into());
        }
        if shared && process != Process::Migrate && self.server.master_key.is_none() {
            let what = "is missing: with PostgreSQL every process needs the same key, in ARTIFORTRESS_MASTER_KEY or \
                        ARTIFORTRESS_MASTER_KEY_FILE";
            return Err(Problem::new("master_key", Place::Unset, what).into());
        }
        Ok(())
    }

    fn lacks_object_storage_keys(&self) -> Vec<(&'static str, &'static str)> {
        if !matches!(self.blob_place(), BlobPlace::Bucket { .. }) {
            return Vec::new();
        }
        let missing = "is missing: blobs in a bucket need it";
        let id = self.s3.access_key_id.is_none().then_some(("s3.access_key_id", missing));
        let key = self.s3.secret_access_key.is_none().then_some(("s3.secret_access_key", missing));
        id.into_iter().chain(key).collect()
    }
}
