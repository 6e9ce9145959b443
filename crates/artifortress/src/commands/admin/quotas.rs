//! `admin quotas`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Desk;
use crate::commands::failure::Failure;

const PLACE: &str = "/v1/admin/tenant-admission-policy";

#[derive(Debug, Subcommand)]
pub(super) enum Quotas {
    /// Show the allowances and what is used of them
    Get,
    /// Set allowances; what is not named stays as it is
    Set(Allowances),
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(super) struct Allowances {
    /// Bytes that all repositories may hold together
    #[arg(long, value_name = "BYTES")]
    storage_bytes: Option<u64>,
    /// Uploads that may be open at the same time
    #[arg(long, value_name = "COUNT")]
    upload_sessions: Option<u64>,
    /// Background jobs that may wait
    #[arg(long, value_name = "COUNT")]
    pending_jobs: Option<u64>,
}

impl Quotas {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        let Self::Set(named) = self else { return desk.show(PLACE).await };
        let current: Value = desk.client.get(PLACE).send().await?.json().await?;
        let fields = [
            ("maxLogicalStorageBytes", named.storage_bytes),
            ("maxConcurrentUploadSessions", named.upload_sessions),
            ("maxPendingSearchJobs", named.pending_jobs),
        ];
        let value = |(field, value): (&str, Option<u64>)| {
            (field.to_owned(), value.map_or_else(|| current[field].clone(), |value| json!(value)))
        };
        let body: Map<String, Value> = fields.map(value).into_iter().collect();
        desk.perform(desk.client.put(PLACE).json(&Value::Object(body)), "the allowances are set").await
    }
}
