//! Bytes that came in are let go of, and a client that has bytes is told to keep them, only where a copy that is known
//! was looked at: a row may say that there is one whose file is gone.

use std::future::Future;
use std::sync::Arc;

use model::CopyId;

use crate::copy::Unseen;
use crate::error::{Error, Result};
use crate::session::Tx;
use crate::store::{Store, Write};

/// A change that brings bytes, or makes it needless to bring them; as [`Write`] in all else. It asks for a look at a copy by failing with [`Error::Unseen`].
pub trait Deposit: Send + Sync + 'static {
    /// What the caller learns once the change is durable.
    type Out: Send + 'static;

    /// Whether bytes were written to the blob store for it.
    fn is_stored(&self) -> bool;

    /// Makes the change, or refuses.
    fn apply(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Out>> + Send;
}

impl<D: Deposit> Deposit for Arc<D> {
    type Out = D::Out;

    fn is_stored(&self) -> bool {
        D::is_stored(self)
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<D::Out> {
        D::apply(self, tx).await
    }
}

/// Who can look at copies.
pub trait Look: Sync {
    /// Refuses what was written to the blob store before this was called and went to another store than the one that is
    /// meant.
    fn arrived(&self) -> impl Future<Output = Result<()>> + Send;

    /// Whether the copy is there. Where it is not, it is no good copy by its row either when this returns.
    fn look(&self, unseen: &Unseen) -> impl Future<Output = Result<bool>> + Send;
}

/// A deposit, and the copies that were looked at for it.
struct Looked<D> {
    deposit: Arc<D>,
    seen: Vec<CopyId>,
}

impl<D: Deposit> Write for Looked<D> {
    type Out = D::Out;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<D::Out> {
        tx.see(&self.seen);
        self.deposit.apply(tx).await
    }
}

impl Store {
    /// As [`Store::write`], after a look whether what was stored for it is where it is meant to be. Where a copy of the bytes is known, `look` says whether it is there.
    pub async fn deposit<D: Deposit>(&self, deposit: D, look: &impl Look) -> Result<D::Out> {
        if deposit.is_stored() {
            look.arrived().await?;
        }
        let (deposit, mut seen) = (Arc::new(deposit), Vec::new());
        loop {
            let write = Looked { deposit: Arc::clone(&deposit), seen: seen.clone() };
            match self.write(write).await {
                Err(Error::Unseen(unseen)) => {
                    if look.look(&unseen).await? {
                        seen.push(unseen.copy.id);
                    }
                }
                outcome => return outcome,
            }
        }
    }
}
