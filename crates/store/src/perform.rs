//! What one request asks for: a release, and changes to what was published. All of it or nothing.

use model::{Code, Reason, Refusal, RepoId, VersionId};

use crate::args;
use crate::deposit::Deposit;
use crate::error::{Error, Result};
use crate::lines::Joining;
use crate::marks::SetMark;
use crate::refs::{EndRef, PutRef};
use crate::releases::PublishRelease;
use crate::session::Tx;
use crate::store::Write;
use crate::tombstones::PutTombstone;
use crate::{lines, versions};

/// Does all that one request asks for in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Perform {
    /// The state that it was made from; 409 when it is another by now.
    pub seen: Option<Seen>,
    /// What is published first.
    pub release: Option<PublishRelease>,
    /// The line of which the release is a build's, whichever that is then.
    pub line: Option<Joining>,
    /// What changes then, in this order. Each has an act of its own; the id of the release's version, where
    /// it is named, stands for the version that the release actuals.
    pub changes: Vec<Change>,
}

/// The state of a package that somebody has seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where.
    pub repo: RepoId,
    /// The package's namespace.
    pub namespace: String,
    /// Its normalised name.
    pub name: String,
    /// Its generation.
    pub state: u64,
}

/// A change to one version or ref.
#[derive(Clone, Debug)]
pub enum Change {
    /// A mark is set or lifted.
    Mark(SetMark),
    /// A ref is pointed at a version.
    Point(PutRef),
    /// A ref ends.
    Drop(EndRef),
    /// A version is withdrawn.
    Withdraw(PutTombstone),
}

impl Deposit for Perform {
    type Out = ();

    fn is_stored(&self) -> bool {
        self.release.as_ref().is_some_and(Deposit::is_stored)
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        self.lock(tx).await?;
        if let Some(seen) = &self.seen {
            seen.check(tx).await?;
        }
        let released = match (&self.release, &self.line) {
            (Some(release), None) => Some((release.id, release.apply(tx).await?.version)),
            (Some(release), Some(line)) => {
                lines::publish(tx, release, line).await?;
                None
            }
            (None, _) => None,
        };
        for change in &self.changes {
            change.apply(tx, released).await?;
        }
        Ok(())
    }
}

impl Perform {
    /// Where others write too: locks the versions that are changed in the order of their ids, and before their package,
    /// so that two requests that change the same ones do not wait for each other.
    async fn lock(&self, tx: &mut Tx<'_>) -> Result<()> {
        if tx.is_lite() || (self.changes.len() < 2 && self.seen.is_none()) {
            return Ok(());
        }
        let new = self.release.as_ref().map(|release| release.id);
        let mut known: Vec<_> = self.changes.iter().filter_map(Change::version).collect();
        known.retain(|(_, version)| Some(*version) != new);
        known.sort_by_key(|(_, version)| *version);
        known.dedup();
        for (repo, version) in known {
            versions::lock(tx, repo, version).await?;
        }
        Ok(())
    }
}

impl Seen {
    /// From here to the commit nobody else changes what readers see of the package.
    async fn check(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "SELECT generation FROM packages WHERE repo_id = $1 AND name = $2 AND namespace = $3
             FOR NO KEY UPDATE";
        let found = tx.row(sql, args![self.repo, self.name, self.namespace]).await?;
        let found: Option<u64> = found.map(|row| row.get(0)).transpose()?;
        match found {
            Some(state) if state == self.state => Ok(()),
            Some(_) => {
                let why = format!("{} has changed meanwhile: look again", self.name);
                Err(Refusal::new(Code::Conflict, why).because(Reason::Changed).into())
            }
            None => Err(Error::not_found(&format!("the package {}", self.name))),
        }
    }
}

impl Change {
    /// The version that it needs, and where that is.
    fn version(&self) -> Option<(RepoId, VersionId)> {
        match self {
            Self::Mark(mark) => Some((mark.repo, mark.version)),
            Self::Point(point) => Some((point.repo, point.version)),
            Self::Drop(_) => None,
            Self::Withdraw(withdraw) => Some((withdraw.repo, withdraw.version)),
        }
    }

    async fn apply(&self, tx: &mut Tx<'_>, released: Option<(VersionId, VersionId)>) -> Result<()> {
        let actual = |version| released.filter(|(new, _)| *new == version).map_or(version, |(_, there)| there);
        match self {
            Self::Mark(mark) => SetMark { version: actual(mark.version), ..mark.clone() }.apply(tx).await.map(drop),
            Self::Point(point) => PutRef { version: actual(point.version), ..point.clone() }.apply(tx).await.map(drop),
            Self::Drop(end) => end.apply(tx).await,
            Self::Withdraw(withdraw) => withdraw.apply(tx).await.map(drop),
        }
    }
}
