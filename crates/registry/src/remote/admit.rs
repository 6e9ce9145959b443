//! Whether the rules let a file through that is asked for by its path: here already, or still at the upstream.

use formats::{Dated, Origin, PackageAt};
use model::{Code, EntryPath, Sha256Digest, Timestamp};
use serde_json::{Map, Value as Json};

use super::Revision;
use super::source::Wanted;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::rules::{Denial, Rules, Subject, Verdict, name_of};
use crate::versions::format_of;

/// Under which what is kept of a file says when the upstream published it.
const PUBLISHED: &str = "upstreamPublishedAt";
/// Under which it says that nobody vouches for its bytes.
const UNPROVEN: &str = "unproven";
/// As old as can be: what is kept out even then is kept out whatever its time.
const EVER: Timestamp = Timestamp(0);

/// When the upstream of a file that is here says that it was published.
pub(crate) fn published_upstream(attributes: &str) -> Option<Timestamp> {
    let kept: Map<String, Json> = serde_json::from_str(attributes).ok()?;
    Timestamp::parse(kept.get(PUBLISHED)?.as_str()?)
}

/// Writes it down.
pub(super) fn keep_published(attributes: &mut Map<String, Json>, at: Option<Timestamp>) {
    attributes.remove(PUBLISHED);
    attributes.extend(at.map(|at| (PUBLISHED.to_owned(), Json::String(at.to_string()))));
}

/// Whether nobody vouches for the bytes of a file that came from an upstream.
pub(crate) fn is_unproven(attributes: &str) -> bool {
    let kept = || serde_json::from_str::<Map<String, Json>>(attributes).ok();
    attributes.contains(UNPROVEN) && kept().is_some_and(|kept| kept.get(UNPROVEN) == Some(&Json::Bool(true)))
}

/// Writes it down. No index of an upstream can say so.
pub(super) fn keep_unproven(attributes: &mut Map<String, Json>, unproven: bool) {
    attributes.remove(UNPROVEN);
    attributes.extend(unproven.then(|| (UNPROVEN.to_owned(), Json::Bool(true))));
}

/// A file as it was judged.
pub(crate) struct JudgedFile {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) path: String,
    pub(crate) published_at: Option<Timestamp>,
}

impl JudgedFile {
    pub(crate) fn subject(&self) -> Subject<'_> {
        let Self { name, version, path, published_at } = self;
        Subject { name, version, path: Some(path), published_at: *published_at }
    }
}

impl<A> Grant<A> {
    /// Whose file is at a path; `None`: no package of an upstream has it.
    fn package_at(&self, path: &EntryPath) -> Result<Option<PackageAt>> {
        let origin = self.remote()?.format.origin(path);
        Ok(origin.map(|origin| match origin {
            Origin::Listed(at) => at,
            Origin::Direct(direct) => direct.package,
        }))
    }

    fn judged_file(
        &self,
        path: &EntryPath,
        version: &str,
        published_at: Option<Timestamp>,
    ) -> Result<Option<JudgedFile>> {
        let Some(at) = self.package_at(path)? else { return Ok(None) };
        let name = name_of(format_of(self.repo())?, &at);
        Ok(Some(JudgedFile { name, version: version.to_owned(), path: path.to_string(), published_at }))
    }

    /// Whether the rules let through what is here, as far as that is known without asking anybody.
    pub(crate) fn is_surely_admitted(&self, path: &EntryPath, found: &Found) -> bool {
        let Some(rules) = self.rules_remembered() else { return false };
        match self.judged_file(path, found.version_name(), found.published_upstream()) {
            Ok(Some(file)) => rules.judge(&file.subject(), self.ambient().now()).denial().is_none(),
            Ok(None) | Err(_) => false,
        }
    }

    /// Whether a waiver that ends may be what lets a file through.
    pub fn may_rest_on_waiver(&self, found: &Found) -> bool {
        self.is_ruled()
            && self.rules_remembered().is_none_or(|rules| {
                let version = (!self.names_by_digest()).then(|| found.version_name());
                rules.may_waive(version, self.ambient().now())
            })
    }

    /// Whether versions are named by their bytes: what is asked for may be part of several.
    fn names_by_digest(&self) -> bool {
        self.remote().is_ok_and(|remote| remote.format.contents().is_some())
    }

