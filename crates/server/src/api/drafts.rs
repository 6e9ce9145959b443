//! Putting a version together and publishing it.

use axum::Json as Answer;
use http::StatusCode;
use model::{EntryPath, Role, Sha256Digest, VersionId, VersionName};
use registry::{DeclaredEntry, NewDraft, Read, Write};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::access::Repo;
use super::endpoint::{Access, Endpoint, delete, get, post, put};
use super::names::package_name;
use super::versions::{InVersion, VersionView};
use crate::edge::{Json, NoBody, Path};
use crate::problem::Problem;

const WRITE: Access = Access::Repo(Role::Write);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/repos/{repo}/packages/versions/drafts", WRITE, create)
            .summary("Begin a version, or find the draft begun before (200, reusedDraft=true)")
            .takes::<DraftBody>()
            .answers::<DraftView>(StatusCode::CREATED)
            .answers::<DraftView>(StatusCode::OK),
        post("/v1/repos/{repo}/packages/versions/{version}/entries", WRITE, put_entries)
            .summary("Put entries into a draft, all or none")
            .takes::<EntriesBody>()
            .answers::<EntriesView>(StatusCode::OK),
        delete("/v1/repos/{repo}/packages/versions/{version}/entries/{*path}", WRITE, remove_entry)
            .summary("Take an entry out of a draft")
            .answers_nothing(StatusCode::NO_CONTENT),
        put("/v1/repos/{repo}/packages/versions/{version}/manifest", WRITE, put_manifest)
            .summary("Give a draft its manifest: a JSON object, kept as it came")
            .takes::<ManifestBody>()
            .answers::<ManifestView>(StatusCode::OK),
        get("/v1/repos/{repo}/packages/versions/{version}/manifest", Access::Repo(Role::Read), manifest)
            .summary("The manifest of a version")
            .answers::<ManifestView>(StatusCode::OK),
        post("/v1/repos/{repo}/packages/versions/{version}/publish", WRITE, publish)
            .summary("Publish a draft: all of it is visible from the next request on")
            .answers::<PublishedView>(StatusCode::OK),
        post("/v1/repos/{repo}/packages/versions/{version}/seal", WRITE, seal)
            .summary("Say that nothing is added any more")
            .answers::<VersionView>(StatusCode::OK),
    ]
}

/// A version to be begun.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DraftBody {
    /// The repository's format.
    package_type: String,
    #[serde(default)]
    package_namespace: Option<String>,
    package_name: String,
    version: String,
}

/// A draft.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DraftView {
    #[serde(flatten)]
    version: VersionView,
    /// Whether it was begun before.
    reused_draft: bool,
}

async fn create(
    Repo(grant): Repo<Write>,
    Json(body): Json<DraftBody>,
) -> Result<(StatusCode, Answer<DraftView>), Problem> {
    let name = package_name("packageName", body.package_name.trim())?;
    let version = VersionName::parse(body.version.trim())
        .map_err(|error| Problem::bad_request(error.to_string()).field("version", error.to_string()))?;
    let new = NewDraft {
        package_type: body.package_type.trim().to_lowercase(),
        namespace: body.package_namespace.unwrap_or_default(),
        name,
        version,
    };
    let drafted = grant.create_draft(new).await?;
    let status = if drafted.reused { StatusCode::OK } else { StatusCode::CREATED };
    let version = VersionView::of(&grant, drafted.version);
    Ok((status, Answer(DraftView { version, reused_draft: drafted.reused })))
}

/// Entries: 1 to 1000.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EntriesBody {
    entries: Vec<EntryBody>,
}

/// A path and the blob that it points at.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EntryBody {
    relative_path: String,
    /// SHA-256 of a blob that was uploaded to this repository.
    #[schema(value_type = String)]
    blob_digest: Sha256Digest,
    #[schema(value_type = Option<String>)]
    checksum_sha1: Option<String>,
    #[schema(value_type = Option<String>)]
    checksum_sha256: Option<Sha256Digest>,
    /// Must be the blob's length.
    size_bytes: u64,
    media_type: Option<String>,
}

