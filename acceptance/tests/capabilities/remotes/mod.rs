//! Remote repositories: what they promise of an upstream that this test writes, and that may lie, fail or go away.

mod control;
mod lies;
pub(crate) mod shelf;
pub(crate) mod upstream;
mod warm;
