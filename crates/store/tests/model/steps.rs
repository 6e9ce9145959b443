//! What can happen in a history.

use store::admission::SetPolicy;
use store::entries::{PutEntries, RemoveEntry};
use store::manifests::PutManifest;
use store::marks::SetMark;
use store::publish::PublishFile;
use store::refs::PutRef;
use store::repositories::{CreateRepository, RetireRepository, SetBinding};
use store::tokens::{MintToken, RevokeTokens};
use store::tombstones::{PutTombstone, Restore};
use store::uploads::{AbortUpload, CreateUpload, ExpireUploads};
use store::versions::{CreateDraft, PublishVersion, SealVersion};

/// A write, or the loss of everything that was not committed.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    CreateRepository(CreateRepository),
    RetireRepository(RetireRepository),
    SetBinding(SetBinding),
    MintToken(MintToken),
    RevokeTokens(RevokeTokens),
    SetPolicy(SetPolicy),
    PublishFile(PublishFile),
    CreateDraft(CreateDraft),
    PutEntries(PutEntries),
    RemoveEntry(RemoveEntry),
    PutManifest(PutManifest),
    PublishVersion(PublishVersion),
    SealVersion(SealVersion),
    PutTombstone(PutTombstone),
    Restore(Restore),
    SetMark(SetMark),
    PutRef(PutRef),
    CreateUpload(CreateUpload),
    AbortUpload(AbortUpload),
    ExpireUploads(ExpireUploads),
    ExpirePins(store::pins::Expire),
    Crash,
}

impl Step {
    pub(crate) const KINDS: usize = 22;
}

/// What the caller learns: something of the answer, or the code of the refusal. A fault of the
/// store is neither, and never the model's answer.
pub(crate) type Outcome = Result<String, String>;
