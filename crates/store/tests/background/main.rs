//! Background work: the sequence, leases, jobs and everything that tidies up, on both engines.
#![expect(clippy::expect_used, reason = "tests")]

#[path = "../engines/mod.rs"]
mod engines;

mod audit;
mod conflicts;
mod copies;
mod groups;
mod jobs;
mod leases;
mod repositories;
mod sequence;
mod sweeps;
