//! Packages of a format that our own program hands in: an archive as it is, a folder packed first.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use formats::{Folder, FolderFile, Packing};
use model::RepoKey;
use outbound::Client;
use serde::Deserialize;
use tempfile::NamedTempFile;

use super::super::failure::Failure;
use super::super::hashing::hash_file;
use super::super::progress::Progress;
use super::plain::{address, is_there};
use super::{Fate, Pushed, sending};
use crate::Context;
use crate::console::Console;

/// The deepest folder that is looked into.
const DEPTH: usize = 128;
/// How long the server may look into a package in silence.
const INSPECTION: Duration = Duration::from_secs(600);

/// How packages are handed in to the repository, if its format has them handed in so.
pub(super) async fn packing(
    client: &Client,
    repo: &RepoKey,
) -> Result<Option<&'static dyn Packing>, outbound::Error> {
    #[derive(Deserialize)]
    struct Repository {
        format: String,
    }
    let answer = client.get(&outbound::path(["v1", "repos", repo.as_str()])).send().await?;
    let repository: Repository = answer.json().await?;
    Ok(formats::by_key(&repository.format).and_then(|format| format.packing()))
}

/// Hands in what is at `path`. Returns what became of it.
pub(super) async fn push(
    client: &Client,
    context: &Context,
    repo: &RepoKey,
    packing: &'static dyn Packing,
    path: &Path,
    version: Option<&str>,
) -> Result<Pushed, Failure> {
    let unreadable = |error| Failure::usage(format!("cannot read '{}': {error}", path.display()));
    let told = |failure: Failure| failure.about(path.display());
    let packed = if fs::metadata(path).map_err(unreadable)?.is_dir() {
        let folder = Tree::of(path, packing, &context.console)?;
        let (spool, version) = (context.environment.get("TMPDIR"), version.map(str::to_owned));
        let spool = PathBuf::from(spool.unwrap_or("/tmp"));
        let packing = tokio::task::spawn_blocking(move || pack(packing, folder, version.as_deref(), &spool));
        Some(packing.await.map_err(|error| Failure::new(error.to_string()))?.map_err(told)?)
    } else if version.is_some() {
        return Err(Failure::usage("--version is for a folder: an archive says its version itself"));
    } else {
        None
    };
    let source = packed.as_ref().map_or(path, NamedTempFile::path);
    hand_in(client, context, repo, packing, source).await.map_err(told)
}

async fn hand_in(
    client: &Client,
    context: &Context,
    repo: &RepoKey,
    packing: &'static dyn Packing,
    source: &Path,
) -> Result<Pushed, Failure> {
    let unread = |error: io::Error| Failure::new(format!("the archive cannot be read: {error}"));
    let held = hash_file(source.to_owned()).await.map_err(unread)?;
    let (digest, size) = (held.hasher.digest(), held.length);
    let mut archive = File::open(source).map_err(unread)?;
    let place = packing.place(&mut archive, size).map_err(|refusal| Failure::new(refusal.detail))?;
    let target = address(repo, place.segments());
    let progress = Progress::start(size, "pushing", &context.console);
    let body = sending::stretch(source.to_owned(), 0, size, &progress);
    let put = client.put(&target).patience(INSPECTION).body(body);
    let fate = match put.send().await {
        Ok(_) => Fate::Stored,
        // Perhaps an earlier push has stored the very same bytes.
        Err(error) if error.status() == Some(409) && is_there(client, &target, digest).await => Fate::Unchanged,
        Err(error) => return Err(error.into()),
    };
    progress.finish();
    Ok(Pushed { path: place.to_string(), digest, size, fate })
}

fn pack(
    packing: &'static dyn Packing,
    mut folder: Tree,
    version: Option<&str>,
    spool: &Path,
) -> Result<NamedTempFile, Failure> {
    let unwritten = |error: io::Error| Failure::new(format!("cannot write to '{}': {error}", spool.display()));
    let mut file = tempfile::Builder::new().prefix("artifortress-").tempfile_in(spool).map_err(unwritten)?;
    let mut out = BufWriter::new(file.as_file_mut());
    packing.pack(&mut folder, version, &mut out).map_err(|refusal| Failure::usage(refusal.detail))?;
    out.flush().map_err(unwritten)?;
    drop(out);
    Ok(file)
}

/// The plain files of a folder.
struct Tree {
    root: PathBuf,
    files: Vec<FolderFile>,
}

impl Tree {
    fn of(root: &Path, packing: &dyn Packing, console: &Console) -> Result<Self, Failure> {
        let mut tree = Self { root: root.to_owned(), files: Vec::new() };
        tree.add("", packing, console, 0)?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn add(&mut self, folder: &str, packing: &dyn Packing, console: &Console, depth: usize) -> Result<(), Failure> {
        let path = self.root.join(folder);
        let unreadable = |error| Failure::new(format!("cannot read '{}': {error}", path.display()));
        if depth > DEPTH {
            return Err(Failure::usage(format!("'{}' lies too deep", path.display())));
        }
        for entry in fs::read_dir(&path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| Failure::usage(format!("'{}' is not UTF-8", entry.path().display())))?;
            let inside = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_file() {
                self.files.push(FolderFile { path: inside, size: entry.metadata().map_err(unreadable)?.len() });
            } else if !kind.is_dir() {
                console.complain(&format!("artifortress: '{}' is no plain file: skipped", entry.path().display()));
            } else if packing.enters(&inside) {
                self.add(&inside, packing, console, depth + 1)?;
            }
        }
        Ok(())
    }
}

impl Folder for Tree {
    fn files(&self) -> &[FolderFile] {
        &self.files
    }

    fn open(&mut self, number: usize) -> io::Result<Box<dyn Read>> {
        let file = self.files.get(number).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(File::open(self.root.join(&file.path))?))
    }
}
