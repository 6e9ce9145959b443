//! Why something is let through or kept out: every rule, in its order.

use formats::{Dated, Named, Origin, PackageAt};
use model::{Code, EntryPath, PackageName, RefName, Timestamp};
use store::waivers::Waiver;

use super::denied::lifted_by;
use super::judge::{Denial, Rules, Subject, Verdict};
use super::{Rule, name_of, names_by_digest, package_named};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::remote::Which;
use crate::versions::format_of;

/// Versions that are told of at most.
const MOST: usize = 1000;

/// What is to be explained.
#[derive(Clone, Debug)]
pub enum Question {
    /// A package, or one version of it. `group:artifact` where names have a namespace.
    Package(PackageName, Option<String>),
    /// A file, by its path in the repository.
    Path(EntryPath),
}

/// What one rule says by itself.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The rule.
    pub rule: Rule,
    /// `allow`, `deny` or, for what is claimed, `hide`; `None`: it does not match.
    pub says: Option<&'static str>,
    /// Whether it decides.
    pub decides: bool,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The package's name as rules see it.
    pub name: String,
    /// The version.
    pub version: Option<String>,
    /// When the upstream says that it was published.
    pub published_at: Option<Timestamp>,
    /// `allow`, `deny` or `hide`.
    pub verdict: &'static str,
    /// One sentence.
    pub detail: String,
    /// When the verdict may become another one by itself.
    pub until: Option<Timestamp>,
    /// Who can waive what keeps it out, in words.
    pub lifted_by: String,
    /// The rules in their order; empty where there are none.
    pub rules: Vec<Judged>,
    /// Waivers in force for the package.
    pub waivers: Vec<Waiver>,
    /// Where no version was asked for: those that are kept out, and why.
    pub kept_out: Vec<(String, String)>,
}

/// What is known of that which is asked about.
struct Case {
    at: PackageAt,
    version: Option<String>,
    path: Option<EntryPath>,
    published_at: Option<Timestamp>,
    /// What names the version, where its own digest does.
    digest: Option<Named>,
}

impl Grant<Read> {
    /// Explains what the rules say, and asks the upstream for what it takes to know.
    pub async fn explain(&self, question: Question) -> Result<Explanation> {
        if self.is_virtual() {
            return Box::pin(self.explain_through(question)).await;
        }
        let Some(rules) = self.rules().await? else { return Ok(self.unruled(&question)) };
        let mut case = self.case(question).await?;
        let name = name_of(format_of(self.repo())?, &case.at);
        let now = self.ambient().now();
        let by_digest = names_by_digest(format_of(self.repo())?);
        let certain = |denial: &Denial| denial.claimed || case.version.is_none() || by_digest;
        if let Some(denial) = rules.judge_name(&name, now).filter(certain) {
            return Ok(self.explained(&rules, &name, &case, &Verdict::Deny(denial), now));
        }
        case.digest = if by_digest { self.digest_asked_about(&case).await? } else { None };
        let Some(version) = case.version.clone() else { return self.explain_all(&rules, &name, &case, now).await };
        if let Some(named) = case.digest {
            let tag = RefName::parse(&version).ok();
            let judged = self.judge_version(&rules, &case.at, &named, tag.as_ref()).await?;
            case.published_at = judged.since;
            return Ok(self.explained(&rules, &name, &case, &judged.verdict, now));
        }
        if case.published_at.is_none() {
            case.published_at = self.time_of(&case, &version).await?;
        }
        let path = case.path.as_ref().map(EntryPath::as_str);
        let subject = Subject { name: &name, version: &version, path, published_at: case.published_at };
        Ok(self.explained(&rules, &name, &case, &rules.judge(&subject, now), now))
    }

    /// The member that answers for it explains; where several do, one that lets it in.
    async fn explain_through(&self, question: Question) -> Result<Explanation> {
        let members = self.members().await?;
        let at = match &question {
            Question::Package(name, _) => Some(self.package_asked_about(name)?),
            Question::Path(path) => format_of(self.repo())?.package_of(&formats::Operation::Fetch(path.clone())),
        };
        let mut kept_out = None;
        for member in members.answering(|_| at.clone()).await?.into_iter().filter(|member| member.is_remote()) {
            let Some(grant) = member.grant() else { continue };
            let said = grant.explain(question.clone()).await?;
            if said.verdict == "allow" {
                return Ok(kept_out.filter(|_| members.merging == formats::Merging::Owner).unwrap_or(said));
            }
            kept_out = kept_out.or(Some(said));
        }
        Ok(kept_out.unwrap_or_else(|| {
            let detail = format!("no upstream is asked for that through {}: it is ours or nobody's", self.repo().key);
            Explanation { detail, ..self.unruled(&question) }
        }))
    }

    fn package_asked_about(&self, name: &PackageName) -> Result<PackageAt> {
        let format = format_of(self.repo())?;
        match name.as_str().rsplit_once(':') {
            // `name:tag`, as clients write it.
            Some((name, _)) if names_by_digest(format) => Ok(PackageAt::named(name)),
            _ => Ok(package_named(format, name)),
        }
    }

    fn unruled(&self, question: &Question) -> Explanation {
        let (name, version) = match question {
            Question::Package(name, version) => (name.to_string(), version.clone()),
            Question::Path(path) => (path.to_string(), None),
        };
        Explanation {
            name,
            version,
            published_at: None,
            verdict: "allow",
            detail: format!("no rules decide over what is read from {}", self.repo().key),
            until: None,
            lifted_by: lifted_by(&self.repo().key),
            rules: Vec::new(),
            waivers: Vec::new(),
            kept_out: Vec::new(),
        }
    }

