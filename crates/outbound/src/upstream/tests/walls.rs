//! No spelling, name, redirect or token service leads to a forbidden address.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use model::Ambient;
use tokio::net::TcpListener;

use super::{OPEN, canary, fails, found, names, settings, upstream, walls};
use crate::fake::{Fake, Seen, answer};
use crate::upstream::{Failure, Question, Upstream, UpstreamSettings};

/// Every spelling of loopback that a parser somewhere understands.
const SPELLINGS: [&str; 55] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.1.",
    "2130706433",
    "2130706433.",
    "0x7f000001",
    "0x7F000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0X7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "0177.0x0.0.01",
    "127.0.0.01",
    "127.00.00.01",
    "127.0.0.0x1",
    "127.0.0.255",
    "127.255.255.254",
    "127.127",
    "0",
    "0.0.0.0",
    "0.0",
    "0x0",
    "00",
    "0.",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::0001]",
    "[::]",
    "[0::0]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::FFFF:7F00:0001]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2001:0:7f00:1::80ff:fffe]",
    "[2001::80ff:fffe]",
    "[::ffff:0.0.0.0]",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "127．1",
];

/// One address at least of everything that is not the public internet; first and last of a range where that differs.
const SPECIAL: [&str; 70] = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::ffff:0:1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:192.168.1.1",
    "::ffff:255.255.255.255",
    "::10.0.0.1",
    "::169.254.169.254",
    "::8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::192.168.0.1",
    "64:ff9b::",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:a9fe:a9fe::1",
    "2001:1::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:db8::1",
    "2002::1",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
];

/// Public ones, next to the special ones.
const PUBLIC: [&str; 24] = [
    "1.0.0.0",
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "3ffe::1",
];

/// Listens at every local address and counts who comes.
async fn sentinel() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let count = Arc::new(AtomicUsize::new(0));
    // Machines without IPv6 have one door less to watch.
    let six = TcpListener::bind(("::1", port)).await.ok();
    for listener in six.into_iter().chain([listener]) {
        let count = Arc::clone(&count);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    (port, count)
}

