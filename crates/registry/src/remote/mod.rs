//! Repositories whose packages come from an upstream: asked when somebody asks, verified, kept, and served from here
//! from then on.

mod admit;
mod again;
mod alive;
mod ask;
mod by_digest;
mod check;
mod client;
mod closure;
mod coming;
mod contents;
mod deposit;
mod facts;
mod fill;
mod flights;
mod follow;
mod known;
mod listed;
mod look;
mod object;
mod overlay;
mod prefetch;
mod receive;
mod relay;
mod room;
mod shown;
mod sift;
mod source;
mod tags;
mod then;
mod track;
mod turn;
mod verify;
mod witness;
mod youngest;

use std::sync::Arc;
use std::time::Duration;

use formats::{Known, PackageAt};
use model::state::RepoKind;
use model::{ObservationId, RepoId, Timestamp};
use outbound::Upstream;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use store::events::Act;
use store::observations::Observation;
use store::repositories::Repository;
use tokio::sync::Semaphore;

pub(crate) use admit::{is_unproven, published_upstream};
pub(crate) use again::Again;
pub use check::Checked;
pub use coming::Coming;
pub use fill::{Need, Reached};
pub(crate) use known::Which;
pub use prefetch::{Brought, BroughtFile, State, Wish};
pub(crate) use sift::subjects;
pub use tags::Aged;
pub(crate) use witness::Witness;
pub(crate) use youngest::Youngest;

use crate::authorize::Grant;
use crate::error::{Error, Result};
use crate::packaging::Shown;
use crate::registry::Registry;
use crate::upstreams::UpstreamSettings;
use crate::versions::format_of;
use fill::Fills;
use flights::{Flights, Wanted};
use known::{LookKey, ReadKey, Seen};
use listed::{Lists, ListsKey};
use look::{Heard, Lately};
use overlay::Here;
use room::{Crowded, Room, Rooming, Rooms};
use sift::{LastKey, LastSifted, SiftKey, Sifted};

/// Answers and failures remembered at most.
const ANSWERS: usize = 10_000;
/// Times of versions remembered at most.
const TIMES: usize = 100_000;
/// Upstreams remembered at most.
const UPSTREAMS: usize = 1000;

/// Files that are brought before anybody asks for them, at once, in a process.
const AHEAD: usize = 16;

/// Versions and files that are remembered as kept out or changed, at most: a few hundred bytes each.
const ROWS: u64 = 200_000;
/// For how many packages that memory is laid out: so few that it is not divided. There may be more.
const FEW: usize = 32;

/// Weighs by versions and files.
#[derive(Clone)]
struct Rows;

impl Weighter<HereKey, Arc<Here>> for Rows {
    fn weight(&self, _: &HereKey, here: &Arc<Here>) -> u64 {
        10 + here.rows()
    }
}

impl Weighter<SiftKey, Arc<Sifted>> for Rows {
    fn weight(&self, _: &SiftKey, sifted: &Arc<Sifted>) -> u64 {
        10 + sifted.rows()
    }
}

impl Weighter<ListsKey, Arc<Lists>> for Rows {
    fn weight(&self, _: &ListsKey, lists: &Arc<Lists>) -> u64 {
        10 + lists.rows()
    }
}

impl Weighter<LastKey, Arc<LastSifted>> for Rows {
    fn weight(&self, _: &LastKey, last: &Arc<LastSifted>) -> u64 {
        10 + last.rows()
    }
}

/// Weighs by bytes.
#[derive(Clone)]
struct Size;

impl Weighter<ReadKey, (u64, Arc<Known>)> for Size {
    fn weight(&self, _: &ReadKey, (occupied, _): &(u64, Arc<Known>)) -> u64 {
        300 + occupied
    }
}

/// A repository as it was at one revision.
type Revision = (RepoId, u64);
/// What is here: of which package, beside which answers, in which state.
type HereKey = (RepoId, PackageAt, Arc<[ObservationId]>, u64);

/// What is remembered of upstreams.
pub(crate) struct Remotes {
    upstreams: Cache<Revision, Arc<Remote>>,
    outlooks: Cache<(RepoId, Box<str>), Arc<Observation>>,
    lately: Cache<(Revision, Box<str>), (Timestamp, Lately)>,
    read: Cache<ReadKey, (u64, Arc<Known>), Size>,
    here: Cache<HereKey, Arc<Here>, Rows>,
    sifted: Cache<SiftKey, Arc<Sifted>, Rows>,
    lists: Cache<ListsKey, Arc<Lists>, Rows>,
    last_sifted: Cache<LastKey, Arc<LastSifted>, Rows>,
    times: Cache<(Revision, PackageAt, Box<str>), Timestamp>,
    looks: Flights<LookKey, Option<Arc<Seen>>>,
    relays: Flights<(Revision, String), Arc<Shown>>,
    fills: Fills,
    /// Files that are brought before anybody asks for them, at once.
    ahead: Arc<Semaphore>,
    rooms: Arc<Rooms>,
}

impl Remotes {
    /// Takes at most about `bytes` of memory for what was read.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            upstreams: Cache::new(UPSTREAMS),
            outlooks: Cache::new(ANSWERS),
            lately: Cache::new(ANSWERS),
            read: Cache::with_weighter(100, bytes, Size),
            here: Cache::with_weighter(FEW, ROWS, Rows),
            sifted: Cache::with_weighter(FEW, ROWS, Rows),
            lists: Cache::with_weighter(FEW, ROWS, Rows),
            last_sifted: Cache::with_weighter(FEW, ROWS, Rows),
            times: Cache::new(TIMES),
            looks: Flights::default(),
            relays: Flights::default(),
            fills: Fills::default(),
            ahead: Arc::new(Semaphore::new(AHEAD)),
            rooms: Arc::default(),
        }
    }
}

