//! Faults: the server is killed, starved, cut off and corrupted, and must keep what it acknowledged.
//!
//! Every test says its seed when it fails; `ARTIFORTRESS_TEST_SEED` runs it again with that one, and
//! `ARTIFORTRESS_TEST_ROUNDS` makes the repeated ones longer (`make soak`).

mod kill;
mod load;
mod seed;
mod truth;
mod winner;
