//! Projects of another index.
//!
//! The address of the upstream is that of its simple index, what pip takes as `--index-url`: mostly it ends in
//! `/simple`. Files are wherever the index says that they are.

mod json;
mod page;
mod signs;
mod tags;

use std::collections::{HashMap, HashSet};

use model::digest::unhex;
use model::{EntryPath, Sha256Digest, Timestamp, VersionName};
use serde_json::Map;
use url::Url;

use super::names::{FileName, is_name, normal, release_of, version};
use super::upload::{Kept, Manifest};
use super::{Pypi, location};
use crate::{
    Algorithm, Ask, Known, KnownFile, KnownVersion, Origin, PackageAt, Said, Signs, Sums, Unreadable, Upstream, Wanting,
};

/// What is asked for: the more an index says, the better.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
/// Files of a project at most: the largest have some tens of thousands.
const MOST: usize = 100_000;
/// The longest `requires-python` and the longest reason of a yank, in bytes.
const TEXT: usize = 1024;

impl Upstream for Pypi {
    fn asks(&self, at: &PackageAt, wanted: Wanting<'_>) -> Vec<Ask> {
        match wanted {
            _ if !is_name(&at.name) => Vec::new(),
            Wanting::Part(_) => Vec::new(),
            Wanting::All | Wanting::One(_) => vec![Ask { target: format!("{}/", at.name), accept: ACCEPT }],
        }
    }

    fn narrows(&self) -> bool {
        false
    }

    fn read(
        &self,
        at: &PackageAt,
        wanted: Wanting<'_>,
        said: &[Option<Said<'_>>],
    ) -> Result<Option<Known>, Unreadable> {
        let Some(Some(said)) = said.first() else { return Ok(None) };
        let index = match said.media_type {
            "application/vnd.pypi.simple.v1+json" | "application/json" => json::read(*said, &at.name)?,
            "application/vnd.pypi.simple.v1+html" | "text/html" => page::read(*said, &at.name)?,
            _ => return Err(Unreadable(format!("the index of {} is neither JSON nor HTML", at.name))),
        };
        let mut known = index.known(&at.name);
        if let Wanting::One(wanted) = wanted {
            known.versions.retain(|one| one.version.as_str() == wanted);
            return Ok(Some(known).filter(|known| !known.versions.is_empty()));
        }
        Ok(Some(known))
    }

    fn signs(&self, base: &str) -> Signs {
        signs::of(base)
    }

    fn newest<'v>(&self, versions: &[&'v str]) -> Option<&'v str> {
        let known = versions.iter().filter_map(|text| Some((version(text)?, *text)));
        known.max_by_key(|(version, _)| (!version.any_prerelease(), version.clone())).map(|(_, text)| text)
    }

    fn origin(&self, path: &EntryPath) -> Option<Origin> {
        let segments: Vec<&str> = path.segments().collect();
        let ["packages", name, _, _] = segments.as_slice() else { return None };
        (is_name(name) && normal(name) == **name).then(|| Origin::Listed(PackageAt::named(*name)))
    }
}

/// What an index tells.
struct Index {
    display: String,
    files: Vec<File>,
}

/// A file as an index tells of it.
struct File {
    name: String,
    url: Url,
    sums: Vec<(Algorithm, Vec<u8>)>,
    size: Option<u64>,
    published_at: Option<Timestamp>,
    requires_python: Option<String>,
    /// As [`Kept::metadata`].
    metadata: Option<String>,
    signed: bool,
    provenance: Option<Url>,
    yanked: Option<String>,
}

impl Index {
    /// The files by their versions; those that are none of the project are left out.
    fn known(self, project: &str) -> Known {
        let mut known = Known { display: self.display, ..Known::default() };
        let (mut places, mut names) = (HashMap::new(), HashSet::new());
        for file in self.files {
            let Some((name, version)) = file.read(project) else { continue };
            // What differs in case alone cannot be in one version; the first is what clients would find.
            if !names.insert(name.text.to_ascii_lowercase()) {
                continue;
            }
            let twin = release_of(version.as_str());
            let place = *places.entry(twin).or_insert_with(|| {
                known.versions.push(empty(&known.display, version));
                known.versions.len() - 1
            });
            let Some(one) = known.versions.get_mut(place) else { continue };
            let added = file.published_at;
            if let Some(files) = file.known(project, &one.version, &name) {
                one.files.extend(files);
                one.published_at = one.published_at.into_iter().chain(added).min();
            }
        }
        known.versions.retain(|one| !one.files.is_empty());
        known.versions.iter_mut().for_each(yank_whole);
        known
    }
}

