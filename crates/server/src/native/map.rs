//! Step 0: which repository an address belongs to. Done once; nobody looks at the path again.

use model::{RepoKey, Timestamp};
use registry::Call;

use crate::problem::Problem;

/// An address, cut once.
pub(super) struct Address<'p> {
    pub(super) key: RepoKey,
    /// As of when, where it says so.
    pub(super) moment: Option<Moment<'p>>,
    /// What the format decodes: still percent-encoded.
    pub(super) rest: &'p str,
}

/// What stands behind the key and an at sign.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moment<'p> {
    /// As it was written.
    pub(super) written: &'p str,
    /// `None`: nobody can read it.
    pub(super) at: Option<Timestamp>,
}

/// Cuts `/repository/{key}/{rest}` and `/repository/{key}@{moment}/{rest}`. A key that is not written plainly is no key.
pub(super) fn address(path: &str) -> Option<Address<'_>> {
    let (folder, rest) = path.strip_prefix("/repository/")?.split_once('/')?;
    let (key, moment) = folder_of(folder)?;
    Some(Address { key, moment, rest })
}

/// The key and the moment of `/repository/{key}`, the repository's own folder without its slash.
pub(super) fn slashless(path: &str) -> Option<(RepoKey, Option<Moment<'_>>)> {
    folder_of(path.strip_prefix("/repository/")?)
}

fn folder_of(folder: &str) -> Option<(RepoKey, Option<Moment<'_>>)> {
    let encoded = || if folder.contains('%') { folder.split_once("%40") } else { None };
    let cut = folder.split_once('@').or_else(encoded);
    let (key, moment) = cut.map_or((folder, None), |(key, written)| (key, Some(Moment::of(written))));
    Some((RepoKey::parse(key).ok()?, moment))
}

impl<'p> Moment<'p> {
    fn of(written: &'p str) -> Self {
        let text = percent_encoding::percent_decode_str(written).decode_utf8().ok();
        Self { written, at: text.and_then(|text| Timestamp::parse_moment(&text)) }
    }
}

/// What is said where no repository can be: the same as for one that does not exist.
pub(super) fn unknown(call: &Call) -> Problem {
    match call.identity() {
        Ok(_) => Problem::not_found("the repository was not found"),
        Err(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_without_its_slash_is_known() {
        assert_eq!(slashless("/repository/files").map(|(key, _)| key.to_string()), Some("files".to_owned()));
        for path in ["/repository/files/", "/repository/", "/repository", "/repository/FILES", "/repository/.."] {
            assert!(slashless(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_moment_is_cut_from_the_key_in_every_spelling() {
        let new_year = Timestamp::parse("2026-01-01T00:00:00Z");
        for written in ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T00%3A00%3a00Z", "2025-12-31T23:00:00-01:00"] {
            for sign in ["@", "%40"] {
                let path = format!("/repository/files{sign}{written}/a/b@c");
                let cut = address(&path).expect("an address");
                assert_eq!((cut.key.to_string().as_str(), cut.rest), ("files", "a/b@c"), "{path}");
                assert_eq!(cut.moment, Some(Moment { written, at: new_year }), "{path}");
            }
        }
        for unreadable in ["", "yesterday", "2026-13-01", "2026-01-01@2026-01-01", "2026-01-01%2F", "%ff"] {
            let path = format!("/repository/files@{unreadable}/a");
            let moment = address(&path).expect("an address").moment.expect("something that is meant as a moment");
            assert_eq!(moment.at, None, "{path}");
        }
        assert!(address("/repository/files/a@2026-01-01").expect("an address").moment.is_none());
        assert!(address("/repository/@2026-01-01/a").is_none());
        let (key, moment) = slashless("/repository/files@2026-01-01").expect("a folder");
        assert_eq!((key.as_str(), moment.and_then(|moment| moment.at)), ("files", new_year));
    }

    #[test]
    fn keys_are_taken_plainly_or_not_at_all() {
        let cut = |path| address(path).map(|address| (address.key.to_string(), address.rest.to_owned()));
        assert_eq!(cut("/repository/files/a/b"), Some(("files".into(), "a/b".into())));
        assert_eq!(cut("/repository/files/"), Some(("files".into(), String::new())));
        assert_eq!(cut("/repository/files"), None);
        for path in [
            "/repository/fil%65s/a",
            "/repository/FILES/a",
            "/repository//a",
            "/repository/../a",
            "/repository/a%2fb/c",
            "//repository/a/b",
        ] {
            assert_eq!(cut(path), None, "{path}");
        }
    }
}
