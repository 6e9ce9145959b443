//! Reading from an upstream: somebody else's registry, which may lie, stall, or point at our own network.

mod breaker;
mod challenge;
mod coding;
mod credentials;
mod exchange;
mod failure;
mod gate;
mod peek;
mod reply;
mod resolver;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;
mod walls;

use std::sync::Arc;

use model::Ambient;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, Proxy, Url};

use breaker::Breakers;
use challenge::Challenge;
use credentials::Bound;
pub use credentials::Credentials;
pub use failure::Failure;
use gate::Gate;
pub use peek::Peeked;
use reply::Terms;
pub use reply::{Found, Reply};
use resolver::{Lookup, Resolver, Ways};
pub use settings::{Limits, Question, UpstreamSettings};
use tokens::Tokens;
pub use walls::Walls;

use crate::address::origin;
use crate::address::{self, same_origin};
use crate::client::{build, builder};
use crate::error::Error;
use crate::redirect;

/// An upstream: one address, with its credentials, trust, proxy and limits. Cheap to clone; clones share the
/// bounds, the breakers and the tokens.
#[derive(Clone)]
pub struct Upstream(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    resolver: Resolver,
    bound: Bound,
    limits: Limits,
    gate: Gate,
    breakers: Breakers,
    tokens: Tokens,
    ambient: Ambient,
}

/// One request of a chain: the same for each hop but for its address.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    /// Whether an open breaker is tried.
    pub(crate) anyway: bool,
}

impl Upstream {
    /// Checks the settings and sets up TLS; connects to nothing yet.
    pub fn new(settings: UpstreamSettings, ambient: Ambient) -> Result<Self, Error> {
        Self::with_lookup(settings, ambient, resolver::system())
    }

    fn with_lookup(settings: UpstreamSettings, ambient: Ambient, lookup: Lookup) -> Result<Self, Error> {
        let UpstreamSettings { walls, limits, .. } = settings;
        let address = address::base(&settings.address)?;
        let realm = settings.realm.as_deref().map(address::base).transpose()?;
        let (proxies, ways) = match &settings.proxy {
            Some(own) => own_proxy(own.expose())?,
            None => (settings.proxies.read()?, Ways { system: settings.proxies.hosts(), own: None }),
        };
        let resolver = Resolver::new(lookup, walls, ways);
        let tls = settings.trust.tls(settings.extra_ca.as_deref())?;
        let builder = builder(tls, proxies, settings.user_agent)
            .connect_timeout(limits.connect)
            .dns_resolver(Arc::new(resolver.clone()))
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd();
        let gate = Gate::new(origin(&address), limits.at_once, limits.wait, limits.rate);
        let bound = Bound::new(address, realm, settings.credentials.as_ref())?;
        let (breakers, tokens) = (Breakers::new(ambient.clone()), Tokens::default());
        Ok(Self(Arc::new(Inner { http: build(builder)?, resolver, bound, limits, gate, breakers, tokens, ambient })))
    }

    /// Asks. It changes nothing there. What cannot be had is [`Reply::Missing`] only where the upstream says so.
    pub async fn ask(&self, question: Question<'_>) -> Result<Reply, Failure> {
        let own = &*self.0;
        let url = own.target(question.target)?;
        let call = call(&question)?;
        own.breakers.check(&origin(&url))?;
        let place = own.gate.enter().await?;
        let (response, url) = own.follow(&call, url).await?;
        match response.status().as_u16() {
            200 => {
                let Question { compressed, most, head, .. } = question;
                let terms = Terms { compressed, most, head };
                Ok(Reply::Found(Box::new(Found::new(response, url, &terms, &own.limits, place)?)))
            }
            304 if question.etag.is_some() => Ok(Reply::Unchanged(url.into())),
            404 | 410 => Ok(Reply::Missing),
            status => Err(Failure::status(origin(&url), status, own.after(&response))),
        }
    }
}

