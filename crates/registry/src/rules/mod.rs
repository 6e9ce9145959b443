//! The ordered rule list of a repository. The first rule that matches decides; what none matches is let through.

mod denied;
mod explain;
mod fitting;
mod judge;
mod pattern;
mod told;
mod waivers;

use std::sync::Arc;

use formats::Format;
use model::state::RepoKind;
use model::{RepoId, Timestamp};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use url::Url;

pub use explain::{Explanation, Judged, Question};
pub(crate) use judge::{Denial, Rules, Subject, Verdict};
pub(crate) use pattern::{name_of, package_given};
pub(crate) use told::{Claimant, Claims};
pub use waivers::{NewWaiver, Waiver};

use crate::authorize::{Admin, Grant};
use crate::error::{Error, Result};
use crate::repositories::RepoChange;
use crate::versions::format_of;

/// Rules at most.
const MOST: usize = 1000;
/// A list without rules, as it is kept.
const NONE: &str = "[]";

/// One rule of the list. The first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum Rule {
    /// Names that upstreams may not answer for: they are not even asked.
    Claim {
        /// A name pattern with `*`.
        pattern: String,
    },
    /// Lets what matches through.
    Allow {
        /// A pattern with `*`: for names, or for paths of files when it begins with a slash.
        pattern: String,
        /// A version range in the format's own notation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<String>,
    },
    /// Keeps what matches out.
    Block {
        /// A pattern with `*`: for names, or for paths of files when it begins with a slash.
        pattern: String,
        /// A version range in the format's own notation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<String>,
        /// Shown to whoever is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Keeps out what is younger, and what tells no time.
    #[serde(rename_all = "camelCase")]
    MinimumAge {
        /// Hours since its publication.
        hours: u32,
    },
    /// Keeps out what was published later, and what tells no time.
    #[serde(rename_all = "camelCase")]
    Freeze {
        /// The last moment.
        not_after: Timestamp,
    },
}

/// Rules that were read, as of a counter of the configuration; for grants that are silent and for others.
pub(crate) type Known = Cache<(RepoId, u64, bool), Arc<Rules>>;

impl Rule {
    /// The word of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Claim { .. } => "claim",
            Self::Allow { .. } => "allow",
            Self::Block { .. } => "block",
            Self::MinimumAge { .. } => "minimumAge",
            Self::Freeze { .. } => "freeze",
        }
    }

    /// The pattern, and the range of versions.
    fn matched(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::Claim { pattern } => (Some(pattern), None),
            Self::Allow { pattern, versions } | Self::Block { pattern, versions, .. } => {
                (Some(pattern), versions.as_deref())
            }
            Self::MinimumAge { .. } | Self::Freeze { .. } => (None, None),
        }
    }

    /// Whether it can be kept: something can fit it. `host` is that of the upstream.
    fn check(&self, index: usize, format: &dyn Format, host: Option<&str>) -> Result<()> {
        let faulty = |field: &str, why: &str| Err(Error::bad_request(format!("rules[{index}].{field} {why}")));
        if matches!(self, Self::MinimumAge { hours } if *hours > 24 * 3650) {
            return faulty("hours", "must be at most 87600");
        }
        let (pattern, versions) = self.matched();
        let sound = |text: &str| !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control);
        if pattern.is_some_and(|pattern| !sound(pattern)) {
            return faulty("pattern", "must have 1 to 1024 bytes and no control characters");
        }
        if matches!((self, pattern), (Self::Claim { .. }, Some(pattern)) if pattern.starts_with('/')) {
            return faulty("pattern", "claims names: one that begins with a slash is for paths");
        }
        if pattern.is_some_and(|pattern| pattern.starts_with('/')) && names_by_digest(format) {
            return faulty("pattern", &format!("the format {} has names and no paths", format.key()));
        }
        let with_host = |pattern| fitting::with_host(host.filter(|_| names_by_digest(format))?, pattern);
        if let Some(why) = pattern.and_then(|pattern| fitting::misfit(format, pattern).or_else(|| with_host(pattern))) {
            return faulty("pattern", &why);
        }
        if versions.is_some() && names_by_digest(format) {
            return faulty("versions", &format!("the format {} has no ranges of versions", format.key()));
        }
        if versions.is_some_and(|versions| format.range(versions).is_none()) {
            return faulty("versions", &format!("is no range of versions of the format {}", format.key()));
        }
        match self {
            Self::Block { reason: Some(reason), .. } if !sound(reason) => {
                faulty("reason", "must have 1 to 1024 bytes and no control characters")
            }
            _ => Ok(()),
        }
    }
}

