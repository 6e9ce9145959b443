//! The upstreams of remote repositories: where they are, who we are to them, how they are treated. What is read from
//! them is elsewhere.

mod address;
mod auth;
mod change;
mod eviction;
mod settings;

use model::state::RepoKind;
use model::{Code, RepoId, RepoKey, Role, Secret};
use store::repositories::{Repository, list};

pub use address::{Origin, UpstreamUrl};
pub use auth::{ShownAuth, UpstreamAuth, UpstreamLogin};
pub(crate) use change::Wish;
pub use eviction::{Eviction, RemoteSettings};
pub use settings::UpstreamSettings;

use crate::call::Call;
use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::repositories::RepoSettings;
pub use crate::seal::Sealed;

/// Repositories looked at at once.
const PAGE: u32 = 200;

/// What is needed to ask the upstream of a repository.
#[derive(Clone, Debug)]
pub struct UpstreamOf {
    /// Where it is.
    pub url: UpstreamUrl,
    /// Who we are to it.
    pub auth: Option<UpstreamAuth>,
    /// How it is treated.
    pub settings: UpstreamSettings,
}

/// The way that credentials go: changing any of it needs them anew.
pub(crate) struct Road {
    repo: RepoId,
    url: UpstreamUrl,
    settings: UpstreamSettings,
}

impl Road {
    /// That of a remote repository.
    fn of(repo: &Repository) -> Result<Self> {
        let url = repo.upstream_url.as_deref().map(UpstreamUrl::parse);
        let Some(Ok(url)) = url else { return Err(Error::Defect(format!("{} has no upstream", repo.key))) };
        let settings = RepoSettings::of(repo)?.upstream.unwrap_or_default();
        Ok(Self { repo: repo.id, url, settings })
    }

    /// For what credentials are sealed: this repository, this origin, and what could put itself in between.
    fn place(&self) -> Vec<u8> {
        let mut place = self.repo.0.as_bytes().to_vec();
        for part in self.parts() {
            place.extend_from_slice(&(part.len() as u64).to_le_bytes());
            place.extend_from_slice(part.as_bytes());
        }
        place
    }

    fn parts(&self) -> [&str; 3] {
        let proxy = self.settings.proxy.as_ref().map_or("", UpstreamUrl::as_str);
        [self.url.origin().as_str(), proxy, self.settings.extra_ca.as_deref().unwrap_or_default()]
    }

    /// The first field in which both lead elsewhere.
    fn parts_from(&self, other: &Self) -> Option<&'static str> {
        let names = ["upstreamUrl", "settings.upstream.proxy", "settings.upstream.extraCa"];
        let differ = self.parts().into_iter().zip(other.parts()).position(|(one, two)| one != two);
        differ.and_then(|index| names.get(index).copied())
    }
}

impl Registry {
    /// How the upstream of a remote repository is asked. 503 when its credentials cannot be opened: without them it
    /// would be asked as somebody else.
    pub fn upstream_of(&self, repo: &Repository) -> Result<UpstreamOf> {
        let road = Road::of(repo)?;
        let auth = self.opened(repo, &road).transpose().map_err(|why| {
            tracing::warn!(repository = %repo.key, "the credentials for the upstream cannot be opened: they {why}");
            let why = format!("the credentials for the upstream of {} cannot be opened: they {why}", repo.key);
            Error::refuse(Code::ServiceUnavailable, why)
        })?;
        Ok(UpstreamOf { url: road.url, auth, settings: road.settings })
    }

    /// The remote repositories whose credentials cannot be opened, and why not; for the operator.
    pub async fn closed_upstreams(&self) -> Result<Vec<(RepoKey, Sealed)>> {
        let (tenant, mut after, mut closed) = (self.tenant(), String::new(), Vec::new());
        loop {
            let page = self.store().read(async |session| list(session, tenant, &after, PAGE).await).await?;
            let Some(last) = page.last() else { return Ok(closed) };
            last.key.as_str().clone_into(&mut after);
            for repo in page.iter().filter(|repo| repo.kind == RepoKind::Remote) {
                let why = self.opened(repo, &Road::of(repo)?).and_then(std::result::Result::err);
                closed.extend(why.map(|why| (repo.key.clone(), why)));
            }
        }
    }

    fn opened(&self, repo: &Repository, road: &Road) -> Option<std::result::Result<UpstreamAuth, Sealed>> {
        let sealed = repo.upstream_auth.as_ref()?;
        let opened = self.inner.seal.open(&road.place(), sealed.expose());
        Some(opened.and_then(|text| UpstreamAuth::from_text(&text).ok_or(Sealed::Elsewhere)))
    }

    fn sealed(&self, road: &Road, auth: &UpstreamAuth) -> Result<Secret<Vec<u8>>> {
        let sealed = self.inner.seal.seal(self.ambient(), &road.place(), &auth.to_text());
        sealed.map(Secret::new).ok_or_else(|| Error::Defect("credentials cannot be sealed".to_owned()))
    }
}

impl Call {
    /// The settings of a repository as this caller may see them, and the credentials for its upstream without what is
    /// secret. How the upstream is reached, who we are to it, and members that he may not read are for those who may change
    /// it.
    pub async fn settings_of(&self, repo: &Repository) -> Result<(RepoSettings, Option<ShownAuth>)> {
        let mut settings = RepoSettings::of(repo)?;
        if let Some(together) = settings.virtual_.take() {
            settings.virtual_ = Some(self.virtual_settings_of(repo, together).await?);
        }
        if repo.kind != RepoKind::Remote {
            return Ok((settings, None));
        }
        if !self.may(repo, Role::Admin) {
            return Ok((RepoSettings { upstream: None, ..settings }, None));
        }
        let shown = self.registry.opened(repo, &Road::of(repo)?).map(|opened| match opened {
            Ok(auth) => auth.shown(),
            Err(why) => ShownAuth::Closed { problem: format!("these credentials {why}: {}", why.help()) },
        });
        Ok((settings, shown))
    }
}
