//! What a caller may know of how a virtual repository is made: of members that he may not read, nothing.

use model::{RepoKey, Role};
use store::repositories::Repository;

use super::settings::VirtualSettings;
use crate::call::Call;
use crate::error::{Error, Result};

impl Call {
    /// The members that the caller may know of, in their order: those that he may read, and all for those who may change
    /// the list.
    pub async fn members_of(&self, repo: &Repository) -> Result<Vec<RepoKey>> {
        let mut known = Vec::with_capacity(repo.members.len());
        for key in &repo.members {
            if self.may_know(repo, key).await? {
                known.push(key.clone());
            }
        }
        Ok(known)
    }

    /// The same of the settings.
    pub(crate) async fn virtual_settings_of(
        &self,
        repo: &Repository,
        settings: VirtualSettings,
    ) -> Result<VirtualSettings> {
        match &settings.deploy_to {
            Some(key) if !self.may_know(repo, key).await? => Ok(VirtualSettings { deploy_to: None, ..settings }),
            _ => Ok(settings),
        }
    }

    /// 404 for new members that the caller may not read, as for those that there are not: what he is told as an
    /// administrator of the virtual repository he could know of any other.
    pub(crate) async fn expect_readable(&self, before: &[RepoKey], members: &[RepoKey]) -> Result<()> {
        for key in members.iter().filter(|key| !before.contains(key)) {
            if !self.may_read(key).await? {
                return Err(Error::not_found(&format!("the member {key}")));
            }
        }
        Ok(())
    }

    async fn may_know(&self, whole: &Repository, key: &RepoKey) -> Result<bool> {
        Ok(self.may(whole, Role::Admin) || self.may_read(key).await?)
    }

    async fn may_read(&self, key: &RepoKey) -> Result<bool> {
        if self.may_on(key, false, Role::Read) {
            return Ok(true);
        }
        let found = self.registry.repository(self.moment, key).await?;
        Ok(found.is_some_and(|repo| self.may(&repo, Role::Read)))
    }
}
