//! `push`: files or folders into a repository, one by one or as one version.

mod again;
mod package;
mod parts;
mod plain;
mod plan;
mod resume;
mod sending;
mod version;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use formats::Packing;
use model::RepoKey;
use outbound::Client;
use serde_json::{Value, json};

use super::connection::Connection;
use super::failure::Failure;
use super::progress::Progress;
use super::{clients, files, table};
use crate::Context;
pub(super) use plain::{address, named_digest};
use plan::Planned;

/// Store files or folders; with --package as one version that appears whole or not at all
///
/// A folder's content goes below --to. Packages of formats whose clients do not publish (Go modules) are handed in
/// whole: an archive as it is, or a folder with its --version. Run the same command again after an interruption: what the server
/// already holds is not sent again.
#[derive(Args, Debug)]
pub struct Push {
    #[command(flatten)]
    connection: Connection,

    /// The repository
    #[arg(value_parser = repo_key)]
    repo: RepoKey,

    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// The folder in the repository (or in the version) to put them into
    #[arg(long, value_name = "PREFIX", default_value = "")]
    to: String,

    #[command(flatten)]
    coordinate: Coordinate,

    /// Transfers at once
    #[arg(long, short, default_value_t = NonZeroUsize::MIN.saturating_add(3))]
    jobs: NonZeroUsize,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where the files go when they are one version.
#[derive(Args, Debug)]
struct Coordinate {
    /// Publish the files together as a version of this package
    #[arg(long, value_name = "NAME", requires = "version")]
    package: Option<String>,

    /// The version's name
    #[arg(long = "version", id = "version", value_name = "VERSION")]
    version: Option<String>,

    /// The package's namespace
    #[arg(long, requires = "package")]
    namespace: Option<String>,

    /// The package's type
    #[arg(long = "type", value_name = "TYPE", default_value = "raw")]
    package_type: String,

    /// A JSON file with the version's manifest [default: name and version]
    #[arg(long, value_name = "PATH", requires = "package")]
    manifest: Option<PathBuf>,

    /// Remove entries of an earlier unfinished push that are not part of this one
    #[arg(long, requires = "package")]
    replace: bool,
}

/// What became of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Its bytes were sent.
    Stored,
    /// The same bytes were at this path before.
    Unchanged,
    /// The server had the bytes already.
    Deduplicated,
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Unchanged => "unchanged",
            Self::Deduplicated => "deduplicated",
        }
    }
}

/// A file that is on the server now.
#[derive(Debug)]
struct Pushed {
    path: String,
    digest: model::Sha256Digest,
    size: u64,
    fate: Fate,
}

impl Push {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.connection.client(context)?;
        if self.coordinate.package.is_none() {
            match (package::packing(&client, &self.repo).await, &self.coordinate.version) {
                (Ok(Some(packing)), _) => return self.hand_in(context, &client, packing).await,
                (Err(error), Some(_)) => return Err(error.into()),
                // Whoever may not look at the repository is told so by what follows.
                (Ok(None), _) | (Err(_), None) => {}
            }
        }
        match self.files(context, &client).await {
            Err(failure) => Err(clients::advise(&client, &self.repo, failure).await),
            done => done,
        }
    }

    /// Files by themselves, or as one version.
    async fn files(&self, context: &Context, client: &Client) -> Result<(), Failure> {
        if self.coordinate.package.is_none() && self.coordinate.version.is_some() {
            return Err(Failure::usage("--version needs --package in a repository of this format"));
        }
        let plan = plan::plan(&self.paths, &self.to, &context.console)?;
        let total = plan.iter().map(|planned: &Planned| planned.size).sum();
        let progress = Progress::start(total, "pushing", &context.console);
        let (pushed, version) = match (&self.coordinate.package, &self.coordinate.version) {
            (Some(package), Some(version)) => {
                let target = version::Target { repo: &self.repo, package, version, with: &self.coordinate };
                let (pushed, answer) = version::push(client, context, target, &plan, self.jobs, &progress).await?;
                (pushed, Some(answer))
            }
            _ => (plain::push(client, &self.repo, &plan, self.jobs, &progress).await?, None),
        };
        progress.finish();
        self.tell(context, &pushed, version.as_ref());
        Ok(())
    }

    /// Hands packages in, one after the other.
    async fn hand_in(&self, context: &Context, client: &Client, packing: &'static dyn Packing) -> Result<(), Failure> {
        let version = self.coordinate.version.as_deref();
        if !self.to.is_empty() {
            return Err(Failure::usage("--to is for plain files: a package says itself where it belongs"));
        }
        if version.is_some() && self.paths.len() > 1 {
            return Err(Failure::usage("--version is for one folder"));
        }
        let mut pushed = Vec::new();
        for path in &self.paths {
            pushed.push(package::push(client, context, &self.repo, packing, path, version).await?);
        }
        self.tell(context, &pushed, None);
        if !self.json {
            pushed.iter().for_each(|one| context.console.line(&format!("{} {}", one.path, one.fate.word())));
        }
        Ok(())
    }

    fn tell(&self, context: &Context, pushed: &[Pushed], version: Option<&Value>) {
        let console = &context.console;
        if self.json {
            let file = |p: &Pushed| json!({ "path": p.path, "sha256": p.digest, "size": p.size, "state": p.fate.word() });
            let files: Vec<Value> = pushed.iter().map(file).collect();
            return table::json(console, &json!({ "repo": self.repo, "files": files, "version": version }));
        }
        let count = |fate| pushed.iter().filter(|p| p.fate == fate).count();
        let bytes = files::size(pushed.iter().map(|p| p.size).sum());
        console.line(&format!(
            "{} ({bytes}) in {}: {} stored, {} unchanged, {} deduplicated",
            files::count(pushed.len()), self.repo, count(Fate::Stored), count(Fate::Unchanged), count(Fate::Deduplicated)
        ));
        if let Some(version) = version {
            tell_version(context, version);
        }
    }
}

fn tell_version(context: &Context, version: &Value) {
    let text = |field: &str| version[field].as_str().unwrap_or_default();
    let id = text("versionId");
    context.console.line(&format!("{} {} is {} ({id})", text("packageName"), text("version"), text("state")));
    if version["quarantine"].is_object() {
        context.console.complain("artifortress: the version is in quarantine and not visible to readers yet");
    }
}

/// For clap: a repository's key.
pub(super) fn repo_key(text: &str) -> Result<RepoKey, model::NameError> {
    RepoKey::parse(text)
}
