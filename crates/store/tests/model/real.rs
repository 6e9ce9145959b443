//! A step on a real store.

use store::{Error, Store, Write};

use crate::engines::Rows;
use crate::steps::{Outcome, Step};

/// Performs the step; never called for a crash.
pub(crate) async fn perform(store: &Store, step: &Step) -> Outcome {
    match step.clone() {
        Step::CreateRepository(write) => say(store, write, |()| String::new()).await,
        Step::RetireRepository(write) => say(store, write, |()| String::new()).await,
        Step::SetBinding(write) => say(store, write, |()| String::new()).await,
        Step::MintToken(write) => say(store, write, |()| String::new()).await,
        Step::RevokeTokens(write) => say(store, write, |revoked| revoked.len().to_string()).await,
        Step::SetPolicy(write) => say(store, write, |()| String::new()).await,
        Step::PublishFile(write) => {
            tell(store.deposit(write, &Rows).await, |out| format!("{} kept {}", out.version, out.copy_kept))
        }
        Step::CreateDraft(write) => say(store, write, |out| format!("{} {}", out.version.id, out.reused)).await,
        Step::PutEntries(write) => say(store, write, |total| total.to_string()).await,
        Step::RemoveEntry(write) => say(store, write, |()| String::new()).await,
        Step::PutManifest(write) => say(store, write, |()| String::new()).await,
        Step::PublishVersion(write) => say(store, write, |out| out.idempotent.to_string()).await,
        Step::SealVersion(write) => say(store, write, |out| out.sealed_at.is_some().to_string()).await,
        Step::PutTombstone(write) => say(store, write, |out| out.idempotent.to_string()).await,
        Step::Restore(write) => say(store, write, |out| out.state.to_string()).await,
        Step::SetMark(write) => say(store, write, |changed| changed.to_string()).await,
        Step::PutRef(write) => say(store, write, |out| out.version.to_string()).await,
        Step::CreateUpload(write) => tell(store.deposit(write, &Rows).await, |out| out.state.to_string()),
        Step::AbortUpload(write) => say(store, write, |out| out.state.to_string()).await,
        Step::ExpireUploads(write) => say(store, write, |ended| ended.len().to_string()).await,
        Step::ExpirePins(write) => say(store, write, |dropped| dropped.to_string()).await,
        Step::Crash => Ok(String::new()),
    }
}

async fn say<W: Write>(store: &Store, write: W, words: impl FnOnce(W::Out) -> String) -> Outcome {
    tell(store.write(write).await, words)
}

fn tell<T>(outcome: store::Result<T>, words: impl FnOnce(T) -> String) -> Outcome {
    match outcome {
        Ok(out) => Ok(words(out)),
        Err(Error::Refused(why)) => Err(why.code.word().to_owned()),
        Err(fault) => Err(format!("FAULT: {fault}")),
    }
}