impl Upstream {
    /// How long to wait before asking again after a failure: as the upstream wants it, or until the breaker that it
    /// opened lets the next question through; five minutes at most. `None`: nobody knows.
    pub fn wait(&self, failure: &Failure) -> Option<std::time::Duration> {
        let (own, now) = (&*self.0, self.0.ambient.now());
        let open = failure.origin().and_then(|origin| own.breakers.check(origin).err());
        failure.wait(now).max(open.and_then(|open| open.wait(now)))
    }

    /// What all addresses begin with that are its own.
    pub fn base(&self) -> String {
        self.0.base()
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upstream({})", origin(&self.0.bound.address))
    }
}

impl Inner {
    fn base(&self) -> String {
        format!("{}/", self.bound.address.as_str().trim_end_matches('/'))
    }

    /// The address of a target. A path stays beneath the upstream's address.
    fn target(&self, target: &str) -> Result<Url, Failure> {
        let unreadable = || Failure::Broken("an address to read from cannot be understood".to_owned());
        if has_scheme(target) {
            return Url::parse(target).map_err(|_| unreadable());
        }
        let base = self.base();
        let url = Url::parse(&format!("{base}{target}")).map_err(|_| unreadable())?;
        if url.as_str().starts_with(&base) { Ok(url) } else { Err(unreadable()) }
    }

    /// Follows redirects to an answer, and says where it came from.
    async fn follow(&self, call: &Call, mut url: Url) -> Result<(reqwest::Response, Url), Failure> {
        let mut left = false;
        for _ in 0..=redirect::MOST {
            let home = same_origin(&self.bound.address, &url);
            left |= !home;
            // Whoever sends us back to our upstream may not choose what our credentials open there.
            let response = match home && left {
                true => self.exchange(call, &url, None).await?,
                false => self.authorized(call, &url).await?,
            };
            match redirect::next(&url, &response)? {
                Some(next) => url = next,
                None => return Ok((response, url)),
            }
        }
        Err(Failure::Broken(format!("{} redirects without end", origin(&self.bound.address))))
    }

    /// One hop, with what may go along to its origin; again with a token, where that is what it wants to see.
    async fn authorized(&self, call: &Call, url: &Url) -> Result<reqwest::Response, Failure> {
        let held = self.tokens.known(url, self.ambient.now());
        let shown = match &held {
            Some(token) => Some(crate::request::bearer(token)?),
            None => self.bound.to(url),
        };
        let response = self.exchange(call, url, shown).await?;
        if response.status().as_u16() != 401 {
            return Ok(response);
        }
        let wanted = response.headers().get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = Challenge::read(wanted) else { return Ok(response) };
        drop(response);
        let token = self.token(url, challenge, held.as_ref(), call.anyway).await?;
        self.exchange(call, url, Some(crate::request::bearer(&token)?)).await
    }
}

fn has_scheme(target: &str) -> bool {
    let begins = |scheme: &str| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins("http://") || begins("https://")
}

fn call(question: &Question<'_>) -> Result<Call, Failure> {
    let mut headers = HeaderMap::new();
    let coding = if question.compressed { "gzip" } else { "identity" };
    let mut set = |name: HeaderName, value: &str| {
        let value = HeaderValue::try_from(value);
        let value = value.map_err(|_| Failure::Broken(format!("the header {name} cannot be sent with this value")))?;
        headers.insert(name, value);
        Ok::<_, Failure>(())
    };
    set(ACCEPT_ENCODING, coding)?;
    set(ACCEPT, if question.accept.is_empty() { "*/*" } else { question.accept })?;
    question.etag.map_or(Ok(()), |etag| set(IF_NONE_MATCH, etag))?;
    Ok(Call { method: if question.head { Method::HEAD } else { Method::GET }, headers, anyway: false })
}

/// The one proxy of an upstream.
fn own_proxy(address: &str) -> Result<(Vec<Proxy>, Ways), Error> {
    let refused =
        || Error::Address("the proxy's address must begin with http:// or https:// and name a host".to_owned());
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(refused)?;
    url.host_str().ok_or_else(refused)?;
    let proxy = Proxy::all(url.clone()).map_err(|_| refused())?;
    Ok((vec![proxy], Ways { system: Vec::new(), own: Some(url) }))
}