/// A host as it stands in an address.
fn host(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// Sends whoever asks for `/to` or `/token` to the place that was set.
async fn sender(place: &Arc<Mutex<String>>) -> Fake {
    let place = Arc::clone(place);
    Fake::at(OPEN, move |_, seen: &Seen| {
        let place = place.lock().expect("not poisoned").clone();
        match seen.line.contains("/to ") {
            true => answer(302, &format!("Location: {place}\r\n"), ""),
            false => answer(401, &format!("WWW-Authenticate: Bearer realm=\"{place}\"\r\n"), ""),
        }
    })
    .await
}

fn is_forbidden(failure: &Failure) -> bool {
    matches!(failure, Failure::Forbidden { .. })
}

#[tokio::test]
async fn no_spelling_of_a_forbidden_address_is_connected_to() {
    let (port, hits) = sentinel().await;
    let place = Arc::new(Mutex::new(String::new()));
    let sender = sender(&place).await;
    let mut own = settings(&sender.base);
    (own.walls, own.credentials) = (walls(&[OPEN]), Some(canary()));
    let upstream = upstream(own);
    let special = SPECIAL.iter().map(|address| host(address));
    let hosts: Vec<String> = SPELLINGS.iter().map(|&spelled| spelled.to_owned()).chain(special).collect();
    let mut tried = 0;
    for host in &hosts {
        let target = format!("http://{host}:{port}/x");
        let failure = fails(&upstream, &target).await;
        assert!(is_forbidden(&failure), "{host}: {failure:?}");
        assert!(!failure.to_string().contains(&port.to_string()), "{failure}");
        *place.lock().expect("not poisoned") = target;
        for way in ["to", "token"] {
            let failure = fails(&upstream, way).await;
            assert!(is_forbidden(&failure) || !host.is_ascii(), "{way} {host}: {failure:?}");
        }
        tried += 3;
    }
    assert!(tried >= 200, "{tried}");
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_upstream_may_not_be_at_a_forbidden_address_itself() {
    let (port, hits) = sentinel().await;
    for host in SPELLINGS.iter().filter(|spelled| spelled.is_ascii()) {
        let own = upstream(UpstreamSettings::new(format!("http://{host}:{port}")));
        assert!(is_forbidden(&fails(&own, "x").await), "{host}");
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_name_of_a_forbidden_address_is_connected_to() {
    let (port, hits) = sentinel().await;
    for address in SPECIAL {
        let address: IpAddr = address.parse().expect("an address");
        let own = UpstreamSettings::new(format!("http://inner.test:{port}"));
        let own = Upstream::with_lookup(own, Ambient::system(), names(move |_| vec![address, address]));
        let failure = fails(&own.expect("an upstream"), "x").await;
        let expected = Failure::Forbidden { host: "inner.test".to_owned(), why: super::super::walls::CLOSED_ADDRESS };
        assert_eq!(failure, expected, "{address}");
    }
    let own = upstream(UpstreamSettings::new("http://example.test"));
    for name in ["localhost", "LOCALHOST", "localhost.", "lOcAlHoSt"] {
        let failure = fails(&own, &format!("http://{name}:{port}/x")).await;
        assert!(is_forbidden(&failure) || matches!(failure, Failure::Unreachable { .. }), "{name}: {failure:?}");
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn addresses_that_are_no_web_addresses_are_refused() {
    let (port, hits) = sentinel().await;
    let place = Arc::new(Mutex::new(String::new()));
    let sender = sender(&place).await;
    let mut own = settings(&sender.base);
    own.walls = walls(&[OPEN]);
    let upstream = upstream(own);
    let open = sender.base.strip_prefix("http://").expect("a base");
    for bad in [
        format!("http://user@{open}/x"),
        format!("http://user:password@{open}/x"),
        format!("http://:password@{open}/x"),
        format!("http://{open}@127.0.0.1:{port}/x"),
        format!("http://127.0.0.1:{port}\\@{open}/x"),
        format!("http://127.0.0.1:{port}#@{open}/x"),
        format!("HTTP://127.0.0.1:{port}/x"),
        format!("//127.0.0.1:{port}/x"),
        format!("///127.0.0.1:{port}/x"),
        format!("\\\\127.0.0.1:{port}\\x"),
        format!("ftp://127.0.0.1:{port}/x"),
        format!("file://127.0.0.1:{port}/etc/passwd"),
        format!("gopher://127.0.0.1:{port}/x"),
        format!("http://[::ffff:127.0.0.1%25eth0]:{port}/x"),
        format!("http://127.0.0.1:{port}:80/x"),
        "http:///".to_owned(),
        "data:,x".to_owned(),
    ] {
        *place.lock().expect("not poisoned") = bad.clone();
        for way in ["to", "token"] {
            fails(&upstream, way).await;
        }
        if bad.starts_with("http") {
            fails(&upstream, &bad).await;
        }
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_address_that_holds_credentials_is_not_asked() {
    let fake = Fake::at(OPEN, |_, _: &Seen| answer(200, "", "there")).await;
    let own = upstream(UpstreamSettings { walls: walls(&[OPEN]), ..settings(&fake.base) });
    for who in ["user", "user:password", ":password", "127.0.0.1"] {
        let failure = fails(&own, &fake.base.replace("http://", &format!("http://{who}@"))).await;
        let expected = Failure::Forbidden { host: OPEN.to_owned(), why: "the address holds credentials" };
        assert_eq!(failure, expected, "{who}");
    }
    assert_eq!(fake.seen().len(), 0);
}

#[test]
fn public_addresses_are_open_and_named_networks_too() {
    let permits = |walls: &crate::Walls, text: &str| walls.permit(text.parse().expect("an address"));
    for address in PUBLIC {
        assert!(permits(&walls(&[]), address), "{address}");
    }
    for address in SPECIAL {
        assert!(!permits(&walls(&[]), address), "{address}");
        assert!(!permits(&walls(&["10.77.0.0/16", "fd77::/16"]), address), "{address}");
    }
    let named = walls(&["10.77.0.0/16", "fd77::/16"]);
    for address in ["10.77.1.1", "::ffff:10.77.1.1", "64:ff9b::10.77.1.1", "fd77::1"] {
        assert!(permits(&named, address), "{address}");
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_and_what_was_checked_is_connected_to() {
    let asked = Arc::new(AtomicUsize::new(0));
    let fake = Fake::at(OPEN, |_, _: &Seen| answer(200, "", "there")).await;
    let sentinel = TcpListener::bind(("127.0.0.1", fake.port)).await.expect("bound");
    let count = Arc::clone(&asked);
    let flipping = names(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        vec![if first { OPEN } else { "127.0.0.1" }.parse().expect("an address")]
    });
    let own = UpstreamSettings {
        walls: walls(&[OPEN]),
        ..UpstreamSettings::new(format!("http://flipping.test:{}", fake.port))
    };
    let own = Upstream::with_lookup(own, Ambient::system(), flipping).expect("an upstream");
    assert_eq!(found(&own, "x").await.whole().await.expect("a body"), "there");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(is_forbidden(&fails(&own, "x").await), "the second connection");
    assert_eq!((asked.load(Ordering::SeqCst), fake.seen().len()), (2, 1));
    assert_nobody_came(sentinel).await;
}

#[tokio::test]
async fn of_several_addresses_only_the_open_ones_are_used() {
    let fake = Fake::at(OPEN, |_, _: &Seen| answer(200, "", "there")).await;
    let sentinel = TcpListener::bind(("127.0.0.1", fake.port)).await.expect("bound");
    let both = names(|_| ["127.0.0.1", OPEN, "::1"].map(|text| text.parse().expect("an address")).to_vec());
    let own =
        UpstreamSettings { walls: walls(&[OPEN]), ..UpstreamSettings::new(format!("http://both.test:{}", fake.port)) };
    let own = Upstream::with_lookup(own, Ambient::system(), both).expect("an upstream");
    for _ in 0..5 {
        assert!(own.ask(Question::file("x", 10)).await.is_ok());
    }
    assert_eq!(fake.seen().len(), 5);
    assert_nobody_came(sentinel).await;
}

/// Our own call is the first in the queue.
async fn assert_nobody_came(sentinel: TcpListener) {
    let own = tokio::net::TcpStream::connect(sentinel.local_addr().expect("an address")).await.expect("connected");
    let (_, first) = sentinel.accept().await.expect("accepted");
    assert_eq!(first, own.local_addr().expect("an address"));
}
