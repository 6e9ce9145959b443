//! Whom we believe: the machine's certificate bundle, or the one that was named, and extra authorities.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::Error;

/// Where operating systems keep their bundle of authorities.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Which authorities may vouch for a server.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The bundle to use in place of the machine's: the value of `SSL_CERT_FILE`.
    pub bundle: Option<PathBuf>,
    /// One more file of authorities, beside the bundle.
    pub extra: Option<PathBuf>,
}

impl Trust {
    /// TLS with ring, these authorities and those in `more` (PEM text). What is named and cannot be read is an error.
    pub(crate) fn tls(&self, more: Option<&str>) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| Error::Trust(format!("TLS cannot be set up: {error}")))?;
        let mut roots = self.roots()?;
        more.map_or(Ok(()), |more| add_text(&mut roots, more))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        match &self.bundle {
            Some(named) => add_named(&mut roots, named)?,
            None => {
                let found = BUNDLES.iter().map(Path::new).find(|path| path.exists());
                found.map_or(Ok(()), |path| add(&mut roots, path).map(drop))?;
            }
        }
        self.extra.as_deref().map_or(Ok(()), |extra| add_named(&mut roots, extra))?;
        Ok(roots)
    }
}

fn add_named(roots: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    match add(roots, path)? {
        0 => Err(Error::Trust(format!("'{}' holds no certificate that can be read", path.display()))),
        _ => Ok(()),
    }
}

fn add_text(roots: &mut RootCertStore, text: &str) -> Result<(), Error> {
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
    match roots.add_parsable_certificates(certificates.filter_map(Result::ok)) {
        (0, _) => Err(Error::Trust("the extra authority holds no certificate that can be read".to_owned())),
        _ => Ok(()),
    }
}

/// Adds what can be read; a bundle may hold certificates that we do not understand.
fn add(roots: &mut RootCertStore, path: &Path) -> Result<usize, Error> {
    let unreadable = |error| Error::Trust(format!("cannot read certificates from '{}': {error}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let (added, _) = roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    Ok(added)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_bundle_must_hold_certificates() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        let trust = Trust { bundle: Some(path.clone()), extra: None };
        assert!(matches!(trust.tls(None), Err(Error::Trust(_))), "absent");
        std::fs::write(&path, "nothing here").expect("written");
        assert!(matches!(trust.tls(None), Err(Error::Trust(_))), "empty");
    }

    #[test]
    fn the_machine_bundle_may_be_absent() {
        assert!(Trust::default().tls(None).is_ok());
    }

    #[test]
    fn a_text_must_hold_certificates() {
        assert!(matches!(Trust::default().tls(Some("nothing here")), Err(Error::Trust(_))));
    }
}
