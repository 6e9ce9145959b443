//! Raw files from another server: each by its own address, and no index tells of any.
//!
//! A file that comes from an upstream is the version `1` of a package named by its path, as the first one that is PUT
//! to a local repository. Where it may change there, what it is later are the versions `2` and so on, as there, too.

use model::{EntryPath, VersionName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Raw;
use crate::operation::PackageAt;
use crate::signs::{NOWHERE, Probe, Signs, files, no_file};
use crate::upstream::{Ask, Dated, Direct, Known, Origin, Said, Unreadable, Upstream, Wanting};

/// What a path holds as it is: letters, digits, `-._~` and its slashes.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

impl Upstream for Raw {
    fn asks(&self, _: &PackageAt, _: Wanting<'_>) -> Vec<Ask> {
        Vec::new()
    }

    fn read(&self, _: &PackageAt, _: Wanting<'_>, _: &[Option<Said<'_>>]) -> Result<Option<Known>, Unreadable> {
        Ok(None)
    }

    fn signs(&self, _: &str) -> Signs {
        let probes = vec![Probe::new("", files).of_file(), Probe::new(NOWHERE, no_file).of_file()];
        Signs { what: "the folder that is meant", probes, nowhere: None, is_alone: false }
    }

    fn dated(&self) -> Dated {
        Dated::File
    }

    fn may_change(&self) -> bool {
        true
    }

    fn origin(&self, path: &EntryPath) -> Option<Origin> {
        let target = utf8_percent_encode(path.as_str(), PATH).to_string();
        Some(Origin::Direct(Box::new(Direct {
            ask: Ask { target, accept: "" },
            package: PackageAt::named(path.as_str()),
            display: path.as_str().to_owned(),
            version: VersionName::parse("1").ok()?,
            path: path.clone(),
            sha256: None,
            checksums: Vec::new(),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_asked_for_by_its_own_address() {
        let path = EntryPath::parse("tools/a b+ä%2f?#&.txt").expect("a path");
        let Some(Origin::Direct(direct)) = Raw.origin(&path) else { panic!("a file has an address") };
        assert_eq!(direct.ask, Ask { target: "tools/a%20b%2B%C3%A4%252f%3F%23%26.txt".to_owned(), accept: "" });
        assert_eq!((direct.package, direct.display.as_str()), (PackageAt::named(path.as_str()), path.as_str()));
        assert_eq!((direct.version.as_str(), direct.path), ("1", path));
        assert!(direct.sha256.is_none() && direct.checksums.is_empty());
    }

    #[test]
    fn nothing_tells_of_a_file_but_itself() {
        let at = PackageAt::named("tools/x");
        assert_eq!(Raw.asks(&at, Wanting::All), Vec::new());
        assert_eq!(Raw.read(&at, Wanting::All, &[]), Ok(None));
    }
}
