//! The only room with an HTTP client: credentials bound to their origin, a trust store that is
//! passed in, bounded waits and retries, bodies that stream.
//!
//! [`Client`] speaks with a server of ours that its user chose. [`Upstream`] reads from somebody else's, which may
//! lie, stall or point at our own network.

mod address;
mod answer;
mod client;
mod error;
#[cfg(test)]
mod fake;
mod proxies;
mod redirect;
mod request;
mod retry;
mod source;
#[cfg(test)]
mod tests;
mod trust;
mod upstream;

pub use address::path;
pub use answer::Answer;
pub use client::{Client, Settings};
pub use error::{Error, Problem};
pub use proxies::Proxies;
pub use request::Request;
pub use reqwest::Method;
pub use retry::Retry;
pub use source::Source;
pub use trust::Trust;
pub use upstream::{Credentials, Failure, Found, Limits, Peeked, Question, Reply, Upstream, UpstreamSettings, Walls};
