//! Names become addresses once, here; what the walls let through is what is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;

use super::failure::Failure;
use super::walls::{CLOSED_ADDRESS, Walls, forbidden};
use crate::address::literal;

/// For how long a name is looked up that a proxy looks up for itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks for the addresses of a name.
pub(crate) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The machine's own way.
pub(crate) fn system() -> Lookup {
    Arc::new(|name| {
        async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect()) }.boxed()
    })
}

/// All addresses of a name are behind the walls.
#[derive(Debug, thiserror::Error)]
#[error("{CLOSED_ADDRESS}")]
pub(crate) struct Walled;

/// Resolves names within the walls.
#[derive(Clone)]
pub(crate) struct Resolver {
    lookup: Lookup,
    walls: Arc<Walls>,
    proxies: Arc<Ways>,
}

/// Who may connect in our place.
#[derive(Default)]
pub(crate) struct Ways {
    /// The hosts of the system's proxies: an operator named them, so they may be anywhere.
    pub(crate) system: Vec<String>,
    /// The upstream's own proxy: whoever set up a repository named it, so it is an address like any other.
    pub(crate) own: Option<Url>,
}

impl Resolver {
    pub(crate) fn new(lookup: Lookup, walls: Walls, proxies: Ways) -> Self {
        Self { lookup, walls: Arc::new(walls), proxies: Arc::new(proxies) }
    }

    /// Whether `url` may be asked, before anything is sent. A name is looked up here only where a proxy could
    /// connect in our place; without one it is judged when it is resolved for the connection.
    pub(crate) async fn check(&self, url: &Url) -> Result<(), Failure> {
        self.walls.check(url)?;
        if let Some(proxy) = &self.proxies.own {
            self.check_proxy(proxy).await?;
        }
        if self.proxies.own.is_none() && self.proxies.system.is_empty() || literal(url).is_some() {
            return Ok(());
        }
        // A name that only the proxy knows is the proxy's to judge.
        match self.found(url).await.into_iter().all(|address| self.walls.permit(address)) {
            true => Ok(()),
            false => Err(forbidden(url, CLOSED_ADDRESS)),
        }
    }

    /// Said here of a proxy, so that it is not said of the upstream. What a name leads to is judged again when it is
    /// resolved for the connection.
    async fn check_proxy(&self, proxy: &Url) -> Result<(), Failure> {
        let found = match literal(proxy) {
            Some(address) => vec![address],
            None => self.found(proxy).await,
        };
        if found.is_empty() || found.into_iter().any(|address| self.walls.permit(address)) {
            return Ok(());
        }
        let host = format!("the proxy {}", proxy.host_str().unwrap_or_default());
        Err(Failure::Forbidden { host, why: CLOSED_ADDRESS })
    }

    /// Nothing for a name that nobody knows here, or knows soon enough: where all goes through a proxy there may be nobody to
    /// ask.
    async fn found(&self, url: &Url) -> Vec<IpAddr> {
        let lookup = (self.lookup)(url.host_str().unwrap_or_default().to_owned());
        timeout(PATIENCE, lookup).await.map(Result::unwrap_or_default).unwrap_or_default()
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (own, name) = (self.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let trusted = own.proxies.system.contains(&name);
            let found = (own.lookup)(name).await?;
            let open: Vec<_> = found.iter().copied().filter(|found| trusted || own.walls.permit(*found)).collect();
            if open.is_empty() && !found.is_empty() {
                return Err(Walled.into());
            }
            let addresses: Addrs = Box::new(open.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn behind_a_proxy_nobody_waits_for_names() {
        let nobody: Lookup = Arc::new(|_| std::future::pending().boxed());
        let ways = Ways { system: vec!["proxy".to_owned()], own: None };
        let resolver = Resolver::new(nobody, Walls::default(), ways);
        let url = Url::parse("https://packages.invalid/").expect("an address");
        let checked = timeout(PATIENCE * 2, resolver.check(&url)).await;
        assert!(matches!(checked, Ok(Ok(()))), "{checked:?}");
    }
}
