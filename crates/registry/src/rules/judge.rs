//! What the rules of a repository say of a version or a file, at a moment. Pure.

use std::time::Duration;

use formats::{Format, VersionRange};
use model::{RepoKey, Timestamp};

use super::pattern::{Pattern, folded};
use super::told::Claimant;
use super::waivers::Waiver;
use super::{Rule, names_by_digest};
use crate::error::{Error, Result};

/// The rules of a repository, read, and the waivers beside them.
pub(crate) struct Rules {
    repo: RepoKey,
    format: &'static dyn Format,
    list: Vec<Ready>,
    /// What other repositories claim, wherever it comes from.
    claims: Vec<(Pattern, Claimant)>,
    /// Whether every name is as good as claimed.
    silent: bool,
    waivers: Vec<(String, Waiver)>,
}

struct Ready {
    rule: Rule,
    /// `None`: for everything.
    pattern: Option<Pattern>,
    range: Option<VersionRange>,
}

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The package, as [`super::pattern::name_of`] has it.
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// The file's path in the repository; `None`: the version is judged, and no rule for paths matches.
    pub(crate) path: Option<&'a str>,
    /// When the upstream says that it was published.
    pub(crate) published_at: Option<Timestamp>,
}

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is let through.
    Allow {
        /// The rule that says so; `None`: no rule matched.
        rule: Option<usize>,
        /// When a waiver ends that this rests on.
        until: Option<Timestamp>,
    },
    /// It is kept out.
    Deny(Denial),
}

/// Why something is kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    /// The place of the rule in the list; `None`: a hosted repository claims the name.
    pub(crate) rule: Option<usize>,
    /// Whether it is as if the upstream had no such thing.
    pub(crate) claimed: bool,
    /// For people.
    pub(crate) sentence: String,
    /// When it ends by itself.
    pub(crate) until: Option<Timestamp>,
    /// Whether it might be another one if the time of its publication were known.
    pub(crate) undated: bool,
}

impl Verdict {
    pub(crate) fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Deny(denial) => Some(denial),
            Self::Allow { .. } => None,
        }
    }

    /// The next moment at which it may be another one.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Allow { until, .. } => *until,
            Self::Deny(denial) => denial.until,
        }
    }
}

impl Rules {
    pub(crate) fn new(
        repo: &RepoKey,
        format: &'static dyn Format,
        list: Vec<Rule>,
        waivers: Vec<Waiver>,
    ) -> Result<Self> {
        let list = list.into_iter().map(|rule| Ready::new(format, rule)).collect::<Option<_>>();
        let list =
            list.ok_or_else(|| Error::Defect(format!("the rules of {repo} have a range that cannot be read")))?;
        let waivers = waivers.into_iter().map(|waiver| (folded(format, &waiver.package), waiver)).collect();
        Ok(Self { repo: repo.clone(), format, list, claims: Vec::new(), silent: false, waivers })
    }

    /// The same, and what these rules of a hosted repository claim comes before all.
    pub(crate) fn with_claims_of(mut self, hosted: &[Rule], claimant: &Claimant) -> Self {
        let claims = hosted.iter().filter(|rule| matches!(rule, Rule::Claim { .. }));
        let patterns = claims.filter_map(|rule| rule.matched().0).map(|pattern| Pattern::new(self.format, pattern));
        self.claims.extend(patterns.map(|pattern| (pattern, claimant.clone())));
        self
    }

    /// The same, for a grant that is silent: nothing comes from anywhere.
    pub(super) fn silenced(self, silent: bool) -> Self {
        Self { silent, ..self }
    }

    /// Whether there are rules of the repository itself.
    pub(super) fn has_own(&self) -> bool {
        !self.list.is_empty()
    }

    /// Who else claims anything.
    pub(super) fn claimants(&self) -> impl Iterator<Item = &Claimant> {
        self.claims.iter().map(|(_, claimant)| claimant)
    }

    /// Who else claims a name.
    pub(super) fn claimants_of(&self, name: &str) -> impl Iterator<Item = &Claimant> {
        self.claims.iter().filter(move |(pattern, _)| pattern.is_name(name)).map(|(_, claimant)| claimant)
    }

    /// The first rule that matches decides; a waiver lifts those that block and those that look at age.
    pub(crate) fn judge(&self, subject: &Subject<'_>, now: Timestamp) -> Verdict {
        if self.is_claimed_elsewhere(subject.name) {
            return Verdict::Deny(self.claimed(None, subject.name));
        }
        self.judge_here(subject, now)
    }

    /// The same, whatever others claim.
    pub(crate) fn judge_here(&self, subject: &Subject<'_>, now: Timestamp) -> Verdict {
        let waived = self.waived(subject.name, Some(subject.version), now);
        let mut rested = None;
        for (place, ready) in self.list.iter().enumerate() {
            let Some(outcome) = self.outcome(place, ready, subject, now) else { continue };
            match outcome {
                Verdict::Deny(denial) if !denial.claimed && waived.is_some() => rested = waived,
                Verdict::Allow { rule, .. } => return Verdict::Allow { rule, until: rested },
                denied @ Verdict::Deny(_) => return denied,
            }
        }
        Verdict::Allow { rule: None, until: rested }
    }

