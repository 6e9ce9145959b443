//! The rule lists of local repositories, which hold in others, too.

use model::{RepoKey, TenantId};

use crate::args;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::value::Row;

/// The rule list of a local repository, for those that it holds in as well.
#[derive(Clone, Debug)]
pub struct HostedRules {
    /// Its key.
    pub key: RepoKey,
    /// Whether everybody may read it.
    pub anonymous_read: bool,
    /// JSON.
    pub rules: String,
}

/// What the local repositories of a format claim.
pub(crate) async fn of(session: &mut Session<'_>, tenant: TenantId, format: &str) -> Result<Vec<HostedRules>> {
    const SQL: &str = "SELECT key, anonymous_read, rules FROM repositories
         WHERE tenant_id = $1 AND format = $2 AND kind = 'local' AND rules <> '[]' AND retired_at IS NULL ORDER BY id";
    let rules = |row: &Row| {
        let key: String = row.get(0)?;
        let key = RepoKey::parse(&key).map_err(|error| Error::Defect(error.to_string()))?;
        Ok(HostedRules { key, anonymous_read: row.get(1)?, rules: row.get(2)? })
    };
    session.rows(SQL, args![tenant, *format]).await?.iter().map(rules).collect()
}
