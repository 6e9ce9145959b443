//! Upload sessions: announce, send parts, complete, commit.

use axum::Json as Answer;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::state::UploadState;
use model::{RepoKey, Role, Sha256Digest, Timestamp, UploadId};
use registry::{Grant, Part, PartOffer, Upload, Write};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Repo;
use super::endpoint::{Access, Endpoint, get, post, put};
use crate::edge::{Json, NoBody, Path};
use crate::native::{claims, pieces};
use crate::problem::Problem;

const WRITE: Access = Access::Repo(Role::Write);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/repos/{repo}/uploads", WRITE, create)
            .summary("Begin an upload; 200 with deduped=true when the bytes are known to you already")
            .takes::<CreateBody>()
            .answers::<UploadView>(StatusCode::CREATED)
            .answers::<UploadView>(StatusCode::OK),
        get("/v1/repos/{repo}/uploads/{upload}", WRITE, read)
            .summary("An upload and the parts received")
            .answers::<UploadView>(StatusCode::OK),
        post("/v1/repos/{repo}/uploads/{upload}/parts", WRITE, offer)
            .summary("Where to send a part")
            .takes::<OfferBody>()
            .answers::<OfferView>(StatusCode::OK),
        put("/v1/repos/{repo}/uploads/{upload}/parts/{number}", WRITE, send)
            .summary("Send a part; the answer's ETag goes into complete")
            .takes_bytes()
            .answers::<PartView>(StatusCode::OK),
        post("/v1/repos/{repo}/uploads/{upload}/complete", WRITE, complete)
            .summary("Fix the list of parts")
            .takes::<CompleteBody>()
            .answers::<UploadView>(StatusCode::OK),
        post("/v1/repos/{repo}/uploads/{upload}/commit", WRITE, commit)
            .summary("Verify the bytes and make them known")
            .answers::<UploadView>(StatusCode::OK),
        post("/v1/repos/{repo}/uploads/{upload}/abort", WRITE, abort)
            .summary("Give an upload up")
            .may_take::<AbortBody>()
            .answers::<UploadView>(StatusCode::OK),
    ]
}

/// What will be uploaded.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateBody {
    /// SHA-256, 64 lower-case hex digits.
    #[schema(value_type = String)]
    expected_digest: Sha256Digest,
    /// Bytes; a file without any is sent as one part without any.
    expected_length: u64,
}

/// An upload.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UploadView {
    #[schema(value_type = String)]
    upload_id: UploadId,
    #[schema(value_type = String)]
    repo_key: RepoKey,
    #[schema(value_type = String)]
    state: UploadState,
    #[schema(value_type = String)]
    expected_digest: Sha256Digest,
    expected_length: u64,
    deduped: bool,
    #[schema(value_type = String)]
    expires_at_utc: Timestamp,
    /// The blob, once committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    digest: Option<Sha256Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    /// Why it was aborted.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<PartView>>,
}

fn view(grant: &Grant<Write>, upload: Upload, parts: Option<Vec<Part>>) -> Result<UploadView, Problem> {
    let announced = upload.announced().map_err(registry::Error::from)?;
    let committed = upload.state == UploadState::Committed;
    let part = |part: Part| PartView { part_number: part.number, size_bytes: part.length, e_tag: quoted(part.digest) };
    Ok(UploadView {
        upload_id: upload.id,
        repo_key: grant.repo().key.clone(),
        state: upload.state,
        expected_digest: announced.digest,
        expected_length: announced.length,
        deduped: upload.deduped,
        expires_at_utc: upload.expires_at,
        digest: committed.then_some(announced.digest),
        length: committed.then_some(announced.length),
        reason: upload.reason,
        parts: parts.map(|parts| parts.into_iter().map(part).collect()),
    })
}

fn quoted(digest: Sha256Digest) -> String {
    format!("\"{digest}\"")
}