    pub(super) fn denied(&self, denial: &Denial, subject: &Subject<'_>) -> Error {
        denial.refuse(&self.repo().key, subject)
    }
}

impl Grant<Read> {
    /// Remembers when a file was published that was kept out: it is not here to say so.
    pub(super) fn hear_time(&self, at: &PackageAt, path: &EntryPath, published_at: Timestamp) {
        self.registry().inner.remotes.times.insert(self.heard_key(at, path), published_at);
    }

    /// The same, when it was last heard by this process.
    pub(crate) fn time_heard(&self, at: &PackageAt, path: &EntryPath) -> Option<Timestamp> {
        self.registry().inner.remotes.times.get(&self.heard_key(at, path))
    }

    /// No version begins with a slash.
    fn heard_key(&self, at: &PackageAt, path: &EntryPath) -> (Revision, PackageAt, Box<str>) {
        (self.revision(), at.clone(), format!("/{path}").into())
    }

    /// Whether the upstream may be asked for anything of a package at all.
    pub(crate) async fn claim_on(&self, at: &PackageAt) -> Result<Option<Denial>> {
        let Some(rules) = self.rules().await? else { return Ok(None) };
        let name = name_of(format_of(self.repo())?, at);
        Ok(rules.judge_name(&name, self.ambient().now()))
    }

    /// Whether a rule here keeps the name from the upstream.
    pub(crate) async fn is_claimed(&self, at: &PackageAt) -> Result<bool> {
        Ok(self.claim_on(at).await?.is_some_and(|denial| denial.claimed))
    }

    /// Whether a rule here keeps from the upstream the namespace that the package's index tells of as well.
    pub(crate) async fn is_namespace_claimed(&self, at: &PackageAt) -> Result<bool> {
        let Some(around) = format_of(self.repo())?.around(at) else { return Ok(false) };
        Ok(self.rules().await?.is_some_and(|rules| rules.claim_namespace(&around.namespace)))
    }

    /// Refuses where nothing of a package is let through and the caller may know of it. Where he may not, what follows must be
    /// as if the upstream had nothing, as [`Grant::told`] says then.
    pub(super) async fn refuse_by_name(&self, at: &PackageAt, path: Option<&EntryPath>) -> Result<()> {
        let Some(rules) = self.rules().await? else { return Ok(()) };
        let name = name_of(format_of(self.repo())?, at);
        let denial = rules.judge_name(&name, self.ambient().now());
        let Some(denial) = denial.and_then(|denial| self.known_denial(&rules, &name, denial)) else { return Ok(()) };
        let path = path.map(EntryPath::as_str);
        Err(self.denied(&denial, &Subject { name: &name, version: "", path, published_at: None }))
    }

    /// Refuses where nothing of a package is let through, before anybody is asked. `missing`: what is answered where there
    /// is no such thing; who may not know why is told the same.
    pub(super) async fn expect_name_admitted(
        &self,
        at: &PackageAt,
        path: Option<&EntryPath>,
        missing: impl Fn() -> Error,
    ) -> Result<()> {
        if self.claim_on(at).await?.is_none() {
            return Ok(());
        }
        self.refuse_by_name(at, path).await?;
        Err(missing())
    }

    /// The same, for the package of a path.
    pub(super) async fn expect_path_admitted(&self, path: &EntryPath) -> Result<()> {
        let Some(at) = self.package_at(path)?.filter(|_| self.is_ruled()) else { return Ok(()) };
        if self.claim_on(&at).await?.is_none() {
            return Ok(());
        }
        self.refuse_by_name(&at, Some(path)).await?;
        self.expect_nothing_at(path).await?;
        Err(self.unknown(&format!("the file {path}")))
    }

    /// Refuses what is refused before it is known that the upstream has no such thing.
    async fn expect_nothing_at(&self, path: &EntryPath) -> Result<()> {
        let format = self.remote()?.format;
        let (Some(Origin::Direct(direct)), Some(rules), None) =
            (format.origin(path), self.rules().await?, self.instant())
        else {
            return Ok(());
        };
        let (name, version) = (name_of(format_of(self.repo())?, &direct.package), direct.version.as_str());
        let published_at = (format.dated() == Dated::File).then_some(EVER);
        let subject = Subject { name: &name, version, path: Some(path.as_str()), published_at };
        match rules.judge_here(&subject, self.ambient().now()) {
            Verdict::Allow { .. } => Ok(()),
            Verdict::Deny(denial) => Err(self.denied(&denial, &subject)),
        }
    }

