//! Remote repositories: what they promise of an upstream that this test writes, and that may lie, fail or go away.

mod ahead;
mod checks;
mod control;
mod crowd;
mod evicted;
mod failure;
mod lies;
mod members;
mod offline;
mod ours;
mod relays;
pub(crate) mod shelf;
mod stale;
pub(crate) mod upstream;
mod walls;
mod warm;
