//! Which job follows from an event.

use store::events::Event;
use store::sequence::Follow;

use super::Job;
use super::blob_heal::BlobHeal;

/// The job that follows from `event`. Pure: the same event always gives the same job.
pub(crate) fn follow(event: &Event) -> Option<Follow> {
    match event.action.as_str() {
        "blob.copy.damaged" => {
            let digest = event.resource_id.parse().ok()?;
            let payload = serde_json::to_string(&BlobHeal { digest }).ok()?;
            Some(Follow { kind: BlobHeal::KIND, dedupe: event.resource_id.clone(), payload, run_at: event.at })
        }
        _ => None,
    }
}
