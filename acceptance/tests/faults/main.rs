//! Faults: the server is killed, starved, cut off and corrupted, and must keep what it acknowledged.
//!
//! Every test says its seed when it fails; `ARTIFORTRESS_TEST_SEED` runs it again with that one, and
//! `ARTIFORTRESS_TEST_ROUNDS` makes the repeated ones longer (`make soak`).

mod astray;
mod bundle;
mod calls;
mod damage;
mod database;
mod durable;
mod full;
mod kill;
mod load;
mod outage;
mod packages;
mod postgres;
mod proxy;
mod s3;
mod seed;
mod truth;
mod winner;
