//! Step 0: which repository an address belongs to. Done once; nobody looks at the path again.

use model::RepoKey;
use registry::Call;

use crate::problem::Problem;

/// An address, cut once.
pub(super) struct Address<'p> {
    pub(super) key: RepoKey,
    /// What the format decodes: still percent-encoded.
    pub(super) rest: &'p str,
}

/// Cuts `/repository/{key}/{rest}`. A key that is not written plainly is no key.
pub(super) fn address(path: &str) -> Option<Address<'_>> {
    let (key, rest) = path.strip_prefix("/repository/")?.split_once('/')?;
    Some(Address { key: RepoKey::parse(key).ok()?, rest })
}

/// The key of `/repository/{key}`, the repository's own folder without its slash.
pub(super) fn slashless(path: &str) -> Option<RepoKey> {
    RepoKey::parse(path.strip_prefix("/repository/")?).ok()
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
        assert_eq!(slashless("/repository/files").map(|key| key.to_string()), Some("files".to_owned()));
        for path in ["/repository/files/", "/repository/", "/repository", "/repository/FILES", "/repository/.."] {
            assert!(slashless(path).is_none(), "{path}");
        }
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