fn declared((index, entry): (usize, EntryBody)) -> Result<DeclaredEntry, Problem> {
    let refuse =
        |field: &str, why: String| Problem::bad_request(why.clone()).field(format!("entries[{index}].{field}"), why);
    let path = EntryPath::parse(&entry.relative_path).map_err(|error| refuse("relativePath", error.to_string()))?;
    let sha1 = match entry.checksum_sha1 {
        None => None,
        Some(text) => {
            let bytes = model::digest::unhex(&text).and_then(|bytes| bytes.try_into().ok());
            Some(bytes.ok_or_else(|| refuse("checksumSha1", "a SHA-1 is 40 lower-case hex digits".to_owned()))?)
        }
    };
    Ok(DeclaredEntry {
        path,
        digest: entry.blob_digest,
        size: entry.size_bytes,
        sha1,
        sha256: entry.checksum_sha256,
        media_type: entry.media_type,
    })
}

/// How many entries the draft has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EntriesView {
    #[schema(value_type = String)]
    version_id: VersionId,
    repo_key: String,
    /// Always `draft`.
    state: &'static str,
    entry_count: u64,
}

async fn put_entries(
    Repo(grant): Repo<Write>,
    Path((_, id)): InVersion,
    Json(body): Json<EntriesBody>,
) -> Result<Answer<EntriesView>, Problem> {
    let entries = body.entries.into_iter().enumerate().map(declared).collect::<Result<_, _>>()?;
    let entry_count = grant.put_entries(id, entries).await?;
    Ok(Answer(EntriesView { version_id: id, repo_key: grant.repo().key.to_string(), state: "draft", entry_count }))
}

async fn remove_entry(
    Repo(grant): Repo<Write>,
    Path((_, id, path)): Path<(String, VersionId, String)>,
) -> Result<StatusCode, Problem> {
    let path = EntryPath::parse(&path).map_err(|error| Problem::bad_request(error.to_string()))?;
    grant.remove_entry(id, path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A manifest.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ManifestBody {
    #[schema(value_type = Object)]
    manifest: Box<RawValue>,
    #[schema(value_type = Option<String>)]
    manifest_blob_digest: Option<Sha256Digest>,
}

/// A version's manifest.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ManifestView {
    #[serde(flatten)]
    version: VersionView,
    #[schema(value_type = Object)]
    manifest: Box<RawValue>,
    #[schema(value_type = Option<String>)]
    manifest_blob_digest: Option<Sha256Digest>,
}

async fn put_manifest(
    Repo(grant): Repo<Write>,
    Path((_, id)): InVersion,
    Json(body): Json<ManifestBody>,
) -> Result<Answer<ManifestView>, Problem> {
    grant.put_manifest(id, body.manifest.get().to_owned(), body.manifest_blob_digest).await?;
    let (version, manifest) = grant.to_read().manifest(id).await?;
    manifest_view(VersionView::of(&grant, version), manifest)
}

async fn manifest(Repo(grant): Repo<Read>, Path((_, id)): InVersion) -> Result<Answer<ManifestView>, Problem> {
    let (version, manifest) = grant.manifest(id).await?;
    manifest_view(VersionView::of(&grant, version), manifest)
}

fn manifest_view(version: VersionView, manifest: registry::Manifest) -> Result<Answer<ManifestView>, Problem> {
    let body = RawValue::from_string(manifest.body).map_err(|_| Problem::internal_error("a manifest is not JSON"))?;
    Ok(Answer(ManifestView { version, manifest: body, manifest_blob_digest: manifest.blob }))
}

/// A published version.
#[derive(Serialize, ToSchema)]
struct PublishedView {
    #[serde(flatten)]
    version: VersionView,
    /// Whether it was published before.
    idempotent: bool,
}

async fn publish(
    Repo(grant): Repo<Write>,
    Path((_, id)): InVersion,
    _: NoBody,
) -> Result<Answer<PublishedView>, Problem> {
    let published = grant.publish_version(id).await?;
    let version = VersionView::of(&grant, published.version);
    Ok(Answer(PublishedView { version, idempotent: published.idempotent }))
}

async fn seal(Repo(grant): Repo<Write>, Path((_, id)): InVersion, _: NoBody) -> Result<Answer<VersionView>, Problem> {
    let version = grant.seal_version(id).await?;
    Ok(Answer(VersionView::of(&grant, version)))
}
