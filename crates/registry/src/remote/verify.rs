//! Whether an upstream's bytes are what it says of them.

use formats::{Algorithm, Sums};
use model::Code;
use model::digest::hex;

use super::Remote;
use super::look::failed;
use super::object::Object;
use super::receive::open;
use super::source::Wanted;
use crate::error::{Error, Result};
use crate::packaging::Staged;

/// The longest checksum file, in bytes.
const CHECKSUM: u64 = 4096;
/// Names that no page for people has. Where no digest is declared, nothing else tells an error page that comes with
/// 200 from the file.
const NO_PAGES: [&str; 24] = [
    "7z", "aar", "apk", "asc", "bz2", "crate", "deb", "exe", "gz", "jar", "json", "mod", "module", "pom", "rpm", "tar",
    "tgz", "war", "whl", "xml", "xz", "zip", "zst", "sig",
];

/// Whether an upstream's answer of this media type must be something else than the file.
pub(super) fn is_error_page(object: &Object, media_type: &str) -> bool {
    let Object::File(path) = object else { return false };
    let ending = path.as_str().rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    media_type == "text/html" && ending.is_some_and(|ending| NO_PAGES.contains(&ending.as_str()))
}

/// The upstream's bytes are not what it says of them.
pub(super) fn lies(object: &Object, why: &str) -> Error {
    tracing::error!(%object, why, "an upstream sent other bytes than it tells of");
    let why = format!("the upstream sent other bytes for {object} than it tells of: {why}; nothing of it is kept");
    Error::refuse(Code::ServiceUnavailable, why)
}

/// A checksum, and how it is computed.
pub(super) type Checksum = (Algorithm, Vec<u8>);

/// What the upstream's first checksum file says.
pub(super) async fn checksum(remote: &Remote, wanted: &Wanted) -> Result<Option<Checksum>> {
    for (algorithm, ask) in &wanted.checksums {
        let Some(reply) = open(&remote.with_longest(CHECKSUM), ask).await? else { continue };
        let text = reply.whole().await.map_err(|failure| failed(Some(&remote.upstream), &failure))?;
        if let Some(sum) = first_sum(&text, *algorithm) {
            return Ok(Some((*algorithm, sum)));
        }
    }
    Ok(None)
}

/// Whether the bytes are those that the upstream tells of.
pub(super) fn verify(object: &Object, told: &Sums, checksum: Option<Checksum>, staged: &Staged) -> Result<()> {
    let found = |algorithm| match algorithm {
        Algorithm::Sha256 => Some(staged.received.digest.hex()),
        other => staged.sums.hex(other),
    };
    let told = Algorithm::ALL.into_iter().filter_map(|algorithm| Some((algorithm, told.hex(algorithm)?)));
    for (algorithm, told) in told.chain(checksum.map(|(algorithm, sum)| (algorithm, hex(&sum)))) {
        let found = found(algorithm).unwrap_or_default();
        if found != told {
            return Err(lies(object, &format!("its {} is {found} instead of {told}", algorithm.word())));
        }
    }
    Ok(())
}

/// The checksum that a text begins with.
fn first_sum(text: &[u8], algorithm: Algorithm) -> Option<Vec<u8>> {
    let word = std::str::from_utf8(text).ok()?.split_whitespace().next()?.to_ascii_lowercase();
    model::digest::unhex(&word).filter(|sum| sum.len() == algorithm.length())
}

#[cfg(test)]
mod tests {
    use model::EntryPath;

    use super::*;

    #[test]
    fn pages_are_no_archives() {
        let is = |path: &str, kind: &str| is_error_page(&Object::File(EntryPath::parse(path).expect("a path")), kind);
        assert!(is("org/a/1/a-1.JAR", "text/html") && is("m/@v/v1.0.0.mod", "text/html"));
        assert!(!is("a-1.jar", "text/plain") && !is("docs/index.html", "text/html") && !is("docs/a", "text/html"));
    }
}