    /// What can be said of all versions of a package before the upstream is asked for them: `Some`, if nothing of it
    /// can be let through.
    pub(crate) fn judge_name(&self, name: &str, now: Timestamp) -> Option<Denial> {
        if self.is_claimed_elsewhere(name) {
            return Some(self.claimed(None, name));
        }
        self.judge_name_here(name, now)
    }

    /// The same, whatever others claim.
    pub(super) fn judge_name_here(&self, name: &str, now: Timestamp) -> Option<Denial> {
        let waived = self.waived(name, None, now).is_some();
        for (place, ready) in self.list.iter().enumerate() {
            let pattern = ready.pattern.as_ref();
            if pattern.is_some_and(|pattern| !pattern.is_path() && !pattern.is_name(name)) {
                continue;
            }
            let certain = ready.range.is_none() && !pattern.is_some_and(Pattern::is_path);
            match &ready.rule {
                Rule::Allow { .. } => return None,
                Rule::Claim { .. } if certain => return Some(self.claimed(Some(place), name)),
                Rule::Block { reason, .. } if certain && !waived => {
                    return Some(self.blocked(place, name, reason.as_deref()));
                }
                _ => {}
            }
        }
        None
    }

    /// Whether one of them looks at the time of publishing.
    pub(crate) fn look_at_age(&self) -> bool {
        self.list.iter().any(|ready| matches!(ready.rule, Rule::MinimumAge { .. } | Rule::Freeze { .. }))
    }

    /// Whether one of them claims a name.
    pub(crate) fn claim(&self, name: &str) -> bool {
        let claims = self.list.iter().filter(|ready| matches!(ready.rule, Rule::Claim { .. }));
        claims.filter_map(|ready| ready.pattern.as_ref()).any(|pattern| pattern.is_name(name))
    }

    /// Whether the names of a namespace, or those beneath it, are claimed wholly.
    pub(crate) fn claim_namespace(&self, namespace: &str) -> bool {
        if self.silent || self.claims.iter().any(|(pattern, _)| pattern.is_namespace(namespace)) {
            return true;
        }
        let whole = |ready: &&Ready| ready.pattern.as_ref().is_some_and(|pattern| pattern.is_namespace(namespace));
        let first = self.list.iter().filter(|ready| ready.range.is_none()).filter(whole);
        let first = first.map(|ready| &ready.rule).find(|rule| matches!(rule, Rule::Claim { .. } | Rule::Allow { .. }));
        matches!(first, Some(Rule::Claim { .. }))
    }

    pub(super) fn is_claimed_elsewhere(&self, name: &str) -> bool {
        self.silent || self.claimants_of(name).next().is_some()
    }

    /// What one rule says; `None`: it does not match.
    fn outcome(&self, place: usize, ready: &Ready, subject: &Subject<'_>, now: Timestamp) -> Option<Verdict> {
        if ready.pattern.as_ref().is_some_and(|pattern| !pattern.matches(subject.name, subject.path)) {
            return None;
        }
        let inside = ready.range.as_ref().map(|range| range(subject.version));
        let what = || format!("{} {}", subject.name, subject.version);
        match &ready.rule {
            Rule::Claim { .. } => Some(Verdict::Deny(self.claimed(Some(place), subject.name))),
            // Who allows a range knows what is in it; who blocks one means also what cannot be compared.
            Rule::Allow { .. } if inside.is_none_or(|inside| inside == Some(true)) => {
                Some(Verdict::Allow { rule: Some(place), until: None })
            }
            Rule::Block { reason, .. } if inside.is_none_or(|inside| inside != Some(false)) => {
                Some(Verdict::Deny(self.blocked(place, &what(), reason.as_deref())))
            }
            Rule::Allow { .. } | Rule::Block { .. } => None,
            Rule::MinimumAge { hours } => self.young(place, subject, *hours, now).map(Verdict::Deny),
            Rule::Freeze { not_after } => self.after(place, subject, *not_after).map(Verdict::Deny),
        }
    }

