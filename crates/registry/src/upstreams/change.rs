//! Making a remote repository and changing its upstream: what may be asked for, and what is sealed for where.

use model::state::RepoKind;
use model::{Code, Refusal, RepoId, Secret};
use serde_json::Value as Json;
use store::repositories::{Repository, UpstreamColumns};

use super::Road;
use super::address::UpstreamUrl;
use super::auth::UpstreamAuth;
use super::settings::UpstreamSettings;
use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::settings_change::with_named;

/// What is asked for of an upstream; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// Where it is.
    pub(crate) url: Option<UpstreamUrl>,
    /// Who we are to it; `Some(None)`: nobody.
    pub(crate) auth: Option<Option<UpstreamAuth>>,
}

impl Wish {
    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.url.is_none() && self.auth.is_none()
    }

    /// 400 where a repository has no upstream and one is spoken of.
    pub(crate) fn expect_none(&self, kind: RepoKind) -> Result<()> {
        let field = match (&self.url, &self.auth) {
            (Some(_), _) => "upstreamUrl",
            (None, Some(_)) => "upstreamAuth",
            (None, None) => return Ok(()),
        };
        Err(Error::bad_field(field, format!("{field} is for remote repositories, and this one is {kind}")))
    }
}

impl Registry {
    /// The columns of a remote repository to be made.
    pub(crate) fn new_upstream(
        &self,
        id: RepoId,
        wish: Wish,
        settings: &UpstreamSettings,
    ) -> Result<(UpstreamUrl, Option<Secret<Vec<u8>>>)> {
        let Some(url) = wish.url else {
            return Err(Error::bad_field(
                "upstreamUrl",
                "a remote repository needs upstreamUrl: whose packages it has",
            ));
        };
        let road = Road { repo: id, url, settings: settings.clone() };
        let auth = wish.auth.flatten().map(|auth| self.sealed(&road, &auth)).transpose()?;
        Ok((road.url, auth))
    }

    /// What changes in the columns of `repo`, and all its settings where some are `named`. Credentials that are kept
    /// never begin to go elsewhere: 409 where they would.
    pub(crate) fn changed_upstream(
        &self,
        repo: &Repository,
        wish: Wish,
        named: Option<&Json>,
    ) -> Result<(UpstreamColumns, Option<UpstreamSettings>)> {
        let before = Road::of(repo)?;
        let settings = named.map(|named| merged(&before.settings, named)).transpose()?;
        let url = wish.url.clone().unwrap_or_else(|| before.url.clone());
        let after = Road { repo: repo.id, url, settings: settings.clone().unwrap_or_else(|| before.settings.clone()) };
        if wish.auth.is_none() && repo.upstream_auth.is_some() {
            after.parts_from(&before).map_or(Ok(()), |field| Err(elsewhere(field)))?;
        }
        let auth = wish.auth.map(|auth| auth.map(|auth| self.sealed(&after, &auth)).transpose()).transpose()?;
        Ok((UpstreamColumns { url: wish.url.map(|url| url.to_string()), auth }, settings))
    }
}

fn elsewhere(field: &'static str) -> Error {
    let why = format!(
        "with another {field} the stored credentials would go another way: give upstreamAuth again in the same request, \
         or null to remove it"
    );
    Error::Refused(Refusal::new(Code::Conflict, why).about(field))
}

/// The settings with those that are named in place of theirs; null is the default.
fn merged(before: &UpstreamSettings, named: &Json) -> Result<UpstreamSettings> {
    let settings = with_named("settings.upstream", before, named)?;
    settings.check()?;
    Ok(settings)
}
