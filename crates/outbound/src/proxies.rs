//! Proxies between us and the servers, and what is reached without one.

use std::sync::Arc;

use model::Network;
use reqwest::{Proxy, Url};

use crate::address;
use crate::error::Error;

/// This machine, as `NO_PROXY` has it.
const HERE: &str = "localhost,127.0.0.0/8,::1";

/// Proxies between us and the servers; the values of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// For `http` addresses.
    pub http: Option<String>,
    /// For `https` addresses.
    pub https: Option<String>,
    /// Hosts and networks that are reached without a proxy, with commas between; `host:port` means that port alone.
    pub except: Option<String>,
}

impl Proxies {
    /// The same for servers elsewhere: what is on this machine is reached without a proxy.
    pub(crate) fn for_others(&self) -> Self {
        let except = self.except.as_ref().map_or(HERE.to_owned(), |except| format!("{except},{HERE}"));
        Self { except: Some(except), ..self.clone() }
    }

    /// The proxies' hosts.
    pub(crate) fn hosts(&self) -> Vec<String> {
        self.http.iter().chain(&self.https).filter_map(|text| read(text)?.host_str().map(str::to_owned)).collect()
    }

    /// As the library wants them. It knows exceptions without ports alone, so they are ours.
    pub(crate) fn read(&self) -> Result<Vec<Proxy>, Error> {
        let except: Arc<[Exception]> =
            self.except.iter().flat_map(|list| list.split(',')).filter_map(Exception::read).collect();
        let refused = || Error::Address("the proxy's address cannot be read".to_owned());
        let mut proxies = Vec::new();
        for (scheme, text) in [("http", &self.http), ("https", &self.https)] {
            let Some(text) = text else { continue };
            let (proxy, except) = (read(text).ok_or_else(refused)?, Arc::clone(&except));
            proxies.push(Proxy::custom(move |url| {
                let through = url.scheme() == scheme && !except.iter().any(|one| one.matches(url));
                through.then(|| proxy.clone())
            }));
        }
        Ok(proxies)
    }
}

/// A proxy's address. As everywhere, one without a scheme is one of `http`.
fn read(text: &str) -> Option<Url> {
    let whole = Url::parse(text).ok().filter(Url::has_host);
    whole.or_else(|| Url::parse(&format!("http://{text}")).ok())
}

/// What is reached without a proxy.
struct Exception {
    host: Host,
    /// `None`: whatever the port is.
    port: Option<u16>,
}

enum Host {
    Every,
    Network(Network),
    /// A name, in small letters, and all beneath it.
    Domain(String),
}

impl Exception {
    /// An entry of `NO_PROXY`; `None` for an empty one.
    fn read(entry: &str) -> Option<Self> {
        let entry = entry.trim();
        // An address of version 6 is full of colons.
        let port = entry.rsplit_once(':').filter(|_| entry.parse::<Network>().is_err());
        let (host, port) = match port.and_then(|(host, port)| Some((host, port.parse().ok()?))) {
            Some((host, port)) => (host, Some(port)),
            None => (entry, None),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let host = match bare.parse() {
            _ if host.is_empty() => return None,
            _ if host == "*" => Host::Every,
            Ok(network) => Host::Network(network),
            Err(_) => Host::Domain(host.strip_prefix("*.").unwrap_or(host).trim_matches('.').to_lowercase()),
        };
        Some(Self { host, port })
    }

    fn matches(&self, url: &Url) -> bool {
        if self.port.is_some() && self.port != url.port_or_known_default() {
            return false;
        }
        let name = url.host_str().unwrap_or_default().trim_end_matches('.');
        match (&self.host, address::literal(url)) {
            (Host::Every, _) => true,
            (Host::Network(network), Some(address)) => network.contains(address),
            (Host::Domain(domain), None) => {
                name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excepted(list: &str, url: &str) -> bool {
        let url = Url::parse(url).expect("an address");
        list.split(',').filter_map(Exception::read).any(|one| one.matches(&url))
    }

    #[test]
    fn an_entry_with_a_port_is_for_that_port_alone() {
        for (list, inside, outside) in [
            ("a.test:8443", "https://a.test:8443", "https://a.test"),
            ("a.test:443", "https://a.test", "http://a.test"),
            ("b.test, A.test:80", "http://a.test", "http://a.test:8080"),
            (".a.test:80", "http://x.a.test", "http://x.a.test:81"),
            ("10.0.0.1:81", "http://10.0.0.1:81", "http://10.0.0.1"),
            ("10.0.0.0/8:81", "http://10.2.3.4:81", "http://10.2.3.4"),
            ("[fd00::1]:81", "http://[fd00::1]:81", "http://[fd00::1]"),
            ("*:81", "http://a.test:81", "http://a.test"),
        ] {
            assert!(excepted(list, inside), "{list} {inside}");
            assert!(!excepted(list, outside), "{list} {outside}");
        }
    }

    #[test]
    fn an_entry_without_a_port_is_for_every_port() {
        for (list, inside, outside) in [
            ("a.test", "http://a.test:81", "http://ba.test"),
            ("a.test", "http://x.a.test.", "http://a.test.b.test"),
            (".A.test", "http://x.a.test", "http://a.tests"),
            ("*.a.test", "http://x.a.test", "http://test"),
            ("10.0.0.0/8", "http://10.2.3.4:81", "http://11.2.3.4"),
            ("::1", "http://[::1]:81", "http://[::2]"),
            ("[::1]", "http://[::1]", "http://127.0.0.1"),
            ("127.0.0.0/8", "http://0x7f.1", "http://a.test"),
        ] {
            assert!(excepted(list, inside), "{list} {inside}");
            assert!(!excepted(list, outside), "{list} {outside}");
        }
        assert!(excepted("b.test, *", "http://a.test"));
        assert!(!excepted(" ,, :80,.", "http://a.test"));
    }
}