    /// What each rule says by itself, in their order.
    pub(super) fn each<'r>(
        &'r self,
        subject: &'r Subject<'_>,
        now: Timestamp,
    ) -> impl Iterator<Item = (&'r Rule, Option<Verdict>)> {
        let all = self.list.iter().enumerate();
        all.map(move |(place, ready)| (&ready.rule, self.outcome(place, ready, subject, now)))
    }

    /// What each rule says of every version of a package, in their order; `None`: that depends on the version, or the rule
    /// does not match.
    pub(super) fn each_of_name<'r>(&'r self, name: &'r str) -> impl Iterator<Item = (&'r Rule, Option<Verdict>)> {
        self.list.iter().enumerate().map(move |(place, ready)| {
            let fits = ready.range.is_none() && ready.pattern.as_ref().is_some_and(|pattern| pattern.is_name(name));
            let says = match &ready.rule {
                Rule::Claim { .. } => Some(Verdict::Deny(self.claimed(Some(place), name))),
                Rule::Block { reason, .. } => Some(Verdict::Deny(self.blocked(place, name, reason.as_deref()))),
                Rule::Allow { .. } => Some(Verdict::Allow { rule: Some(place), until: None }),
                Rule::MinimumAge { .. } | Rule::Freeze { .. } => None,
            };
            (&ready.rule, says.filter(|_| fits))
        })
    }

    /// The waivers in force for a package.
    pub(crate) fn waivers_of(&self, name: &str, now: Timestamp) -> Vec<Waiver> {
        let ours = self.waivers.iter().filter(|(package, waiver)| package == name && now < waiver.until);
        ours.map(|(_, waiver)| waiver.clone()).collect()
    }

    /// Whether a waiver is in force that may be for a version of this name, of whatever package; `None`: for any version.
    pub(crate) fn may_waive(&self, version: Option<&str>, now: Timestamp) -> bool {
        let same = |waived: &str| version.is_none_or(|version| waived == version || self.twins(waived, version));
        let ours = self.waivers.iter().filter(|(_, waiver)| now < waiver.until);
        ours.into_iter().any(|(_, waiver)| waiver.version.as_deref().is_none_or(same))
    }

    /// Until when a waiver is in force; `None` for a version: for any of the package.
    fn waived(&self, name: &str, version: Option<&str>, now: Timestamp) -> Option<Timestamp> {
        let ours = self.waivers.iter().filter(|(package, waiver)| package == name && now < waiver.until);
        let same = |waiver: &Waiver| match (&waiver.version, version) {
            (Some(waived), Some(version)) => waived == version || self.twins(waived, version),
            _ => true,
        };
        ours.filter(|(_, waiver)| same(waiver)).map(|(_, waiver)| waiver.until).max()
    }

    fn twins(&self, one: &str, other: &str) -> bool {
        let twin = |text| model::VersionName::parse(text).ok().and_then(|name| self.format.twin(&name));
        twin(one).is_some_and(|one| Some(one) == twin(other))
    }

    /// A claim; of others nothing is said.
    fn claimed(&self, rule: Option<usize>, name: &str) -> Denial {
        let sentence = rule.map_or_else(|| format!("{name} was not found"), |_| self.why_claimed(name));
        Denial { rule, claimed: true, sentence, until: None, undated: false }
    }

    /// That a claim keeps a name out, for those who may know of it.
    pub(super) fn why_claimed(&self, name: &str) -> String {
        format!("{name} was not found: {} takes that name from no upstream", self.repo)
    }

    fn blocked(&self, rule: usize, what: &str, reason: Option<&str>) -> Denial {
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let sentence = format!("{what} is blocked in {}{reason}", self.repo);
        Denial { rule: Some(rule), claimed: false, sentence, until: None, undated: false }
    }

    fn young(&self, rule: usize, subject: &Subject<'_>, hours: u32, now: Timestamp) -> Option<Denial> {
        let (what, repo) = (format!("{} {}", subject.name, subject.version), &self.repo);
        let span = if hours == 1 { "1 hour".to_owned() } else { format!("{hours} hours") };
        let until = subject.published_at.map(|at| at.plus(Duration::from_secs(u64::from(hours) * 3600)));
        let sentence = match until {
            Some(until) if until <= now => return None,
            Some(until) if names_by_digest(self.format) => {
                let until = until.to_seconds();
                format!("{what} is known to {repo} for less than {span}: it is let in at {until}")
            }
            Some(until) => {
                format!("{what} is younger than the {span} of {repo}: it is let in at {}", until.to_seconds())
            }
            None => {
                format!("{what} is not known to be as old as the {span} of {repo}: its upstream tells no time")
            }
        };
        Some(Denial { rule: Some(rule), claimed: false, sentence, until, undated: until.is_none() })
    }

    fn after(&self, rule: usize, subject: &Subject<'_>, frozen: Timestamp) -> Option<Denial> {
        if subject.published_at.is_some_and(|at| at <= frozen) {
            return None;
        }
        let (what, repo, frozen) = (format!("{} {}", subject.name, subject.version), &self.repo, frozen.to_seconds());
        let undated = subject.published_at.is_none();
        let sentence = match undated {
            false if names_by_digest(self.format) => {
                format!("{what} was first seen after {frozen}, where {repo} is frozen")
            }
            false => format!("{what} was published after {frozen}, where {repo} is frozen"),
            true => format!("{what} is not known to be from before {frozen}, where {repo} is frozen"),
        };
        Some(Denial { rule: Some(rule), claimed: false, sentence, until: None, undated })
    }
}

impl Ready {
    /// `None`: the range cannot be read.
    fn new(format: &dyn Format, rule: Rule) -> Option<Self> {
        let (pattern, versions) = rule.matched();
        let pattern = pattern.map(|pattern| Pattern::new(format, pattern));
        let range = match versions {
            Some(versions) => Some(format.range(versions)?),
            None => None,
        };
        Some(Self { rule, pattern, range })
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
