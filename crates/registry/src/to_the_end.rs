//! Work that must not stop halfway.

use std::future::Future;

use tracing::Instrument as _;

use crate::error::{Error, Result};

/// Does `work` whether or not the caller waits for it. A client that goes away drops the future of its request: bytes
/// that have their name by then would be left behind without a row.
pub(crate) async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let done = tokio::spawn(work.in_current_span()).await;
    done.map_err(|error| Error::Defect(format!("a request ended: {error}")))?
}
