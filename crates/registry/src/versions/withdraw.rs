//! Withdrawing versions and bringing them back.

use std::time::Duration;

use model::state::VersionState;
use model::{Code, EntryPath, VersionId};
use store::repositories::RetireRepository;
use store::tombstones::{PutTombstone, PutTombstones, Restore, Withdrawn};
use store::versions::Version;

use crate::authorize::{Admin, Grant, Promote};
use crate::error::{Error, Result};

/// Versions withdrawn in one transaction when a whole repository is.
const BATCH: usize = 100;

impl Grant<Promote> {
    /// Withdraws a version, a draft too: it answers 410 from the next request on and can be restored
    /// for `retention_days` (1 to 3650; `None`: as the operator set). Withdrawn before: answered again.
    pub async fn tombstone(&self, id: VersionId, reason: String, retention_days: Option<u64>) -> Result<Withdrawn> {
        check_reason(&reason)?;
        let retention = match retention_days {
            None => self.settings().tombstone_retention,
            Some(days @ 1..=3650) => Duration::from_secs(days * 86_400),
            Some(_) => return Err(Error::bad_request("retentionDays must be 1 to 3650")),
        };
        let act = self.act();
        let retain_until = act.at.plus(retention);
        let tombstone = self.ambient().id();
        let write = PutTombstone { act, repo: self.repo_id(), version: id, id: tombstone, reason, retain_until };
        Ok(self.store().write(write).await?)
    }

    /// Publishes a withdrawn version again. 410 when its retention is over, 409 for a draft.
    pub async fn restore(&self, id: VersionId) -> Result<Version> {
        Ok(self.store().write(Restore { act: self.act(), repo: self.repo_id(), version: id }).await?)
    }

    /// Withdraws the version that answers at a path. 404 when nothing ever did, 410 when it was
    /// withdrawn before, 409 when the version has other files too.
    pub async fn withdraw(&self, path: &EntryPath) -> Result<()> {
        let repo = self.repo_id();
        let located =
            self.store().read(async |session| store::locations::find(session, repo, path.as_str()).await).await?;
        let located = located.ok_or_else(|| Error::not_found(&format!("the file {path}")))?;
        if located.state != VersionState::Published {
            return Err(Error::refuse(Code::Gone, format!("{path} was withdrawn")));
        }
        let version = located.version;
        let entries = self.store().read(async |session| store::entries::count(session, version).await).await?;
        if entries > 1 {
            let why =
                format!("{path} belongs to the version {version}, which has {entries} files: withdraw the version");
            return Err(Error::refuse(Code::Conflict, why));
        }
        let withdrawn = self.tombstone(version, "withdrawn by path".to_owned(), None).await?;
        if withdrawn.idempotent {
            return Err(Error::refuse(Code::Gone, format!("{path} was withdrawn")));
        }
        Ok(())
    }
}

impl Grant<Admin> {
    /// Withdraws every version and then retires the repository. 409 when something was published
    /// meanwhile, or when the repository is a member of a virtual one.
    pub async fn retire_with_contents(&self) -> Result<()> {
        let mut from = Some(String::new());
        while let Some(package) = from {
            let act = self.act();
            let write = PutTombstones {
                repo: self.repo_id(),
                from: package,
                ids: (0..BATCH).map(|_| (self.ambient().id(), self.ambient().id())).collect(),
                reason: "the repository was deleted".to_owned(),
                retain_until: act.at.plus(self.settings().tombstone_retention),
                act,
            };
            from = self.store().write(write).await?;
        }
        Ok(self.store().write(RetireRepository { act: self.act(), id: self.repo_id() }).await?)
    }
}

fn check_reason(reason: &str) -> Result<()> {
    if reason.trim().is_empty() || reason.len() > 1000 || reason.contains('\0') {
        return Err(Error::bad_request("reason must have 1 to 1000 bytes"));
    }
    Ok(())
}
