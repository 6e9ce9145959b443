//! Where tests find the backing services that `make test` started for the whole run.

use crate::postgres::Admin;
use crate::s3::S3;
use crate::{Result, environment};

/// The administrator of the run's PostgreSQL cluster, as `postgres://…`.
pub const POSTGRES_URL: &str = "ARTIFORTRESS_TEST_POSTGRES_URL";
/// The address of the run's S3 server.
pub const S3_ENDPOINT: &str = "ARTIFORTRESS_TEST_S3_ENDPOINT";
/// Its access key.
pub const S3_ACCESS_KEY: &str = "ARTIFORTRESS_TEST_S3_ACCESS_KEY";
/// Its secret key.
pub const S3_SECRET_KEY: &str = "ARTIFORTRESS_TEST_S3_SECRET_KEY";
/// Its region.
pub const S3_REGION: &str = "ARTIFORTRESS_TEST_S3_REGION";
/// A bucket that exists: for tests that keep apart by a key prefix of their own.
pub const S3_BUCKET: &str = "ARTIFORTRESS_TEST_S3_BUCKET";
/// The folder of its buckets: a new folder there is a new bucket.
pub const S3_ROOT: &str = "ARTIFORTRESS_TEST_S3_ROOT";

/// The run's PostgreSQL cluster, without fsync. A trouble that says how to run the tests when there is none.
pub fn postgres() -> Result<Admin> {
    environment::require(POSTGRES_URL).map(Admin::new)
}

/// The run's S3 server. A trouble that says how to run the tests when there is none.
pub fn s3() -> Result<S3> {
    Ok(S3 {
        endpoint: environment::require(S3_ENDPOINT)?,
        access_key: environment::require(S3_ACCESS_KEY)?,
        secret_key: environment::require(S3_SECRET_KEY)?,
        root: environment::require(S3_ROOT)?.into(),
    })
}

/// What the runner sets for the tests: this module's variables, with their values.
pub fn variables(admin: &Admin, s3: &S3, bucket: &str) -> Vec<(&'static str, String)> {
    vec![
        (POSTGRES_URL, admin.url().to_string()),
        (S3_ENDPOINT, s3.endpoint.clone()),
        (S3_ACCESS_KEY, s3.access_key.clone()),
        (S3_SECRET_KEY, s3.secret_key.clone()),
        (S3_REGION, S3::REGION.to_string()),
        (S3_BUCKET, bucket.to_string()),
        (S3_ROOT, s3.root.display().to_string()),
    ]
}
