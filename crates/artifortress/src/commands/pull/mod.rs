//! `pull`: a file, a folder or a blob from a repository, verified before it gets its name.

mod download;
mod folder;
mod partial;
mod target;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use model::{EntryPath, RepoKey, Sha256Digest};
use outbound::Client;
use serde_json::{Value, json};

use super::connection::Connection;
use super::failure::{Exit, Failure};
use super::progress::Progress;
use super::push::{address, repo_key};
use super::{clients, files, table};
use crate::Context;
use download::{Download, Fetched};
use target::Target;

/// Fetch a file, a folder or a blob; what does not match its SHA-256 never gets its name
///
/// An interrupted download goes on where it stopped. Existing files are replaced in one step.
#[derive(Args, Debug)]
pub struct Pull {
    #[command(flatten)]
    connection: Connection,

    /// The repository
    #[arg(value_parser = repo_key)]
    repo: RepoKey,

    /// The file or folder in it; empty or `/` for everything
    path: Option<String>,

    /// Fetch the blob with this digest instead
    #[arg(long, value_name = "sha256:HEX", conflicts_with = "path")]
    digest: Option<Sha256Digest>,

    /// Where to put it: a file, or a folder [default: the name it has there, in the current folder]
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Transfers at once
    #[arg(long, short, default_value_t = NonZeroUsize::MIN.saturating_add(3))]
    jobs: NonZeroUsize,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Pull {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.connection.client(context)?;
        let progress = Progress::start(0, "pulling", &context.console);
        let fetched = match self.fetch(&client, &progress).await {
            Err(failure) => return Err(clients::advise(&client, &self.repo, failure).await),
            Ok(fetched) => fetched,
        };
        progress.finish();
        self.tell(context, &fetched);
        Ok(())
    }

    async fn fetch(&self, client: &Client, progress: &Progress) -> Result<Vec<Fetched>, Failure> {
        if let Some(digest) = self.digest {
            let from = outbound::path(["v1", "repos", self.repo.as_str(), "blobs", &format!("sha256:{digest}")]);
            let target = Target::file(self.output.as_deref(), &digest.hex());
            let download = Download { client, from, target, digest: Some(digest), size: None, progress };
            return Ok(vec![download.run().await?]);
        }
        let path = self.path.as_deref().unwrap_or_default().trim_start_matches('/');
        if path.is_empty() || path.ends_with('/') {
            return self.folder(client, path.trim_end_matches('/'), progress).await;
        }
        match self.file(client, path, progress).await {
            // Perhaps it is a folder without its slash.
            Err(failure) if failure.exit == Exit::NotFound => {
                let inside = self.folder(client, path, progress).await;
                inside.map_err(|other| if other.exit == Exit::NotFound { failure } else { other })
            }
            other => Ok(vec![other?]),
        }
    }

    async fn file(&self, client: &Client, path: &str, progress: &Progress) -> Result<Fetched, Failure> {
        let path = entry_path(path)?;
        let name = path.segments().last().unwrap_or_default();
        let target = Target::file(self.output.as_deref(), name);
        let from = address(&self.repo, path.segments());
        Download { client, from, target, digest: None, size: None, progress }.run().await
    }

    async fn folder(&self, client: &Client, path: &str, progress: &Progress) -> Result<Vec<Fetched>, Failure> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        if !segments.is_empty() {
            entry_path(path)?;
        }
        let found = folder::files(client, &self.repo, &segments).await?;
        found.iter().for_each(|file| progress.expect(file.size));
        let name = segments.last().copied().unwrap_or(self.repo.as_str());
        let root = self.output.clone().unwrap_or_else(|| PathBuf::from(name));
        let each = |file: folder::Found| {
            let root = &root;
            async move {
                let target = Target::inside(root, &file.relative)?;
                let from = address(&self.repo, segments_of(path, &file.relative));
                let download = Download { client, from, target, digest: file.digest, size: Some(file.size), progress };
                download.run().await.map_err(|failure| failure.about(&file.relative))
            }
        };
        stream::iter(found).map(each).buffered(self.jobs.get()).try_collect().await
    }

    fn tell(&self, context: &Context, fetched: &[Fetched]) {
        let console = &context.console;
        if self.json {
            let file = |f: &Fetched| json!({ "path": f.path, "sha256": f.digest, "size": f.size, "state": f.state });
            let files: Vec<Value> = fetched.iter().map(file).collect();
            return table::json(console, &json!({ "repo": self.repo, "files": files }));
        }
        let bytes = files::size(fetched.iter().map(|f| f.size).sum());
        match fetched {
            [one] => console.line(&format!("{} ({bytes}) {}, sha256 {}", one.path.display(), one.state, one.digest)),
            many => console.line(&format!("{} ({bytes}) verified", files::count(many.len()))),
        }
    }
}

fn entry_path(path: &str) -> Result<EntryPath, Failure> {
    EntryPath::parse(path).map_err(|error| Failure::usage(error.to_string()))
}

fn segments_of<'a>(folder: &'a str, relative: &'a EntryPath) -> impl Iterator<Item = &'a str> {
    folder.split('/').filter(|segment| !segment.is_empty()).chain(relative.segments())
}
