//! A look at copies, before a client is told that nobody needs the bytes it has.

use model::Sha256Digest;
use store::copy::Unseen;
use store::deposit::Look;

use crate::copies::{CopyBytes, CopyOf, copy_of};
use crate::error::{Error, Result};
use crate::registry::Registry;

impl Look for Registry {
    async fn arrived(&self) -> store::Result<()> {
        self.expect_arrived().await.map_err(in_the_stores_words)
    }

    async fn look(&self, unseen: &Unseen) -> store::Result<bool> {
        let look = async || self.is_there(unseen.digest, &copy_of(unseen.copy.clone(), unseen.length)?).await;
        look().await.map_err(in_the_stores_words)
    }
}

fn in_the_stores_words(error: Error) -> store::Error {
    match error {
        Error::Refused(refusal) => store::Error::Refused(refusal),
        Error::Defect(why) => store::Error::Defect(why),
    }
}

impl Registry {
    /// Whether the copy is long enough and its last block is what it was; a short blob is one block. Where it is not, the
    /// copy goes out of service. 503 where that cannot be said now.
    pub(crate) async fn is_there(&self, digest: Sha256Digest, copy: &CopyOf) -> Result<bool> {
        let CopyBytes::Stored(stored) = &copy.bytes else { return Ok(true) };
        match self.blobs().open(stored, Some(stored.length.saturating_sub(1)..stored.length)).await {
            Ok(_) => Ok(true),
            Err(error) if error.condemns() => {
                self.retire_after(digest, copy.id, &error).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}
