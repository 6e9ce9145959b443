//! Repositories whose packages come from an upstream: asked when somebody asks, verified, kept, and served from here
//! from then on.

mod admit;
mod ask;
mod client;
mod coming;
mod contents;
mod deposit;
mod facts;
mod fill;
mod flights;
mod known;
mod look;
mod object;
mod overlay;
mod relay;
mod shown;
mod sift;
mod source;
mod tags;
mod then;
mod turn;
mod verify;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use formats::{Known, PackageAt};
use model::state::RepoKind;
use model::{ObservationId, RepoId, Timestamp};
use outbound::Upstream;
use quick_cache::sync::Cache;
use store::events::Act;
use store::observations::Observation;

pub(crate) use admit::published_upstream;
pub use coming::Coming;
pub use fill::Reached;
pub(crate) use known::Which;
pub use tags::Aged;
pub(crate) use witness::Witness;

use crate::authorize::Grant;
use crate::error::{Error, Result};
use crate::upstreams::UpstreamSettings;
use crate::versions::format_of;
use fill::Fills;
use flights::Flights;
use known::{LookKey, ReadKey, Seen, Weight};
use look::{Heard, Lately};
use overlay::Overlay;
use sift::{SiftKey, Sifted};

/// Answers and failures remembered at most.
const ANSWERS: usize = 10_000;
/// Upstreams remembered at most.
const UPSTREAMS: usize = 1000;

/// A repository as it was at one revision.
type Revision = (RepoId, u64);
/// An overlay: of which package, over which answers, in which state of what is here.
type OverlayKey = (RepoId, PackageAt, Arc<[ObservationId]>, u64);

/// What is remembered of upstreams.
pub(crate) struct Remotes {
    upstreams: Cache<Revision, Remote>,
    outlooks: Cache<(RepoId, Box<str>), Arc<Observation>>,
    lately: Cache<(RepoId, Box<str>), (Timestamp, Lately)>,
    read: Cache<ReadKey, (u64, Arc<Known>), Weight>,
    overlays: Cache<OverlayKey, Arc<Overlay>>,
    sifted: Cache<SiftKey, Arc<Sifted>>,
    times: Cache<(RepoId, PackageAt, Box<str>), Timestamp>,
    looks: Flights<LookKey, Option<Arc<Seen>>>,
    fills: Fills,
}

impl Remotes {
    /// Takes at most about `bytes` of memory for what was read.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            upstreams: Cache::new(UPSTREAMS),
            outlooks: Cache::new(ANSWERS),
            lately: Cache::new(ANSWERS),
            read: Cache::with_weighter(100, bytes, Weight),
            overlays: Cache::new(1000),
            sifted: Cache::new(1000),
            times: Cache::new(ANSWERS),
            looks: Flights::default(),
            fills: Fills::default(),
        }
    }
}

/// How the upstream of a repository is asked.
#[derive(Clone)]
pub(crate) struct Remote {
    upstream: Upstream,
    pub(crate) format: &'static dyn formats::Upstream,
    settings: Arc<UpstreamSettings>,
    /// The longest file that is taken, in bytes.
    longest: u64,
    /// When the repository was last changed: what was told before may be another upstream's.
    changed_at: Timestamp,
    /// Answers that were last confirmed before this are asked for again, whatever their age.
    since: Timestamp,
}

impl Remote {
    fn asked_since(&self, since: Timestamp) -> Self {
        Self { since: since.max(self.since), ..self.clone() }
    }

    fn with_longest(&self, longest: u64) -> Self {
        Self { longest, ..self.clone() }
    }

    /// Whether an answer holds without asking.
    fn believes(&self, known: &Observation, now: Timestamp) -> bool {
        let age = match known.digest {
            Some(_) => Duration::from_secs(self.settings.index_seconds.into()),
            None => self.missing(),
        };
        known.checked_at >= self.since && now < known.checked_at.plus(age)
    }

    /// For how long it is believed that there is no such thing.
    fn missing(&self) -> Duration {
        Duration::from_secs(self.settings.missing_seconds.into())
    }

    /// What is known, although the upstream fails, within its bound; else the failure.
    fn believe_still(&self, before: Option<Arc<Observation>>, now: Timestamp, error: Error) -> Result<Heard> {
        let bound = Duration::from_secs(u64::from(self.settings.stale_hours) * 3600);
        match before.filter(|known| now < known.checked_at.plus(bound)) {
            Some(known) => Ok(Heard::Holds { known, confirmed: false, stale: Some(error) }),
            None => Err(error),
        }
    }
}

impl<A> Grant<A> {
    pub(crate) fn is_remote(&self) -> bool {
        self.repo().kind == RepoKind::Remote
    }

    /// What our own work for this caller carries.
    fn act_of_ours(&self) -> Act {
        Act { actor: "system".to_owned(), ..self.act() }
    }

    pub(crate) fn remote(&self) -> Result<Remote> {
        let (registry, repo) = (self.registry(), self.repo());
        let upstreams = &registry.inner.remotes.upstreams;
        upstreams.get_or_insert_with(&(repo.id, repo.revision), || {
            let of = registry.upstream_of(repo)?;
            let format = format_of(repo)?.upstream();
            let format = format.ok_or_else(|| Error::Defect(format!("{} has no upstreams", repo.format)))?;
            let upstream = client::of(registry, &of, format)?;
            let (settings, longest) = (Arc::new(of.settings), registry.settings().max_upload);
            let changed_at = repo.updated_at;
            Ok(Remote { upstream, format, settings, longest, changed_at, since: changed_at })
        })
    }
}