async fn create(
    Repo(grant): Repo<Write>,
    Json(body): Json<CreateBody>,
) -> Result<(StatusCode, Answer<UploadView>), Problem> {
    let upload = grant.create_upload(body.expected_digest, body.expected_length).await?;
    let status = if upload.deduped { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Answer(view(&grant, upload, None)?)))
}

type InUpload = Path<(String, UploadId)>;

async fn read(Repo(grant): Repo<Write>, Path((_, id)): InUpload) -> Result<Answer<UploadView>, Problem> {
    let (upload, parts) = grant.upload(id).await?;
    Ok(Answer(view(&grant, upload, Some(parts))?))
}

/// The part to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfferBody {
    /// 1 to 10,000.
    part_number: u32,
    /// Its length, to refuse early what is too long.
    size_bytes: Option<u64>,
}

/// Where to send it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OfferView {
    #[schema(value_type = String)]
    upload_id: UploadId,
    #[schema(value_type = String)]
    state: UploadState,
    part_number: u32,
    /// Where to PUT the bytes: our own address (with your token), or one of the object store.
    upload_url: String,
    #[schema(value_type = String)]
    expires_at_utc: Timestamp,
}

async fn offer(
    Repo(grant): Repo<Write>,
    context: crate::edge::Context,
    Path((_, id)): InUpload,
    Json(body): Json<OfferBody>,
) -> Result<Answer<OfferView>, Problem> {
    let PartOffer { upload, number, url, expires_at } = grant.offer_part(id, body.part_number, body.size_bytes).await?;
    let own = || format!("{}/v1/repos/{}/uploads/{id}/parts/{number}", context.base_url(), grant.repo().key);
    Ok(Answer(OfferView {
        upload_id: id,
        state: upload.state,
        part_number: number,
        upload_url: url.map_or_else(own, |url| url.expose().clone()),
        expires_at_utc: expires_at,
    }))
}

/// A part that was received.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PartView {
    part_number: u32,
    size_bytes: u64,
    /// In quotes, as complete takes it.
    e_tag: String,
}

async fn send(
    Repo(grant): Repo<Write>,
    Path((_, id, number)): Path<(String, UploadId, u32)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let mut incoming = grant.receive_part(id, number, length).await?;
    let mut pieces = pieces(body, claims(&headers)?, &grant);
    while let Some(piece) = pieces.next().await {
        incoming.write(piece?).await?;
    }
    let part = incoming.finish().await?;
    let etag = HeaderValue::try_from(part.etag()).unwrap_or(HeaderValue::from_static("\"\""));
    let view = PartView { part_number: part.number, size_bytes: part.length, e_tag: part.etag() };
    Ok(([(header::ETAG, etag)], Answer(view)).into_response())
}

/// The parts, each once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompleteBody {
    parts: Vec<CompletedPart>,
}

/// A part as its upload answered.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CompletedPart {
    part_number: u32,
    e_tag: String,
}

async fn complete(
    Repo(grant): Repo<Write>,
    Path((_, id)): InUpload,
    Json(body): Json<CompleteBody>,
) -> Result<Answer<UploadView>, Problem> {
    let parts = body.parts.into_iter().map(|part| (part.part_number, part.e_tag)).collect();
    let upload = grant.complete_upload(id, parts).await?;
    Ok(Answer(view(&grant, upload, None)?))
}

async fn commit(Repo(grant): Repo<Write>, Path((_, id)): InUpload, _: NoBody) -> Result<Answer<UploadView>, Problem> {
    let upload = grant.commit_upload(id).await?;
    Ok(Answer(view(&grant, upload, None)?))
}

/// Why an upload is given up.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AbortBody {
    reason: Option<String>,
}

async fn abort(
    Repo(grant): Repo<Write>,
    Path((_, id)): InUpload,
    body: Option<Json<AbortBody>>,
) -> Result<Answer<UploadView>, Problem> {
    let reason = body.and_then(|Json(body)| body.reason);
    let upload = grant.abort_upload(id, reason).await?;
    Ok(Answer(view(&grant, upload, None)?))
}