    async fn explain_all(&self, rules: &Rules, name: &str, case: &Case, now: Timestamp) -> Result<Explanation> {
        let seen = self.told(self.remote()?, &case.at, Which::All).await?;
        let seen = seen.ok_or_else(|| Error::not_found(name))?;
        let kept_out = match names_by_digest(format_of(self.repo())?) {
            true => self.tags_kept_out(&case.at).await?.into_iter().map(|(tag, why)| (tag, why.sentence)).collect(),
            false => self.kept_out(&case.at, &seen).await?,
        };
        let allowed = Verdict::Allow { rule: None, until: None };
        let mut explained = self.explained(rules, name, case, &allowed, now);
        if !kept_out.is_empty() {
            explained.detail = format!("{} versions of {name} are kept out of {}", kept_out.len(), self.repo().key);
        }
        explained.kept_out = kept_out.into_iter().take(MOST).collect();
        Ok(explained)
    }

    async fn case(&self, question: Question) -> Result<Case> {
        let format = format_of(self.repo())?;
        match question {
            Question::Package(name, version) => {
                // `name:tag`, as clients write it.
                if let (None, Some((name, tag)), true) =
                    (&version, name.as_str().rsplit_once(':'), names_by_digest(format))
                {
                    let (at, version) = (PackageAt::named(name), Some(tag.to_owned()));
                    return Ok(Case { at, version, path: None, published_at: None, digest: None });
                }
                let at = package_named(format, &name);
                Ok(Case { at, version, path: None, published_at: None, digest: None })
            }
            Question::Path(path) => self.case_of_path(path).await,
        }
    }

    /// Which digest names the version that is asked about; the upstream is asked for what a tag stands for.
    async fn digest_asked_about(&self, case: &Case) -> Result<Option<Named>> {
        let Some(version) = &case.version else { return Ok(None) };
        if let Ok(named) = version.parse() {
            return Ok(Some(named));
        }
        let missing = || Error::not_found(&format!("{}:{version}", case.at.name));
        let seen = self.told(self.remote()?, &case.at, Which::One(version.clone())).await?;
        Ok(seen.and_then(|seen| seen.stands_for()).ok_or_else(missing)?.parse().ok())
    }

    async fn case_of_path(&self, path: EntryPath) -> Result<Case> {
        let (at, mut version) = match self.remote()?.format.origin(&path) {
            Some(Origin::Listed(at)) => (at, None),
            Some(Origin::Direct(direct)) => (direct.package, Some(direct.version.to_string())),
            None => return Err(Error::not_found(&format!("the file {path}"))),
        };
        let mut published_at = None;
        match self.find_any(&path).await {
            Ok(found) => {
                version = Some(found.version_name().to_owned());
                published_at = found.published_upstream();
            }
            Err(error) if error.code() == Some(Code::NotFound) && version.is_none() => {
                (version, published_at) = self.listed_at(&at, &path).await?;
            }
            Err(error) if error.code() == Some(Code::NotFound) => {}
            Err(error) => return Err(error),
        }
        Ok(Case { at, version, path: Some(path), published_at, digest: None })
    }

    async fn time_of(&self, case: &Case, version: &str) -> Result<Option<Timestamp>> {
        match self.remote()?.format.dated() {
            Dated::Index => {
                let seen = self.told(self.remote()?, &case.at, Which::All).await?;
                Ok(seen.and_then(|seen| seen.time_of(version)))
            }
            Dated::Version | Dated::File => self.published_at(&case.at, version).await,
        }
    }

    fn explained(&self, rules: &Rules, name: &str, case: &Case, verdict: &Verdict, now: Timestamp) -> Explanation {
        let version = case.version.as_deref().unwrap_or_default();
        let path = case.path.as_ref().map(EntryPath::as_str);
        let subject = Subject { name, version, path, published_at: case.published_at };
        let decides = match verdict {
            Verdict::Allow { rule, .. } => *rule,
            Verdict::Deny(denial) => denial.rule,
        };
        let each = rules.each(&subject, now).enumerate();
        let judged = |(place, (rule, says)): (usize, (&Rule, Option<Verdict>))| Judged {
            rule: rule.clone(),
            says: says.as_ref().map(word),
            decides: decides == Some(place),
        };
        Explanation {
            name: name.to_owned(),
            version: case.version.clone(),
            published_at: case.published_at,
            verdict: word(verdict),
            detail: match verdict {
                Verdict::Allow { until: Some(until), .. } => {
                    format!("a waiver lets it in until {}", until.to_seconds())
                }
                Verdict::Allow { rule: Some(rule), .. } => format!("rule {rule} lets it in"),
                Verdict::Allow { .. } => "no rule keeps it out".to_owned(),
                Verdict::Deny(denial) => denial.sentence.clone(),
            },
            until: verdict.until(),
            lifted_by: lifted_by(&self.repo().key),
            rules: each.map(judged).collect(),
            waivers: rules.waivers_of(name, now),
            kept_out: Vec::new(),
        }
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allow { .. } => "allow",
        Verdict::Deny(denial) if denial.claimed => "hide",
        Verdict::Deny(_) => "deny",
    }
}
