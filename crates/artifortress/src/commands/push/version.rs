//! All files as one version: draft, blobs, entries, manifest, publish.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Mutex;

use futures_util::{StreamExt, TryStreamExt, stream};
use model::{PackageName, RepoKey, VersionName};
use outbound::Client;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::super::failure::Failure;
use super::super::hashing::hash_file;
use super::super::progress::Progress;
use super::parts::{Blob, Uploads};
use super::plan::Planned;
use super::resume::Sessions;
use super::{Coordinate, Pushed};
use crate::Context;

/// Entries sent in one request.
const BATCH: usize = 200;

/// The largest manifest file.
const MANIFEST: u64 = 512 * 1024;

/// The version to make.
pub(super) struct Target<'a> {
    pub(super) repo: &'a RepoKey,
    pub(super) package: &'a str,
    pub(super) version: &'a str,
    pub(super) with: &'a Coordinate,
}

/// Pushes the files and publishes them together; answers with what the server said of the version.
pub(super) async fn push(
    client: &Client,
    context: &Context,
    target: Target<'_>,
    plan: &[Planned],
    jobs: NonZeroUsize,
    progress: &Progress,
) -> Result<(Vec<Pushed>, Value), Failure> {
    let manifest = target.manifest()?;
    let draft = match target.draft(client).await? {
        Began::Draft(draft) => draft,
        Began::Taken(refusal) => return target.published_before(client, plan, progress).await?.ok_or(refusal),
    };
    if draft.reused {
        target.tidy(client, &draft, plan).await?;
    }
    let uploads = Uploads {
        client,
        repo: target.repo,
        sessions: Sessions::of(context, client.base(), target.repo)?,
        slots: Semaphore::new(jobs.get()),
        jobs,
        progress,
        under_way: Mutex::default(),
    };
    let each = |planned| bring(&uploads, planned);
    let pushed: Vec<Pushed> = stream::iter(plan).map(each).buffered(jobs.get()).try_collect().await?;
    for batch in pushed.chunks(BATCH) {
        let entries: Vec<Value> = batch.iter().map(entry).collect();
        client.post(&target.at(&[&draft.id, "entries"])).json(&json!({ "entries": entries })).once().send().await?;
    }
    client.put(&target.at(&[&draft.id, "manifest"])).json(&json!({ "manifest": manifest })).send().await?;
    let published = client.post(&target.at(&[&draft.id, "publish"])).once().send().await?.json().await?;
    Ok((pushed, published))
}

async fn bring(uploads: &Uploads<'_>, planned: &Planned) -> Result<Pushed, Failure> {
    let about = |failure: Failure| failure.about(planned.source.display());
    let held = hash_file(planned.source.clone()).await;
    let held = held.map_err(|error| about(Failure::new(format!("the file cannot be read: {error}"))))?;
    let blob = Blob { source: &planned.source, digest: held.hasher.digest(), length: held.length };
    let fate = uploads.bring(blob).await.map_err(about)?;
    Ok(Pushed { path: planned.path.to_string(), digest: blob.digest, size: blob.length, fate })
}

fn entry(pushed: &Pushed) -> Value {
    json!({ "relativePath": pushed.path, "blobDigest": pushed.digest, "sizeBytes": pushed.size })
}

struct Draft {
    id: String,
    reused: bool,
}

/// How a version began.
enum Began {
    Draft(Draft),
    /// The name is in use, perhaps by the very push that is being repeated.
    Taken(Failure),
}

impl Target<'_> {
    pub(super) fn at(&self, rest: &[&str]) -> String {
        let head = ["v1", "repos", self.repo.as_str(), "packages", "versions"];
        outbound::path(head.into_iter().chain(rest.iter().copied()))
    }

    async fn draft(&self, client: &Client) -> Result<Began, Failure> {
        let refused = |error: model::NameError| Failure::usage(error.to_string());
        PackageName::parse(self.package).map_err(refused)?;
        VersionName::parse(self.version).map_err(refused)?;
        let mut body = json!({
            "packageType": self.with.package_type, "packageName": self.package, "version": self.version,
        });
        if let Some(namespace) = &self.with.namespace {
            body["packageNamespace"] = json!(namespace);
        }
        let answer = match client.post(&self.at(&["drafts"])).json(&body).once().send().await {
            Err(error) if error.status() == Some(409) => return Ok(Began::Taken(error.into())),
            answer => answer?,
        };
        let draft: Value = answer.json().await?;
        let id = draft["versionId"].as_str().ok_or_else(|| Failure::new("the server's answer names no version"))?;
        Ok(Began::Draft(Draft { id: id.to_owned(), reused: draft["reusedDraft"] == true }))
    }

    /// Sees to it that a draft which was begun before holds nothing but what is pushed now.
    async fn tidy(&self, client: &Client, draft: &Draft, plan: &[Planned]) -> Result<(), Failure> {
        let version: Value = client.get(&self.at(&[&draft.id])).send().await?.json().await?;
        let wanted: BTreeSet<&str> = plan.iter().map(|planned| planned.path.as_str()).collect();
        let entries = version["entries"].as_array().into_iter().flatten();
        let paths = entries.filter_map(|entry| entry["relativePath"].as_str());
        let extra: Vec<&str> = paths.filter(|path| !wanted.contains(path)).collect();
        if let (Some(first), false) = (extra.first(), self.with.replace) {
            let what = format!("the draft holds {} entries that are not part of this push, such as '{first}'", extra.len());
            return Err(Failure::new(what).advise("add --replace to remove them"));
        }
        for path in extra {
            let entry = [draft.id.as_str(), "entries"].into_iter().chain(path.split('/')).collect::<Vec<_>>();
            client.delete(&self.at(&entry)).send().await?;
        }
        Ok(())
    }

    fn manifest(&self) -> Result<Value, Failure> {
        match &self.with.manifest {
            Some(path) => read_manifest(path),
            None => Ok(json!({ "name": self.package, "version": self.version })),
        }
    }
}

fn read_manifest(path: &Path) -> Result<Value, Failure> {
    let told = |why: String| Failure::usage(format!("the manifest '{}' {why}", path.display()));
    let mut text = String::new();
    let file = File::open(path).map_err(|error| told(format!("cannot be read: {error}")))?;
    file.take(MANIFEST + 1).read_to_string(&mut text).map_err(|error| told(format!("cannot be read: {error}")))?;
    if text.len() as u64 > MANIFEST {
        return Err(told("is larger than 512 KiB".to_owned()));
    }
    let manifest: Value = serde_json::from_str(&text).map_err(|error| told(format!("is not JSON: {error}")))?;
    if manifest.is_object() { Ok(manifest) } else { Err(told("is not a JSON object".to_owned())) }
}
