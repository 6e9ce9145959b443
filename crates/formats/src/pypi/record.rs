//! `RECORD`: the files of a wheel and their digests.
//!
//! Source: "Recording installed projects", section "The RECORD file".

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Refusal;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::tarball::contradiction;

/// The longest list, in bytes and in lines.
pub(super) const LONGEST: u64 = 32 << 20;
const LINES: usize = 100_001;

/// A digest that is being computed.
pub(super) enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha384(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
        }
    }
}

/// What is said of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// The algorithm's word and the digest; `None`: nothing is said.
    digest: Option<(&'static str, Vec<u8>)>,
    size: Option<u64>,
}

/// The files that a wheel says it has.
#[derive(Debug)]
pub(super) struct Record {
    lines: HashMap<String, Line>,
    folder: String,
}

impl Record {
    /// Reads the list of the wheel whose metadata is in `folder`.
    pub(super) fn parse(text: &[u8], folder: &str) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(text).map_err(|_| contradiction("RECORD in the archive is not UTF-8"))?;
        let mut lines = HashMap::new();
        for row in rows(text).ok_or_else(|| contradiction("RECORD in the archive is no list of values"))? {
            let [path, digest, size] = row.as_slice() else {
                return Err(contradiction("RECORD in the archive has a line without a path, a digest and a size"));
            };
            if path.ends_with('/') {
                continue;
            }
            let line = Line { digest: read(path, digest)?, size: number(path, size)? };
            if lines.insert(path.clone(), line).is_some() {
                return Err(contradiction(format!("RECORD in the archive names {} twice", path.escape_debug())));
            }
        }
        Ok(Self { lines, folder: folder.to_owned() })
    }

    /// What must be computed of a file; it is an error where the list does not name it.
    pub(super) fn hasher(&self, path: &str) -> Result<Option<Hasher>, Refusal> {
        if self.is_about_itself(path) {
            return Ok(None);
        }
        let line = self.lines.get(path);
        let line =
            line.ok_or_else(|| contradiction(format!("RECORD in the archive misses {}", path.escape_debug())))?;
        match &line.digest {
            Some(("sha256", _)) => Ok(Some(Hasher::Sha256(Sha256::new()))),
            Some(("sha384", _)) => Ok(Some(Hasher::Sha384(Sha384::new()))),
            Some(_) => Ok(Some(Hasher::Sha512(Sha512::new()))),
            None => Err(contradiction(format!("RECORD in the archive has no digest of {}", path.escape_debug()))),
        }
    }

    /// Refuses a file that is not what the list says.
    pub(super) fn check(&self, path: &str, found: Hasher, size: u64) -> Result<(), Refusal> {
        let (digest, line) = (found.finish(), self.lines.get(path));
        let same = line.and_then(|line| line.digest.as_ref()).is_some_and(|(_, stated)| *stated == digest);
        let sized = line.and_then(|line| line.size).is_none_or(|stated| stated == size);
        if same && sized {
            return Ok(());
        }
        Err(contradiction(format!("{} in the archive is not the file that RECORD names", path.escape_debug())))
    }

    /// Refuses a list that names files that are not there.
    pub(super) fn expect_only<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
        let there: std::collections::HashSet<&str> = paths.collect();
        match self.lines.keys().find(|path| !there.contains(path.as_str())) {
            Some(path) => {
                Err(contradiction(format!("RECORD names {}, which is not in the archive", path.escape_debug())))
            }
            None => Ok(()),
        }
    }

    /// The list and its signatures cannot be in it.
    fn is_about_itself(&self, path: &str) -> bool {
        let inside = path.strip_prefix(&self.folder).and_then(|rest| rest.strip_prefix('/'));
        matches!(inside, Some("RECORD" | "RECORD.jws" | "RECORD.p7s"))
    }
}

fn read(path: &str, text: &str) -> Result<Option<(&'static str, Vec<u8>)>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let odd = || {
        let path = path.escape_debug();
        contradiction(format!("the digest of {path} in RECORD is neither sha256, sha384 nor sha512 in base64"))
    };
    let (word, value) = text.split_once('=').ok_or_else(odd)?;
    // Python 2.7 on OpenSSL 3 calls it SHA256.
    let known = [("sha256", 32), ("sha384", 48), ("sha512", 64)]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(word));
    let (word, length) = known.ok_or_else(odd)?;
    let digest = URL_SAFE_NO_PAD.decode(value.trim_end_matches('=')).map_err(|_| odd())?;
    if digest.len() == length { Ok(Some((word, digest))) } else { Err(odd()) }
}

fn number(path: &str, text: &str) -> Result<Option<u64>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let odd = || contradiction(format!("the size of {} in RECORD is no number", path.escape_debug()));
    text.parse().map(Some).map_err(|_| odd())
}

/// Comma-separated values, in quotes where they hold a comma, a quote or a line end.
fn rows(text: &str) -> Option<Vec<Vec<String>>> {
    let (mut rows, mut row, mut value) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut was_quoted) = (false, false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if row.len() > 3 || rows.len() > LINES {
            return None;
        }
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                value.push('"');
            }
            '"' if quoted => quoted = false,
            other if quoted => value.push(other),
            '"' if value.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
            '"' => return None,
            ',' => {
                row.push(std::mem::take(&mut value));
                was_quoted = false;
            }
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => return None,
            '\n' if row.is_empty() && value.is_empty() => {}
            '\n' => {
                row.push(std::mem::take(&mut value));
                was_quoted = false;
                rows.push(std::mem::take(&mut row));
            }
            _ if was_quoted => return None,
            other => value.push(other),
        }
    }
    if !row.is_empty() || !value.is_empty() {
        row.push(value);
        rows.push(row);
    }
    (!quoted).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_as_python_cuts_them() {
        let cut = |text: &str| rows(text).map(|rows| rows.into_iter().map(|row| row.join("|")).collect::<Vec<_>>());
        assert_eq!(cut("a,b,1\r\nc,,\n"), Some(vec!["a|b|1".to_owned(), "c||".to_owned()]));
        assert_eq!(cut("\"a,b\",x,1"), Some(vec!["a,b|x|1".to_owned()]));
        assert_eq!(cut("\"say \"\"hi\"\"\",,"), Some(vec!["say \"hi\"||".to_owned()]));
        assert_eq!(cut("\n\n"), Some(Vec::new()));
        for odd in ["\"a", "a\"b\",x,1", "\"a\"b,x,1", "a\rb,x,1"] {
            assert_eq!(cut(odd), None, "{odd}");
        }
    }
}
