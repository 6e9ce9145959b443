//! Raw files: what comes back is what went in.

mod broken;
mod checksums;
mod conditions;
mod content;
mod names;
mod overwrite;
mod pushed_again;
mod race;
mod ranges;
mod sizes;
mod slash;

use acceptance::Result;
use acceptance::http::{Http, Request};
use acceptance::shelf::hex;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::shape::ask;
use crate::site::ensure;

/// Bytes that look like nothing in particular, the same for each seed.
fn noise(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// `path` is answered with 404, and a valid request to it works afterwards.
async fn left_nothing(http: &Http, path: &str) -> Result<()> {
    ask(http.get(path)).await?.expect(&[404])?;
    ask(http.put(path).body("the next")).await?.expect(&[201])?;
    ensure(ask(http.get(path)).await?.expect(&[200])?.text() == "the next", "the next request works")
}

/// The status of `request`, whose answer has the common shape.
async fn status(request: Request) -> Result<u16> {
    Ok(ask(request).await?.status)
}
