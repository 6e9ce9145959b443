//! Proxies: those of the system may be anywhere; those of an upstream, and what any of them is sent to, may not.

use model::{Ambient, Secret};

use super::{fails, found, names};
use crate::Proxies;
use crate::fake::{Fake, Seen, answer};
use crate::upstream::{Failure, Upstream, UpstreamSettings};

/// `public.test` is outside, `inner.test` and the proxy inside, others are unknown to us.
fn through(settings: UpstreamSettings) -> Upstream {
    let lookup = names(|name| match name {
        "public.test" => vec!["9.9.9.9".parse().expect("an address")],
        "mixed.test" => ["9.9.9.9", "10.0.0.1"].map(|text| text.parse().expect("an address")).to_vec(),
        "inner.test" | "proxy.test" => vec!["127.0.0.1".parse().expect("an address")],
        _ => Vec::new(),
    });
    Upstream::with_lookup(settings, Ambient::system(), lookup).expect("an upstream")
}

const OUTSIDE: [&str; 2] =
    ["GET http://public.test/x HTTP/1.1\r\n", "GET http://only-the-proxy-knows.test/x HTTP/1.1\r\n"];

#[tokio::test]
async fn the_systems_proxy_may_be_inside_and_its_targets_not() {
    let proxy = Fake::start(|_, _: &Seen| answer(200, "", "there")).await;
    for host in [format!("user:secret@127.0.0.1:{}", proxy.port), format!("proxy.test:{}", proxy.port)] {
        let (before, proxies) = (proxy.seen().len(), Proxies { http: Some(host), ..Proxies::default() });
        let upstream = through(UpstreamSettings { proxies, ..UpstreamSettings::new("http://public.test") });
        found(&upstream, "x").await;
        found(&upstream, "http://only-the-proxy-knows.test/x").await;
        let forbidden =
            ["inner.test", "mixed.test", "proxy.test", "127.0.0.1", "10.0.0.1", "0x7f.1", "[::1]", "inner.test:81"];
        for host in forbidden {
            let failure = fails(&upstream, &format!("http://{host}/x")).await;
            assert!(matches!(failure, Failure::Forbidden { .. }), "{host}: {failure:?}");
        }
        let seen = proxy.seen().split_off(before);
        assert_eq!(seen.iter().map(|seen| seen.line.as_str()).collect::<Vec<_>>(), OUTSIDE);
    }
    assert!(proxy.seen()[0].header("proxy-authorization").is_some());
}

/// Whoever may set up a repository names it, and must not reach with it what the walls keep from everybody.
#[tokio::test]
async fn an_upstreams_own_proxy_is_within_the_walls() {
    let proxy = Fake::start(|_, _: &Seen| answer(200, "", "there")).await;
    for host in ["proxy.test", "127.0.0.1", "0x7f.1"] {
        let own = Some(Secret::new(format!("http://user:secret@{host}:{}", proxy.port)));
        let usual = UpstreamSettings { proxy: own, ..UpstreamSettings::new("http://public.test") };
        let before = proxy.seen().len();
        for target in ["x", "http://only-the-proxy-knows.test/x"] {
            let failure = fails(&through(usual.clone()), target).await;
            let told = matches!(&failure, Failure::Forbidden { host, .. } if host.starts_with("the proxy "));
            assert!(told && !failure.to_string().contains("secret"), "{host}: {failure:?}");
        }
        assert_eq!(proxy.seen().len(), before);
        let open = through(UpstreamSettings { walls: super::walls(&["127.0.0.1"]), ..usual });
        found(&open, "x").await;
        found(&open, "http://only-the-proxy-knows.test/x").await;
        for host in ["mixed.test", "10.0.0.1", "[::1]"] {
            let failure = fails(&open, &format!("http://{host}/x")).await;
            assert!(matches!(failure, Failure::Forbidden { .. }), "{host}: {failure:?}");
        }
        let seen = proxy.seen().split_off(before);
        assert_eq!(seen.iter().map(|seen| seen.line.as_str()).collect::<Vec<_>>(), OUTSIDE);
    }
}

#[tokio::test]
async fn what_goes_past_the_proxy_is_within_the_walls_too() {
    let inner = Fake::start(|_, _: &Seen| answer(200, "", "there")).await;
    let proxies =
        Proxies { http: Some("http://proxy.test:9".to_owned()), https: None, except: Some("inner.test".to_owned()) };
    let base = format!("http://inner.test:{}", inner.port);
    let closed = through(UpstreamSettings { proxies: proxies.clone(), ..UpstreamSettings::new(&base) });
    assert!(matches!(fails(&closed, "x").await, Failure::Forbidden { .. }));
    let walls = super::walls(&["127.0.0.1"]);
    found(&through(UpstreamSettings { proxies, walls, ..UpstreamSettings::new(&base) }), "x").await;
    assert_eq!(inner.seen().len(), 1);
}

#[tokio::test]
async fn an_exception_with_a_port_is_for_that_port_alone() {
    let inner = Fake::start(|_, _: &Seen| answer(200, "", "there")).await;
    let proxy = Fake::start(|_, _: &Seen| answer(200, "", "there")).await;
    let except = Some(format!("other.test:80, inner.test:{}", inner.port));
    let proxies = Proxies { http: Some(proxy.base.clone()), https: None, except };
    let (base, walls) = (format!("http://inner.test:{}", inner.port), super::walls(&["127.0.0.1"]));
    let upstream = through(UpstreamSettings { proxies, walls, ..UpstreamSettings::new(base) });
    found(&upstream, "x").await;
    assert_eq!((inner.seen().len(), proxy.seen().len()), (1, 0));
    found(&upstream, "http://inner.test/x").await;
    assert_eq!((inner.seen().len(), proxy.seen()[0].line.as_str()), (1, "GET http://inner.test/x HTTP/1.1\r\n"));
}

#[test]
fn a_proxy_has_a_web_address_and_its_password_is_not_told() {
    for bad in ["socks5://user:secret@a", "ftp://secret", "secret", ""] {
        let settings =
            UpstreamSettings { proxy: Some(Secret::new(bad.to_owned())), ..UpstreamSettings::new("http://a.test") };
        let error = Upstream::new(settings, Ambient::system()).expect_err(bad).to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