    /// Refuses what is here and is kept out by now.
    pub(crate) async fn expect_admitted(&self, path: &EntryPath, found: &Found) -> Result<()> {
        self.expect_file_admitted(path, found.version_name(), found.published_upstream()).await
    }

    /// Refuses bytes by their digest, where every path that they are at is kept out.
    pub(crate) async fn expect_content_admitted(&self, digest: Sha256Digest) -> Result<()> {
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| store::locations::of_content(session, repo, digest).await;
        let mut refused = None;
        for (path, version, attributes) in self.store().read(look).await? {
            let time = attributes.as_deref().and_then(published_upstream);
            match self.expect_file_admitted(&EntryPath::parse(&path)?, &version, time).await {
                Ok(()) => return Ok(()),
                // Which path it has is not said to who asks for a digest.
                Err(error) if error.code() == Some(Code::NotFound) => {
                    refused = refused.or_else(|| Some(Error::not_found(&format!("sha256:{digest}"))));
                }
                Err(error) => refused = Some(error),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn expect_file_admitted(&self, path: &EntryPath, version: &str, time: Option<Timestamp>) -> Result<()> {
        let Some(rules) = self.rules().await? else { return Ok(()) };
        if let Some(contents) = self.remote()?.format.contents() {
            let (Some(at), Ok(named)) = (contents.package(path), version.parse()) else { return Ok(()) };
            return Box::pin(self.expect_let_in(&at, &named, None)).await;
        }
        let Some(mut file) = self.judged_file(path, version, time)? else { return Ok(()) };
        let mut verdict = rules.judge(&file.subject(), self.ambient().now());
        if verdict.denial().is_some_and(|denial| denial.undated)
            && let Some(at) = self.package_at(path)?
        {
            file.published_at = self.file_published_at(&at, version).await?;
            verdict = rules.judge(&file.subject(), self.ambient().now());
        }
        match verdict {
            Verdict::Allow { .. } => Ok(()),
            Verdict::Deny(denial) => {
                if denial.claimed {
                    self.expect_path_admitted(path).await?;
                }
                Err(self.denied(&denial, &file.subject()))
            }
        }
    }

    /// When the files of a version were published, where that is the version's.
    pub(super) async fn file_published_at(&self, at: &PackageAt, version: &str) -> Result<Option<Timestamp>> {
        match self.remote()?.format.dated() {
            Dated::Version => self.published_at(at, version).await,
            Dated::Index | Dated::File => Ok(None),
        }
    }

    /// Refuses what is still at the upstream, as far as it is known before it is asked for the file.
    pub(super) async fn expect_wanted(&self, wanted: &mut Wanted) -> Result<()> {
        let Some(rules) = self.rules().await? else { return Ok(()) };
        let dated = self.remote()?.format.dated();
        let name = name_of(format_of(self.repo())?, &wanted.package);
        let subject = Subject {
            name: &name,
            version: wanted.version.as_str(),
            path: Some(wanted.location.as_str()),
            published_at: wanted.published_at,
        };
        let verdict = rules.judge(&subject, self.ambient().now());
        if dated == Dated::Version && verdict.denial().is_some_and(|denial| denial.undated) {
            wanted.published_at = self.published_at(&wanted.package, wanted.version.as_str()).await?;
        }
        let time = wanted.published_at.or((dated == Dated::File).then_some(EVER));
        self.judge_wanted(&rules, &name, wanted, time)
    }

    /// The same, when the upstream has begun to answer.
    pub(super) async fn expect_answered(&self, wanted: &Wanted, time: Option<Timestamp>) -> Result<()> {
        let Some(rules) = self.rules().await? else { return Ok(()) };
        let name = name_of(format_of(self.repo())?, &wanted.package);
        self.judge_wanted(&rules, &name, wanted, time)
    }

    fn judge_wanted(&self, rules: &Rules, name: &str, wanted: &Wanted, time: Option<Timestamp>) -> Result<()> {
        let (version, path) = (wanted.version.as_str(), Some(wanted.location.as_str()));
        let subject = Subject { name, version, path, published_at: time };
        match rules.judge(&subject, self.ambient().now()) {
            Verdict::Allow { .. } => Ok(()),
            Verdict::Deny(denial) => Err(self.denied(&denial, &subject)),
        }
    }
}
