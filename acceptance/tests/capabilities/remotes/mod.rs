//! Remote repositories: what they promise of an upstream that this test writes, and that may lie, fail or go away.

mod ahead;
mod blocked;
mod bounds;
mod checked;
mod checks;
mod control;
mod crowd;
mod doors;
mod evicted;
mod failure;
mod follows;
mod lies;
mod links;
mod listings;
mod made_up;
mod members;
mod mended;
mod mended_answers;
mod offline;
mod ours;
mod pace;
mod place;
mod proxies;
mod referrers;
mod relays;
mod retry;
mod shadows;
mod slow;
mod stale;
mod times;
mod trust;
mod walls;
mod warm;

pub(crate) use acceptance::upstream;

/// Packages, and the servers through which they are read here.
pub(crate) mod shelf {
    pub(crate) use acceptance::shelf::*;

    pub(crate) use super::place::{allow, site};
}
