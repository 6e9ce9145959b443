//! What packages, versions and dist-tags may be called.

use model::{EntryPath, NameError, RefName, Refusal};
use semver::{BuildMetadata, Version, VersionReq};

use super::scan::malformed;

/// The longest name, with its scope.
const NAME: usize = 214;
/// The largest number that JavaScript counts exactly: clients refuse versions beyond it.
const EXACT: u64 = (1 << 53) - 1;

/// The normalised form: names that differ in case alone are one package.
pub(super) fn normal(name: &str) -> String {
    name.to_lowercase()
}

/// The part after the scope.
pub(super) fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Whether packages can be called so: `name` or `@scope/name`, of `A-Z a-z 0-9 - . _ ~`, not
/// beginning with `.` or `_`. Capitals are for names from before they were forbidden.
pub(super) fn is_name(name: &str) -> bool {
    let (scope, base) = match name.strip_prefix('@').map(|rest| rest.split_once('/')) {
        Some(Some((scope, base))) => (Some(scope), base),
        Some(None) => return false,
        None => (None, name),
    };
    let part = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        !part.is_empty() && part.bytes().all(allowed) && !part.starts_with(['.', '_']) && part != "-"
    };
    let taken = ["node_modules", "favicon.ico"];
    name.len() <= NAME
        && scope.is_none_or(part)
        && part(base)
        && (scope.is_some() || !taken.contains(&base.to_ascii_lowercase().as_str()))
}

/// The version as registries have it: npm's clients drop a leading `v` or `=` and what follows a `+`.
pub(super) fn clean(version: &str) -> Option<String> {
    let bare = version.trim().trim_start_matches(['=', 'v', ' ']);
    let parsed = Version::parse(bare).ok()?;
    let exact = [parsed.major, parsed.minor, parsed.patch].into_iter().all(|number| number <= EXACT);
    let bare = Version { build: BuildMetadata::EMPTY, ..parsed }.to_string();
    (exact && bare.len() <= 256).then_some(bare)
}

/// Whether another registry may have this version, to the letter: a semantic version, or one from before they were
/// strict, without the hyphen in front of its pre-release.
pub(super) fn is_listed(version: &str) -> bool {
    let strict = |text: &str| Version::parse(text).is_ok() && clean(text).is_some();
    let hyphened = || {
        let (_, patch) = version.match_indices('.').nth(1).map(|(at, dot)| version.split_at(at + dot.len()))?;
        let (number, pre) =
            version.split_at(version.len() - patch.trim_start_matches(|c: char| c.is_ascii_digit()).len());
        pre.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| format!("{number}-{pre}"))
    };
    strict(version) || hyphened().is_some_and(|text| strict(&text))
}

/// A dist-tag: a ref that nobody takes for a version or a range.
pub(super) fn tag(text: &str) -> Result<RefName, Refusal> {
    let bare = text.trim_start_matches(['v', 'V', '=']);
    if text == "__proto__" || clean(text).is_some() || VersionReq::parse(bare).is_ok() {
        return Err(malformed(format!("{} cannot be a dist-tag", text.escape_debug())));
    }
    RefName::parse(text).map_err(|error| malformed(error.to_string()))
}

/// Where a file of a package is.
pub(super) fn place(name: &str, file: &str) -> Result<EntryPath, NameError> {
    EntryPath::parse(&[name, "/-/", file].concat())
}

/// The name of the archive of a version.
pub(super) fn archive(name: &str, version: &str) -> String {
    [&normal(base(name)), "-", version, ".tgz"].concat()
}

/// The version whose archive is called so.
pub(super) fn version_of<'f>(name: &str, file: &'f str) -> Option<&'f str> {
    let base = base(name);
    let (begin, rest) = (file.get(..base.len())?, file.get(base.len()..)?);
    let version = rest.strip_prefix('-')?.strip_suffix(".tgz")?;
    (begin.eq_ignore_ascii_case(base) && !version.is_empty()).then_some(version)
}

/// The version that `latest` is when nobody said so: the highest, before all pre-releases.
pub(super) fn highest<'v>(versions: impl Iterator<Item = &'v str>) -> Option<&'v str> {
    let known = versions.filter_map(|text| Version::parse(text).ok().map(|version| (version, text)));
    known.max_by_key(|(version, _)| (version.pre.is_empty(), version.clone())).map(|(_, text)| text)
}
