//! How a bucket is reached. Nothing here is read from the environment but the proxies on the way, by the client's library.

use std::time::Duration;

use model::Secret;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use crate::error::{Error, Result};

/// A bucket and the right to use it.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// The bucket's name.
    pub bucket: String,
    /// What every key starts with, without slashes at its ends; empty for none.
    pub prefix: String,
    /// Where the service answers, e.g. `https://s3.example.com`; `None` for the region's own address.
    pub endpoint: Option<String>,
    /// The region to sign for.
    pub region: String,
    /// The key to sign with; `None` asks the machine's own metadata service.
    pub credentials: Option<S3Credentials>,
    /// Whether the bucket is named in the host name and not in the path.
    pub virtual_hosted: bool,
    /// How long one request may be tried again, altogether, and how long the service may be silent
    /// when it is asked for something.
    pub patience: Duration,
}

/// A key to sign requests with.
#[derive(Clone, Debug)]
pub struct S3Credentials {
    /// The key's public name.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret<String>,
    /// For keys that live for a while only.
    pub session_token: Option<Secret<String>>,
}

/// How often a request is tried again within the patience.
const RETRIES: usize = 5;
/// How long the service may put a large object together.
pub(super) const ASSEMBLY: Duration = Duration::from_secs(60);
/// The slowest line, in bytes per second, on which bodies still arrive.
pub(super) const SLOWEST: u64 = 256 << 10;
/// How long the service may be silent at most: the largest part on the slowest line. Each request has its own, shorter
/// deadline.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

impl S3Config {
    /// A client of a service that may be silent for as long as `silence`. Plain HTTP is spoken only to an endpoint that
    /// says so.
    pub(super) fn build(&self, silence: Duration) -> Result<AmazonS3> {
        // Without a provider the client would panic instead of failing.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(Error::Config("no TLS provider is installed in this process".to_owned()));
        }
        let plain = self.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let client = ClientOptions::new()
            .with_allow_http(plain)
            .with_connect_timeout(Duration::from_secs(5))
            // A download lasts as long as its reader takes; silence of the service may not.
            .with_timeout_disabled()
            .with_read_timeout(silence);
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
            max_retries: RETRIES,
            retry_timeout: self.patience,
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_virtual_hosted_style_request(self.virtual_hosted)
            .with_disable_bulk_delete(true)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        if let Some(credentials) = &self.credentials {
            builder = builder
                .with_access_key_id(&credentials.access_key_id)
                .with_secret_access_key(credentials.secret_access_key.expose());
            if let Some(token) = &credentials.session_token {
                builder = builder.with_token(token.expose());
            }
        }
        builder.build().map_err(|error| Error::Config(error.to_string()))
    }
}
