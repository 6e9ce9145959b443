//! Waivers: an admin lets in for a while what the rules keep out.

use std::time::Duration;

use model::{Code, PackageName, Timestamp, VersionName, WaiverId};
pub use store::waivers::Waiver;
use store::waivers::{EndWaiver, Waive, list};

use super::pattern::{name_of, package_given};
use crate::authorize::{Admin, Grant};
use crate::error::{Error, Result};
use crate::versions::format_of;

/// The longest waiver.
const LONGEST: Duration = Duration::from_secs(90 * 86_400);

/// A waiver to be given.
#[derive(Clone, Debug)]
pub struct NewWaiver {
    /// The package's name; `group:artifact` where names have a namespace.
    pub package: PackageName,
    /// The version; `None`: all of them.
    pub version: Option<VersionName>,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
}

impl Grant<Admin> {
    /// Lets a package, or one version of it, through rules that block and rules that look at age. 409 for what is
    /// claimed: no waiver lifts a claim.
    pub async fn waive(&self, new: NewWaiver) -> Result<Waiver> {
        let act = self.act();
        let faulty = |field, why: &str| Err(Error::bad_field(field, why));
        if new.reason.trim().is_empty() || new.reason.len() > 1024 || new.reason.chars().any(char::is_control) {
            return faulty("reason", "reason must have 1 to 1024 bytes and no control characters");
        }
        if new.until <= act.at || new.until > act.at.plus(LONGEST) {
            return faulty("until", "until must lie ahead, by at most 90 days");
        }
        if !self.is_remote() {
            let why = format!("{} reads from no upstream: nothing in it waits for a waiver", self.repo().key);
            return Err(Error::refuse(Code::Conflict, why));
        }
        let format = format_of(self.repo())?;
        let name = name_of(format, &package_given(format, &new.package)?);
        let denial = self.rules().await?.and_then(|rules| rules.judge_name(&name, act.at));
        if denial.is_some_and(|denial| denial.claimed) {
            let why = format!("{name} is claimed in {}: a waiver does not lift that", self.repo().key);
            return Err(Error::refuse(Code::Conflict, why));
        }
        let waiver = Waiver {
            id: self.ambient().id(),
            package: new.package.to_string(),
            version: new.version.map(|version| version.to_string()),
            reason: new.reason,
            by: act.actor.clone(),
            created_at: act.at,
            until: new.until,
            ended_at: None,
        };
        self.store().write(Waive { act, repo: self.repo_id(), waiver: waiver.clone() }).await?;
        Ok(waiver)
    }

    /// All waivers there ever were, youngest first.
    pub async fn waivers(&self, before: Option<WaiverId>, limit: u32) -> Result<Vec<Waiver>> {
        let repo = self.repo_id();
        Ok(self.store().read(async |session| list(session, repo, before, limit).await).await?)
    }

    /// Ends a waiver before its time. 404 when none of that id is in force.
    pub async fn end_waiver(&self, id: WaiverId) -> Result<()> {
        Ok(self.store().write(EndWaiver { act: self.act(), repo: self.repo_id(), id }).await?)
    }
}
