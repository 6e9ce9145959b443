//! Deployments: versions whose files come one by one and appear all at once, when their uploader says that they are
//! complete or when nothing more has come for a while. Until then such a version is a draft that its uploader alone
//! can read and add to; its paths are taken from the first file on.

use model::state::VersionState;
use model::{JobId, RefId, RefName, RepoId, Timestamp, VersionId};
use serde_json::json;

use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::jobs::{self, NewJob};
use crate::refs::{self, NewRef};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::versions::{self, SealLater, Version};
use crate::{args, packages};

/// The kind of the job that lets a deployment appear after a quiet period. Its payload: `{"repoId", "versionId"}`.
pub const APPEAR: &str = "deployment.appear";

/// How files are gathered.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    /// When the version appears, unless more comes or it is said to be complete.
    pub until: Timestamp,
    /// The id of the job that sees to it.
    pub job: JobId,
}

/// Makes a draft a deployment.
pub(crate) async fn begin(tx: &mut Tx<'_>, act: &Act, repo: RepoId, version: VersionId, gather: Gather) -> Result<()> {
    tx.execute("INSERT INTO deployments (version_id, until) VALUES ($1, $2)", args![version, gather.until]).await?;
    look_again(tx, act, repo, version, gather).await
}

/// A look at the deployment when its time is over. The name of the job has that time in it, so that a later look can
/// be planned by an earlier one.
async fn look_again(tx: &mut Tx<'_>, act: &Act, repo: RepoId, version: VersionId, gather: Gather) -> Result<()> {
    let job = NewJob {
        id: gather.job,
        tenant: act.tenant,
        kind: APPEAR,
        dedupe: format!("{version} {}", gather.until.0),
        payload: json!({"repoId": repo, "versionId": version}).to_string(),
        run_at: gather.until,
    };
    jobs::enqueue(tx, &job, act.at).await.map(drop)
}

/// Whether a draft is a deployment.
pub(crate) async fn is_one(session: &mut Session<'_>, version: VersionId) -> Result<bool> {
    Ok(session.row("SELECT 1 FROM deployments WHERE version_id = $1", args![version]).await?.is_some())
}

/// More has come: it waits until then at least.
pub(crate) async fn prolong(tx: &mut Tx<'_>, version: VersionId, until: Timestamp) -> Result<()> {
    let sql = "UPDATE deployments SET until = $2 WHERE version_id = $1 AND until < $2";
    tx.execute(sql, args![version, until]).await.map(drop)
}

/// Keeps refs for the moment in which the version appears.
pub(crate) async fn keep_refs(tx: &mut Tx<'_>, version: VersionId, refs: &[NewRef]) -> Result<()> {
    let sql =
        "INSERT INTO deployment_refs (version_id, name, id, fixed) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    for new in refs {
        tx.execute(sql, args![version, new.name, new.id, new.fixed]).await?;
    }
    Ok(())
}

/// The deployments of a package that `subject` has under way, in the order of their beginning.
pub async fn under_way(
    session: &mut Session<'_>,
    repo: RepoId,
    namespace: &str,
    name: &str,
    subject: &str,
) -> Result<Vec<VersionId>> {
    let sql = "SELECT v.id FROM packages p JOIN versions v ON v.package_id = p.id
         JOIN deployments d ON d.version_id = v.id
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND v.created_by = $4 AND v.state = 'draft'
         ORDER BY v.id";
    session.rows(sql, args![repo, *name, *namespace, *subject]).await?.iter().map(|row| row.get(0)).collect()
}

/// More is on its way: a deployment waits until then at least. No deployment: fine.
#[derive(Clone, Debug)]
pub struct Prolong {
    /// Where.
    pub repo: RepoId,
    /// The package's namespace.
    pub namespace: String,
    /// Its normalised name.
    pub name: String,
    /// The version's name.
    pub version: String,
    /// Whose deployment.
    pub subject: String,
    /// Until when.
    pub until: Timestamp,
}

impl Write for Prolong {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let found = versions::at(tx, self.repo, &self.namespace, &self.name, &self.version).await?;
        match found.filter(|found| found.state == VersionState::Draft && found.created_by == self.subject) {
            Some(found) => prolong(tx, found.id, self.until).await,
            None => Ok(()),
        }
    }
}

