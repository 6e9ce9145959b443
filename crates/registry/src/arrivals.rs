//! Whether what was written to a bucket is in the bucket that is meant: asked after the writing, before a row says so.

use std::sync::atomic::{AtomicU64, Ordering};

use model::Code;
use model::state::CopyKind;
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::registry::Registry;

/// Looks at the stamp of the bucket, one after the other: what many wait for is asked once.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    begun: AtomicU64,
    last: Mutex<Last>,
}

/// The last look that ended: its number from 1, and what was found.
#[derive(Debug, Default)]
struct Last {
    number: u64,
    is_ours: bool,
}

impl Registry {
    /// 503 unless what was written to the blob store before this call is in the one that is meant. A folder stays the one
    /// that was opened; a bucket is what its name leads to at that moment. One that was changed behind our back would
    /// otherwise swallow what is acknowledged, to be lost when the right one is back.
    pub(crate) async fn expect_arrived(&self) -> Result<()> {
        if self.blobs().kind() != CopyKind::Object {
            return Ok(());
        }
        let Arrivals { begun, last } = &self.inner.arrivals;
        let before = begun.load(Ordering::SeqCst);
        let mut last = last.lock().await;
        if last.number <= before {
            let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
            let looked = self.expect_our_blobs().await;
            *last = Last { number, is_ours: looked.is_ok() };
            return looked;
        }
        match last.is_ours {
            true => Ok(()),
            false => {
                Err(Error::refuse(Code::ServiceUnavailable, "the blob store is not available right now: try again"))
            }
        }
    }
}
