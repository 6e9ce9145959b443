//! Reading the journal, for auditors.

use bytes::Bytes;
use model::{Code, CorrelationId, EventId, TenantId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use store::Store;
use store::audit::{Entry, Filter, Order, last, page};

use crate::authorize::{Auditor, TenantGrant};
use crate::error::{Error, Result};

/// Events in one page of an export.
const EXPORT_PAGE: u32 = 500;

/// An event as auditors see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Its id.
    pub event_id: EventId,
    /// Its place in the sequence; gapless over all tenants.
    pub seq: u64,
    /// When.
    pub occurred_at_utc: Timestamp,
    /// Who.
    pub subject: String,
    /// What.
    pub action: String,
    /// In which repository.
    pub repo_key: Option<String>,
    /// To what kind of thing.
    pub resource_type: String,
    /// To which.
    pub resource_id: String,
    /// More.
    pub details: Box<RawValue>,
    /// The request.
    pub correlation_id: Option<CorrelationId>,
}

impl AuditEvent {
    fn of(entry: Entry) -> Result<Self> {
        let event = entry.event;
        let unsequenced = || Error::Defect(format!("the event {} has no number", event.id));
        Ok(Self {
            event_id: event.id,
            seq: event.seq.ok_or_else(unsequenced)?,
            occurred_at_utc: event.at,
            subject: event.actor,
            action: event.action,
            repo_key: entry.repo_key,
            resource_type: event.resource_kind,
            resource_id: event.resource_id,
            details: RawValue::from_string(event.detail).map_err(|error| Error::Defect(error.to_string()))?,
            correlation_id: event.correlation,
        })
    }
}

impl TenantGrant<Auditor> {
    /// Events in the wanted order beyond the number `beyond`; at most 201: a page and whether there is more.
    pub async fn audit(
        &self,
        filter: &Filter,
        order: Order,
        beyond: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>> {
        self.call().note_privileged("audit.read", "tenant");
        read(self.store(), self.tenant(), filter, order, beyond, limit.min(201)).await
    }

    /// Everything that `filter` lets through up to now, oldest first, as lines of JSON.
    pub async fn export(&self, filter: Filter) -> Result<Export> {
        self.call().note_privileged("audit.exported", "tenant");
        let until = self.store().read(last).await?;
        Ok(Export { grant: self.clone(), filter, after: Some(0), until, sha256: Sha256::new(), lines: 0 })
    }
}

/// Filtered reads may look at many rows: on SQLite they leave the async workers.
async fn read(
    store: &Store,
    tenant: TenantId,
    filter: &Filter,
    order: Order,
    beyond: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditEvent>> {
    let (store, filter) = (store.clone(), filter.clone());
    let look =
        async move { store.read(async |session| page(session, tenant, &filter, order, beyond, limit).await).await };
    let runtime = tokio::runtime::Handle::current();
    let found = tokio::task::spawn_blocking(move || runtime.block_on(look)).await;
    let found = found.map_err(|error| Error::Defect(error.to_string()))??;
    found.into_iter().map(AuditEvent::of).collect()
}

/// An export under way: whoever pulls it decides how fast it goes; memory holds one page.
pub struct Export {
    grant: TenantGrant<Auditor>,
    filter: Filter,
    after: Option<u64>,
    until: u64,
    sha256: Sha256,
    lines: u64,
}

impl Export {
    /// The next lines, each ended by a newline; `None` at the end. Refuses whoever may not read the journal any more.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(after) = self.after else { return Ok(None) };
        let call = self.grant.call();
        if call.expired(call.registry.now()) {
            return Err(Error::refuse(Code::Unauthorized, "the token has ended"));
        }
        call.expect_unchanged().await?;
        let found =
            read(self.grant.store(), self.grant.tenant(), &self.filter, Order::Oldest, Some(after), EXPORT_PAGE)
                .await?;
        let full = found.len() as u64 == u64::from(EXPORT_PAGE);
        let inside: Vec<_> = found.into_iter().filter(|event| event.seq <= self.until).collect();
        self.after = inside.last().map(|event| event.seq).filter(|seq| full && *seq < self.until);
        let mut lines = Vec::new();
        for event in &inside {
            serde_json::to_writer(&mut lines, event).map_err(|error| Error::Defect(error.to_string()))?;
            lines.push(b'\n');
        }
        self.sha256.update(&lines);
        self.lines += inside.len() as u64;
        Ok((!lines.is_empty()).then(|| lines.into()))
    }

    /// SHA-256 of everything handed out so far.
    pub fn digest(&self) -> model::Sha256Digest {
        model::Sha256Digest(self.sha256.clone().finalize().into())
    }

    /// How many lines were handed out so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}
