//! What operators look at and set going again.

use axum::Json as Answer;
use http::StatusCode;
use model::{JobId, TenantRole, Timestamp};
use registry::{Auditor, DeadLetter, Operator, OpsSummary, WhichLetters};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::access::Tenant;
use super::endpoint::{Access, Endpoint, get, post};
use super::page::{Page, Paging};
use crate::app::App;
use crate::edge::{Json, Query};
use crate::ops::Report;
use crate::problem::Problem;

const AUDITOR: Access = Access::Tenant(TenantRole::Auditor);
const OPERATOR: Access = Access::Tenant(TenantRole::Operator);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/admin/ops/summary", AUDITOR, summary)
            .summary("Whether background work keeps up, and readiness in detail")
            .answers::<SummaryView>(StatusCode::OK),
        get("/v1/admin/jobs", OPERATOR, letters)
            .summary("Dead letters: jobs that failed too often")
            .pages()
            .answers::<Page<LetterView>>(StatusCode::OK),
        post("/v1/admin/jobs", OPERATOR, replay)
            .summary("Try dead letters again: one by jobId, or all")
            .takes::<ReplayBody>()
            .answers::<ReplayedView>(StatusCode::OK),
    ]
}

/// Counts of background work, and readiness with detail.
#[derive(Serialize, ToSchema)]
struct SummaryView {
    #[serde(flatten)]
    #[schema(value_type = Counts)]
    counts: OpsSummary,
    readiness: Report,
}

/// Counts of background work.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the description of OpsSummary, whose room knows nothing of descriptions")]
struct Counts {
    /// When this was counted.
    checked_at_utc: String,
    /// Events that are not yet sequenced or not yet dispatched.
    pending_outbox_events: u64,
    /// Those of them that could be dispatched now: all.
    available_outbox_events: u64,
    /// Seconds since the oldest of them happened.
    oldest_pending_outbox_age_seconds: u64,
    /// Search jobs: none in this version.
    failed_search_jobs: u64,
    /// Search jobs: none in this version.
    pending_search_jobs: u64,
    /// Collection runs: none in this version.
    incomplete_gc_runs: u64,
    /// Policy evaluations: none in this version.
    recent_policy_timeouts24h: u64,
    /// Jobs that wait or run.
    pending_jobs: u64,
    /// Seconds since the oldest due job became so.
    oldest_due_job_age_seconds: u64,
    /// Jobs that failed too often and wait for a person.
    dead_letters: u64,
    /// Copies that are not what was written.
    damaged_copies: u64,
    /// Blobs without a good copy.
    lost_blobs: u64,
    /// Open upload sessions.
    open_uploads: u64,
    /// Blobs received and not yet entered in a version.
    pinned_blobs: u64,
    /// Bytes kept in the database until they move into packs.
    inline_bytes: u64,
    /// Places whose bytes wait to be deleted.
    waiting_trash: u64,
    /// When the last of the admin tokens in force ends; `null`: there is none.
    last_admin_token_expires_at_utc: Option<String>,
    /// Whether that is within two days, or within half of the longest life where that is less.
    last_admin_token_ends_soon: bool,
}

async fn summary(
    axum::extract::State(app): axum::extract::State<App>,
    Tenant(grant): Tenant<Auditor>,
) -> Result<Answer<SummaryView>, Problem> {
    let counts = grant.ops_summary().await?;
    let readiness = app.readiness.report().await.as_ref().clone();
    Ok(Answer(SummaryView { counts, readiness }))
}

/// A job that failed too often.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LetterView {
    #[schema(value_type = String)]
    job_id: JobId,
    kind: String,
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
    attempts: u32,
    last_error: Option<String>,
    #[schema(value_type = String)]
    created_at_utc: Timestamp,
}

fn letter_view(letter: DeadLetter) -> Result<LetterView, Problem> {
    Ok(LetterView {
        job_id: letter.id,
        kind: letter.kind,
        payload: RawValue::from_string(letter.payload).map_err(|_| Problem::internal_error("a payload is not JSON"))?,
        attempts: letter.attempts,
        last_error: letter.last_error,
        created_at_utc: letter.created_at,
    })
}

async fn letters(
    Tenant(grant): Tenant<Operator>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<LetterView>>, Problem> {
    let limit = paging.limit()?;
    let after =
        paging.after()?.map(|text| text.parse().map_err(|_| Problem::bad_request("this is not a cursor of ours")));
    let letters = grant.dead_letters(after.transpose()?, limit + 1).await?;
    let page = Page::cut(letters, limit, |letter| letter.id.to_string(), letter_view);
    let items = page.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Answer(Page { items, next_cursor: page.next_cursor }))
}

/// Which dead letters to try again: exactly one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReplayBody {
    #[schema(value_type = Option<String>)]
    job_id: Option<JobId>,
    #[serde(default)]
    all: bool,
}

/// How many are tried again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplayedView {
    replayed: u64,
}

async fn replay(
    Tenant(grant): Tenant<Operator>,
    Json(body): Json<ReplayBody>,
) -> Result<Answer<ReplayedView>, Problem> {
    let which = match (body.job_id, body.all) {
        (Some(id), false) => WhichLetters::One(id),
        (None, true) => WhichLetters::All,
        _ => return Err(Problem::bad_request("name a jobId, or say all: true")),
    };
    Ok(Answer(ReplayedView { replayed: grant.replay(which).await? }))
}
