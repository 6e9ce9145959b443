//! Who may publish in a repository.

use std::collections::BTreeSet;

use formats::PackageAt;
use model::{Role, TenantRole};
use store::facts::generation;
use store::principals::tenant_bindings;
use store::repositories::bindings;

use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};

impl Grant<Write> {
    /// The subjects that roles on the repository or on the tenant let publish, in their order. 404 when
    /// there is no such package.
    pub async fn writers(&self, at: &PackageAt) -> Result<Vec<String>> {
        let (repo, tenant) = (self.repo_id(), self.act().tenant);
        let look = async |session: &mut store::Session<'_>| {
            let known = generation(session, repo, &at.namespace, &at.name).await?.is_some();
            Ok((known, bindings(session, repo).await?, tenant_bindings(session, tenant).await?))
        };
        let (known, here, everywhere) = self.store().snapshot(look).await?;
        if !known {
            return Err(Error::not_found(&at.name));
        }
        let writes = |role: &Role| matches!(role, Role::Write | Role::Admin);
        let here = here.into_iter().filter(|one| one.roles.iter().any(writes)).map(|one| one.subject);
        let everywhere = everywhere.into_iter().filter(|one| one.roles.contains(&TenantRole::Admin));
        Ok(here.chain(everywhere.map(|one| one.subject)).collect::<BTreeSet<_>>().into_iter().collect())
    }
}
