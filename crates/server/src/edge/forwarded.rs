//! Who the client is when proxies stand between: believed only as far as the proxies are trusted.
//!
//! The list of addresses is walked from the right, the end that the nearest proxy wrote, over trusted
//! hops; the first address that is not trusted is the client. Anything unreadable ends the walk at the
//! hop that handed it over.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use super::config::Forwarding;
use super::context::is_host;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What the headers of a trusted peer say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) client: IpAddr,
    pub(crate) https: Option<bool>,
    pub(crate) host: Option<HeaderValue>,
}

/// Reads the forwarded headers, or only the peer when it is not trusted.
pub(crate) fn origin(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], kind: Forwarding) -> Origin {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return Origin { client: peer, https: None, host: None };
    }
    match kind {
        Forwarding::XForwarded => Origin {
            client: walk(peer, trusted, lines(headers, &FOR).map(address)),
            https: last(headers, &PROTO).and_then(scheme),
            host: last(headers, &HOST).and_then(host),
        },
        Forwarding::Rfc7239 => Origin {
            client: walk(peer, trusted, lines(headers, &header::FORWARDED).map(|e| address(parameter(e, "for")?))),
            https: last(headers, &header::FORWARDED).and_then(|e| scheme(parameter(e, "proto")?)),
            host: last(headers, &header::FORWARDED).and_then(|e| host(parameter(e, "host")?)),
        },
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

fn walk(peer: IpAddr, trusted: &[IpNet], hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
    let mut client = peer;
    for hop in hops {
        let Some(hop) = hop else { break };
        client = hop;
        if !is_trusted(hop, trusted) {
            break;
        }
    }
    client
}

/// The elements of a list header, last first, over all its lines. An unreadable line is one unreadable element.
fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
    values.into_iter().rev().flat_map(|value| value.to_str().unwrap_or("?").rsplit(',').map(str::trim))
}

fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    lines(headers, name).next()
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

fn scheme(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("https") {
        Some(true)
    } else if text.eq_ignore_ascii_case("http") {
        Some(false)
    } else {
        None
    }
}

fn host(text: &str) -> Option<HeaderValue> {
    (!text.is_empty() && is_host(text.as_bytes())).then(|| HeaderValue::from_str(text).ok()).flatten()
}

/// A parameter of one `Forwarded` element; quotes are taken off, escapes are not accepted.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nets() -> Vec<IpNet> {
        vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]
    }

    fn ask(peer: &str, pairs: &[(&'static str, &'static str)], kind: Forwarding) -> Origin {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        origin(peer.parse().unwrap(), &headers, &nets(), kind)
    }

    fn client(peer: &str, pairs: &[(&'static str, &'static str)]) -> String {
        ask(peer, pairs, Forwarding::XForwarded).client.to_string()
    }

    #[test]
    fn an_untrusted_peer_is_not_believed() {
        let told = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil")];
        let origin = ask("192.0.2.1", &told, Forwarding::XForwarded);
        assert_eq!(origin, Origin { client: "192.0.2.1".parse().unwrap(), https: None, host: None });
    }

    #[test]
    fn the_walk_goes_from_the_right_over_trusted_hops() {
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.1.1.1, 10.0.0.2")]), "1.1.1.1");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "10.0.0.9, 10.0.0.2")]), "10.0.0.9");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, junk")]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, junk, 10.0.0.2")]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "[2001:db8::1]:443")]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "::ffff:1.1.1.1")]), "1.1.1.1");
        assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", "1.1.1.1:99")]), "1.1.1.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn only_the_configured_header_is_read() {
        let both = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=2.2.2.2;proto=https;host=a.example")];
        assert_eq!(client("10.0.0.1", &both), "1.1.1.1");
        let origin = ask("10.0.0.1", &both, Forwarding::Rfc7239);
        assert_eq!(origin.client.to_string(), "2.2.2.2");
        assert_eq!((origin.https, origin.host), (Some(true), Some(HeaderValue::from_static("a.example"))));
    }

    #[test]
    fn forwarded_elements_are_read_with_quotes_and_ports() {
        let quoted = [("forwarded", "for=6.6.6.6, For=\"[2001:db8::7]:1234\";Proto=http")];
        assert_eq!(ask("10.0.0.1", &quoted, Forwarding::Rfc7239).client.to_string(), "2001:db8::7");
        let hidden = [("forwarded", "for=1.1.1.1, for=unknown")];
        assert_eq!(ask("10.0.0.1", &hidden, Forwarding::Rfc7239).client.to_string(), "10.0.0.1");
    }

    #[test]
    fn a_forwarded_host_must_look_like_one() {
        let bad = [("x-forwarded-host", "a/b@c"), ("x-forwarded-proto", "gopher")];
        let origin = ask("10.0.0.1", &bad, Forwarding::XForwarded);
        assert_eq!((origin.https, origin.host), (None, None));
    }

    proptest! {
        /// What a stranger writes in front changes nothing of what the nearest proxy says.
        #[test]
        fn the_last_hop_wins_whatever_stands_before_it(before in "[ -~]{0,40}", peer in prop::sample::select(vec!["10.0.0.1", "192.0.2.1"])) {
            let hop = format!("{before}, 1.1.1.1");
            let element = format!("{before}, for=1.1.1.1;proto=https");
            let mut headers = HeaderMap::new();
            headers.append(FOR.clone(), HeaderValue::try_from(&hop).unwrap());
            headers.append(header::FORWARDED, HeaderValue::try_from(&element).unwrap());
            let client = if peer == "10.0.0.1" { "1.1.1.1" } else { peer };
            for kind in [Forwarding::XForwarded, Forwarding::Rfc7239] {
                prop_assert_eq!(origin(peer.parse().unwrap(), &headers, &nets(), kind).client.to_string(), client);
            }
        }

        #[test]
        fn no_value_panics(value in "[ -~]{0,60}") {
            let mut headers = HeaderMap::new();
            for name in [&FOR, &PROTO, &HOST, &header::FORWARDED] {
                headers.append(name.clone(), HeaderValue::try_from(&value).unwrap());
            }
            for kind in [Forwarding::XForwarded, Forwarding::Rfc7239] {
                let told = origin("10.0.0.1".parse().unwrap(), &headers, &nets(), kind);
                prop_assert!(told.host.is_none_or(|host| is_host(host.as_bytes())));
            }
        }
    }
}
