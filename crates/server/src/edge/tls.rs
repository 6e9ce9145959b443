//! TLS 1.2 and 1.3 from files that may be replaced while we serve.

use std::fs::Metadata;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::config::TlsFiles;

/// The acceptor and the certificate behind it.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    current: Arc<Current>,
    files: TlsFiles,
}

/// The certificate in use; handshakes take it as it is at that moment.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Tls {
    /// Reads the files; they must be whole and belong together.
    pub(crate) fn open(files: &TlsFiles) -> io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let current = Arc::new(Current(RwLock::new(load(files, &provider)?)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current, files: files.clone() })
    }

    /// Looks at the files now and then, for ever. A broken new file keeps the old certificate and is
    /// logged once for each change.
    pub(crate) async fn watch(self) {
        let mut known = stamps(&self.files);
        let mut ticks = tokio::time::interval(self.files.reload);
        loop {
            ticks.tick().await;
            let tls = self.clone();
            let looked = tokio::task::spawn_blocking(move || tls.look(known)).await;
            known = looked.unwrap_or(known);
        }
    }

    fn look(&self, known: Stamps) -> Stamps {
        let found = stamps(&self.files);
        if found != known {
            match load(&self.files, &Arc::new(ring::default_provider())) {
                Ok(key) => {
                    *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = key;
                    tracing::info!(cert = %self.files.cert.display(), "the TLS certificate was reloaded");
                }
                Err(error) => {
                    tracing::error!(cert = %self.files.cert.display(), %error, "the new TLS files are not usable; the old certificate stays");
                }
            }
        }
        found
    }
}

type Stamp = Option<(SystemTime, u64)>;
type Stamps = (Stamp, Stamp);

/// When the two files were last written and how long they are.
fn stamps(files: &TlsFiles) -> Stamps {
    let stamp = |meta: Metadata| Some((meta.modified().ok()?, meta.len()));
    let of = |path: &std::path::Path| std::fs::metadata(path).ok().and_then(stamp);
    (of(&files.cert), of(&files.key))
}

fn load(files: &TlsFiles, provider: &Arc<CryptoProvider>) -> io::Result<Arc<CertifiedKey>> {
    let named = |path: &std::path::Path, error: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| named(&files.cert, &error))?;
    if chain.is_empty() {
        return Err(named(&files.cert, &"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| named(&files.key, &error))?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| named(&files.cert, &error))?;
    Ok(Arc::new(certified))
}
