//! One blob through an upload session: parts in parallel, those that arrived before left out.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use model::state::UploadState;
use model::{RepoKey, Sha256Digest};
use outbound::Client;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use super::super::failure::Failure;
use super::super::progress::Progress;
use super::resume::Sessions;
use super::{Fate, sending};

/// The size of every part but the last.
const PART: u64 = 16 * 1024 * 1024;

/// How long the server may verify in silence.
const VERIFICATION: Duration = Duration::from_secs(3600);

/// What the uploads of one push share.
pub(super) struct Uploads<'a> {
    pub(super) client: &'a Client,
    pub(super) repo: &'a RepoKey,
    pub(super) sessions: Sessions,
    /// Bounds the transfers over all files.
    pub(super) slots: Semaphore,
    pub(super) jobs: NonZeroUsize,
    pub(super) progress: &'a Progress,
    /// The blobs under way: the same bytes under two paths are sent once.
    pub(super) under_way: Mutex<BTreeMap<Sha256Digest, Arc<tokio::sync::Mutex<()>>>>,
}

/// The bytes to bring over.
#[derive(Clone, Copy)]
pub(super) struct Blob<'a> {
    pub(super) source: &'a Path,
    pub(super) digest: Sha256Digest,
    pub(super) length: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    #[serde(default)]
    upload_id: String,
    state: UploadState,
    #[serde(default)]
    deduped: bool,
    expected_digest: Option<Sha256Digest>,
    #[serde(default)]
    parts: Vec<Received>,
}

/// A part that the server has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    part_number: u32,
    size_bytes: Option<u64>,
    e_tag: Option<String>,
}

/// A part in the list that completes a session.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    part_number: u32,
    e_tag: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Opened {
    upload_url: String,
}

impl Uploads<'_> {
    /// Brings the blob to the repository.
    pub(super) async fn bring(&self, blob: Blob<'_>) -> Result<Fate, Failure> {
        let turn = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(under_way.entry(blob.digest).or_default())
        };
        let _turn = turn.lock().await;
        let session = match self.resumed(blob.digest).await {
            Some(session) => session,
            None => self.create(blob).await?,
        };
        if session.deduped || session.state == UploadState::Committed {
            self.sessions.forget(blob.digest);
            self.progress.done(blob.length);
            return Ok(Fate::Deduplicated);
        }
        let upload = session.upload_id.clone();
        if session.state != UploadState::PendingCommit {
            let parts = self.send(blob, &session).await?;
            self.post(&upload, "complete").json(&json!({ "parts": parts })).once().send().await?;
        }
        let committed = self.post(&upload, "commit").patience(VERIFICATION).once().send().await;
        self.sessions.forget(blob.digest);
        committed.map(|_| Fate::Stored).map_err(Failure::from)
    }

    /// The open session of an earlier push, if the server still has it.
    async fn resumed(&self, digest: Sha256Digest) -> Option<Session> {
        let upload = self.sessions.known(digest)?;
        let answer = self.client.get(&self.address(&[&upload])).send().await.ok()?;
        let session: Session = answer.json().await.ok()?;
        let fits = session.expected_digest == Some(digest) && session.state.is_open();
        fits.then_some(Session { upload_id: upload, ..session })
    }

    async fn create(&self, blob: Blob<'_>) -> Result<Session, Failure> {
        let body = json!({ "expectedDigest": blob.digest, "expectedLength": blob.length });
        let session: Session = self.client.post(&self.address(&[])).json(&body).once().send().await?.json().await?;
        if !session.deduped && session.state.is_open() {
            self.sessions.remember(blob.digest, &session.upload_id);
        }
        Ok(session)
    }

    /// Sends the parts that are missing, and lists all in order.
    async fn send(&self, blob: Blob<'_>, session: &Session) -> Result<Vec<Part>, Failure> {
        let count = blob.length.div_ceil(PART).max(1);
        let count = u32::try_from(count).map_err(|_| Failure::new("the file is too large"))?;
        let parts = stream::iter(1..=count).map(|number| self.part(blob, session, number));
        parts.buffered(self.jobs.get()).try_collect().await
    }

    async fn part(&self, blob: Blob<'_>, session: &Session, number: u32) -> Result<Part, Failure> {
        let offset = u64::from(number - 1) * PART;
        let length = (blob.length - offset).min(PART);
        if let Some(e_tag) = session.received(number, length) {
            self.progress.done(length);
            return Ok(Part { part_number: number, e_tag });
        }
        let _slot = self.slots.acquire().await.map_err(|_| Failure::new("the push was stopped"))?;
        let ask = json!({ "partNumber": number, "sizeBytes": length });
        let opened: Opened = self.post(&session.upload_id, "parts").json(&ask).once().send().await?.json().await?;
        let body = sending::stretch(blob.source.to_owned(), offset, length, self.progress);
        let answer = self.client.put(&opened.upload_url).body(body).send().await?;
        let e_tag = answer.header("etag").ok_or_else(|| Failure::new("the storage gave no ETag for a part"))?;
        Ok(Part { part_number: number, e_tag: e_tag.to_owned() })
    }

    fn post(&self, upload: &str, step: &str) -> outbound::Request {
        self.client.post(&self.address(&[upload, step]))
    }

    fn address(&self, rest: &[&str]) -> String {
        let head = ["v1", "repos", self.repo.as_str(), "uploads"];
        outbound::path(head.into_iter().chain(rest.iter().copied()))
    }
}

impl Session {
    /// The ETag of a part that arrived whole.
    fn received(&self, number: u32, length: u64) -> Option<String> {
        let part = self.parts.iter().find(|part| part.part_number == number && part.size_bytes == Some(length))?;
        part.e_tag.clone().filter(|e_tag| !e_tag.is_empty())
    }
}
