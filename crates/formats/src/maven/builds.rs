//! Builds of snapshots whose files have one name for every build (`demo-1.1-SNAPSHOT.jar`), as sbt, Ivy and whoever puts
//! files by hand send them: each becomes part of a build with a time and a number, as Maven would have named it.

use std::time::Duration;

use model::line::{Built, Line};
use model::{EntryPath, NameError, Timestamp, VersionName};

use super::layout::{Build, LAST, Stored, base_of, build_of, checksum, line, manifest, time};
use super::metadata::digits;
use super::told::Told;
use crate::PackageAt;
use crate::address::decode;

/// The builds of the line to which a file belongs.
#[derive(Clone, Debug)]
pub(super) struct Builds {
    stored: Stored,
}

impl Builds {
    /// `None`: the file says of which build it is, or is one of a release.
    pub(super) fn of(stored: &Stored) -> Option<Self> {
        stored.is_of_any_build().then(|| Self { stored: stored.clone() })
    }

    /// What stands in front of time and number.
    fn front(&self) -> &str {
        line(&self.stored.base).unwrap_or_default()
    }
}

impl Line for Builds {
    fn package(&self) -> (&str, &str) {
        (&self.stored.group, &self.stored.artifact)
    }

    fn bounds(&self) -> (String, String) {
        // A build's time begins with a digit, and a colon comes after the last of them.
        (format!("{}0", self.front()), format!("{}:", self.front()))
    }

    fn beside(&self, build: &str) -> (String, String) {
        let time = build.rsplit_once('-').map_or(build, |(time, _)| time);
        // A dot comes after a dash.
        (format!("{time}-"), format!("{time}."))
    }

    fn builds<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        let of_line = |name: &'n str| build_of(name).filter(|(front, _)| *front == self.front());
        let mut builds: Vec<(Build<'n>, &str)> =
            names.iter().filter_map(|name| of_line(name).map(|(_, build)| (build, *name))).collect();
        builds.sort_unstable_by(|one, other| other.cmp(one));
        builds.into_iter().map(|(_, name)| name).collect()
    }

    fn next(&self, youngest: Option<&str>, now: Timestamp) -> String {
        let youngest = youngest.and_then(build_of).map(|(_, build)| build);
        // Clocks differ: no build is older than the one before it.
        let (stamp, number) = match youngest {
            None => (stamp_of(now), 1),
            Some(Build { stamp, number }) if number < LAST => (stamp_of(now).max(stamp.to_owned()), number + 1),
            // Its time tells them apart, too.
            Some(Build { stamp, .. }) => {
                let after = time(stamp).map_or(now, |time| time.plus(Duration::from_secs(1)));
                (stamp_of(now.max(after)), 1)
            }
        };
        format!("{}{stamp}-{number}", self.front())
    }

    fn built(&self, build: &str) -> Result<Built, NameError> {
        let Stored { group, artifact, .. } = &self.stored;
        Ok(Built {
            version: VersionName::parse(build)?,
            path: EntryPath::parse(&self.stored.name_in(build))?,
            location: EntryPath::parse(&self.stored.location_in(build))?,
            manifest: manifest(group, artifact, build),
        })
    }
}

/// `yyyyMMdd.HHmmss`.
fn stamp_of(time: Timestamp) -> String {
    let digits = digits(&time.to_seconds());
    let (day, time) = digits.split_at_checked(8).unwrap_or_default();
    format!("{day}.{time}")
}

/// The address of the file that such a name stands for now: of the youngest build that has one, by the index of the line.
pub(super) fn newest(address: &str, index: &[u8]) -> Option<String> {
    let address = decode(address).ok()?;
    let (path, algorithm) = checksum(&address);
    let stored = Stored::parse(path).ok().filter(Stored::is_of_any_build)?;
    let package = PackageAt { namespace: stored.group.clone(), name: stored.artifact.clone() };
    let told = Told::read(index, &package).ok()?;
    let kind = (stored.classifier.as_str(), stored.extension.as_str());
    let of_kind = told.files.iter().find(|file| {
        (file.classifier.as_deref().unwrap_or_default(), file.extension.as_deref().unwrap_or_default()) == kind
    });
    let build = match of_kind {
        Some(file) => file.build.clone(),
        // Some repositories tell of the youngest build alone.
        None if told.files.is_empty() => format!("{}{}", line(&stored.base)?, told.newest()?),
        None => return None,
    };
    let fits = build_of(&build).is_some() && base_of(&build) == stored.base;
    let ending = algorithm.map(|algorithm| format!(".{}", algorithm.word())).unwrap_or_default();
    fits.then(|| stored.location_in(&build) + &ending)
}
