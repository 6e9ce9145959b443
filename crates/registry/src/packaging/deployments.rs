//! Deployments: versions whose files are gathered and appear all at once.

use formats::{Intake, PackageAt};
use model::{RepoId, Timestamp, VersionId};
use store::deployments::{Appear, Gather, Outcome, Prolong, under_way};
use store::versions::SealLater;

use crate::authorize::{Grant, Write};
use crate::error::Result;
use crate::registry::Registry;
use crate::repositories::RepoSettings;

/// While a body comes, its deployment is prolonged so many times in a quiet period.
const SIGNS_OF_LIFE: u32 = 4;

impl Registry {
    /// Lets a deployment appear; with `when_due` only if its time is over.
    pub(crate) async fn appear(
        &self,
        act: store::events::Act,
        (repo, version): (RepoId, VersionId),
        when_due: bool,
    ) -> Result<Outcome> {
        let at = act.at.plus(self.settings().seal_after);
        let seal = SealLater { job: self.ambient().id(), at };
        let when_due = when_due.then(|| self.ambient().id());
        Ok(self.store().write(Appear { act, repo, version, when_due, seal }).await?)
    }
}

impl Grant<Write> {
    /// How files that come now are gathered, where the repository wants that.
    pub(super) fn gather(&self, settings: &RepoSettings) -> Option<Gather> {
        let until = self.registry().now().plus(self.settings().deploy_quiet);
        settings.atomic_deploy.then(|| Gather { until, job: self.ambient().id() })
    }

    /// The caller's deployments of this package are complete: each appears, whole, in a transaction of its own.
    pub(super) async fn complete_deployments(&self, package: &PackageAt) -> Result<()> {
        let (repo, subject) = (self.repo_id(), self.act().actor);
        let look = async |session: &mut store::Session<'_>| {
            under_way(session, repo, &package.namespace, &package.name, &subject).await
        };
        for version in self.store().read(look).await? {
            self.registry().appear(self.act(), (repo, version), false).await?;
        }
        Ok(())
    }
}

/// Signs of life of a body on its way: what it belongs to does not appear without it.
pub(super) struct Pulse {
    sign: Prolong,
    next: Timestamp,
}

impl Pulse {
    /// `None` where nothing waits for the body.
    pub(super) fn of(grant: &Grant<Write>, intake: &dyn Intake) -> Option<Self> {
        let (package, version) = intake.belongs_to()?;
        if !RepoSettings::of(grant.repo()).is_ok_and(|settings| settings.atomic_deploy) {
            return None;
        }
        let sign = Prolong {
            repo: grant.repo_id(),
            namespace: package.namespace.clone(),
            name: package.name.clone(),
            version: version.to_owned(),
            subject: grant.act().actor,
            until: Timestamp(0),
        };
        Some(Self { sign, next: Timestamp(0) })
    }

    /// Gives a sign if it is time for one.
    pub(super) async fn beat(&mut self, grant: &Grant<Write>) -> Result<()> {
        let (now, quiet) = (grant.registry().now(), grant.settings().deploy_quiet);
        if now < self.next {
            return Ok(());
        }
        self.next = now.plus(quiet / SIGNS_OF_LIFE);
        let sign = Prolong { until: now.plus(quiet), ..self.sign.clone() };
        Ok(grant.store().write(sign).await?)
    }
}
