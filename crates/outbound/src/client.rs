//! A client of one server.

use std::time::Duration;

use model::{Ambient, Secret};
use reqwest::{Method, NoProxy, Proxy, Url};

use crate::address;
use crate::error::Error;
use crate::request::Request;
use crate::retry::Retry;
use crate::trust::Trust;

/// What we call ourselves, unless told otherwise.
pub(crate) const USER_AGENT: &str = concat!("artifortress/", env!("CARGO_PKG_VERSION"));

/// Proxies between us and the servers; the values of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// For `http` addresses.
    pub http: Option<String>,
    /// For `https` addresses.
    pub https: Option<String>,
    /// Hosts and networks that are reached without a proxy.
    pub except: Option<String>,
}

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

/// This machine, as `NO_PROXY` has it.
const HERE: &str = "localhost,127.0.0.0/8,::1";

impl Proxies {
    /// The same for servers elsewhere: what is on this machine is reached without a proxy.
    fn for_others(&self) -> Self {
        let except = self.except.as_ref().map_or(HERE.to_owned(), |except| format!("{except},{HERE}"));
        Self { except: Some(except), ..self.clone() }
    }

    /// The proxies' hosts. As everywhere, an address without a scheme is one of `http`.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let host = |text: &String| {
            let whole = Url::parse(text).ok().filter(Url::has_host);
            whole.or_else(|| Url::parse(&format!("http://{text}")).ok())?.host_str().map(str::to_owned)
        };
        self.http.iter().chain(&self.https).filter_map(host).collect()
    }

    /// As the library wants them.
    pub(crate) fn read(&self) -> Result<Vec<Proxy>, Error> {
        let except = self.except.as_deref().and_then(NoProxy::from_string);
        let http = self.http.as_deref().map(Proxy::http);
        let https = self.https.as_deref().map(Proxy::https);
        let named = http.into_iter().chain(https);
        let refused = |_| Error::Address("the proxy's address cannot be read".to_owned());
        named.map(|proxy| proxy.map(|proxy| proxy.no_proxy(except.clone())).map_err(refused)).collect()
    }
}
