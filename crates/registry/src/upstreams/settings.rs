//! How a remote repository treats its upstream.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use super::address::UpstreamUrl;
use crate::error::{Error, Result};

/// Bytes of further authorities at most.
const AUTHORITIES: usize = 64 * 1024;

/// How a remote repository treats its upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Given")]
pub struct UpstreamSettings {
    /// Seconds for which an index is believed before the upstream is asked again: 0 to 86400. Default 300.
    pub index_seconds: u32,
    /// Seconds for which the upstream's "not found" is believed: 0 to 3600. Default 60.
    pub missing_seconds: u32,
    /// Hours for which the last known index is served while the upstream fails: 0 to 8760. Default 168.
    pub stale_hours: u32,
    /// Seconds without a byte after which a request is given up: 1 to 600. Default 30.
    pub timeout_seconds: u32,
    /// Requests at once: 1 to 256. Default 32.
    pub connections: u32,
    /// Requests a second: at most 100000; 0 is without bound. Default 0.
    pub requests_per_second: u32,
    /// Whether the upstream is never asked: what is known is served, whatever its age. Default: no.
    pub offline: bool,
    /// Further authorities that may vouch for the upstream: certificates in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_ca: Option<String>,
    /// The proxy on the way to it, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<UpstreamUrl>,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            index_seconds: 300,
            missing_seconds: 60,
            stale_hours: 168,
            timeout_seconds: 30,
            connections: 32,
            requests_per_second: 0,
            offline: false,
            extra_ca: None,
            proxy: None,
        }
    }
}

/// The settings as they are given: what is absent or null is the default.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Given {
    index_seconds: Option<u32>,
    missing_seconds: Option<u32>,
    stale_hours: Option<u32>,
    timeout_seconds: Option<u32>,
    connections: Option<u32>,
    requests_per_second: Option<u32>,
    offline: Option<bool>,
    extra_ca: Option<String>,
    proxy: Option<UpstreamUrl>,
}

impl From<Given> for UpstreamSettings {
    fn from(given: Given) -> Self {
        let usual = Self::default();
        Self {
            index_seconds: given.index_seconds.unwrap_or(usual.index_seconds),
            missing_seconds: given.missing_seconds.unwrap_or(usual.missing_seconds),
            stale_hours: given.stale_hours.unwrap_or(usual.stale_hours),
            timeout_seconds: given.timeout_seconds.unwrap_or(usual.timeout_seconds),
            connections: given.connections.unwrap_or(usual.connections),
            requests_per_second: given.requests_per_second.unwrap_or(usual.requests_per_second),
            offline: given.offline.unwrap_or(usual.offline),
            extra_ca: given.extra_ca,
            proxy: given.proxy,
        }
    }
}

impl UpstreamSettings {
    /// 400 with the field that is out of its bounds.
    pub(crate) fn check(&self) -> Result<()> {
        let numbers = [
            ("settings.upstream.indexSeconds", self.index_seconds, 0, 86_400),
            ("settings.upstream.missingSeconds", self.missing_seconds, 0, 3600),
            ("settings.upstream.staleHours", self.stale_hours, 0, 8760),
            ("settings.upstream.timeoutSeconds", self.timeout_seconds, 1, 600),
            ("settings.upstream.connections", self.connections, 1, 256),
            ("settings.upstream.requestsPerSecond", self.requests_per_second, 0, 100_000),
        ];
        for (field, value, least, most) in numbers {
            if !(least..=most).contains(&value) {
                return Err(Error::bad_field(field, format!("{field} must be {least} to {most}")));
            }
        }
        if let Some(why) = self.extra_ca.as_deref().and_then(unfit) {
            return Err(Error::bad_field("settings.upstream.extraCa", format!("extraCa {why}")));
        }
        if self.proxy.as_ref().is_some_and(|proxy| proxy.as_str() != proxy.origin().as_str()) {
            let why = "proxy must be scheme, host and port alone, such as http://proxy.example:3128";
            return Err(Error::bad_field("settings.upstream.proxy", why));
        }
        Ok(())
    }
}

/// What is wrong with authorities in PEM.
fn unfit(pem: &str) -> Option<String> {
    if pem.len() > AUTHORITIES {
        return Some(format!("must have at most {AUTHORITIES} bytes"));
    }
    if pem.contains("PRIVATE KEY") {
        return Some("holds a private key: give certificates alone".to_owned());
    }
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let Ok(found) = found else { return Some("is not readable as PEM".to_owned()) };
    if found.is_empty() {
        return Some("holds no certificate in PEM".to_owned());
    }
    let mut roots = RootCertStore::empty();
    let broken = found.into_iter().position(|certificate| roots.add(certificate).is_err());
    broken.map(|index| format!("holds a certificate that cannot be read: number {}", index + 1))
}
