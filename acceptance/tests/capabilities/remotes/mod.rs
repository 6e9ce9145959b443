//! Remote repositories: what they promise of an upstream that this test writes, and that may lie, fail or go away.

mod ahead;
mod bounds;
mod checks;
mod control;
mod crowd;
mod doors;
mod evicted;
mod failure;
mod follows;
mod lies;
mod made_up;
mod members;
mod mended;
mod mended_answers;
mod offline;
mod ours;
mod referrers;
mod relays;
mod retry;
mod shadows;
pub(crate) mod shelf;
mod stale;
mod times;
pub(crate) mod upstream;
mod walls;
mod warm;
