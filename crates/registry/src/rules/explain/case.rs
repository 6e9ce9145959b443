//! What is known of that which is asked about.

use formats::{Dated, KnownVersion, Named, Origin, PackageAt};
use model::{Code, EntryPath, PackageName, Timestamp, VersionName};

use super::super::judge::Rules;
use super::super::{name_of, names_by_digest, package_given};
use super::{Case, Question};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::remote::{Which, subjects};
use crate::versions::format_of;

impl Grant<Read> {
    /// A package that is one file is asked about as that file.
    pub(super) fn about_file(&self, question: Question) -> Result<Question> {
        let Question::Package(name, None) = &question else { return Ok(question) };
        let Ok(path) = EntryPath::parse(name.as_str()) else { return Ok(question) };
        let format = format_of(self.repo())?;
        let origin = format.upstream().and_then(|upstream| upstream.origin(&path));
        let is_file =
            matches!(origin, Some(Origin::Direct(direct)) if direct.package == PackageAt::named(name.as_str()));
        Ok(if is_file { Question::Path(path) } else { question })
    }

    /// `name:tag` and `group:artifact:version`, as clients write them, are a name and a version.
    pub(super) fn spelled(&self, question: Question) -> Result<Question> {
        let format = format_of(self.repo())?;
        let both = |short: &str| names_by_digest(format) || (format.has_namespaces() && short.contains(':'));
        match &question {
            Question::Package(name, None) => match name.as_str().rsplit_once(':') {
                Some((short, last)) if both(short) => {
                    Ok(Question::Package(PackageName::parse(short)?, Some(last.to_owned())))
                }
                _ => Ok(question),
            },
            _ => Ok(question),
        }
    }

    pub(super) async fn case(&self, rules: &Rules, question: Question) -> Result<Case> {
        match question {
            Question::Package(name, version) => {
                self.case_of(rules, package_given(format_of(self.repo())?, &name)?, version)
            }
            Question::Path(path) => self.case_of_path(rules, path).await,
        }
    }

    fn case_of(&self, rules: &Rules, at: PackageAt, version: Option<String>) -> Result<Case> {
        let hidden = self.hides(rules, &name_of(format_of(self.repo())?, &at));
        Ok(Case { at, version, path: None, published_at: None, digest: None, awaited: false, hidden })
    }

    async fn case_of_path(&self, rules: &Rules, path: EntryPath) -> Result<Case> {
        let (at, version) = match self.remote()?.format.origin(&path) {
            Some(Origin::Listed(at)) => (at, None),
            Some(Origin::Direct(direct)) => (direct.package, Some(direct.version.to_string())),
            None => return Err(Error::not_found(&format!("the file {path}"))),
        };
        let mut case = self.case_of(rules, at, version)?;
        match self.find_any(&path).await {
            Ok(found) if !case.hidden => {
                case.version = Some(found.version_name().to_owned());
                case.published_at = found.published_upstream();
            }
            Err(error) if error.code() == Some(Code::Gone) => {}
            Err(error) if error.code() != Some(Code::NotFound) => return Err(error),
            _ if case.version.is_none() => {
                (case.version, case.published_at) = self.listed_at(&case.at, &path).await?;
            }
            _ => {
                case.published_at = self.time_heard(&case.at, &path).filter(|_| !case.hidden);
                case.awaited = self.remote()?.format.dated() == Dated::File;
            }
        }
        Ok(Case { path: Some(path), ..case })
    }

    /// Which digest names the version that is asked about; the upstream is asked for what a tag stands for.
    pub(super) async fn digest_asked_about(&self, case: &Case) -> Result<Option<Named>> {
        let Some(version) = &case.version else { return Ok(None) };
        if let Ok(named) = version.parse() {
            return Ok(Some(named));
        }
        let missing = || Error::not_found(&format!("{}:{version}", case.at.name));
        let seen = self.told(self.remote()?, &case.at, Which::One(version.clone())).await?;
        Ok(seen.and_then(|seen| seen.stands_for()).ok_or_else(missing)?.parse().ok())
    }

    /// When a file was published, where neither it nor an index said so.
    pub(super) async fn date_file(&self, case: &mut Case, version: &str) -> Result<()> {
        if case.published_at.is_none() {
            case.published_at = match self.remote()?.format.dated() {
                Dated::Index => self.version_told(&case.at, version).await?.and_then(|one| one.published_at),
                Dated::Version | Dated::File => self.published_at(&case.at, version).await?,
            };
        }
        Ok(())
    }

    /// A version is let in when one of its files is: that one is judged, else the first. 404: nobody knows the version.
    pub(super) async fn choose_file(&self, rules: &Rules, name: &str, case: &mut Case, now: Timestamp) -> Result<()> {
        let Some(version) = case.version.clone() else { return Ok(()) };
        let Some(known) = self.version_told(&case.at, &version).await? else {
            return self.expect_here(case, &version).await;
        };
        case.version = Some(known.version.to_string());
        let time = match (known.published_at, self.remote()?.format.dated()) {
            (None, Dated::Version | Dated::File) => self.published_at(&case.at, known.version.as_str()).await?,
            (time, _) => time,
        };
        let all = subjects(name, &known, time);
        let chosen = all.iter().find(|one| rules.judge(one, now).denial().is_none()).or(all.first());
        let Some(chosen) = chosen else { return Ok(()) };
        case.published_at = chosen.published_at;
        case.path = chosen.path.map(EntryPath::parse).transpose()?;
        Ok(())
    }

    /// What the upstream tells of a version, or of that which a ref of this name stands for.
    async fn version_told(&self, at: &PackageAt, version: &str) -> Result<Option<KnownVersion>> {
        if let Some(seen) = self.told(self.remote()?, at, Which::All).await?
            && let Some(found) = seen.version(version)
        {
            return Ok(Some(found.clone()));
        }
        if !self.remote()?.format.narrows() {
            return Ok(None);
        }
        let seen = self.told(self.remote()?, at, Which::One(version.to_owned())).await?;
        Ok(seen.and_then(|seen| seen.version(version).cloned()))
    }

    /// A version that was fetched stays although its upstream tells of it no more.
    async fn expect_here(&self, case: &Case, version: &str) -> Result<()> {
        let (key, at) = (&self.repo().key, &case.at);
        let unknown = || Error::refuse(Code::NotFound, format!("{key} knows no version {version} of {}", at.name));
        let (Ok(name), Ok(version)) = (PackageName::parse(&at.name), VersionName::parse(version)) else {
            return Err(unknown());
        };
        if case.hidden {
            return Err(unknown());
        }
        match self.resolve(&at.namespace, &name, &version).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(Code::NotFound) => Err(unknown()),
            Err(error) => Err(error),
        }
    }
}
