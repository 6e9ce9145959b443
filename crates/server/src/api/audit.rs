//! The journal, for auditors.

use axum::Json as Answer;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use http::{HeaderValue, StatusCode, header};
use model::{CorrelationId, TenantRole, Timestamp};
use registry::{AuditEvent, AuditFilter, AuditOrder, Auditor, Export};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::Type;

use super::access::Tenant;
use super::endpoint::{Access, Endpoint, get};
use super::page::{Page, Paging};
use crate::edge::Query;
use crate::problem::Problem;

const AUDITOR: Access = Access::Tenant(TenantRole::Auditor);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        filters(get("/v1/audit", AUDITOR, list).summary("The journal, newest first"))
            .query("order", "newest (default) or oldest")
            .pages()
            .answers::<Page<EventView>>(StatusCode::OK),
        filters(get("/v1/audit/export", AUDITOR, export).serves("application/x-ndjson", Type::String).summary(
            "The journal as lines of JSON, oldest first; the last line states the count and SHA-256 of the lines before it",
        )),
    ]
}

fn filters(endpoint: Endpoint) -> Endpoint {
    endpoint
        .query("subject", "who did it")
        .query("action", "how the action begins, e.g. auth.")
        .query("resourceType", "what kind of thing it was done to")
        .query("resource", "the thing it was done to")
        .query("repo", "the key of the repository")
        .query("since", "not before this time")
        .query("until", "before this time")
        .query("correlationId", "the request")
}

/// Filters and paging.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AuditQuery {
    subject: Option<String>,
    action: Option<String>,
    resource_type: Option<String>,
    resource: Option<String>,
    repo: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    correlation_id: Option<CorrelationId>,
    order: Option<Order>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Newest,
    Oldest,
}

impl AuditQuery {
    fn filter(&self) -> AuditFilter {
        AuditFilter {
            actor: self.subject.clone(),
            action: self.action.clone(),
            resource_kind: self.resource_type.clone(),
            resource_id: self.resource.clone(),
            repo_key: self.repo.clone(),
            since: self.since,
            until: self.until,
            correlation: self.correlation_id,
        }
    }
}

/// An event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EventView {
    event_id: String,
    /// Its place in the journal: gapless.
    seq: u64,
    #[schema(value_type = String)]
    occurred_at_utc: Timestamp,
    subject: String,
    action: String,
    repo_key: Option<String>,
    resource_type: String,
    resource: String,
    #[schema(value_type = Object)]
    details: Box<RawValue>,
    correlation_id: Option<String>,
}

fn view(event: AuditEvent) -> EventView {
    EventView {
        event_id: event.event_id.to_string(),
        seq: event.seq,
        occurred_at_utc: event.occurred_at_utc,
        subject: event.subject,
        action: event.action,
        repo_key: event.repo_key,
        resource_type: event.resource_type,
        resource: event.resource_id,
        details: event.details,
        correlation_id: event.correlation_id.map(|id| id.to_string()),
    }
}

async fn list(
    Tenant(grant): Tenant<Auditor>,
    Query(query): Query<AuditQuery>,
) -> Result<Answer<Page<EventView>>, Problem> {
    let paging = Paging::new(query.limit, query.cursor.clone());
    let limit = paging.limit()?;
    let beyond = match paging.after()? {
        Some(text) => Some(text.parse().map_err(|_| Problem::bad_request("this is not a cursor of ours"))?),
        None => None,
    };
    let order = match query.order {
        Some(Order::Oldest) => AuditOrder::Oldest,
        Some(Order::Newest) | None => AuditOrder::Newest,
    };
    let events = grant.audit(&query.filter(), order, beyond, limit + 1).await?;
    Ok(Answer(Page::cut(events, limit, |event| event.seq.to_string(), view)))
}

async fn export(Tenant(grant): Tenant<Auditor>, Query(query): Query<AuditQuery>) -> Result<Response, Problem> {
    let mut export = grant.export(query.filter()).await?;
    // What is wrong from the beginning is said with a status.
    let first = export.next().await?;
    let body = Body::from_stream(stream::iter(first.map(Ok)).chain(stream::unfold(Some(export), lines)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (header::CONTENT_DISPOSITION, crate::edge::disposition::attachment("audit.ndjson")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, body).into_response())
}

type Lines = (Result<bytes::Bytes, registry::Error>, Option<Export>);

/// The next lines; after the last event one line that states count and digest.
async fn lines(state: Option<Export>) -> Option<Lines> {
    let mut export = state?;
    match export.next().await {
        Ok(Some(lines)) => Some((Ok(lines), Some(export))),
        Ok(None) => {
            let seal = serde_json::json!({"lines": export.lines(), "sha256": export.digest()});
            Some((Ok(format!("{seal}\n").into()), None))
        }
        Err(error) => Some((Err(error), None)),
    }
}
