//! What was withdrawn here is served to nobody, whatever the rules say of it.

use formats::PackageAt;
use model::state::VersionState;
use model::{EntryPath, PackageName, RefName, Timestamp, VersionId};

use super::super::judge::{Rules, Verdict};
use super::super::{names_by_digest, package_given};
use super::said::unjudged;
use super::{Case, Explanation, Question};
use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::versions::format_of;

/// A version that was withdrawn.
pub(super) struct Withdrawn {
    name: String,
    /// Until when it can be restored.
    until: Option<Timestamp>,
}

/// What is here of that which is asked about.
pub(super) enum Standing {
    Unknown,
    Here,
    Withdrawn(Withdrawn),
}

impl Standing {
    pub(super) fn withdrawn(self) -> Option<Withdrawn> {
        match self {
            Self::Withdrawn(withdrawn) => Some(withdrawn),
            Self::Unknown | Self::Here => None,
        }
    }
}

impl Grant<Read> {
    /// What is said of what was withdrawn; `None`: it was not, or the caller may not know of it.
    pub(super) async fn explained_if_withdrawn(
        &self,
        rules: &Rules,
        name: &str,
        case: &Case,
        now: Timestamp,
    ) -> Result<Option<Explanation>> {
        if case.hidden {
            return Ok(None);
        }
        let of_file = match &case.path {
            Some(path) => self.file_standing(path).await?,
            None => Standing::Unknown,
        };
        let version = case.digest.map(|named| named.to_string()).or_else(|| case.version.clone());
        let standing = match (of_file, version) {
            (Standing::Unknown, Some(version)) => self.version_standing(&case.at, &version).await?,
            (known, _) => known,
        };
        let nothing = Verdict::Allow { rule: None, until: None };
        let told = |withdrawn| {
            let told = self.explained_by_name(rules, name, case, &nothing, now);
            self.of_withdrawn(told, withdrawn)
        };
        Ok(standing.withdrawn().map(told))
    }

    /// What is here of a version or a file, without a look at rules. Of a package as a whole nothing is known.
    pub(super) async fn standing_of(&self, question: &Question) -> Result<Standing> {
        match question {
            Question::Path(path) => self.file_standing(path).await,
            Question::Package(name, Some(version)) => {
                self.version_standing(&package_given(format_of(self.repo())?, name)?, version).await
            }
            Question::Package(_, None) => Ok(Standing::Unknown),
        }
    }

    pub(super) async fn file_standing(&self, path: &EntryPath) -> Result<Standing> {
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| store::locations::find(session, repo, path.as_str()).await;
        match self.store().read(look).await? {
            Some(found) => self.standing_as(found.version, found.version_name, found.state).await,
            None => Ok(Standing::Unknown),
        }
    }

    pub(super) async fn version_standing(&self, at: &PackageAt, version: &str) -> Result<Standing> {
        let Ok(name) = PackageName::parse(&at.name) else { return Ok(Standing::Unknown) };
        let (repo, namespace, name) = (self.repo_id(), at.namespace.as_str(), self.counted(&name)?);
        let tag = RefName::parse(version).ok().filter(|_| format_of(self.repo()).is_ok_and(names_by_digest));
        let look = async |session: &mut store::Session<'_>| {
            let Some(tag) = &tag else { return store::versions::at(session, repo, namespace, &name, version).await };
            let package = store::packages::find_shown(session, repo, namespace, &name, false).await?;
            let Some(package) = package else { return Ok(None) };
            match store::refs::find(session, package, tag.as_str()).await? {
                Some(found) => store::versions::find(session, repo, found.version).await,
                None => Ok(None),
            }
        };
        match self.store().read(look).await?.filter(|found| self.shows(found)) {
            Some(found) => self.standing_as(found.id, found.version, found.state).await,
            None => Ok(Standing::Unknown),
        }
    }

    async fn standing_as(&self, version: VersionId, name: String, state: VersionState) -> Result<Standing> {
        Ok(match state {
            VersionState::Draft => Standing::Unknown,
            VersionState::Published => Standing::Here,
            VersionState::Collected => Standing::Withdrawn(Withdrawn { name, until: None }),
            VersionState::Tombstoned => {
                let look = async |session: &mut store::Session<'_>| store::tombstones::in_force(session, version).await;
                let now = self.ambient().now();
                let until = self.store().read(look).await?.map(|found| found.retain_until).filter(|until| now < *until);
                Standing::Withdrawn(Withdrawn { name, until })
            }
        })
    }

    /// The same explanation, of what was withdrawn: nothing but restoring it brings it back.
    pub(super) fn of_withdrawn(&self, told: Explanation, withdrawn: Withdrawn) -> Explanation {
        let (key, Withdrawn { name, until }) = (&self.repo().key, withdrawn);
        let what = format!("{} {name} was withdrawn from {key}", told.name);
        let (detail, lifted_by) = match until {
            Some(until) => (
                format!("{what} and can be restored until {}", until.to_seconds()),
                Some(format!("whoever may promote in {key}")),
            ),
            None => (what, None),
        };
        Explanation { version: Some(name), verdict: "deny", detail, until: None, lifted_by, is_refused: true, ..told }
    }

    /// The same, where no rules decide.
    pub(super) fn unruled_withdrawn(&self, question: &Question, withdrawn: Withdrawn) -> Explanation {
        self.of_withdrawn(unjudged(question, "deny", String::new()), withdrawn)
    }
}
