//! TLS, and certificates that change under a running server.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use server::edge::{EdgeConfig, TlsFiles};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::rig::{Client, PATIENCE, Rig};

/// Writes a new certificate and key into the folder; gives the certificate.
fn renew(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

fn using(folder: &Path) -> impl FnOnce(&mut EdgeConfig) {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    move |config| {
        config.tls = Some(TlsFiles { cert, key, reload: Duration::from_millis(20) });
        config.hsts = Some(http::HeaderValue::from_static("max-age=60"));
        config.timeouts.handshake = Duration::from_millis(300);
    }
}

async fn dial(
    rig: &Rig,
    trusted: &CertificateDer<'static>,
    alpn: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(rig.addr).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

#[tokio::test]
async fn both_versions_and_both_protocols_are_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let cert = renew(folder.path());
    let rig = Rig::start(using(folder.path()));
    for version in BOTH {
        let stream = dial(&rig, &cert, &["http/1.1"], &[version]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut client = Client::over(stream);
        client.send("GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let reply = client.reply().await;
        assert_eq!(reply.text(), "127.0.0.1 https://localhost");
        assert_eq!(reply.header("strict-transport-security"), Some("max-age=60"));
    }
    let stream = dial(&rig, &cert, &["h2", "http/1.1"], BOTH).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/").body(String::new()).unwrap();
    assert_eq!(super::protocols::fetch(&mut sender, request).await.2, "hello");
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = renew(folder.path());
    let rig = Rig::start(using(folder.path()));
    assert!(dial(&rig, &first, &[], BOTH).await.is_ok());
    std::fs::write(folder.path().join("cert.pem"), "-----BEGIN CERTIFICATE-----\nnonsense").unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(dial(&rig, &first, &[], BOTH).await.is_ok(), "the old certificate stays");
    let second = renew(folder.path());
    let start = Instant::now();
    while dial(&rig, &second, &[], BOTH).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "the new certificate is never used");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(dial(&rig, &first, &[], BOTH).await.is_err());
}

#[tokio::test]
async fn a_key_of_another_certificate_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    renew(folder.path());
    let cert = std::fs::read_to_string(folder.path().join("cert.pem")).unwrap();
    renew(folder.path());
    std::fs::write(folder.path().join("cert.pem"), cert).unwrap();
    let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Rig::start(using(folder.path()))));
    assert!(attempt.is_err());
}

#[tokio::test]
async fn a_silent_or_plain_client_does_not_hold_a_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let cert = renew(folder.path());
    let rig = Rig::start(using(folder.path()));
    assert!(rig.connect().await.closed().await);
    let mut plain = rig.connect().await;
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut said = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut plain.stream, &mut said).await;
    assert!(!said.starts_with(b"HTTP"));
    assert!(dial(&rig, &cert, &[], BOTH).await.is_ok());
}
