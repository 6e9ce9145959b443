//! What goes through a virtual repository: rights of tokens that are made for it, and parts of what is published.

use formats::{Named, PackageAt};
use model::state::RepoKind;
use model::{Code, RepoKey, Role, Scope, ScopeRepo};

use crate::authorize::{Grant, Read, Write};
use crate::call::Call;
use crate::error::Result;
use crate::remote::{Need, Reached};

impl Call {
    /// The scopes that this role on a repository takes where it is virtual: reading, on each member; what else there is,
    /// on the one that takes what is published. What the caller has of them is for others to say.
    pub async fn scopes_through(&self, key: &RepoKey, role: Role) -> Result<Vec<Scope>> {
        let repo = self.registry.repository(self.moment, key).await?;
        if !repo.is_some_and(|repo| repo.kind == RepoKind::Virtual && self.may(&repo, Role::Read)) {
            return Ok(Vec::new());
        }
        let grant = self.authorize::<Read>(key).await?;
        let on = |key: &RepoKey, role| Scope::Repo(ScopeRepo::One(key.clone()), role);
        if role != Role::Read {
            return Ok(grant.deploy_target().await.iter().map(|target| on(target, role)).collect());
        }
        let members = grant.members().await?;
        Ok(members.all.iter().map(|member| on(member.key(), Role::Read)).collect())
    }
}

impl Grant<Write> {
    /// Takes a part of a package over from a member that the caller reads, where it is not here. `false`: the member has
    /// no such thing.
    pub async fn take_part(&self, from: &Grant<Read>, at: &PackageAt, part: &Named) -> Result<bool> {
        let reached = match from.reach_blob(at, part, Need::Bytes).await {
            Ok(Reached::Coming(coming)) => coming.whole().await.map(drop),
            Ok(Reached::Here(_)) => Ok(()),
            Err(error) => Err(error),
        };
        match reached {
            Ok(()) => self.mount_from(part, from).await,
            Err(error) if error.code() == Some(Code::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
