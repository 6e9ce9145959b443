//! TLS: who is believed, for one upstream alone, and that nobody leads out of it.

use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{fails, found, settings, upstream};
use crate::fake::answer;
use crate::upstream::{Failure, UpstreamSettings};

/// A server with a certificate of its own for 127.0.0.1, in PEM, that always answers the same.
async fn server(bytes: String) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let base = format!("https://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (base, made.cert.pem())
}

#[tokio::test]
async fn an_authority_of_one_upstream_is_believed_there_alone() {
    let (base, pem) = server(answer(200, "", "there")).await;
    let failure = fails(&upstream(settings(&base)), "x").await;
    assert!(matches!(&failure, Failure::Unreachable { why, .. } if why.contains("certificate")), "{failure:?}");
    let believing = upstream(UpstreamSettings { extra_ca: Some(pem), ..settings(&base) });
    assert_eq!(found(&believing, "x").await.whole().await.expect("a body"), "there");
}

#[tokio::test]
async fn nobody_leads_out_of_tls() {
    for head in [
        (302, "Location: http://127.0.0.1:9/x\r\n"),
        (401, "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:9/x\"\r\n"),
    ] {
        let (base, pem) = server(answer(head.0, head.1, "")).await;
        let own = upstream(UpstreamSettings { extra_ca: Some(pem), ..settings(&base) });
        let failure = fails(&own, "x").await;
        assert!(matches!(&failure, Failure::Broken(why) if why.ends_with("without TLS")), "{failure:?}");
    }
}
