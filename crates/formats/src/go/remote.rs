//! Modules of another proxy.
//!
//! The address of the upstream is what the go command takes in `GOPROXY`: module paths follow it. Every file of a
//! version has an address of its own, so versions that no list has (revisions, branches) are there as well.
//!
//! Source: the Go Modules Reference, "GOPROXY protocol" and "Communicating with proxies".

use std::collections::HashSet;

use model::{EntryPath, Refusal, Timestamp, VersionName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::archive;
use super::names::{check_module, check_pair, escape, unescape};
use super::publish::Manifest;
use super::version::Version;
use super::{Go, MOD, ZIP, location, rank, sumdb};
use crate::signs::NOWHERE;
use crate::{
    Ask, Asked, Dated, Direct, Known, KnownFile, KnownVersion, Origin, PackageAt, Probe, Relay, Said, Sign, Signs,
    StagedFile, Sums, Unreadable, Upstream, Verdict, Wanting, strict,
};

/// The ref of the version that the upstream calls the latest.
pub(super) const LATEST: &str = "latest";
/// Versions of a module at most: the largest have some thousands.
const MOST: usize = 50_000;
/// What is not known of a proxy that does not speak like one.
const SILENT: &str = "it does not say of a module that nobody has that there is none, as proxies that are folders of files; \
                      whether the path is right shows with the first module";
/// What stands in a segment of an address as it is.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+').remove(b'@');
/// What stands in an address as it is.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

impl Upstream for Go {
    fn asks(&self, at: &PackageAt, wanted: Wanting<'_>) -> Vec<Ask> {
        if check_module(&at.name).is_err() {
            return Vec::new();
        }
        let of = |file: &str| ask(&format!("{}/{file}", escape(&at.name)));
        match wanted {
            Wanting::All => vec![of("@v/list"), of("@latest")],
            Wanting::One(LATEST) => vec![of("@latest")],
            Wanting::One(version) => {
                let version = utf8_percent_encode(&escape(version), SEGMENT).to_string();
                let target = format!("{}/@v/{version}.info", utf8_percent_encode(&escape(&at.name), PATH));
                vec![Ask { target, accept: "" }]
            }
            Wanting::Part(_) => Vec::new(),
        }
    }

    fn signs(&self, _: &str) -> Signs {
        let probes = vec![Probe::new(format!("{NOWHERE}/@v/list"), unknown), Probe::new("", root)];
        let nowhere = Some(ask(&format!("{NOWHERE}/@v/v0.0.0.info")));
        Signs { nowhere, ..Signs::of_protocol("a module proxy", probes) }
    }

    fn relay(&self, asked: &Asked<'_>) -> Option<Relay> {
        sumdb::relay(asked)
    }

    /// A module without tagged versions has others.
    fn lists_all(&self) -> bool {
        false
    }

    fn read(
        &self,
        at: &PackageAt,
        wanted: Wanting<'_>,
        said: &[Option<Said<'_>>],
    ) -> Result<Option<Known>, Unreadable> {
        let answer = |place: usize| said.get(place).copied().flatten();
        match wanted {
            Wanting::All => all(&at.name, answer(0), answer(1)),
            Wanting::One(version) => answer(0).map(|said| one(&at.name, version, said)).transpose(),
            Wanting::Part(_) => Ok(None),
        }
    }

    /// Lists tell of no times.
    fn dated(&self) -> Dated {
        Dated::Version
    }

    /// The time of a version is that of its commit, which its author writes.
    fn lists(&self, ask: &Ask) -> bool {
        ask.target.ends_with("/@v/list")
    }

    /// Proxies leave out revisions, and where a module has a `go.mod` by now, versions of before.
    fn is_listed(&self, version: &str) -> bool {
        Version::parse(version).is_some_and(|version| !version.is_pseudo() && !version.incompatible)
    }

    fn newest<'v>(&self, versions: &[&'v str]) -> Option<&'v str> {
        let known = versions.iter().filter_map(|text| Some((Version::parse(text)?, *text)));
        known.max_by_key(|(version, _)| rank(*version)).map(|(_, text)| text)
    }

    /// What is inside is the go command's business, but for what makes it an archive of this version.
    fn expect_sound(&self, path: &EntryPath, file: &mut StagedFile) -> Result<(), Refusal> {
        match addressed(path) {
            Some((module, version, ZIP)) => archive::expect_sound(&module, &version, file),
            Some((_, _, MOD)) => archive::expect_go_mod(file),
            _ => Ok(()),
        }
    }

    fn origin(&self, path: &EntryPath) -> Option<Origin> {
        let (module, text, kind) = addressed(path)?;
        check_module(&module).ok()?;
        check_pair(&module, &Version::parse(&text)?).ok()?;
        Some(Origin::Direct(Box::new(Direct {
            ask: ask(path.as_str()),
            version: VersionName::parse(&text).ok()?,
            path: EntryPath::parse(&format!("{text}{kind}")).ok()?,
            display: module.clone(),
            package: PackageAt::named(module),
            sha256: None,
            checksums: Vec::new(),
        })))
    }
}

/// What a proxy says of a module that nobody has: a text for the go command to show, or an empty list.
fn unknown(sign: &Sign<'_>) -> Verdict {
    let text = sign.text().trim();
    // Who repeats the whole address may be any server.
    let named = text.contains(NOWHERE) && !text.contains("/@v/");
    let told = named || text.starts_with("not found: ");
    match sign.status {
        200 if sign.is_page() => Verdict::Wrong("it has a page for people where a list of versions would be"),
        200 if text.is_empty() => Verdict::Proof("of a module that nobody has it lists no versions"),
        404 | 410 if told && !sign.is_page() && sign.object().is_none() => {
            Verdict::Proof("it says of a module that nobody has that there is none")
        }
        _ => Verdict::Open(SILENT),
    }
}

