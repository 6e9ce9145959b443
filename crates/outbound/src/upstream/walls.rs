//! Which addresses may be connected to: public ones, and the private ones that an operator named.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::Network;
use reqwest::Url;

use super::failure::Failure;
use crate::address::literal;

const fn four(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Network {
    Network::v4(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn six(a: u16, b: u16, c: u16, prefix: u8) -> Network {
    Network::v6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// IPv4 that is not the public internet (IANA's special-purpose registry), or leads into somebody's machine room.
const CLOSED: [Network; 16] = [
    four(0, 0, 0, 0, 8),        // this network
    four(10, 0, 0, 0, 8),       // private
    four(100, 64, 0, 0, 10),    // shared by a carrier
    four(127, 0, 0, 0, 8),      // loopback
    four(168, 63, 129, 16, 32), // the host agent of a cloud, outside the special ranges
    four(169, 254, 0, 0, 16),   // link-local, metadata services
    four(172, 16, 0, 0, 12),    // private
    four(192, 0, 0, 0, 24),     // protocol assignments
    four(192, 0, 2, 0, 24),     // documentation
    four(192, 88, 99, 0, 24),   // 6to4 relays
    four(192, 168, 0, 0, 16),   // private
    four(198, 18, 0, 0, 15),    // benchmarks
    four(198, 51, 100, 0, 24),  // documentation
    four(203, 0, 113, 0, 24),   // documentation
    four(224, 0, 0, 0, 4),      // multicast
    four(240, 0, 0, 0, 4),      // reserved, broadcast
];

/// IPv6 is closed but for global unicast: what is unspecified, local, private or unassigned lies outside of it.
const GLOBAL: Network = six(0x2000, 0, 0, 3);

/// Global unicast that is closed too. Tunnels are, because they lead to IPv4 addresses.
const CLOSED_GLOBAL: [Network; 4] = [
    six(0x2001, 0, 0, 23),     // protocol assignments: Teredo, benchmarks, ORCHID
    six(0x2001, 0xdb8, 0, 32), // documentation
    six(0x2002, 0, 0, 16),     // 6to4
    six(0x3fff, 0, 0, 20),     // documentation
];

/// The well-known prefix that translates to IPv4 (RFC 6052); the address stands in the last 32 bits.
const NAT64: Network = six(0x64, 0xff9b, 0, 96);

/// Which private networks may be connected to.
#[derive(Clone, Debug, Default)]
pub struct Walls {
    /// Networks that an operator named; all others that are not public are closed.
    pub private: Vec<Network>,
}

impl Walls {
    /// Whether `address` may be connected to.
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = meant(address);
        self.private.iter().any(|network| network.contains(address)) || public(address)
    }

    /// Checks what can be seen without asking for the name's addresses: scheme, credentials, addresses as hosts.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Failure> {
        let refused = |why| Err(forbidden(url, why));
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return refused("only http and https addresses are read");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("the address holds credentials");
        }
        match literal(url) {
            Some(address) if !self.permit(address) => refused(CLOSED_ADDRESS),
            _ => Ok(()),
        }
    }
}

/// What is said of an address behind the walls.
pub(crate) const CLOSED_ADDRESS: &str =
    "it is at a private or special address, whose network an operator can allow with `private_upstreams`";

/// Names the host alone.
pub(crate) fn forbidden(url: &Url, why: &'static str) -> Failure {
    Failure::Forbidden { host: url.host_str().unwrap_or("an address without a host").to_owned(), why }
}

/// The IPv4 address that is reached through a mapped or translated IPv6 one.
fn meant(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if NAT64.contains(six.into()) => {
            let [.., a, b, c, d] = six.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        other => other,
    }
}

fn public(address: IpAddr) -> bool {
    let within = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
    match address {
        IpAddr::V4(_) => !within(&CLOSED),
        IpAddr::V6(_) => GLOBAL.contains(address) && !within(&CLOSED_GLOBAL),
    }
}
