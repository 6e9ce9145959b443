//! Where files lie: `{group}/{artifact}/{version}/{artifact}-{version}[-{classifier}].{extension}`. Each path
//! belongs to one version at most, and each version to one folder.
//!
//! Source: the Maven repository layout ("default"), and the naming of unique snapshots.

use model::{Timestamp, VersionName};
use serde_json::json;

use crate::Algorithm;

/// The name of every derived index.
pub(super) const METADATA: &str = "maven-metadata.xml";
/// What the version of a line of snapshots ends with.
pub(super) const SNAPSHOT: &str = "SNAPSHOT";
/// Extensions of signatures, which stand behind the extension of what they sign.
const SIGNATURES: [&str; 3] = [".asc", ".sigstore.json", ".sigstore"];

/// A file as its path has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// With dots.
    pub(super) group: String,
    pub(super) artifact: String,
    /// The version as the folder and the POM have it: `1.0` or `1.1-SNAPSHOT`.
    pub(super) base: String,
    /// The version as the file has it: `1.0`, `1.1-20260101.120000-1`, or `1.1-SNAPSHOT` where the file says of no build.
    pub(super) build: String,
    pub(super) classifier: String,
    pub(super) extension: String,
    /// The name of the file.
    pub(super) name: String,
}

/// A build of a snapshot. Later builds are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Build<'v> {
    /// `yyyyMMdd.HHmmss`.
    pub(super) stamp: &'v str,
    pub(super) number: u64,
}

/// The build that a version names, and what stands in front of it: empty, or ending with `-`.
pub(super) fn build_of(version: &str) -> Option<(&str, Build<'_>)> {
    let (rest, number) = version.rsplit_once('-')?;
    let at = rest.len().checked_sub(15)?;
    let (front, stamp) = rest.split_at_checked(at)?;
    if !(front.is_empty() || front.ends_with('-')) || !is_stamp(stamp) || !is_number(number) {
        return None;
    }
    Some((front, Build { stamp, number: number.parse().ok()? }))
}

fn is_stamp(text: &str) -> bool {
    text.len() == 15 && text.as_bytes().get(8) == Some(&b'.') && time(text).is_some()
}

/// `yyyyMMddHHmmss`, with or without a dot between day and time.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let digits = text.replacen('.', "", 1);
    let sound = digits.len() == 14 && digits.bytes().all(|b| b.is_ascii_digit());
    let part = |from: usize, to: usize| digits.get(from..to).filter(|_| sound);
    let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    Timestamp::parse(&format!("{day}T{}:{}:{}Z", part(8, 10)?, part(10, 12)?, part(12, 14)?))
}

/// The greatest number of a build.
pub(super) const LAST: u64 = 999_999_999;

/// Digits without a leading zero, so that no number is written in two ways, at most those of [`LAST`].
fn is_number(text: &str) -> bool {
    (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0')
}

/// The version as the folder has it: a build's becomes that of its line.
pub(super) fn base_of(version: &str) -> String {
    build_of(version).map_or_else(|| version.to_owned(), |(front, _)| format!("{front}{SNAPSHOT}"))
}

/// What is kept of a version.
pub(super) fn manifest(group: &str, artifact: &str, build: &str) -> String {
    let base = base_of(build);
    json!({"groupId": group, "artifactId": artifact, "version": build, "baseVersion": base}).to_string()
}

/// What stands in front of `SNAPSHOT`, if this is the version of a line of snapshots.
pub(super) fn line(version: &str) -> Option<&str> {
    version.strip_suffix(SNAPSHOT).filter(|front| front.is_empty() || front.ends_with('-'))
}

/// What clients of this layout compute.
const CHECKSUMS: [Algorithm; 4] = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];

/// A path without its checksum's suffix, and which checksum it is.
pub(super) fn checksum(path: &str) -> (&str, Option<Algorithm>) {
    let ending = |algorithm: &Algorithm| path.strip_suffix(algorithm.word())?.strip_suffix('.');
    let found = CHECKSUMS.into_iter().find_map(|algorithm| Some((ending(&algorithm)?, Some(algorithm))));
    found.unwrap_or((path, None))
}

