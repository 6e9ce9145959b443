//! Images of another registry: what is asked of it, and what its answers say.
//!
//! Sources: OCI distribution specification 1.1 (pull, content discovery, "Referrers Tag Schema").

use model::json::Objects;
use model::{EntryPath, NameError, RefName, VersionName};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256, Sha512};

use super::lockfile::USUAL;
use super::manifest::{Held, INDEX, Kept, LONGEST, Manifest};
use super::publish::{Own, files_of, place};
use super::{Name, Oci, parts};
use crate::signs::NOWHERE;
use crate::{
    Ask, Contents, Known, KnownVersion, Named, Origin, PackageAt, Parts, Portion, Probe, Release, ReleaseFile, Said,
    Sign, Signs, Source, Unreadable, Upstream, Verdict, Wanting,
};

/// All that we take, so that nothing is converted for us; what may come beside images is taken too.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1";
/// Tags in a page, as far as the upstream lets us choose.
const PAGE: usize = 1000;
/// Tags, or referrers, that are read at most.
const LISTED: usize = 200_000;
/// Media types that say nothing of what a manifest is.
const VAGUE: [&str; 3] = ["application/json", "application/octet-stream", "text/plain"];

impl Upstream for Oci {
    /// All: the tags. One: the manifest of a tag or digest. A part: what refers to a digest, or the index of that under a tag, as it
    /// was kept before registries had an address for it.
    fn asks(&self, at: &PackageAt, wanted: Wanting<'_>) -> Vec<Ask> {
        let name = &at.name;
        let ask = |target, accept| vec![Ask { target, accept }];
        if Name::parse(name).is_none() {
            return Vec::new();
        }
        match wanted {
            Wanting::All => ask(format!("{name}/tags/list?n={PAGE}"), "application/json"),
            Wanting::Part(subject) if subject.parse::<Named>().is_ok() => {
                ask(format!("{name}/referrers/{subject}"), INDEX)
            }
            Wanting::One(tag) | Wanting::Part(tag) if RefName::parse(tag).is_ok() => vec![manifest(name, tag)],
            Wanting::One(digest) if digest.parse::<Named>().is_ok() => vec![manifest(name, digest)],
            Wanting::One(_) | Wanting::Part(_) => Vec::new(),
        }
    }

    /// An image without tags has digests.
    fn lists_all(&self) -> bool {
        false
    }

    fn read(&self, _: &PackageAt, wanted: Wanting<'_>, said: &[Option<Said<'_>>]) -> Result<Option<Known>, Unreadable> {
        let [Some(said)] = said else { return Ok(None) };
        match wanted {
            Wanting::One(tag) => tagged(tag, *said),
            Wanting::All => tags(said.body),
            Wanting::Part(_) => referrers(said.body),
        }
        .map(Some)
    }

    /// Nothing is asked for by path.
    fn origin(&self, _: &EntryPath) -> Option<Origin> {
        None
    }

    /// The root of the specification's addresses; a path in what people give stands in front of every name.
    fn root(&self, address: &str) -> String {
        let host = address.find("://").map_or(0, |at| at + 3);
        let cut = address[host..].find('/').map_or(address.len(), |at| host + at);
        let (origin, prefix) = address.split_at(cut);
        match prefix.trim_matches('/') {
            "" => format!("{origin}/v2"),
            prefix if prefix == "v2" || prefix.starts_with("v2/") => format!("{origin}/{prefix}"),
            prefix => format!("{origin}/v2/{prefix}"),
        }
    }

    /// The root of the addresses, whatever stands in front of names.
    fn signs(&self, base: &str) -> Signs {
        let host = base.find("://").map_or(0, |at| at + 3);
        let root = base[host..].find("/v2/").map_or(base, |at| &base[..host + at + "/v2/".len()]);
        let nobodys = |root: &str| format!("{root}{NOWHERE}/manifests/none");
        let probes = match root == base {
            true => vec![Probe::new(root, registry)],
            false => vec![
                Probe::new(root, registry_of_many),
                Probe::new(nobodys(root), nobody).of_rights(),
                Probe::new(nobodys(base), beneath).of_rights(),
            ],
        };
        let nowhere = Some(Ask { target: nobodys(root), accept: "" });
        Signs { what: "an image registry", probes, nowhere, is_alone: false }
    }

    fn digest_header(&self, ask: &Ask) -> Option<&'static str> {
        ask.target.contains("/manifests/").then_some("docker-content-digest")
    }

    /// The query of the next page says where it begins; its path is that of the first.
    fn next_page(&self, ask: &Ask, link: &str) -> Option<Ask> {
        let (path, _) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
        let lists = path.ends_with("/tags/list") || path.contains("/referrers/");
        let query = next_of(link).filter(|_| lists)?.split_once('?')?.1;
        Some(Ask { target: format!("{path}?{query}"), accept: ask.accept })
    }

    fn contents(&self) -> Option<&'static dyn Contents> {
        Some(&Oci)
    }
}

