//! The formats, each with requests as they come in and packages by what is inside.

pub(crate) mod cargo;
pub(crate) mod go;
pub(crate) mod maven;
pub(crate) mod npm;
pub(crate) mod pypi;
pub(crate) mod raw;

use crate::request::write;

/// Requests that have no body.
fn plain(addresses: &[&str]) -> Vec<Vec<u8>> {
    addresses.iter().map(|address| write(address, "*/*", "", b"")).collect()
}
