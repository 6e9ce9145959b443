//! What a path of a remote repository is at the upstream, and what must be true of its bytes.

use std::sync::Arc;
use std::time::Duration;

use formats::{Algorithm, Ask, Direct, KnownFile, KnownVersion, Origin, PackageAt, Sums};
use model::{Code, EntryPath, Sha256Digest, Timestamp, VersionName};
use serde_json::{Map, Value as Json};

use super::Remote;
use super::admit::{keep_published, keep_unproven};
use super::known::{Seen, Which};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};

/// How often the same index is asked for again at most, however many ask for files that it does not tell of.
pub(super) const OFTEN: Duration = Duration::from_secs(1);

/// A file to be fetched.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) ask: Ask,
    pub(super) location: EntryPath,
    pub(super) package: PackageAt,
    pub(super) display: String,
    pub(super) version: VersionName,
    pub(super) path: EntryPath,
    pub(super) manifest: String,
    pub(super) declared: Declared,
    /// Where the upstream may tell of its checksums, the best one first.
    pub(super) checksums: Vec<(Algorithm, Ask)>,
    /// When the upstream says that it was published.
    pub(super) published_at: Option<Timestamp>,
    /// Whether nobody said what its bytes must be.
    pub(super) unproven: bool,
    attributes: Option<String>,
}

/// What the upstream says of the bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) sha256: Option<Sha256Digest>,
    pub(super) size: Option<u64>,
    pub(super) sums: Sums,
}

impl Wanted {
    fn listed(seen: &Seen, at: &PackageAt, version: &KnownVersion, file: &KnownFile) -> Self {
        Self {
            ask: Ask { target: file.target.clone(), accept: "" },
            location: file.location.clone(),
            package: at.clone(),
            display: seen.known.display.clone(),
            version: version.version.clone(),
            path: file.path.clone(),
            manifest: version.manifest.clone(),
            declared: Declared { sha256: file.sha256, size: file.size, sums: file.sums.clone() },
            checksums: Vec::new(),
            published_at: file.published_at.or(version.published_at),
            unproven: false,
            attributes: file.attributes.clone(),
        }
    }

    fn direct(location: &EntryPath, direct: Direct) -> Self {
        Self {
            ask: direct.ask,
            location: location.clone(),
            package: direct.package,
            display: direct.display,
            version: direct.version,
            path: direct.path,
            manifest: "{}".to_owned(),
            declared: Declared { sha256: direct.sha256, ..Declared::default() },
            checksums: direct.checksums,
            published_at: None,
            unproven: false,
            attributes: None,
        }
    }

    /// What is computed: what the upstream tells of, and what clients may ask for beside the file.
    pub(super) fn sums(&self) -> formats::Wanted {
        let told = &self.declared.sums;
        let beside = |wanted| self.checksums.iter().any(|(algorithm, _)| *algorithm == wanted);
        formats::Wanted {
            md5: told.md5.is_some() || beside(Algorithm::Md5),
            sha1: told.sha1.is_some() || beside(Algorithm::Sha1),
            sha512: told.sha512.is_some() || beside(Algorithm::Sha512),
            blake2: told.blake2.is_some(),
        }
    }

    /// What is kept of the file: what the format says, and the sums that were computed.
    pub(super) fn attributes(&self, sums: &Sums) -> Option<String> {
        let known = self.attributes.as_deref().and_then(|text| serde_json::from_str::<Map<String, Json>>(text).ok());
        let mut all = sums.attributes();
        all.extend(known.unwrap_or_default());
        keep_published(&mut all, self.published_at);
        keep_unproven(&mut all, self.unproven);
        (!all.is_empty()).then(|| Json::Object(all).to_string())
    }
}

impl Grant<Read> {
    /// Where the file at `path` is. 404: the upstream does not tell of it; 410: its version was withdrawn here.
    pub(super) async fn wanted(&self, remote: &Remote, path: &EntryPath) -> Result<Wanted> {
        let missing = || self.unknown(&format!("the file {path}"));
        if self.instant().is_some() {
            let mut wanted = self.wanted_then(remote, path).await?.ok_or_else(missing)?;
            self.expect_shown(&wanted.package, &wanted.version, path).await?;
            self.expect_wanted(&mut wanted).await?;
            return Ok(wanted);
        }
        let at = match remote.format.origin(path).ok_or_else(missing)? {
            Origin::Direct(direct) => {
                self.expect_shown(&direct.package, &direct.version, path).await?;
                let mut wanted = Wanted::direct(path, *direct);
                self.expect_wanted(&mut wanted).await?;
                return Ok(wanted);
            }
            Origin::Listed(at) => at,
        };
        let seen = self.told(Arc::new(remote.clone()), &at, Which::All).await?.ok_or_else(missing)?;
        let mut found = match listed(&seen, &at, path) {
            Some(found) => found,
            // What is new there may be asked for before its index is asked for again.
            None => {
                let again = remote.asked_since(self.ambient().now().minus(OFTEN));
                let seen = self.told(again, &at, Which::All).await?.ok_or_else(missing)?;
                listed(&seen, &at, path).ok_or_else(missing)?
            }
        };
        self.expect_shown(&at, &found.version, path).await?;
        self.expect_wanted(&mut found).await?;
        Ok(found)
    }

    /// Where the file at `path` is, whatever became of it here.
    pub(super) async fn wanted_anew(&self, path: &EntryPath) -> Result<Wanted> {
        let Some(Origin::Direct(direct)) = self.remote()?.format.origin(path) else {
            return Err(self.unknown(&format!("the file {path}")));
        };
        let mut wanted = Wanted::direct(path, *direct);
        if self.follows_now() {
            // Rules and waivers are about the version that it will be.
            let repo = self.repo_id();
            wanted.version =
                self.store().read(async |session| store::publish::next_version(session, repo, path).await).await?;
        }
        self.expect_wanted(&mut wanted).await?;
        Ok(wanted)
    }

    async fn expect_shown(&self, at: &PackageAt, version: &VersionName, path: &EntryPath) -> Result<()> {
        let kept = self.kept(at).await?;
        match kept.iter().any(|kept| kept.version == version.as_str() && !kept.shown) {
            true => Err(Error::refuse(Code::Gone, format!("{path} was withdrawn"))),
            false => Ok(()),
        }
    }
}

pub(super) fn listed(seen: &Seen, at: &PackageAt, path: &EntryPath) -> Option<Wanted> {
    seen.known.versions.iter().find_map(|version| {
        let file = version.files.iter().find(|file| file.location == *path)?;
        Some(Wanted::listed(seen, at, version, file))
    })
}
