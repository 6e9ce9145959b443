//! Versions: looking, marking, withdrawing, restoring.

use axum::Json as Answer;
use http::StatusCode;
use model::state::{MarkKind, VersionState};
use model::{RepoKey, Role, Sha256Digest, Timestamp, TombstoneId, VersionId};
use registry::{Entry, Event, Grant, Mark, Promote, Read, Tombstone, Version, Write};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::access::Repo;
use super::endpoint::{Access, Endpoint, get, post};
use super::page::{Page, Paging};
use super::refs::RefView;
use crate::edge::{Json, NoBody, Path, Query};
use crate::problem::Problem;

const READ: Access = Access::Repo(Role::Read);
const WRITE: Access = Access::Repo(Role::Write);
const PROMOTE: Access = Access::Repo(Role::Promote);

/// The repository and the version in a path.
pub(super) type InVersion = Path<(String, VersionId)>;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/repos/{repo}/packages/versions/{version}", READ, read)
            .summary("A version with its entries, refs, marks and events")
            .answers::<DetailView>(StatusCode::OK),
        get("/v1/repos/{repo}/packages/versions/{version}/entries", READ, entries)
            .summary("All entries of a version")
            .pages()
            .answers::<Page<EntryView>>(StatusCode::OK),
        post("/v1/repos/{repo}/packages/versions/{version}/yank", WRITE, yank)
            .summary("Yank: resolvers do not choose it any more, downloads go on")
            .may_take::<ReasonBody>()
            .answers::<MarkedView>(StatusCode::OK),
        post("/v1/repos/{repo}/packages/versions/{version}/unyank", WRITE, unyank)
            .summary("Take a yank back")
            .answers::<MarkedView>(StatusCode::OK),
        post("/v1/repos/{repo}/packages/versions/{version}/deprecate", WRITE, deprecate)
            .summary("Deprecate with a text for users; an empty text lifts it")
            .takes::<TextBody>()
            .answers::<MarkedView>(StatusCode::OK),
        post("/v1/repos/{repo}/packages/versions/{version}/tombstone", PROMOTE, tombstone)
            .summary("Withdraw: 410 from the next request on; can be restored while retained")
            .takes::<TombstoneBody>()
            .answers::<WithdrawnView>(StatusCode::OK),
        post("/v1/repos/{repo}/packages/versions/{version}/restore", PROMOTE, restore)
            .summary("Publish a withdrawn version again")
            .answers::<VersionView>(StatusCode::OK),
    ]
}

/// A version.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionView {
    #[schema(value_type = String)]
    version_id: VersionId,
    #[schema(value_type = String)]
    repo_key: RepoKey,
    package_type: String,
    package_namespace: Option<String>,
    package_name: String,
    version: String,
    #[schema(value_type = String)]
    state: VersionState,
    created_by_subject: String,
    #[schema(value_type = String)]
    created_at_utc: Timestamp,
    published_by_subject: Option<String>,
    #[schema(value_type = Option<String>)]
    published_at_utc: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    sealed_at_utc: Option<Timestamp>,
}

impl VersionView {
    pub(super) fn of<A>(grant: &Grant<A>, version: Version) -> Self {
        Self::lying_in(grant.repo().key.clone(), version)
    }

    /// The same, in another repository than the one that was asked: a member of it.
    pub(super) fn lying_in(repo_key: RepoKey, version: Version) -> Self {
        Self {
            version_id: version.id,
            repo_key,
            package_type: version.at.kind,
            package_namespace: Some(version.at.namespace).filter(|namespace| !namespace.is_empty()),
            package_name: version.at.display_name,
            version: version.version,
            state: version.state,
            created_by_subject: version.created_by,
            created_at_utc: version.created_at,
            published_by_subject: version.published_by,
            published_at_utc: version.published_at,
            sealed_at_utc: version.sealed_at,
        }
    }
}

/// A version with everything around it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DetailView {
    #[serde(flatten)]
    version: VersionView,
    /// The first 200.
    entries: Vec<EntryView>,
    entry_count: u64,
    #[schema(value_type = Option<Object>)]
    manifest: Option<Box<RawValue>>,
    refs: Vec<RefView>,
    marks: Vec<MarkView>,
    tombstone: Option<TombstoneView>,
    /// The first 200.
    events: Vec<VersionEventView>,
}

/// An entry.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EntryView {
    relative_path: String,
    /// Where it can be fetched: below /repository/{repoKey}/.
    path: String,
    #[schema(value_type = String)]
    blob_digest: Sha256Digest,
    #[schema(value_type = String)]
    checksum_sha256: Sha256Digest,
    checksum_sha1: Option<String>,
    size_bytes: u64,
    media_type: Option<String>,
    #[schema(value_type = String)]
    added_at_utc: Timestamp,
}

fn entry_view(entry: Entry) -> EntryView {
    EntryView {
        relative_path: entry.path,
        path: entry.location,
        blob_digest: entry.digest,
        checksum_sha256: entry.digest,
        checksum_sha1: entry.sha1.map(|sha1| model::digest::hex(&sha1)),
        size_bytes: entry.size,
        media_type: entry.media_type,
        added_at_utc: entry.added_at,
    }
}

/// A mark in force.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MarkView {
    #[schema(value_type = String)]
    kind: MarkKind,
    /// The entry that it is on; absent: the whole version.
    relative_path: Option<String>,
    text: String,
    by_subject: String,
    #[schema(value_type = String)]
    since_utc: Timestamp,
}