fn root(sign: &Sign<'_>) -> Verdict {
    match sign.is_site() {
        true => Verdict::Doubt("it does not speak of modules, and its root is a page for people"),
        false => Verdict::Open(SILENT),
    }
}

/// Module, version and kind of the file at a path.
fn addressed(path: &EntryPath) -> Option<(String, String, &'static str)> {
    let (module, file) = path.as_str().rsplit_once("/@v/")?;
    let kind = [MOD, ZIP].into_iter().find(|kind| file.ends_with(kind))?;
    Some((unescape(module)?, unescape(file.strip_suffix(kind)?)?, kind))
}

/// The go command escapes the exclamation marks of its own spelling as well.
fn ask(path: &str) -> Ask {
    Ask { target: utf8_percent_encode(path, PATH).to_string(), accept: "" }
}

/// What the list and the answer on the latest version say together; each may be missing.
fn all(module: &str, list: Option<Said<'_>>, latest: Option<Said<'_>>) -> Result<Option<Known>, Unreadable> {
    if list.is_none() && latest.is_none() {
        return Ok(None);
    }
    let mut known = Known { display: module.to_owned(), ..Known::default() };
    let mut revision = None;
    if let Some(said) = list {
        (known.versions, revision) = listed(module, said)?;
    }
    let latest = latest.map(|said| told(module, said)).transpose()?;
    // As the go command does: where nobody says what is the latest, it is the youngest revision of what has no versions.
    if let Some(latest) = latest.or(revision.filter(|_| known.versions.is_empty())) {
        let name = latest.version.to_string();
        match known.versions.iter_mut().find(|one| one.version == latest.version) {
            Some(one) => one.published_at = latest.published_at,
            None => known.versions.push(latest),
        }
        known.refs.push((LATEST.to_owned(), name));
    }
    Ok(Some(known))
}

/// The versions in a list, one a line; some proxies say the time behind it. What is no version of the module is
/// left out, but a text without any is no list. Revisions do not count as versions: beside them is the youngest.
fn listed(module: &str, said: Said<'_>) -> Result<(Vec<KnownVersion>, Option<KnownVersion>), Unreadable> {
    let odd = |what: &str| Unreadable(format!("the list of versions of {module} {what}"));
    let text = std::str::from_utf8(said.body).map_err(|_| odd("is not UTF-8"))?;
    let (mut versions, mut seen, mut canonical) = (Vec::new(), HashSet::new(), text.trim().is_empty());
    let mut revision: Option<KnownVersion> = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let Some(version) = Version::parse(name) else { continue };
        canonical = true;
        if version.is_pseudo() {
            let found = known(module, name, words.next().and_then(time));
            revision = revision.into_iter().chain(found).max_by_key(|one| one.published_at);
        } else if seen.insert(name) {
            versions.extend(known(module, name, words.next().and_then(time)));
        }
        if versions.len() > MOST {
            return Err(odd(&format!("has more than {MOST} lines")));
        }
    }
    if canonical { Ok((versions, revision)) } else { Err(odd("has no version in it")) }
}

/// What is said of one version, asked for by its name or by that of a branch, a tag or a commit.
fn one(module: &str, wanted: &str, said: Said<'_>) -> Result<Known, Unreadable> {
    let found = told(module, said)?;
    let name = found.version.to_string();
    let mut known = Known { display: module.to_owned(), versions: vec![found], ..Known::default() };
    if name == wanted {
        return Ok(known);
    }
    if Version::parse(wanted).is_some_and(|version| check_pair(module, &version).is_ok()) {
        return Err(Unreadable(format!("the answer on {module} {wanted} is about another version")));
    }
    known.refs.push((wanted.to_owned(), name));
    Ok(known)
}

/// What a proxy says of a version.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    version: String,
    #[serde(default)]
    time: Option<String>,
}

fn told(module: &str, said: Said<'_>) -> Result<KnownVersion, Unreadable> {
    let odd = |what: &str| Unreadable(format!("the answer on a version of {module} {what}"));
    let info: Info = strict::read_as(said.body).map_err(|_| odd("is not the JSON of one"))?;
    let found = known(module, &info.version, info.time.as_deref().and_then(time));
    found.ok_or_else(|| odd("names none that it can have"))
}

/// Some proxies write the first second of the calendar where they know no time.
fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).filter(|time| time.0 > 0)
}

/// A version with its two files; `None`: the module cannot have it.
fn known(module: &str, text: &str, time: Option<Timestamp>) -> Option<KnownVersion> {
    let version = Version::parse(text)?;
    check_pair(module, &version).ok()?;
    let manifest = Manifest {
        module: module.to_owned(),
        version: text.to_owned(),
        has_go_mod: !version.incompatible,
        go: None,
        sum: None,
        go_mod_sum: None,
    };
    Some(KnownVersion {
        version: VersionName::parse(text).ok()?,
        published_at: time.or_else(|| version.revised_at().flatten()),
        manifest: serde_json::to_string(&manifest).ok()?,
        yanked: None,
        deprecated: None,
        files: [ZIP, MOD].into_iter().map(|kind| file(module, text, kind)).collect::<Option<_>>()?,
    })
}

fn file(module: &str, version: &str, kind: &str) -> Option<KnownFile> {
    let location = location(module, version, kind).ok()?;
    Some(KnownFile {
        path: EntryPath::parse(&format!("{version}{kind}")).ok()?,
        target: ask(location.as_str()).target,
        location,
        size: None,
        sha256: None,
        sums: Sums::default(),
        attributes: None,
        published_at: None,
        yanked: None,
    })
}