/// What a look at a deployment came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is visible from now on.
    Appeared,
    /// Something has come meanwhile: a later look is planned.
    Waits,
    /// It appeared or was withdrawn before.
    Over,
}

/// Lets a deployment appear: all of it, in this one transaction.
#[derive(Clone, Debug)]
pub struct Appear {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// Which.
    pub version: VersionId,
    /// Only if its time is over; else the id of the job that looks again then. `None`: it is complete.
    pub when_due: Option<JobId>,
    /// When it is sealed.
    pub seal: SealLater,
}

impl Write for Appear {
    type Out = Outcome;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Outcome> {
        let version = versions::lock(tx, self.repo, self.version).await?;
        let sql = "SELECT until FROM deployments WHERE version_id = $1 FOR UPDATE";
        let Some(row) = tx.row(sql, args![self.version]).await? else { return Ok(Outcome::Over) };
        let until: Timestamp = row.get(0)?;
        if let Some(job) = self.when_due.filter(|_| until > self.act.at && version.state == VersionState::Draft) {
            look_again(tx, &self.act, self.repo, self.version, Gather { until, job }).await?;
            return Ok(Outcome::Waits);
        }
        let refs = self.end(tx).await?;
        if version.state != VersionState::Draft {
            return Ok(Outcome::Over);
        }
        self.publish(tx, &version, &refs).await?;
        Ok(Outcome::Appeared)
    }
}

impl Appear {
    /// It is no deployment any more. Returns the refs that were kept for it.
    async fn end(&self, tx: &mut Tx<'_>) -> Result<Vec<NewRef>> {
        let sql = "SELECT name, id, fixed FROM deployment_refs WHERE version_id = $1 ORDER BY name";
        let mut refs = Vec::new();
        for row in tx.rows(sql, args![self.version]).await? {
            let (name, id): (String, RefId) = (row.get(0)?, row.get(1)?);
            let name = RefName::parse(&name).map_err(|error| Error::Defect(error.to_string()))?;
            refs.push(NewRef { id, name, fixed: row.get(2)? });
        }
        tx.execute("DELETE FROM deployment_refs WHERE version_id = $1", args![self.version]).await?;
        tx.execute("DELETE FROM deployments WHERE version_id = $1", args![self.version]).await?;
        Ok(refs)
    }

    async fn publish(&self, tx: &mut Tx<'_>, version: &Version, refs: &[NewRef]) -> Result<()> {
        let act = &self.act;
        let sql = "UPDATE entries SET added_at = $2, added_event = $3 WHERE version_id = $1";
        let files = tx.execute(sql, args![self.version, act.at, act.event]).await?;
        let sql = "UPDATE versions SET state = 'published', published_by = created_by, published_at = $2,
             published_event = $3 WHERE id = $1";
        tx.execute(sql, args![self.version, act.at, act.event]).await?;
        versions::schedule_seal(tx, act, self.repo, self.version, Some(self.seal)).await?;
        let pointed = self.point(tx, version, refs).await?;
        let id = self.version.to_string();
        let detail = json!({
            "packageName": version.at.name, "version": version.version, "entries": files,
            "deployedBy": version.created_by, "refs": pointed,
        });
        let on = On { repo: Some(self.repo), kind: "version", id: &id };
        record(tx, act, "package.version.published", on, &detail).await?;
        packages::raise(tx, version.package).await
    }

    /// Points the refs at the version. One that has been fixed elsewhere meanwhile stays there: the files were taken,
    /// so they appear. Returns the names of the others.
    async fn point<'r>(&self, tx: &mut Tx<'_>, version: &Version, refs: &'r [NewRef]) -> Result<Vec<&'r RefName>> {
        packages::lock(tx, version.package).await?;
        let mut pointed = Vec::new();
        for new in refs {
            let before = refs::find(tx, version.package, new.name.as_str()).await?;
            if refs::expect_loose(before.as_ref(), new.fixed).is_ok() {
                refs::point(tx, &self.act, version.package, new, self.version).await?;
                pointed.push(&new.name);
            }
        }
        Ok(pointed)
    }
}
