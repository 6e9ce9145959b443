//! Names of projects and of their files, and what counts as one version.

use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};

use crate::VersionRange;
use crate::ranges;

/// The longest name of a project and of a file, in bytes.
const LONGEST: usize = 200;

/// The form of a name under which it is known: lower case, runs of `-`, `_` and `.` are one `-`.
pub(super) fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            other => normal.push(other.to_ascii_lowercase()),
        }
    }
    normal
}

/// Letters, digits, `-`, `_` and `.`, the first and the last a letter or a digit.
pub(super) fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    name.len() <= LONGEST
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// A version, whatever its spelling. `None` where it is none.
pub(super) fn version(text: &str) -> Option<Version> {
    if text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    Version::from_str(text.trim()).ok()
}

/// Version specifiers, as PEP 440 has them.
pub(super) fn range(text: &str) -> Option<VersionRange> {
    if text.len() > ranges::LONGEST || text.trim().is_empty() {
        return None;
    }
    let specifiers = VersionSpecifiers::from_str(text).ok()?;
    Some(Box::new(move |text| Some(specifiers.contains(&version(text)?))))
}

/// What all spellings of a version have in common: no zeros at the end of the release.
pub(super) fn release_of(text: &str) -> String {
    let Some(version) = version(text) else { return text.to_owned() };
    let release = version.release();
    let kept = release.iter().rposition(|number| *number != 0).map_or(1, |last| last + 1);
    let short: Vec<u64> = release.iter().copied().take(kept).collect();
    version.with_release(short).to_string()
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A built distribution, with the tags of the interpreters that it is for.
    Wheel { python: String },
    /// A source distribution.
    TarGz,
    /// A source distribution of the old kind.
    Zip,
}

impl Kind {
    /// Its word in the upload API.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Wheel { .. } => "bdist_wheel",
            Self::TarGz | Self::Zip => "sdist",
        }
    }

    /// What clients say of the interpreters that it is for.
    pub(super) fn python(&self) -> &str {
        match self {
            Self::Wheel { python } => python,
            Self::TarGz | Self::Zip => "source",
        }
    }

    pub(super) fn media_type(&self) -> &'static str {
        match self {
            Self::Wheel { .. } | Self::Zip => "application/zip",
            Self::TarGz => "application/gzip",
        }
    }
}

/// The name of a file that was understood.
#[derive(Clone, Debug)]
pub(super) struct FileName {
    /// As it is.
    pub(super) text: String,
    /// What it is.
    pub(super) kind: Kind,
    /// Name and version of the project, joined by a hyphen.
    project: String,
}

impl FileName {
    /// Understands a file's name. The error is for the person who sends it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+' | b'!');
        if text.len() > LONGEST || !text.bytes().all(plain) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            let why = "must have at most 200 letters, digits, '.', '_', '-', '+' and '!'";
            return Err(format!("the file name {} {why}", text.escape_debug()));
        }
        let (kind, project) = if let Some(stem) = text.strip_suffix(".whl") {
            wheel(stem)
                .ok_or_else(|| format!("{text} is no name of a wheel: NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM"))?
        } else if let Some(stem) = text.strip_suffix(".tar.gz") {
            (Kind::TarGz, stem)
        } else if let Some(stem) = text.strip_suffix(".zip") {
            (Kind::Zip, stem)
        } else {
            return Err(format!("{text} is neither a wheel (.whl) nor a source distribution (.tar.gz, .zip)"));
        };
        if !cuts(project).any(|(name, text)| is_name(name) && version(text).is_some()) {
            return Err(format!("{text} does not begin with the name and a version of a project"));
        }
        Ok(Self { text: text.to_owned(), project: project.to_owned(), kind })
    }

    /// The version that it says of this project, by its normalised name; `None`: it is of another one.
    pub(super) fn version_of(&self, name: &str) -> Option<Version> {
        cuts(&self.project).find_map(|(left, right)| version(right).filter(|_| normal(left) == name))
    }

    /// Whether the name says this project and version.
    pub(super) fn names(&self, name: &str, version: &Version) -> bool {
        joins(&self.project, name, version)
    }
}

/// Whether a text is a name and a version, joined by a hyphen, of this project.
pub(super) fn joins(text: &str, name: &str, wanted: &Version) -> bool {
    cuts(text).any(|(left, right)| normal(left) == name && version(right).as_ref() == Some(wanted))
}

/// All ways to cut at a hyphen: old names and versions have some themselves.
fn cuts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices('-').filter_map(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?)))
}

/// What a wheel is, and its project.
fn wheel(stem: &str) -> Option<(Kind, &str)> {
    let parts: Vec<&str> = stem.split('-').collect();
    let (build, tags) = match parts.as_slice() {
        [_, _, python, abi, platform] => (None, [*python, *abi, *platform]),
        [_, _, build, python, abi, platform] => (Some(*build), [*python, *abi, *platform]),
        _ => return None,
    };
    let is_tag = |tag: &str| {
        tag.split('.').all(|one| !one.is_empty() && one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
    };
    let numbered = |build: &str| build.starts_with(|c: char| c.is_ascii_digit());
    if !tags.iter().all(|tag| is_tag(tag)) || build.is_some_and(|build| !numbered(build)) {
        return None;
    }
    let project = stem.get(..parts.first()?.len() + 1 + parts.get(1)?.len())?;
    Some((Kind::Wheel { python: tags[0].to_owned() }, project))
}
