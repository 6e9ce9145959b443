//! What upstreams answer is written down, and that it holds still.

use model::{ObservationId, RepoId, Sha256Digest, Timestamp};
use serde_json::json;

use crate::admission::{self, Allowance, Limits};
use crate::args;
use crate::blobs::{self, NewBlob};
use crate::deposit::Deposit;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::repositories;
use crate::session::Tx;
use crate::store::Write;

/// An answer of an upstream, but for its bytes.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its id.
    pub id: ObservationId,
    /// What was asked.
    pub target: String,
    /// The media type of its bytes.
    pub media_type: String,
    /// Where they came from.
    pub address: String,
    /// The tag that the upstream gave them.
    pub etag: Option<String>,
    /// When they last changed there.
    pub changed_at: Option<Timestamp>,
}

impl Answer {
    async fn insert(
        &self,
        tx: &mut Tx<'_>,
        repo: RepoId,
        (digest, length): (Option<Sha256Digest>, u64),
        at: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO observations
             (id, repo_id, target, digest, length, media_type, address, etag, changed_at, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let Self { id, target, media_type, address, etag, changed_at } = self;
        let args = args![*id, repo, *target, digest, length, *media_type, *address, *etag, *changed_at, at];
        tx.execute(sql, args).await.map(drop)
    }

    /// It is what the upstream says from now on.
    async fn hold(&self, tx: &mut Tx<'_>, repo: RepoId, at: Timestamp) -> Result<()> {
        let sql = "INSERT INTO outlooks (repo_id, target, observation_id, checked_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (repo_id, target) DO UPDATE SET observation_id = $3, checked_at = $4
             WHERE outlooks.checked_at <= $4";
        tx.execute(sql, args![repo, self.target, self.id, at]).await.map(drop)
    }

    /// Both, of the answer with which a file came that is an entry of the repository: the entry is what needs its bytes
    /// and pays for them, not the answer.
    pub(crate) async fn keep_beside(
        &self,
        tx: &mut Tx<'_>,
        repo: RepoId,
        (digest, length): (Sha256Digest, u64),
        at: Timestamp,
    ) -> Result<()> {
        if !self.target.starts_with('/') {
            return Err(Error::Defect(format!("{} is no file's: its bytes would be needed", self.target)));
        }
        self.insert(tx, repo, (Some(digest), length), at).await?;
        self.hold(tx, repo, at).await
    }
}

/// Keeps an answer of an upstream, which holds from now on.
#[derive(Clone, Debug)]
pub struct Observe {
    /// Who asked, and when.
    pub act: Act,
    /// The remote repository.
    pub repo: RepoId,
    /// The answer.
    pub answer: Answer,
    /// Its bytes; `None`: the upstream has no such thing.
    pub blob: Option<NewBlob>,
    /// Under which id it is kept, too, until when the answer before held, where that counts.
    pub held: Option<ObservationId>,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

impl Observe {
    /// The answer before, with the time at which it was last confirmed as that at which it was seen.
    async fn keep_held(&self, tx: &mut Tx<'_>, id: ObservationId) -> Result<()> {
        let sql = "INSERT INTO observations
             (id, repo_id, target, digest, length, media_type, address, etag, changed_at, seen_at)
             SELECT $3, o.repo_id, o.target, o.digest, o.length, o.media_type, o.address, o.etag, o.changed_at,
                 l.checked_at
             FROM outlooks l JOIN observations o ON o.id = l.observation_id
             WHERE l.repo_id = $1 AND l.target = $2 AND l.checked_at > o.seen_at AND l.checked_at < $4";
        tx.execute(sql, args![self.repo, self.answer.target, id, self.act.at]).await.map(drop)
    }
}

impl Deposit for Observe {
    type Out = ();

    fn is_stored(&self) -> bool {
        self.blob.as_ref().is_some_and(NewBlob::is_stored)
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let Self { act, repo, answer, .. } = self;
        repositories::expect_living(tx, *repo).await?;
        let bytes = self.blob.as_ref().map_or((None, 0), |blob| (Some(blob.digest), blob.length));
        if let Some(blob) = &self.blob {
            blobs::keep(tx, blob, act.at).await?;
        }
        admission::take(tx, act.tenant, Allowance::Bytes, bytes.1, &self.limits, act.event.0.as_u128()).await?;
        answer.insert(tx, *repo, bytes, act.at).await?;
        if let Some(id) = self.held {
            self.keep_held(tx, id).await?;
        }
        answer.hold(tx, *repo, act.at).await?;
        observed(tx, act, *repo, answer, bytes).await
    }
}

async fn observed(
    tx: &mut Tx<'_>,
    act: &Act,
    repo: RepoId,
    answer: &Answer,
    (digest, length): (Option<Sha256Digest>, u64),
) -> Result<()> {
    let detail = json!({"digest": digest, "length": length, "etag": answer.etag});
    let on = On { repo: Some(repo), kind: "upstream", id: &answer.target };
    record(tx, act, "upstream.observed", on, &detail).await
}

/// The upstream gave the bytes of a file that is here another tag or time.
#[derive(Clone, Debug)]
pub struct Retell {
    /// Who asked, and when.
    pub act: Act,
    /// The remote repository.
    pub repo: RepoId,
    /// The answer.
    pub answer: Answer,
    /// What its bytes are.
    pub digest: Sha256Digest,
    /// Their length.
    pub length: u64,
}

impl Write for Retell {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let Self { act, repo, answer, digest, length } = self;
        repositories::expect_living(tx, *repo).await?;
        answer.keep_beside(tx, *repo, (*digest, *length), act.at).await?;
        observed(tx, act, *repo, answer, (Some(*digest), *length)).await
    }
}

/// The upstream says that its last answer holds: nothing but the time of that is written.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// The remote repository.
    pub repo: RepoId,
    /// What was asked.
    pub target: String,
    /// The answer that holds.
    pub observation: ObservationId,
    /// When.
    pub at: Timestamp,
}

impl Write for Confirm {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "UPDATE outlooks SET checked_at = $4
             WHERE repo_id = $1 AND target = $2 AND observation_id = $3 AND checked_at <= $4";
        tx.execute(sql, args![self.repo, self.target, self.observation, self.at]).await.map(drop)
    }
}
