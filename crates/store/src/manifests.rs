//! Manifests: the format's metadata of a version, verbatim.

use model::state::VersionState;
use model::{RepoId, Sha256Digest, Timestamp, VersionId};
use serde_json::json;

use crate::error::Result;
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;
use crate::{args, entries, versions};

/// The manifest of a version.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// JSON, as it came.
    pub body: String,
    /// The blob that belongs to it, where the format has one.
    pub blob: Option<Sha256Digest>,
    /// When it was last put.
    pub updated_at: Timestamp,
}

/// The manifest of a version, if it has one.
pub async fn find(session: &mut Session<'_>, version: VersionId) -> Result<Option<Manifest>> {
    let sql = "SELECT body, blob_digest, updated_at FROM manifests WHERE version_id = $1";
    let Some(row) = session.row(sql, args![version]).await? else { return Ok(None) };
    Ok(Some(Manifest { body: row.get(0)?, blob: row.get(1)?, updated_at: row.get(2)? }))
}

/// A version that says something in its manifest.
#[derive(Clone, Debug)]
pub struct Naming {
    /// Its name.
    pub version: String,
    /// Whether it is published, and not withdrawn.
    pub published: bool,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// What the manifest is.
    pub manifest: String,
}

/// The versions of a package whose manifests hold this text, drafts left out. It walks through all manifests of the
/// package: not for hot reads.
pub async fn naming(
    session: &mut Session<'_>,
    repo: RepoId,
    (namespace, package): (&str, &str),
    text: &str,
) -> Result<Vec<Naming>> {
    let sql = "SELECT v.version, v.state, m.body, v.published_at FROM packages p JOIN versions v ON v.package_id = p.id
         JOIN manifests m ON m.version_id = v.id
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND v.state <> 'draft'
            AND replace(m.body, $4, '') <> m.body ORDER BY v.id";
    let rows = session.rows(sql, args![repo, *package, *namespace, *text]).await?;
    let naming = |row: &Row| {
        let state: String = row.get(1)?;
        let published = state == VersionState::Published.word();
        Ok(Naming { version: row.get(0)?, published, manifest: row.get(2)?, published_at: row.get(3)? })
    };
    rows.iter().map(naming).collect()
}

/// Gives a draft its manifest, or another one.
#[derive(Clone, Debug)]
pub struct PutManifest {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The draft.
    pub version: VersionId,
    /// JSON.
    pub body: String,
    /// A blob that the repository holds.
    pub blob: Option<Sha256Digest>,
}

impl Write for PutManifest {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        versions::lock(tx, self.repo, self.version).await?.expect_draft()?;
        if let Some(digest) = self.blob {
            entries::expect_held(tx, self.repo, digest).await?;
        }
        let sql = "INSERT INTO manifests (version_id, body, blob_digest, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (version_id) DO UPDATE SET body = excluded.body, blob_digest = excluded.blob_digest,
             updated_at = excluded.updated_at";
        tx.execute(sql, args![self.version, self.body, self.blob, self.act.at]).await?;
        let id = self.version.to_string();
        let on = On { repo: Some(self.repo), kind: "version", id: &id };
        let detail = json!({"bytes": self.body.len(), "manifestBlobDigest": self.blob});
        record(tx, &self.act, "package.version.manifest.upserted", on, &detail).await
    }
}
