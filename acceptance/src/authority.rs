//! An authority of the test's own, whose certificates nobody believes who was not told to.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use crate::{Result, Trouble};

/// An authority, and what it vouches for.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self> {
        let mut about = CertificateParams::default();
        about.distinguished_name.push(DnType::CommonName, "the authority of a test");
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(trouble)?;
        let pem = about.self_signed(&key).map_err(trouble)?.pem();
        Ok(Self { pem, issuer: Issuer::new(about, key) })
    }

    /// Its certificate as PEM text.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server with a certificate for these names and addresses.
    pub fn vouches_for(&self, names: &[&str]) -> Result<TlsAcceptor> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let (about, key) = (CertificateParams::new(names).map_err(trouble)?, KeyPair::generate().map_err(trouble)?);
        let certificate = about.signed_by(&key, &self.issuer).map_err(trouble)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(trouble)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = versions.map_err(trouble)?.with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).map_err(trouble)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn trouble(error: impl std::fmt::Display) -> Trouble {
    Trouble::new(format!("a certificate: {error}"))
}
