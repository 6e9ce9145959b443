//! Artifacts of another repository.
//!
//! The address of the upstream is that of its root, as build files name it: the folders of groups follow it. Files are
//! where the layout has them, whether or not an index tells of them.

use std::collections::{BTreeSet, HashMap};

use model::{EntryPath, RefName, Refusal, VersionName};

use super::layout::{METADATA, Stored, base_of, build_of, check_version, is_id, line, manifest, time};
use super::sound;
use super::told::{File, Told};
use super::{Maven, PLUGIN};
use crate::{
    Algorithm, Ask, Dated, Direct, Format as _, Known, KnownFile, KnownVersion, Origin, PackageAt, Probe, Said, Sign,
    Signs, StagedFile, Sums, Unreadable, Upstream, Verdict, Wanting,
};

/// The files beside a file that say what it must be. Who has SHA-512 has SHA-256 as well: not to ask for it saves a
/// question wherever there is neither.
const CHECKSUMS: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5];

impl Upstream for Maven {
    fn asks(&self, at: &PackageAt, wanted: Wanting<'_>) -> Vec<Ask> {
        let Some(folder) = folder(at) else { return Vec::new() };
        match wanted {
            Wanting::All => vec![ask(format!("{folder}/{METADATA}"))],
            Wanting::Part(base) if check_version(base).is_ok() && line(base).is_some() => {
                vec![ask(format!("{folder}/{base}/{METADATA}"))]
            }
            // Every version has a POM.
            Wanting::One(version) if check_version(version).is_ok() => {
                vec![ask(format!("{folder}/{}/{}-{version}.pom", base_of(version), at.name))]
            }
            Wanting::Part(_) | Wanting::One(_) => Vec::new(),
        }
    }

