//! A denial as callers are told of it.

use model::{Block, Code, RepoKey};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::judge::{Denial, Subject};
use crate::error::Error;

impl Denial {
    /// The refusal: 404 for what is claimed, else 423 with who can lift it and where it is explained.
    pub(crate) fn refuse(&self, repo: &RepoKey, subject: &Subject<'_>) -> Error {
        if self.claimed {
            return Error::refuse(Code::NotFound, self.sentence.clone());
        }
        let quoted = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let question = match (subject.path, subject.version) {
            (Some(path), _) => format!("path={}", quoted(path)),
            (None, "") => format!("name={}", quoted(subject.name)),
            (None, version) => format!("name={}&version={}", quoted(subject.name), quoted(version)),
        };
        let lifted_by = lifted_by(repo);
        let sentence = format!("{}; {lifted_by} can waive it", self.sentence);
        let link = format!("/v1/repos/{repo}/explain?{question}");
        let refusal = model::Refusal::new(Code::PolicyDenied, sentence);
        Error::Refused(refusal.blocked(Block { lifted_by, until: self.until, link }))
    }
}

/// Who can waive what a repository keeps out.
pub(super) fn lifted_by(repo: &RepoKey) -> String {
    format!("an admin of {repo}")
}
