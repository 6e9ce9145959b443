//! Servers that may read from loopback.

use acceptance::Result;
use serde_json::json;

use crate::site::{Site, plan};

/// A server that may read from loopback.
pub(crate) async fn site() -> Result<Site> {
    let server = plan().variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8").start().await?;
    Ok(Site { admin: server.admin()?, server })
}

/// How many bytes may be stored in all: ten mebibytes at least.
pub(crate) async fn allow(site: &Site, bytes: u64) -> Result<()> {
    let body =
        json!({"maxLogicalStorageBytes": bytes, "maxConcurrentUploadSessions": 10, "maxPendingSearchJobs": 1000});
    site.admin.put("/v1/admin/tenant-admission-policy").json(&body).send().await?.expect(&[200])?;
    Ok(())
}
