//! The ordered rule list of a repository: stored and checked here; resolve will apply it.

use serde::{Deserialize, Serialize};

use crate::authorize::{Admin, Grant};
use crate::error::{Error, Result};
use crate::repositories::RepoChange;

/// Rules at most.
const MOST: usize = 1000;

/// One rule of the list. The first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum Rule {
    /// Names that upstreams may not answer for.
    Claim {
        /// A name pattern with `*`.
        pattern: String,
    },
    /// Lets what matches through.
    Allow {
        /// A name or path pattern with `*`.
        pattern: String,
        /// A version range in the format's own notation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<String>,
    },
    /// Keeps what matches out.
    Block {
        /// A name or path pattern with `*`.
        pattern: String,
        /// A version range in the format's own notation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<String>,
        /// Shown to whoever is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Keeps out what is younger.
    #[serde(rename_all = "camelCase")]
    MinimumAge {
        /// Hours since its publication.
        hours: u32,
    },
}

impl Rule {
    fn check(&self, index: usize) -> Result<()> {
        let pattern = match self {
            Self::Claim { pattern } | Self::Allow { pattern, .. } | Self::Block { pattern, .. } => pattern,
            Self::MinimumAge { hours } if *hours <= 24 * 3650 => return Ok(()),
            Self::MinimumAge { .. } => {
                return Err(Error::bad_request(format!("rules[{index}].hours must be at most 87600")));
            }
        };
        if pattern.is_empty() || pattern.len() > 1024 || pattern.chars().any(char::is_control) {
            return Err(Error::bad_request(format!(
                "rules[{index}].pattern must have 1 to 1024 bytes and no control characters"
            )));
        }
        Ok(())
    }
}

impl Grant<Admin> {
    /// Replaces the rule list; returns the repository's new revision.
    pub async fn set_rules(&self, expected_revision: Option<u64>, rules: &[Rule]) -> Result<u64> {
        if rules.len() > MOST {
            return Err(Error::bad_request(format!("a repository has at most {MOST} rules")));
        }
        rules.iter().enumerate().try_for_each(|(index, rule)| rule.check(index))?;
        let rules = serde_json::to_string(rules).map_err(|error| Error::Defect(error.to_string()))?;
        self.update_repository(RepoChange { expected_revision, rules: Some(rules), ..RepoChange::default() }).await
    }
}
