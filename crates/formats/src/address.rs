//! Percent-encoded paths: decoded once, and refused where they hide something.

use model::{EntryPath, NameError};
use percent_encoding::percent_decode_str;

use crate::operation::ParseError;

/// Decodes once. An encoded slash or backslash, or an escape that is none, is refused: what decides
/// who may read must not look different to whoever decodes twice.
pub(crate) fn decode(rest: &str) -> Result<String, ParseError> {
    let bytes = rest.as_bytes();
    for (index, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%') {
        let Some(escape) = bytes.get(index + 1..index + 3).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit)) else {
            return Err(ParseError::Encoding("the path has a broken percent escape"));
        };
        if matches!(escape.to_ascii_lowercase().as_slice(), b"2f" | b"5c" | b"00") {
            return Err(ParseError::Encoding("the path hides a separator or NUL behind a percent escape"));
        }
    }
    let text = percent_decode_str(rest).decode_utf8().map_err(|_| ParseError::Encoding("the path is not UTF-8"))?;
    match climbs_when_read_again(&text) {
        true => Err(ParseError::Encoding(CLIMBS)),
        false => Ok(text.into_owned()),
    }
}

/// What no address leads to, though a path could be called so: it cannot be published either.
pub(crate) fn expect_reachable(path: &EntryPath) -> Result<(), NameError> {
    match climbs_when_read_again(path.as_str()) {
        true => Err(NameError::new("the path", "has a segment that means another folder to whoever decodes it")),
        false => Ok(()),
    }
}

const CLIMBS: &str = "the path has a segment that means another folder to whoever decodes it again";

fn climbs_when_read_again(path: &str) -> bool {
    path.split('/').any(segment_climbs)
}

/// Whether a segment, decoded a second time or cut at a `;` as some proxies do, leaves its folder.
fn segment_climbs(segment: &str) -> bool {
    let again = percent_decode_str(segment).collect::<Vec<u8>>();
    let plain = again.split(|byte| *byte == b';').next().unwrap_or_default();
    let separates = again.len() != segment.len() && again.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0));
    separates || plain == b".." || plain == b"."
}
