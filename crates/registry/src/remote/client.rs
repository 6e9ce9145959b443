//! The client of an upstream, as a repository's settings have it.

use std::num::NonZeroU32;
use std::time::Duration;

use model::{Code, Secret};
use outbound::{Credentials, Limits, Upstream, Walls};

use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::upstreams::{UpstreamLogin, UpstreamOf};

/// Connects to nothing yet. 503 when the settings cannot be used.
pub(super) fn of(registry: &Registry, of: &UpstreamOf, format: &dyn formats::Upstream) -> Result<Upstream> {
    let (outside, settings) = (&registry.settings().outside, &of.settings);
    let patience = Duration::from_secs(settings.timeout_seconds.into());
    let upstream = outbound::UpstreamSettings {
        credentials: of.auth.as_ref().map(|auth| credentials(&auth.login)),
        realm: of.auth.as_ref().and_then(|auth| auth.realm.as_ref()).map(|realm| realm.as_str().to_owned()),
        walls: Walls { private: outside.private.clone() },
        trust: outside.trust.clone(),
        extra_ca: settings.extra_ca.clone(),
        proxies: outside.proxies.clone(),
        proxy: settings.proxy.as_ref().map(|proxy| Secret::new(proxy.as_str().to_owned())),
        limits: Limits {
            answer: patience,
            stall: patience,
            at_once: usize::try_from(settings.connections).unwrap_or(usize::MAX),
            rate: NonZeroU32::new(settings.requests_per_second),
            ..Limits::default()
        },
        ..outbound::UpstreamSettings::new(format.root(of.url.as_str()))
    };
    Upstream::new(upstream, registry.ambient().clone())
        .map_err(|error| Error::refuse(Code::ServiceUnavailable, format!("the upstream cannot be asked: {error}")))
}

fn credentials(login: &UpstreamLogin) -> Credentials {
    match login {
        UpstreamLogin::Basic { user, password } => {
            Credentials::Basic { user: user.clone(), password: password.clone() }
        }
        UpstreamLogin::Bearer { token } => Credentials::Bearer(token.clone()),
    }
}
