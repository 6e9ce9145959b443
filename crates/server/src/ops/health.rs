//! Whether the process can do its work, as told by what it depends on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use model::{Ambient, Timestamp};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether the dependency can be used.
    pub healthy: bool,
    /// For operators only: versions, lags, errors; no secrets.
    pub detail: String,
}

/// A check on its way.
pub type Check<'a> = Pin<Box<dyn Future<Output = Health> + Send + 'a>>;

/// Something the process needs or likes to have.
pub trait Dependency: Send + Sync {
    /// Its name in the answer, e.g. `database`.
    fn name(&self) -> &'static str;
    /// Whether nothing works without it.
    fn essential(&self) -> bool;
    /// Looks. May take up to the readiness' time limit; then it counts as unwell.
    fn check(&self) -> Check<'_>;
}

/// The sum of all dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadyState {
    /// All is well.
    Ready,
    /// Only an optional dependency is unwell.
    Degraded,
    /// An essential dependency is unwell, or the process is going away.
    NotReady,
}

/// One dependency in a report.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyReport {
    /// Its name.
    pub name: &'static str,
    /// Whether it can be used.
    pub healthy: bool,
    /// Whether nothing works without it.
    pub essential: bool,
    /// What the check said; left out of the public answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The answer of `/health/ready`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The sum.
    pub status: ReadyState,
    /// When the checks ran.
    #[schema(value_type = String)]
    pub checked_at_utc: Timestamp,
    /// Each dependency.
    pub dependencies: Vec<DependencyReport>,
}

impl Report {
    /// The same without what only operators may see.
    #[must_use]
    pub fn without_detail(&self) -> Self {
        let mut public = self.clone();
        for dependency in &mut public.dependencies {
            dependency.detail = None;
        }
        public
    }
}

/// Asks the dependencies, at most once per `fresh`, whoever asks and however often.
pub struct Readiness {
    ambient: Ambient,
    dependencies: Vec<Arc<dyn Dependency>>,
    fresh: Duration,
    limit: Duration,
    last: Mutex<Option<(Instant, Arc<Report>)>>,
    leaving: std::sync::atomic::AtomicBool,
}

impl Readiness {
    /// Reports are kept for one second; a check may take two.
    pub fn new(ambient: Ambient, dependencies: Vec<Arc<dyn Dependency>>) -> Self {
        let (fresh, limit) = (Duration::from_secs(1), Duration::from_secs(2));
        Self { ambient, dependencies, fresh, limit, last: Mutex::default(), leaving: false.into() }
    }

    /// From now on `not_ready`: called when draining begins, so that balancers look elsewhere.
    pub fn leave(&self) {
        self.leaving.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// The state of things, at most a second old. Askers at the same time share one round of checks.
    pub async fn report(&self) -> Arc<Report> {
        let mut last = self.last.lock().await;
        let report = match &*last {
            Some((at, report)) if at.elapsed() < self.fresh => report.clone(),
            _ => {
                let report = Arc::new(self.look().await);
                *last = Some((Instant::now(), report.clone()));
                report
            }
        };
        if self.leaving.load(std::sync::atomic::Ordering::SeqCst) {
            return Arc::new(Report { status: ReadyState::NotReady, ..report.as_ref().clone() });
        }
        report
    }

    async fn look(&self) -> Report {
        let dependencies = join_all(self.dependencies.iter().map(|dependency| self.ask(&**dependency))).await;
        let unwell = |essential| dependencies.iter().any(|one| !one.healthy && one.essential == essential);
        let status = match (unwell(true), unwell(false)) {
            (true, _) => ReadyState::NotReady,
            (false, true) => ReadyState::Degraded,
            (false, false) => ReadyState::Ready,
        };
        Report { status, checked_at_utc: self.ambient.now(), dependencies }
    }

    async fn ask(&self, dependency: &dyn Dependency) -> DependencyReport {
        let late = |_| Health { healthy: false, detail: "no answer in time".to_owned() };
        let health = timeout(self.limit, dependency.check()).await.unwrap_or_else(late);
        DependencyReport {
            name: dependency.name(),
            healthy: health.healthy,
            essential: dependency.essential(),
            detail: Some(health.detail),
        }
    }
}

impl std::fmt::Debug for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Readiness")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Probe {
        essential: bool,
        healthy: bool,
        hangs: bool,
        asked: AtomicU32,
    }

    fn probe(essential: bool, healthy: bool) -> Arc<Probe> {
        Arc::new(Probe { essential, healthy, hangs: false, asked: AtomicU32::new(0) })
    }

    impl Dependency for Probe {
        fn name(&self) -> &'static str {
            "probe"
        }

        fn essential(&self) -> bool {
            self.essential
        }

        fn check(&self) -> Check<'_> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                if self.hangs {
                    std::future::pending::<()>().await;
                }
                Health { healthy: self.healthy, detail: "inner detail".to_owned() }
            })
        }
    }

    async fn state(probes: &[(bool, bool)]) -> ReadyState {
        let probes = probes.iter().map(|(essential, healthy)| probe(*essential, *healthy) as _).collect();
        Readiness::new(Ambient::system(), probes).report().await.status
    }

    #[tokio::test]
    async fn the_sum_follows_essential_and_optional() {
        assert_eq!(state(&[]).await, ReadyState::Ready);
        assert_eq!(state(&[(true, true), (false, true)]).await, ReadyState::Ready);
        assert_eq!(state(&[(true, true), (false, false)]).await, ReadyState::Degraded);
        assert_eq!(state(&[(true, false), (false, true)]).await, ReadyState::NotReady);
        assert_eq!(state(&[(true, false), (false, false)]).await, ReadyState::NotReady);
    }

    #[tokio::test(start_paused = true)]
    async fn many_askers_share_one_check_for_a_second() {
        let one = probe(true, true);
        let readiness = Readiness::new(Ambient::system(), vec![one.clone()]);
        join_all((0..100).map(|_| readiness.report())).await;
        assert_eq!(one.asked.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_millis(1001)).await;
        readiness.report().await;
        assert_eq!(one.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_is_unwell() {
        let hanging = Arc::new(Probe { essential: true, healthy: true, hangs: true, asked: AtomicU32::new(0) });
        let report = Readiness::new(Ambient::system(), vec![hanging]).report().await;
        assert_eq!(report.status, ReadyState::NotReady);
        assert_eq!(report.dependencies[0].detail.as_deref(), Some("no answer in time"));
    }

    #[tokio::test]
    async fn the_public_report_has_no_detail_and_leaving_is_not_ready() {
        let readiness = Readiness::new(Ambient::system(), vec![probe(true, true)]);
        let public = serde_json::to_string(&readiness.report().await.without_detail()).unwrap();
        assert!(!public.contains("inner detail") && public.contains(r#""status":"ready""#), "{public}");
        readiness.leave();
        assert_eq!(readiness.report().await.status, ReadyState::NotReady);
    }
}
