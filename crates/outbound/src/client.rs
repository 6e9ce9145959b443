//! A client of one server.

use std::time::Duration;

use model::{Ambient, Secret};
use reqwest::{Method, Proxy, Url};

use crate::address;
use crate::error::Error;
use crate::proxies::Proxies;
use crate::request::Request;
use crate::retry::Retry;
use crate::trust::Trust;

/// What we call ourselves, unless told otherwise.
pub(crate) const USER_AGENT: &str = concat!("artifortress/", env!("CARGO_PKG_VERSION"));

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's base address.
    pub base: String,
    /// The bearer token; it goes to the base's origin only.
    pub token: Option<Secret<String>>,
    /// Whom we believe.
    pub trust: Trust,
    /// Proxies on the way.
    pub proxies: Proxies,
    /// How failed calls are repeated.
    pub retry: Retry,
    /// How long nothing may move before a call is given up.
    pub patience: Duration,
    /// What we call ourselves.
    pub user_agent: String,
}

impl Settings {
    /// The usual settings for the server at `base`, without a token.
    pub fn new(base: impl Into<String>) -> Self {
        Self {
            base: base.into(),
            token: None,
            trust: Trust::default(),
            proxies: Proxies::default(),
            retry: Retry::default(),
            patience: Duration::from_secs(60),
            user_agent: USER_AGENT.to_owned(),
        }
    }
}

/// A client of one server; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    pub(crate) token: Option<Secret<String>>,
    pub(crate) retry: Retry,
    pub(crate) patience: Duration,
    pub(crate) ambient: Ambient,
}

impl Client {
    /// Checks the settings and sets up TLS; connects to nothing yet.
    pub fn new(settings: Settings, ambient: Ambient) -> Result<Self, Error> {
        let base = address::base(&settings.base)?;
        let proxies = settings.proxies.for_others().read()?;
        let builder = builder(settings.trust.tls(None)?, proxies, settings.user_agent);
        let http = build(builder.connect_timeout(Duration::from_secs(10)))?;
        let Settings { token, retry, patience, .. } = settings;
        Ok(Self { http, base, token, retry, patience, ambient })
    }

    /// The server's base address, without a slash at its end.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The same client without credentials.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same client, with other repeats.
    #[must_use]
    pub fn with_retry(&self, retry: Retry) -> Self {
        Self { retry, ..self.clone() }
    }

    /// A call. `target` is an encoded path beneath the base (see [`crate::path`]), or a whole URL that
    /// the server named; the token goes along only where the origin is the base's.
    pub fn request(&self, method: Method, target: &str) -> Request {
        Request::new(self.clone(), method, address::under(&self.base, target))
    }

    /// `GET target`.
    pub fn get(&self, target: &str) -> Request {
        self.request(Method::GET, target)
    }

    /// `HEAD target`.
    pub fn head(&self, target: &str) -> Request {
        self.request(Method::HEAD, target)
    }

    /// `POST target`.
    pub fn post(&self, target: &str) -> Request {
        self.request(Method::POST, target)
    }

    /// `PUT target`.
    pub fn put(&self, target: &str) -> Request {
        self.request(Method::PUT, target)
    }

    /// `PATCH target`.
    pub fn patch(&self, target: &str) -> Request {
        self.request(Method::PATCH, target)
    }

    /// `DELETE target`.
    pub fn delete(&self, target: &str) -> Request {
        self.request(Method::DELETE, target)
    }
}

/// What every client of ours begins with. Redirects are followed by hand, where we know who may see
/// credentials. HTTP/1.1, because bulk transfers over several connections beat streams that share one window.
pub(crate) fn builder(tls: rustls::ClientConfig, proxies: Vec<Proxy>, user_agent: String) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .no_proxy()
        .tcp_nodelay(true)
        .user_agent(user_agent);
    proxies.into_iter().fold(builder, reqwest::ClientBuilder::proxy)
}

/// The client, or why there can be none.
pub(crate) fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Error> {
    builder.build().map_err(|error| Error::Trust(format!("the client cannot be set up: {error}")))
}
