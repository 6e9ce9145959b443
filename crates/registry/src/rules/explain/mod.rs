//! Why something is let through or kept out: every rule, in its order.

mod case;
mod said;
mod through;
mod withdrawn;

use formats::{Named, PackageAt};
use model::{EntryPath, PackageName, RefName, Timestamp};
use store::waivers::Waiver;

use super::judge::{Denial, Rules, Subject, Verdict};
use super::{Rule, name_of, names_by_digest};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::remote::Which;
use crate::versions::format_of;

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
    /// When the upstream says that it was published; of an image, since when it is known here.
    pub published_at: Option<Timestamp>,
    /// `allow`, `deny` or `hide`.
    pub verdict: &'static str,
    /// One sentence.
    pub detail: String,
    /// When the verdict may become another one by itself.
    pub until: Option<Timestamp>,
    /// Who can waive what keeps it out, or restore what was withdrawn, in words. `None`: nothing does, or nobody can.
    pub lifted_by: Option<String>,
    /// Whether who asks for it here is refused: then nobody else is asked through a virtual repository.
    pub is_refused: bool,
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
    /// Whether its upstream tells the time with the file, and nobody asked for that yet.
    awaited: bool,
    /// Whether the name is kept from the upstream, and the caller may not know of it: to him nobody has it.
    hidden: bool,
}

impl Grant<Read> {
    /// Explains what the rules say, and asks the upstream for what it takes to know. 404: nobody knows such a thing.
    pub async fn explain(&self, question: Question) -> Result<Explanation> {
        let question = self.spelled(self.about_file(question)?)?;
        if self.is_virtual() {
            return Box::pin(self.explain_through(question)).await;
        }
        let rules = self.rules().await?.filter(|rules| self.may_know_rules(rules));
        let Some(rules) = rules else { return self.unruled(&question).await };
        let mut case = self.case(&rules, question).await?;
        let name = name_of(format_of(self.repo())?, &case.at);
        let now = self.ambient().now();
        let by_digest = names_by_digest(format_of(self.repo())?);
        let certain = |denial: &Denial| denial.claimed || case.version.is_none() || by_digest;
        let denial = rules.judge_name(&name, now).and_then(|denial| self.known_denial(&rules, &name, denial));
        let claimed = denial.as_ref().is_some_and(|denial| denial.claimed);
        if !claimed && let Some(told) = self.explained_if_withdrawn(&rules, &name, &case, now).await? {
            return Ok(told);
        }
        if let Some(denial) = denial.filter(certain) {
            return Ok(self.explained_by_name(&rules, &name, &case, &Verdict::Deny(denial), now));
        }
        if by_digest {
            case.digest = self.digest_asked_about(&case).await?;
        }
        let Some(version) = case.version.clone() else {
            return match &case.path {
                Some(path) => Err(Error::not_found(&format!("the file {path}"))),
                None => self.explain_all(&rules, &name, &case, now).await,
            };
        };
        match (&case.digest, &case.path) {
            (Some(_), _) => {}
            (None, Some(_)) if case.hidden => {}
            (None, Some(_)) => self.date_file(&mut case, &version).await?,
            (None, None) => self.choose_file(&rules, &name, &mut case, now).await?,
        }
        // It was asked for by a tag, or in another spelling.
        if let Some(told) = self.explained_if_withdrawn(&rules, &name, &case, now).await? {
            return Ok(told);
        }
        match case.digest {
            Some(named) => self.explain_digest(&rules, &name, &mut case, &named, now).await,
            None => {
                let verdict = match case.hidden {
                    true => rules.judge_here(&case.subject(&name), now),
                    false => rules.judge(&case.subject(&name), now),
                };
                Ok(self.explained(&rules, &name, &case, &verdict, now))
            }
        }
    }

    /// What is said of an image.
    async fn explain_digest(
        &self,
        rules: &Rules,
        name: &str,
        case: &mut Case,
        named: &Named,
        now: Timestamp,
    ) -> Result<Explanation> {
        if case.hidden {
            return self.explained_of_nobody(rules, name, case, named, now);
        }
        let tag = case.version.as_deref().and_then(|version| RefName::parse(version).ok());
        let judged = self.judge_version(rules, &case.at, named, tag.as_ref()).await?;
        case.published_at = judged.since;
        Ok(self.explained(rules, name, case, &judged.verdict, now))
    }

    /// What is said of a digest that is known nowhere.
    fn explained_of_nobody(
        &self,
        rules: &Rules,
        name: &str,
        case: &Case,
        named: &Named,
        now: Timestamp,
    ) -> Result<Explanation> {
        let verdict = rules.judge_here(&case.subject(name), now);
        match verdict.denial().is_some_and(|denial| denial.undated) {
            true => Err(Error::not_found(&format!("{}@{named}", case.at.name))),
            false => Ok(self.explained(rules, name, case, &verdict, now)),
        }
    }

    async fn explain_all(&self, rules: &Rules, name: &str, case: &Case, now: Timestamp) -> Result<Explanation> {
        let seen = self.told(self.remote()?, &case.at, Which::All).await?;
        let seen = seen.ok_or_else(|| Error::not_found(name))?;
        let (kept_out, all) = match names_by_digest(format_of(self.repo())?) {
            true => {
                let tags = self.tags_kept_out(&case.at).await?;
                (tags.into_iter().map(|(tag, why)| (tag, why.sentence)).collect(), None)
            }
            false => (self.missing_of(&case.at, name, &seen).await?, Some(seen.versions().len())),
        };
        let allowed = Verdict::Allow { rule: None, until: None };
        let explained = self.explained_by_name(rules, name, case, &allowed, now);
        Ok(self.of_all(explained, kept_out, all))
    }
}

impl Case {
    fn subject<'c>(&'c self, name: &'c str) -> Subject<'c> {
        let version = self.version.as_deref().unwrap_or_default();
        let path = self.path.as_ref().map(EntryPath::as_str);
        Subject { name, version, path, published_at: self.published_at }
    }
}
