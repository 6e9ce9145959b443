//! The sentences of an explanation.

use model::{RepoKey, Timestamp};

use super::super::denied::lifted_by;
use super::super::judge::{Denial, Rules, Verdict};

use super::super::{Rule, names_by_digest};
use super::{Case, Explanation, Judged, Question};
use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::versions::format_of;

/// Versions that are told of at most.
const MOST: usize = 1000;

impl Grant<Read> {
    pub(super) async fn unruled(&self, question: &Question) -> Result<Explanation> {
        if let Some(withdrawn) = self.standing_of(question).await?.withdrawn() {
            return Ok(self.unruled_withdrawn(question, withdrawn));
        }
        let key = &self.repo().key;
        let detail = match self.is_remote() {
            true => format!("no rules decide over what is read from {key}"),
            false => format!("what is read from {key} was published there: no rules decide over it"),
        };
        Ok(unjudged(question, "allow", detail))
    }

    /// What the rules say of one version or file.
    pub(super) fn explained(
        &self,
        rules: &Rules,
        name: &str,
        case: &Case,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Explanation {
        let subject = case.subject(name);
        self.explanation(rules, name, case, (verdict, rules.each(&subject, now).collect()), now)
    }

    /// What they say of a name, whatever the version.
    pub(super) fn explained_by_name(
        &self,
        rules: &Rules,
        name: &str,
        case: &Case,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Explanation {
        self.explanation(rules, name, case, (verdict, rules.each_of_name(name).collect()), now)
    }

    fn explanation(
        &self,
        rules: &Rules,
        name: &str,
        case: &Case,
        (verdict, each): (&Verdict, Vec<(&Rule, Option<Verdict>)>),
        now: Timestamp,
    ) -> Explanation {
        let key = &self.repo().key;
        let decides = match verdict {
            Verdict::Allow { rule, .. } => *rule,
            Verdict::Deny(denial) => denial.rule,
        };
        // Nobody knows yet whether it is too young, or there at all.
        let is_awaited = |denial: &Denial| denial.undated && case.awaited;
        let detail = match verdict {
            Verdict::Allow { until: Some(until), .. } => format!("a waiver lets it in until {}", until.to_seconds()),
            Verdict::Allow { rule: Some(rule), .. } => let_in(key, each.get(*rule).map(|(rule, _)| *rule)),
            // Its own digest is kept out, and that which names it is not.
            Verdict::Allow { .. }
                if each.iter().any(|(_, says)| says.as_ref().is_some_and(|says| says.denial().is_some())) =>
            {
                format!("an image that {key} lets in has it")
            }
            Verdict::Allow { .. } => format!("no rule of {key} keeps it out"),
            Verdict::Deny(denial) if is_awaited(denial) => {
                format!(
                    "{key} has not fetched it yet, and its upstream tells the time with the file: it is judged when somebody asks for it"
                )
            }
            Verdict::Deny(denial) => denial.sentence.clone(),
        };
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
            detail,
            until: verdict.until(),
            lifted_by: verdict.denial().filter(|denial| !denial.claimed).map(|_| lifted_by(key)),
            rules: each.into_iter().enumerate().map(judged).collect(),
            is_refused: case.version.is_some()
                && verdict.denial().is_some_and(|denial| !denial.claimed && !is_awaited(denial)),
            waivers: rules.waivers_of(name, now),
            kept_out: Vec::new(),
        }
    }

    /// The same of all versions, `all` in number where that is known: which are kept out, and why.
    pub(super) fn of_all(
        &self,
        mut told: Explanation,
        kept_out: Vec<(String, String)>,
        all: Option<usize>,
    ) -> Explanation {
        let (key, name, out) = (&self.repo().key, told.name.as_str(), kept_out.len());
        let noun = if format_of(self.repo()).is_ok_and(names_by_digest) { "tag" } else { "version" };
        told.detail = match all {
            _ if out == 0 => format!("no {noun} of {name} that is known here is kept out of {key}"),
            Some(1) => format!("the only {noun} of {name} is kept out of {key}"),
            Some(all) if all == out => format!("all {all} {noun}s of {name} are kept out of {key}"),
            Some(all) => format!("{out} of {all} {noun}s of {name} {} kept out of {key}", are(out)),
            None => format!("{out} {noun}{} of {name} {} kept out of {key}", if out == 1 { "" } else { "s" }, are(out)),
        };
        if out > 0 {
            told.lifted_by = Some(lifted_by(key));
        }
        if out > 0 && all == Some(out) {
            told.verdict = "deny";
        }
        told.kept_out = kept_out.into_iter().take(MOST).collect();
        told
    }
}

/// An explanation without rules.
pub(super) fn unjudged(question: &Question, verdict: &'static str, detail: String) -> Explanation {
    let (name, version) = match question {
        Question::Package(name, version) => (name.to_string(), version.clone()),
        Question::Path(path) => (path.to_string(), None),
    };
    Explanation {
        name,
        version,
        published_at: None,
        verdict,
        detail,
        until: None,
        lifted_by: None,
        is_refused: false,
        rules: Vec::new(),
        waivers: Vec::new(),
        kept_out: Vec::new(),
    }
}

fn let_in(key: &RepoKey, rule: Option<&Rule>) -> String {
    match rule {
        Some(Rule::Allow { pattern, versions: Some(versions) }) => format!("{key} allows {pattern} {versions}"),
        Some(Rule::Allow { pattern, versions: None }) => format!("{key} allows {pattern}"),
        _ => format!("{key} allows it"),
    }
}

fn are(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allow { .. } => "allow",
        Verdict::Deny(denial) if denial.claimed => "hide",
        Verdict::Deny(_) => "deny",
    }
}