fn empty(display: &str, version: VersionName) -> KnownVersion {
    let manifest = Manifest { name: display.to_owned(), version: version.to_string(), info: Map::new() };
    KnownVersion {
        version,
        published_at: None,
        manifest: serde_json::to_string(&manifest).unwrap_or_default(),
        yanked: None,
        deprecated: None,
        files: Vec::new(),
    }
}

/// A version is yanked where all its archives are: for the reason of the first by name, whatever their order.
fn yank_whole(version: &mut KnownVersion) {
    let archives = || version.files.iter().filter(|file| file.attributes.is_some());
    if !archives().all(|file| file.yanked.is_some()) {
        return;
    }
    version.yanked = archives().min_by(|a, b| a.path.cmp(&b.path)).and_then(|file| file.yanked.clone());
    for file in &mut version.files {
        file.yanked = file.yanked.take().filter(|why| Some(why) != version.yanked.as_ref());
    }
}

impl File {
    /// Its name and its version, if it is a file of the project.
    fn read(&self, project: &str) -> Option<(FileName, VersionName)> {
        let name = FileName::parse(&self.name).ok()?;
        let version = name.version_of(project)?;
        Some((name, VersionName::parse(&version.to_string()).ok()?))
    }

    /// The archive, and the files that belong to it.
    fn known(self, project: &str, version: &VersionName, name: &FileName) -> Option<Vec<KnownFile>> {
        let metadata = self.metadata.filter(|digits| digits.is_empty() || digest(digits).is_some());
        let kept = Kept {
            filetype: name.kind.word().to_owned(),
            python: name.kind.python().to_owned(),
            requires_python: self.requires_python.filter(|text| is_short(text)),
            metadata: metadata.clone(),
            signed: self.signed,
            attested: self.provenance.is_some(),
        };
        let sha256 = self.sums.iter().find(|(algorithm, _)| *algorithm == Algorithm::Sha256);
        let sha256 = sha256.and_then(|(_, sum)| Sha256Digest::from_slice(sum));
        let sums: Sums = self.sums.into_iter().collect();
        let made = |ending: &str, target: String| {
            let path = format!("{}{ending}", name.text);
            Some(KnownFile {
                location: location(project, version.as_str(), &path).ok()?,
                path: EntryPath::parse(&path).ok()?,
                target,
                size: None,
                sha256: None,
                sums: Sums::default(),
                attributes: None,
                published_at: self.published_at,
                yanked: None,
            })
        };
        let mut archive = made("", beside(&self.url, ""))?;
        archive.attributes = Some(kept.attributes(&sums));
        (archive.size, archive.sha256, archive.sums) = (self.size, sha256, sums);
        archive.yanked = self.yanked.map(|mut why| {
            why.truncate(why.floor_char_boundary(TEXT));
            why
        });
        let mut files = vec![archive];
        if let Some(digits) = metadata {
            let file = made(".metadata", beside(&self.url, ".metadata"))?;
            files.push(KnownFile { sha256: digest(&digits), ..file });
        }
        if self.signed {
            files.push(made(".asc", beside(&self.url, ".asc"))?);
        }
        if let Some(url) = self.provenance {
            files.push(made(".provenance", beside(&url, ""))?);
        }
        Some(files)
    }
}

/// The address of what belongs to the file at another one: its path goes on.
fn beside(file: &Url, ending: &str) -> String {
    let mut there = file.clone();
    there.set_fragment(None);
    there.set_path(&format!("{}{ending}", file.path()));
    there.into()
}

/// A text that is shown to clients and that they read as one line.
fn is_short(text: &str) -> bool {
    text.len() <= TEXT && !text.chars().any(char::is_control)
}

fn digest(digits: &str) -> Option<Sha256Digest> {
    unhex(digits).and_then(|bytes| Sha256Digest::from_slice(&bytes))
}

/// A digest that an index declares, by hashlib's word for it. `None`: one that nobody here computes;
/// `Some(None)`: what is declared is none, so that the file can never be what it should be.
fn sum(word: &str, digits: &str) -> Option<Option<(Algorithm, Vec<u8>)>> {
    let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.word() == word)?;
    let bytes = unhex(&digits.to_ascii_lowercase()).filter(|bytes| bytes.len() == algorithm.length());
    Some(bytes.map(|bytes| (algorithm, bytes)))
}

/// Refuses an index of a major version that is not known.
fn expect_version(version: &str, project: &str) -> Result<(), Unreadable> {
    if version.split('.').next() == Some("1") {
        return Ok(());
    }
    Err(Unreadable(format!("the index of {project} is of a version of the API that is not 1")))
}

fn too_many(project: &str) -> Unreadable {
    Unreadable(format!("the index of {project} has more than {MOST} files"))
}
