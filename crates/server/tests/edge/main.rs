//! The edge on real sockets, each test with a listener, a port and an app of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

mod app;
mod deadlines;
mod drain;
mod framing;
mod layers;
mod limits;
mod metrics;
mod protocols;
mod rig;
mod straight;
mod tls;