    fn read(
        &self,
        at: &PackageAt,
        wanted: Wanting<'_>,
        said: &[Option<Said<'_>>],
    ) -> Result<Option<Known>, Unreadable> {
        let (Some(Some(said)), Some(folder)) = (said.first(), folder(at)) else { return Ok(None) };
        if let Wanting::One(version) = wanted {
            let version = version_of(at, version).map(|one| KnownVersion { published_at: said.changed_at, ..one });
            let versions = version.into_iter().collect();
            return Ok(Some(Known { display: at.name.clone(), versions, ..Known::default() }));
        }
        let told = Told::read(said.body, at)?;
        match wanted {
            Wanting::All => Ok(Some(artifact(at, told))),
            Wanting::Part(base) => Ok(Some(line_of(at, &format!("{folder}/{base}"), base, told)?)),
            Wanting::One(_) => Ok(None),
        }
    }

    fn signs(&self, _: &str) -> Signs {
        let probes = vec![Probe::new(".meta/prefixes.txt", prefixes), Probe::new("", crate::signs::files)];
        let probes = probes.into_iter().map(Probe::of_file).collect();
        Signs::of_protocol("a Maven repository", probes)
    }

    /// Indexes tell of no times but those that builds of snapshots have in their names.
    fn dated(&self) -> Dated {
        Dated::File
    }

    fn expect_sound(&self, path: &EntryPath, file: &mut StagedFile) -> Result<(), Refusal> {
        Stored::parse(path.as_str()).map_or(Ok(()), |stored| sound::expect(&stored, file))
    }

    fn origin(&self, path: &EntryPath) -> Option<Origin> {
        let stored = Stored::parse(path.as_str()).ok().filter(|stored| !stored.is_of_any_build())?;
        let beside = |algorithm: Algorithm| (algorithm, ask(format!("{path}.{}", algorithm.word())));
        Some(Origin::Direct(Box::new(Direct {
            ask: ask(path.to_string()),
            version: VersionName::parse(&stored.build).ok()?,
            path: EntryPath::parse(&stored.name).ok()?,
            display: stored.artifact.clone(),
            package: PackageAt { namespace: stored.group, name: stored.artifact },
            sha256: None,
            checksums: CHECKSUMS.into_iter().map(beside).collect(),
        })))
    }
}

/// The list of groups that large repositories have for their clients; most have none.
fn prefixes(sign: &Sign<'_>) -> Verdict {
    match sign.is_found() {
        true if sign.text().starts_with("## repository-prefixes/") => Verdict::Proof("it lists its groups"),
        true if !sign.is_page() => Verdict::Doubt("what it has at .meta/prefixes.txt is no list of groups"),
        _ => crate::signs::no_file(sign),
    }
}

/// Paths of the layout need no percent-encoding.
fn ask(target: String) -> Ask {
    Ask { target, accept: "" }
}

/// The folder of an artifact; `None`: it cannot be one.
pub(super) fn folder(at: &PackageAt) -> Option<String> {
    let parts = at.namespace.split('.').filter(|_| !at.namespace.is_empty()).chain([at.name.as_str()]);
    let parts: Vec<&str> = parts.collect();
    let folder = parts.iter().all(|part| is_id(part)).then(|| parts.join("/"))?;
    EntryPath::parse(&folder).ok().map(|_| folder)
}

/// The versions of an artifact, and the plugins of the group at the same path.
fn artifact(at: &PackageAt, told: Told) -> Known {
    let mut known = Known { display: at.name.clone(), ..Known::default() };
    let mut seen = BTreeSet::new();
    for version in told.versions {
        if check_version(&version).is_ok() && seen.insert(version.clone()) {
            known.versions.extend(version_of(at, &version));
        }
    }
    if Maven.around(at).is_some() {
        let name = |prefix: &str| RefName::parse(&format!("{PLUGIN}{prefix}")).ok();
        let plugins = told.plugins.into_iter().filter(|plugin| is_id(&plugin.artifact));
        let around = plugins.filter_map(|plugin| Some((plugin.artifact, name(&plugin.prefix)?.to_string())));
        known.around = around.collect::<BTreeSet<_>>().into_iter().collect();
    }
    known
}

/// The builds of a line of snapshots.
fn line_of(at: &PackageAt, folder: &str, base: &str, told: Told) -> Result<Known, Unreadable> {
    if told.version.as_deref().is_some_and(|version| version != base) {
        return Err(Unreadable(format!("the index of {} {base} is that of another version", at.name)));
    }
    let mut known = Known { display: at.name.clone(), ..Known::default() };
    let mut places: HashMap<String, usize> = HashMap::new();
    let newest = line(base).zip(told.newest()).map(|(front, build)| File::only(format!("{front}{build}")));
    for file in told.files.into_iter().chain(newest) {
        if build_of(&file.build).is_none() || base_of(&file.build) != base {
            continue;
        }
        let Some(version) = version_of(at, &file.build) else { continue };
        let place = *places.entry(file.build.clone()).or_insert_with(|| {
            known.versions.push(version);
            known.versions.len() - 1
        });
        let Some(version) = known.versions.get_mut(place) else { continue };
        let found = file_of(at, folder, &file).filter(|new| version.files.iter().all(|known| known.path != new.path));
        version.files.extend(found);
    }
    Ok(known)
}

/// A version without its files; a build says itself when it was made.
fn version_of(at: &PackageAt, version: &str) -> Option<KnownVersion> {
    Some(KnownVersion {
        version: VersionName::parse(version).ok()?,
        published_at: build_of(version).and_then(|(_, build)| time(build.stamp)),
        manifest: manifest(&at.namespace, &at.name, version),
        yanked: None,
        deprecated: None,
        files: Vec::new(),
    })
}

/// A file of a build, if it is one that the layout has a place for.
fn file_of(at: &PackageAt, folder: &str, file: &File) -> Option<KnownFile> {
    let (build, extension) = (&file.build, file.extension.as_deref()?);
    let classifier = file.classifier.as_deref().map(|classifier| format!("-{classifier}")).unwrap_or_default();
    let name = format!("{}-{build}{classifier}.{extension}", at.name);
    let target = format!("{folder}/{name}");
    Stored::parse(&target).ok().filter(|stored| !stored.is_of_any_build())?;
    Some(KnownFile {
        path: EntryPath::parse(&name).ok()?,
        location: EntryPath::parse(&target).ok()?,
        target,
        size: None,
        sha256: None,
        sums: Sums::default(),
        attributes: None,
        published_at: file.updated.as_deref().and_then(time),
        yanked: None,
    })
}