fn registry(sign: &Sign<'_>) -> Verdict {
    let told = sign.api_version.is_some_and(|version| version.starts_with("registry/2"));
    match sign.is_found() {
        true if sign.is_page() => Verdict::Wrong("it answers /v2/ with a page for people"),
        true if told || sign.body.is_empty() || sign.object().is_some_and(|whole| whole.is_empty()) => {
            Verdict::Proof("it answers /v2/ as one")
        }
        true => Verdict::Wrong("it answers /v2/ with something else than a registry"),
        false => Verdict::Wrong("it has no /v2/, which every registry has"),
    }
}

/// What stands in front of names is not seen.
fn registry_of_many(sign: &Sign<'_>) -> Verdict {
    match registry(sign) {
        Verdict::Proof(_) => Verdict::Part(
            "but nothing shows that the path of the address is right, which stands in front of every image's name: try \
             an image, or leave the path away. Of another Artifortress it is the key of a repository, without /repository",
        ),
        other => other,
    }
}

/// What is said of names that nobody has.
fn nobody(sign: &Sign<'_>) -> Verdict {
    match sign.is_found() {
        true => Verdict::Wrong("it has an image that nobody has"),
        false => Verdict::Open("it knows no image that nobody has"),
    }
}

/// Who may not know of what is elsewhere, and is told that there is no such image here, may look here.
fn beneath(sign: &Sign<'_>) -> Verdict {
    match (sign.before, sign.status) {
        (Some(401 | 403), 404) => Verdict::Proof("it knows the path of the address"),
        _ => nobody(sign),
    }
}

impl Contents for Oci {
    fn version(&self, at: &PackageAt, named: &Named) -> Ask {
        manifest(&at.name, &named.to_string())
    }

    fn names(&self, manifest: &str, content: &Named) -> bool {
        let Ok(kept) = serde_json::from_str::<Kept>(manifest) else { return false };
        let mut parts = kept.blobs.iter().map(|blob| &blob.digest).chain(&kept.children);
        parts.any(|digest| *digest == content.to_string())
    }

    fn package(&self, path: &EntryPath) -> Option<PackageAt> {
        path.as_str().rsplit_once("/manifests/").map(|(name, _)| PackageAt::named(name))
    }

    fn longest(&self) -> u64 {
        LONGEST as u64
    }

    fn blob(&self, at: &PackageAt, named: &Named) -> Ask {
        Ask { target: format!("{}/blobs/{named}", at.name), accept: "" }
    }

    fn older_part(&self, subject: &str) -> Option<String> {
        let named: Named = subject.parse().ok()?;
        let hex = named.hex();
        Some(format!("{}-{}", named.algorithm(), hex.get(..64).unwrap_or(&hex)))
    }

    fn release(&self, at: &PackageAt, named: &Named, said: Said<'_>) -> Result<Release, Unreadable> {
        let manifest = parsed(said)?;
        let kept = Kept::with_parts(&manifest, said.body.len() as u64);
        let blobs: Vec<Held> = manifest.blobs.into_iter().map(|blob| Held { required: false, ..blob }).collect();
        let own = Own { source: Source::Staged(0), media_type: manifest.media_type };
        Ok(Release {
            package: at.clone(),
            display: at.name.clone(),
            exact_name: false,
            version: VersionName::parse(&named.to_string()).map_err(odd)?,
            files: files_of(&at.name, named, own, &blobs).map_err(odd)?,
            manifest: text(&kept)?,
            refs: Vec::new(),
            joins: false,
            subject: kept.subject,
            again: false,
        })
    }

    fn files(&self, at: &PackageAt, version: &str, manifest: &str) -> Option<Vec<ReleaseFile>> {
        let (named, kept) = (version.parse().ok()?, serde_json::from_str::<Kept>(manifest).ok()?);
        let source = Source::Held { content: named, size: kept.size, required: false };
        let own = Own { source, media_type: kept.media_type.clone() };
        files_of(&at.name, &named, own, &kept.held()).ok()
    }

    fn path(&self, at: &PackageAt, named: &Named) -> Result<EntryPath, NameError> {
        place(&at.name, named)
    }

    fn parts(&self, said: Said<'_>, portion: &Portion) -> Result<Parts, Unreadable> {
        parts::parts(parsed(said)?, said.body, portion)
    }

