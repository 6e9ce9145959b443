//! Free loopback ports that two test processes never both take.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as LocalAddr, UnixListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Result, Trouble};

/// Below the range from which the kernel takes ports for outgoing connections.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that is ours until this is dropped, whether or not something listens on it. The claim is a name in the
/// kernel (an abstract socket), so that nothing is left behind.
pub struct Port {
    number: u16,
    _claim: UnixListener,
}

impl Port {
    /// Claims a free port: not one that was just let go, to which somebody may still be talking.
    pub fn claim() -> Result<Port> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (start, count) = (std::process::id() % u32::from(COUNT) * 7, u32::from(COUNT));
        (0..count)
            .map(|_| (start + NEXT.fetch_add(1, Ordering::Relaxed) % count) % count)
            .find_map(|place| try_claim(FIRST + u16::try_from(place).ok()?))
            .ok_or_else(|| Trouble::new("no free port"))
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The port on the loopback address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

fn try_claim(number: u16) -> Option<Port> {
    let name = LocalAddr::from_abstract_name(format!("artifortress-test-port-{number}")).ok()?;
    let claim = UnixListener::bind_addr(&name).ok()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
    Some(Port { number, _claim: claim })
}