fn mark_view(mark: Mark) -> MarkView {
    MarkView { kind: mark.kind, relative_path: mark.path, text: mark.text, by_subject: mark.by, since_utc: mark.from }
}

/// Why and until when a version is withdrawn.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TombstoneView {
    #[schema(value_type = String)]
    tombstone_id: TombstoneId,
    reason: String,
    by_subject: String,
    #[schema(value_type = String)]
    tombstoned_at_utc: Timestamp,
    #[schema(value_type = String)]
    retention_until_utc: Timestamp,
}

fn tombstone_view(tombstone: Tombstone) -> TombstoneView {
    TombstoneView {
        tombstone_id: tombstone.id,
        reason: tombstone.reason,
        by_subject: tombstone.by,
        tombstoned_at_utc: tombstone.from,
        retention_until_utc: tombstone.retain_until,
    }
}

/// Something that happened to the version.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VersionEventView {
    event_id: String,
    seq: Option<u64>,
    #[schema(value_type = String)]
    occurred_at_utc: Timestamp,
    subject: String,
    action: String,
}

fn event_view(event: Event) -> VersionEventView {
    VersionEventView {
        event_id: event.id.to_string(),
        seq: event.seq,
        occurred_at_utc: event.at,
        subject: event.actor,
        action: event.action,
    }
}

async fn read(Repo(grant): Repo<Read>, Path((_, id)): InVersion) -> Result<Answer<DetailView>, Problem> {
    let found = grant.version(id).await?;
    let manifest = found.manifest.map(|manifest| RawValue::from_string(manifest.body)).transpose();
    Ok(Answer(DetailView {
        version: VersionView::of(&grant, found.version),
        entries: found.entries.into_iter().map(entry_view).collect(),
        entry_count: found.entry_count,
        manifest: manifest.map_err(|_| Problem::internal_error("a manifest is not JSON"))?,
        refs: found.refs.into_iter().map(RefView::of).collect(),
        marks: found.marks.into_iter().map(mark_view).collect(),
        tombstone: found.tombstone.map(tombstone_view),
        events: found.events.into_iter().map(event_view).collect(),
    }))
}

async fn entries(
    Repo(grant): Repo<Read>,
    Path((_, id)): InVersion,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<EntryView>>, Problem> {
    let limit = paging.limit()?;
    let found = grant.entries(id, &paging.after()?.unwrap_or_default(), limit + 1).await?;
    Ok(Answer(Page::cut(found, limit, |entry| entry.path.clone(), entry_view)))
}

/// Why.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReasonBody {
    reason: Option<String>,
}

/// Whether a mark changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MarkedView {
    #[schema(value_type = String)]
    version_id: VersionId,
    /// What was asked for, e.g. `yanked`.
    status: &'static str,
    /// Whether it was not so before.
    changed: bool,
}

async fn yank(
    Repo(grant): Repo<Write>,
    Path((_, id)): InVersion,
    body: Option<Json<ReasonBody>>,
) -> Result<Answer<MarkedView>, Problem> {
    let changed = grant.yank(id, body.and_then(|Json(body)| body.reason)).await?;
    Ok(Answer(MarkedView { version_id: id, status: "yanked", changed }))
}

async fn unyank(Repo(grant): Repo<Write>, Path((_, id)): InVersion, _: NoBody) -> Result<Answer<MarkedView>, Problem> {
    let changed = grant.unyank(id).await?;
    Ok(Answer(MarkedView { version_id: id, status: "unyanked", changed }))
}

/// What users are told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TextBody {
    text: String,
}

async fn deprecate(
    Repo(grant): Repo<Write>,
    Path((_, id)): InVersion,
    Json(body): Json<TextBody>,
) -> Result<Answer<MarkedView>, Problem> {
    let status = if body.text.trim().is_empty() { "undeprecated" } else { "deprecated" };
    let changed = grant.deprecate(id, body.text).await?;
    Ok(Answer(MarkedView { version_id: id, status, changed }))
}

/// Why, and for how long it can be restored.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TombstoneBody {
    reason: String,
    /// 1 to 3650; absent: as the operator set.
    retention_days: Option<u64>,
}

/// A withdrawn version.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WithdrawnView {
    #[serde(flatten)]
    version: VersionView,
    #[schema(value_type = String)]
    tombstoned_at_utc: Timestamp,
    #[schema(value_type = String)]
    retention_until_utc: Timestamp,
    /// Whether it was withdrawn before.
    idempotent: bool,
}

async fn tombstone(
    Repo(grant): Repo<Promote>,
    Path((_, id)): InVersion,
    Json(body): Json<TombstoneBody>,
) -> Result<Answer<WithdrawnView>, Problem> {
    let withdrawn = grant.tombstone(id, body.reason, body.retention_days).await?;
    Ok(Answer(WithdrawnView {
        version: VersionView::of(&grant, withdrawn.version),
        tombstoned_at_utc: withdrawn.tombstone.from,
        retention_until_utc: withdrawn.tombstone.retain_until,
        idempotent: withdrawn.idempotent,
    }))
}

async fn restore(
    Repo(grant): Repo<Promote>,
    Path((_, id)): InVersion,
    _: NoBody,
) -> Result<Answer<VersionView>, Problem> {
    let version = grant.restore(id).await?;
    Ok(Answer(VersionView::of(&grant, version)))
}