    fn usual(&self) -> &'static str {
        USUAL
    }

    fn beside(&self, named: &Named) -> Vec<String> {
        parts::beside(named)
    }
}

fn manifest(name: &str, reference: &str) -> Ask {
    Ask { target: format!("{name}/manifests/{reference}"), accept: MANIFESTS }
}

/// The address that `rel="next"` stands behind.
fn next_of(link: &str) -> Option<&str> {
    link.split('<').skip(1).find_map(|one| {
        let (address, terms) = one.split_once('>')?;
        let next = |term: &str| {
            let (name, value) = term.split_once('=').unwrap_or_default();
            let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel") && value.eq_ignore_ascii_case("next")
        };
        terms.split(';').any(next).then_some(address)
    })
}

fn parsed(said: Said<'_>) -> Result<Manifest, Unreadable> {
    if said.body.len() > LONGEST {
        return Err(Unreadable(format!("a manifest has more than {LONGEST} bytes")));
    }
    let kind = if VAGUE.contains(&said.media_type) { "" } else { said.media_type };
    Manifest::parse(said.body, kind).map_err(odd)
}

/// The manifest that a tag stands for, under its digest.
fn tagged(tag: &str, said: Said<'_>) -> Result<Known, Unreadable> {
    let kept = Kept::of(&parsed(said)?, said.body.len() as u64);
    let digest = match tag.parse() {
        Ok(Named::Sha512(wanted)) if wanted == <[u8; 64]>::from(Sha512::digest(said.body)) => tag.to_owned(),
        Ok(Named::Sha512(_)) => return Err(Unreadable("a manifest has another digest".to_owned())),
        _ => Named::Sha256(model::Sha256Digest(Sha256::digest(said.body).into())).to_string(),
    };
    if tag.contains(':') && tag != digest {
        return Err(Unreadable("a manifest has another digest than it is asked for by".to_owned()));
    }
    let refs = vec![(tag.to_owned(), digest.clone())];
    Ok(Known { versions: vec![version(&digest, &kept)?], refs, ..Known::default() })
}

#[derive(Deserialize)]
struct TagList {
    // Null where there are none, but there.
    #[serde(deserialize_with = "Option::deserialize")]
    tags: Option<Vec<String>>,
}

/// The tags of all pages, in the order of their bytes, each once. What is no tag could not be asked for.
fn tags(pages: &[u8]) -> Result<Known, Unreadable> {
    let mut found = Vec::new();
    for page in read_pages::<TagList>(pages)? {
        found.extend(page.tags.into_iter().flatten().filter(|tag| RefName::parse(tag).is_ok()));
    }
    bounded(found.len())?;
    found.sort_unstable();
    found.dedup();
    Ok(Known { refs: found.into_iter().map(|tag| (tag, String::new())).collect(), ..Known::default() })
}

#[derive(Deserialize)]
struct Index {
    #[serde(deserialize_with = "Option::deserialize")]
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(flatten)]
    kept: Kept,
}

/// What refers to something, of all pages, each once.
fn referrers(pages: &[u8]) -> Result<Known, Unreadable> {
    let mut found: Vec<KnownVersion> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for page in read_pages::<Index>(pages)? {
        for one in page.manifests.into_iter().flatten() {
            if one.digest.parse::<Named>().is_ok() && known.insert(one.digest.clone()) {
                found.push(version(&one.digest, &one.kept)?);
            }
        }
    }
    bounded(found.len())?;
    Ok(Known { versions: found, ..Known::default() })
}

/// The pages of a list, one after the other; at least one.
fn read_pages<T: DeserializeOwned>(pages: &[u8]) -> Result<Vec<T>, Unreadable> {
    let mut reader = serde_json::Deserializer::from_slice(pages);
    let mut read = Vec::new();
    while read.is_empty() || reader.end().is_err() {
        let page = T::deserialize(Objects(&mut reader)).map_err(|_| Unreadable("a list is none".to_owned()))?;
        read.push(page);
    }
    Ok(read)
}

fn bounded(count: usize) -> Result<(), Unreadable> {
    match count > LISTED {
        true => Err(Unreadable(format!("a list has more than {LISTED} lines"))),
        false => Ok(()),
    }
}

fn version(digest: &str, kept: &Kept) -> Result<KnownVersion, Unreadable> {
    Ok(KnownVersion {
        version: VersionName::parse(digest).map_err(odd)?,
        published_at: None,
        manifest: text(kept)?,
        yanked: None,
        deprecated: None,
        files: Vec::new(),
    })
}

fn text(kept: &Kept) -> Result<String, Unreadable> {
    serde_json::to_string(kept).map_err(odd)
}

fn odd(why: impl std::fmt::Display) -> Unreadable {
    Unreadable(why.to_string())
}
