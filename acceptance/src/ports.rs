//! Free loopback ports that two test processes never both take.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as LocalAddr, UnixListener};

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
    /// Claims a free port.
    pub fn claim() -> Result<Port> {
        let start = u16::try_from(std::process::id() % u32::from(COUNT))?;
        (0..COUNT)
            .map(|step| FIRST + (start.wrapping_mul(7) + step) % COUNT)
            .find_map(try_claim)
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
