//! Remote repositories: what they promise of an upstream that this test writes, and that may lie, fail or go away.

mod control;
mod lies;
mod shelf;
mod upstream;
mod warm;