/// How the upstream of a repository is asked.
#[derive(Clone)]
pub(crate) struct Remote {
    upstream: Upstream,
    rooming: Rooming,
    /// Whether somebody waits for what is asked: where nobody says, somebody does.
    wanted: Option<Wanted>,
    pub(crate) format: &'static dyn formats::Upstream,
    settings: Arc<UpstreamSettings>,
    /// The longest file that is taken, in bytes.
    longest: u64,
    /// When the repository was last changed: what was told before may be another upstream's.
    changed_at: Timestamp,
    /// Answers that were last confirmed before this are asked for again, whatever their age.
    since: Timestamp,
    /// For how long answers are believed at least.
    patience: Duration,
}

impl Remote {
    fn asked_since(&self, since: Timestamp) -> Arc<Self> {
        Arc::new(Self { since: since.max(self.since), ..self.clone() })
    }

    fn patient(&self, patience: Duration) -> Arc<Self> {
        Arc::new(Self { patience, ..self.clone() })
    }

    fn while_wanted(&self, wanted: Wanted) -> Arc<Self> {
        Arc::new(Self { wanted: Some(wanted), ..self.clone() })
    }

    fn is_wanted(&self) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted())
    }

    /// See [`Rooming::make`]. What nobody waits for by then gets none.
    async fn make_room(&self, room: &mut Room, came: u64, whole: Option<u64>) -> std::result::Result<(), Crowded> {
        match self.rooming.make(room, came, whole).await? {
            true if !self.is_wanted() => Err(Crowded),
            _ => Ok(()),
        }
    }

    fn with_longest(&self, longest: u64) -> Self {
        Self { longest, ..self.clone() }
    }

    /// Whether what was read tells of no such package.
    fn tells_of_nothing(&self, which: &Which, known: Option<&Known>) -> bool {
        let is_empty = |known: &Known| known.versions.is_empty() && known.refs.is_empty() && known.around.is_empty();
        known.is_none_or(|known| *which == Which::All && self.format.lists_all() && is_empty(known))
    }

    /// Whether an answer holds without asking.
    fn believes(&self, known: &Observation, now: Timestamp) -> bool {
        let age = match known.digest {
            Some(_) => self.index(),
            None => self.missing(),
        };
        self.holds(known.checked_at, age, now)
    }

    /// Whether what was said then is believed without asking, as a rule for so long.
    fn holds(&self, checked_at: Timestamp, age: Duration, now: Timestamp) -> bool {
        self.settings.offline || checked_at >= self.since && now < checked_at.plus(age)
    }

    /// For how long an index is believed.
    fn index(&self) -> Duration {
        Duration::from_secs(self.settings.index_seconds.into()).max(self.patience)
    }

    /// For how long it is believed that there is no such thing.
    fn missing(&self) -> Duration {
        Duration::from_secs(self.settings.missing_seconds.into())
    }

    /// Whether the upstream is never asked.
    pub(crate) fn is_offline(&self) -> bool {
        self.settings.offline
    }

    /// Whether an answer came from this upstream: after a change it may be another one.
    fn is_its(&self, known: &Observation) -> bool {
        known.checked_at >= self.changed_at || known.address.starts_with(&self.upstream.base())
    }

    /// For how long what is known is served while the upstream fails.
    fn stale_bound(&self) -> Duration {
        Duration::from_secs(u64::from(self.settings.stale_hours) * 3600)
    }

    /// What is known, although the upstream fails, within its bound; else the failure.
    fn believe_still(&self, before: Option<Arc<Observation>>, now: Timestamp, error: Error) -> Result<Heard> {
        // That there is nothing says nothing alone.
        let its = |known: &Arc<Observation>| known.digest.is_none() || self.is_its(known);
        match before.filter(|known| now < known.checked_at.plus(self.stale_bound()) && its(known)) {
            Some(known) => Ok(Heard::Holds { known, confirmed: false, stale: Some(error) }),
            None => Err(error),
        }
    }
}

impl<A> Grant<A> {
    pub(crate) fn is_remote(&self) -> bool {
        self.repo().kind == RepoKind::Remote
    }

    /// Which state of this repository the caller was let into.
    fn revision(&self) -> Revision {
        (self.repo_id(), self.repo().revision)
    }

    /// What our own work for this caller carries.
    fn act_of_ours(&self) -> Act {
        Act { actor: "system".to_owned(), ..self.act() }
    }

    pub(crate) fn remote(&self) -> Result<Arc<Remote>> {
        self.registry().remote(self.repo())
    }
}

impl Registry {
    /// How the upstream of a remote repository is asked.
    pub(crate) fn remote(&self, repo: &Repository) -> Result<Arc<Remote>> {
        let upstreams = &self.inner.remotes.upstreams;
        upstreams.get_or_insert_with(&(repo.id, repo.revision), || {
            let of = self.upstream_of(repo)?;
            let format = format_of(repo)?.upstream();
            let format = format.ok_or_else(|| Error::Defect(format!("{} has no upstreams", repo.format)))?;
            let upstream = client::of(self, &of, format)?;
            let (settings, longest) = (Arc::new(of.settings), self.settings().max_upload);
            let changed_at = repo.updated_at;
            let (patience, rooming) = (Duration::ZERO, Rooming::of(&self.inner.remotes.rooms));
            let (since, wanted) = (changed_at, None);
            Ok(Arc::new(Remote { upstream, rooming, wanted, format, settings, longest, changed_at, since, patience }))
        })
    }
}