/// Whether versions are asked for by their digest.
pub(crate) fn names_by_digest(format: &dyn Format) -> bool {
    format.upstream().is_some_and(|upstream| upstream.contents().is_some())
}

impl Grant<Admin> {
    /// Replaces the rule list; returns the repository's new revision.
    pub async fn set_rules(&self, expected_revision: Option<u64>, rules: &[Rule]) -> Result<u64> {
        if rules.len() > MOST {
            return Err(Error::bad_request(format!("a repository has at most {MOST} rules")));
        }
        let format = format_of(self.repo())?;
        let remote = self.repo().kind == RepoKind::Remote;
        let upstream = self.repo().upstream_url.as_deref().and_then(|url| Url::parse(url).ok());
        for (index, rule) in rules.iter().enumerate() {
            rule.check(index, format, upstream.as_ref().and_then(Url::host_str))?;
            if !remote && !matches!(rule, Rule::Claim { .. }) {
                let why =
                    format!("rules[{index}] decides over what comes from an upstream: set it on a remote repository");
                return Err(Error::bad_request(why));
            }
        }
        let rules = serde_json::to_string(rules).map_err(|error| Error::Defect(error.to_string()))?;
        self.update_repository(RepoChange { expected_revision, rules: Some(rules), ..RepoChange::default() }).await
    }
}

impl<A> Grant<A> {
    /// Whether rules decide over what is read here: those of a repository whose packages come from elsewhere.
    pub fn is_ruled(&self) -> bool {
        let repo = self.repo();
        repo.kind == RepoKind::Remote && (repo.rules != NONE || !repo.hosted_rules.is_empty()) || self.is_silent()
    }

    /// The rules that decide here, where they were read since the configuration last changed. Costs nothing.
    pub(crate) fn rules_remembered(&self) -> Option<Arc<Rules>> {
        self.registry().inner.rules.get(&(self.repo_id(), self.call().moment.config.number(), self.is_silent()))
    }

    /// The rules that decide here; `None`: there are none.
    pub(crate) async fn rules(&self) -> Result<Option<Arc<Rules>>> {
        if self.is_ruled() { self.rules_read().await.map(Some) } else { Ok(None) }
    }

    /// The rules that claim names for a repository that is no remote; `None`: there are none.
    pub(crate) async fn claims(&self) -> Result<Option<Arc<Rules>>> {
        if self.is_remote() || self.repo().rules == NONE { Ok(None) } else { self.rules_read().await.map(Some) }
    }

    async fn rules_read(&self) -> Result<Arc<Rules>> {
        if let Some(known) = self.rules_remembered() {
            return Ok(known);
        }
        let (repo, now) = (self.repo(), self.ambient().now());
        let parsed = |text: &String| {
            let list = serde_json::from_str::<Vec<Rule>>(text);
            list.map_err(|error| Error::Defect(format!("the rules that hold in {}: {error}", repo.key)))
        };
        let (list, id) = (parsed(&repo.rules)?, repo.id);
        let waivers = self.store().read(async |session| store::waivers::in_force(session, id, now).await).await?;
        let mut rules = Rules::new(&repo.key, format_of(repo)?, list, waivers)?.silenced(self.is_silent());
        for hosted in &repo.hosted_rules {
            let claimant = Claimant::new(hosted.key.clone(), hosted.anonymous_read);
            rules = rules.with_claims_of(&parsed(&hosted.rules)?, &claimant);
        }
        let (rules, config) = (Arc::new(rules), self.call().moment.config.number());
        self.registry().inner.rules.insert((id, config, self.is_silent()), Arc::clone(&rules));
        Ok(rules)
    }
}
