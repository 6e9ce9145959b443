//! The members of virtual repositories.

use model::{RepoId, RepoKey};

use crate::error::{Error, Result};
use crate::events::Act;
use crate::session::{Session, Tx};
use crate::{args, repositories};

/// The members' keys in their order.
pub(crate) async fn of(session: &mut Session<'_>, repo: RepoId) -> Result<Vec<RepoKey>> {
    let sql = "SELECT r.key FROM members m JOIN repositories r ON r.id = m.member_id WHERE m.repo_id = $1 ORDER BY m.position";
    let rows = session.rows(sql, args![repo]).await?;
    rows.iter()
        .map(|row| RepoKey::parse(&row.get::<String>(0)?).map_err(|error| Error::Defect(error.to_string())))
        .collect()
}

/// Puts these members in place of those that there are.
pub(crate) async fn set(tx: &mut Tx<'_>, act: &Act, repo: RepoId, format: &str, members: &[RepoKey]) -> Result<()> {
    // Two changes at the same time must not close a circle together.
    tx.row("SELECT value FROM epochs WHERE name = 'config' FOR UPDATE", &[]).await?;
    tx.execute("DELETE FROM members WHERE repo_id = $1", args![repo]).await?;
    for (position, key) in (0u64..).zip(members) {
        let member = repositories::by_key(tx, act.tenant, key)
            .await?
            .ok_or_else(|| Error::not_found(&format!("the member {key}")))?;
        if member.format != format {
            return Err(Error::conflict(format!("the member {key} has the format {}, not {format}", member.format)));
        }
        let sql = "INSERT INTO members (repo_id, position, member_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        if tx.execute(sql, args![repo, position, member.id]).await? == 0 {
            return Err(Error::conflict(format!("the member {key} is listed twice")));
        }
    }
    expect_no_circle(tx, repo).await
}

/// Refuses what would make a repository a member of itself, however many steps lie between.
async fn expect_no_circle(tx: &mut Tx<'_>, repo: RepoId) -> Result<()> {
    let sql = "WITH RECURSIVE inside (id) AS (
         SELECT member_id FROM members WHERE repo_id = $1
         UNION SELECT m.member_id FROM members m JOIN inside i ON m.repo_id = i.id)
         SELECT 1 FROM inside WHERE id = $1";
    match tx.row(sql, args![repo]).await? {
        Some(_) => Err(Error::conflict("a virtual repository cannot be a member of itself, also through others")),
        None => Ok(()),
    }
}
