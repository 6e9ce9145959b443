//! How a virtual repository puts its members together.

use formats::{Format, Merging};
use model::RepoKey;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Members at most.
pub(crate) const MEMBERS: usize = 100;

/// How a virtual repository puts its members together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VirtualSettings {
    /// The local member that takes what is published through this repository. Default: none, and publishing is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_to: Option<RepoKey>,
    /// Whose files a package has: `owner` or `union`. Default: as is safe for the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merging: Option<Merging>,
    /// Whether members that are hosted here come before those that read from elsewhere, whatever their order. Default:
    /// yes.
    pub hosted_first: bool,
    /// Whether a name that a hosted member has never comes from elsewhere. Default: yes.
    pub hosted_claims: bool,
}

impl Default for VirtualSettings {
    fn default() -> Self {
        Self { deploy_to: None, merging: None, hosted_first: true, hosted_claims: true }
    }
}

impl VirtualSettings {
    /// 400 where repositories of the format cannot be put together so.
    pub(crate) fn check(&self, format: &dyn Format) -> Result<()> {
        match self.merging {
            Some(Merging::Union) if !format.unites() => {
                let why = format!("the format {} has no union: a name belongs to one member", format.key());
                Err(Error::bad_field("settings.virtual.merging", why))
            }
            _ => Ok(()),
        }
    }

    /// How packages are put together.
    pub(crate) fn merging(&self, format: &dyn Format) -> Result<Merging> {
        let usual = format.merging().ok_or_else(|| no_virtuals(format))?;
        Ok(self.merging.unwrap_or(usual))
    }
}

/// The format has no virtual repositories.
pub(crate) fn no_virtuals(format: &dyn Format) -> Error {
    let why = format!("there are no virtual repositories of the format {}", format.key());
    Error::bad_field("repoType", why)
}

/// 400 where these cannot be the members of a virtual repository.
pub(crate) fn check_members(members: &[RepoKey]) -> Result<()> {
    if members.is_empty() || members.len() > MEMBERS {
        return Err(Error::bad_field("memberRepos", format!("memberRepos has 1 to {MEMBERS} keys")));
    }
    Ok(())
}