impl Stored {
    /// Reads the path of a file that is to be stored. The error is for the person who sends it.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let segments: Vec<&str> = path.split('/').collect();
        let [group @ .., artifact, version, name] = segments.as_slice() else { return Err(shape()) };
        if group.is_empty() {
            return Err(shape());
        }
        if let Some(bad) = group.iter().find(|part| !is_id(part) || part.contains('.')) {
            return Err(format!("{} cannot be part of a groupId's path", bad.escape_debug()));
        }
        if !is_id(artifact) {
            return Err(format!("{} cannot be an artifactId", artifact.escape_debug()));
        }
        check_version(version)?;
        let (build, tail) = Self::build(artifact, version, name)?;
        let (classifier, extension) =
            cut(tail).ok_or_else(|| format!("{} has no extension behind {artifact}-{build}", name.escape_debug()))?;
        Ok(Self {
            group: group.join("."),
            artifact: (*artifact).to_owned(),
            base: (*version).to_owned(),
            classifier: classifier.to_owned(),
            extension: extension.to_owned(),
            name: (*name).to_owned(),
            build,
        })
    }

    /// Whether the file is one of a snapshot and says of no build: its name is that of another file after every build.
    pub(super) fn is_of_any_build(&self) -> bool {
        self.build == self.base && line(&self.base).is_some()
    }

    /// The name of the same file of this build.
    pub(super) fn name_in(&self, build: &str) -> String {
        let Self { artifact, classifier, extension, .. } = self;
        let dash = if classifier.is_empty() { "" } else { "-" };
        format!("{artifact}-{build}{dash}{classifier}.{extension}")
    }

    /// Where the same file of this build lies.
    pub(super) fn location_in(&self, build: &str) -> String {
        format!("{}/{}/{}/{}", self.group.replace('.', "/"), self.artifact, self.base, self.name_in(build))
    }

    /// The version that the file's name has, and what follows it there.
    fn build<'n>(artifact: &str, version: &str, name: &'n str) -> Result<(String, &'n str), String> {
        let wrong = |want: &str| format!("{} does not begin with {artifact}-{want}", name.escape_debug());
        let rest = name.strip_prefix(artifact).and_then(|rest| rest.strip_prefix('-'));
        let rest = rest.ok_or_else(|| wrong(version))?;
        let Some(front) = line(version) else {
            let tail = rest.strip_prefix(version).filter(|tail| tail.starts_with(['.', '-']));
            return tail.map(|tail| (version.to_owned(), tail)).ok_or_else(|| wrong(version));
        };
        if let Some(tail) = rest.strip_prefix(version).filter(|tail| tail.starts_with(['.', '-'])) {
            return Ok((version.to_owned(), tail));
        }
        let want = || {
            wrong(&format!("{version}, nor with {artifact}-{front}yyyyMMdd.HHmmss-n, the time and number of a build"))
        };
        let behind = rest.strip_prefix(front).ok_or_else(want)?;
        let (stamp, numbered) = behind.split_at_checked(15).ok_or_else(want)?;
        let numbered = numbered.strip_prefix('-').ok_or_else(want)?;
        let end = numbered.find(|c: char| !c.is_ascii_digit()).unwrap_or(numbered.len());
        let (number, tail) = numbered.split_at_checked(end).ok_or_else(want)?;
        if !is_stamp(stamp) || !is_number(number) || !tail.starts_with(['.', '-']) {
            return Err(want());
        }
        Ok((format!("{front}{stamp}-{number}"), tail))
    }
}

fn shape() -> String {
    "this is no path of a Maven repository: group/artifact/version/artifact-version[-classifier].extension".to_owned()
}

/// Letters, digits, `-`, `_` and `.`, as Maven itself demands of groupId and artifactId.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// A version names one thing: neither a pattern, nor a property, nor a word that stands for another version.
pub(super) fn check_version(version: &str) -> Result<(), String> {
    let shown = version.escape_debug();
    VersionName::parse(version).map_err(|error| error.to_string())?;
    if !version.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~-".contains(&b)) {
        return Err(format!("the version {shown} may hold only letters, digits and . _ + ~ -"));
    }
    if matches!(version.to_ascii_uppercase().as_str(), "LATEST" | "RELEASE") {
        return Err(format!("{shown} stands for another version and cannot be one"));
    }
    let snapshot = version.len() >= SNAPSHOT.len()
        && version.get(version.len() - SNAPSHOT.len()..).is_some_and(|end| end.eq_ignore_ascii_case(SNAPSHOT));
    if snapshot && line(version).is_none() {
        return Err(format!("{shown} must end with -SNAPSHOT, in capital letters and after a dash, to be a snapshot"));
    }
    if build_of(version).is_some() {
        return Err(format!("the build {shown} belongs into the folder {}", base_of(version)));
    }
    Ok(())
}

/// Classifier and extension: `.tar.gz`, `-sources.jar`, `-dist.tar.gz.asc`.
pub(super) fn cut(tail: &str) -> Option<(&str, &str)> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._+~@-".contains(&b);
    if !tail.bytes().all(fits) || tail.contains("..") || tail.ends_with('.') {
        return None;
    }
    let (classifier, extension) = match tail.strip_prefix('-') {
        None => ("", tail.strip_prefix('.')?),
        Some(rest) => {
            let signed = SIGNATURES.iter().find_map(|ending| rest.strip_suffix(ending)).unwrap_or(rest);
            let at = signed.rfind(".tar.").or_else(|| signed.rfind('.'))?;
            (rest.get(..at)?, rest.get(at + 1..)?)
        }
    };
    let complete = !extension.is_empty() && (!tail.starts_with('-') || !classifier.is_empty());
    let plain = checksum(tail).1.is_none();
    (complete && plain).then_some((classifier, extension))
}

/// The classifier and extension of a file of a build, by its name.
pub(super) fn kind<'n>(build: &str, name: &'n str) -> Option<(&'n str, &'n str)> {
    cut(name.split_once(&format!("-{build}"))?.1)
}
