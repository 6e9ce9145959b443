//! Bytes that pass us by: presigned downloads and uploads. Only object storage can do this.

use std::time::Duration;

use model::{Ambient, Secret};
use object_store::PutPayload;
use object_store::multipart::{MultipartStore, PartId};
use object_store::signer::{Method, SignedUrlOptions, Signer};

use super::Bucket;
use crate::blobs::{Blobs, Place};
use crate::error::{Error, Result};
use crate::key::{Area, Key};

/// What a presigned download says about itself instead of what the object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The `Content-Disposition`.
    pub content_disposition: Option<String>,
}

/// A part that a client has uploaded through a presigned address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedPart {
    /// Its number, from 1.
    pub number: u32,
    /// The `ETag` that the service answered with.
    pub etag: String,
}

/// The most parts that S3 accepts in one upload.
const PARTS: u32 = 10_000;

/// Direct access to the bucket for clients that hold a short-lived address.
#[derive(Clone, Copy)]
pub struct Direct<'a>(&'a Bucket);

impl Blobs {
    /// Direct access, where the store can give it: in object storage only.
    pub fn direct(&self) -> Option<Direct<'_>> {
        match &self.place {
            Place::S3(bucket) => Some(Direct(bucket)),
            Place::Disk(_) | Place::Memory(_) => None,
        }
    }
}

impl Direct<'_> {
    /// An address that answers GET, ranges included, with the object as it is, for `ttl`. Nothing checks its blocks.
    pub async fn presign_get(&self, key: &Key, ttl: Duration, overrides: &Overrides) -> Result<Secret<String>> {
        let mut query = Vec::new();
        if let Some(value) = &overrides.content_type {
            query.push(("response-content-type", value.clone()));
        }
        if let Some(value) = &overrides.content_disposition {
            query.push(("response-content-disposition", value.clone()));
        }
        self.sign(Method::GET, key, ttl, query).await
    }

    /// Begins an upload under a fresh key, whose place an empty object holds until the upload is complete.
    pub async fn create_multipart(&self, ambient: &Ambient) -> Result<(Key, String)> {
        let key = Key::fresh(Area::Blobs, ambient);
        self.0.create(&key, PutPayload::new()).await?;
        match self.0.s3.create_multipart(&self.0.path_of(&key)).await {
            Ok(upload) => Ok((key, upload)),
            Err(error) => {
                self.0.remove(&key).await?;
                Err(error.into())
            }
        }
    }

    /// An address that takes part `number` (1 to 10,000) by PUT, for `ttl`. Every part but the last needs 5 MiB.
    pub async fn presign_part(&self, key: &Key, upload: &str, number: u32, ttl: Duration) -> Result<Secret<String>> {
        if !(1..=PARTS).contains(&number) {
            return Err(Error::PartNumber { number });
        }
        let query = vec![("partNumber", number.to_string()), ("uploadId", upload.to_owned())];
        self.sign(Method::PUT, key, ttl, query).await
    }

    /// Puts the parts together: numbers from 1 without gaps, in order. [`Blobs::adopt`] the key afterwards.
    /// [`Error::Parts`] where the service has others, [`Error::Missing`] where it knows nothing of the upload (any more).
    pub async fn complete_multipart(&self, key: &Key, upload: &str, parts: &[UploadedPart]) -> Result<()> {
        for (expected, part) in (1..).zip(parts) {
            if part.number != expected {
                return Err(Error::PartNumber { number: part.number });
            }
        }
        let ids = parts.iter().map(|part| PartId { content_id: part.etag.clone() }).collect();
        let assembled = self.0.assemble(key, &upload.to_owned(), ids).await;
        assembled.map_err(|error| match &error {
            Error::Unavailable(answer) => refused(answer).map_or(error, Error::Parts),
            _ => error,
        })
    }

    /// Gives an upload up and removes what holds its key. One that ended before is fine.
    pub async fn abort_multipart(&self, key: &Key, upload: &str) -> Result<()> {
        match self.0.s3.abort_multipart(&self.0.path_of(key), &upload.to_owned()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => self.0.remove(key).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn sign(
        &self,
        method: Method,
        key: &Key,
        ttl: Duration,
        query: Vec<(&'static str, String)>,
    ) -> Result<Secret<String>> {
        let options = SignedUrlOptions::default().with_query(query);
        let url = self.0.s3.signed_url_opts(method, &self.0.path_of(key), ttl, &options).await?;
        Ok(Secret::new(url.to_string()))
    }
}

/// What the service says of the parts, by the codes that S3 answers with; any other failure may pass.
fn refused(answer: &str) -> Option<&'static str> {
    let says = |code: &str| answer.contains(&format!("<Code>{code}</Code>"));
    if says("EntityTooSmall") {
        Some("every part but the last needs 5 MiB")
    } else if says("InvalidPart") || says("InvalidPartOrder") || says("MalformedXML") {
        Some("the object store has no such parts, or parts with other ETags")
    } else {
        None
    }
}

impl std::fmt::Debug for Direct<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Direct")
    }
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn only_what_is_said_of_the_parts_is_a_refusal() {
        let said =
            |status: &str, code: &str| format!("{status}: <Error><Code>{code}</Code><Message>x</Message></Error>");
        for code in ["EntityTooSmall", "InvalidPart", "InvalidPartOrder", "MalformedXML"] {
            assert!(refused(&said("400 Bad Request", code)).is_some(), "{code}");
        }
        for (status, code) in [
            ("503 Service Unavailable", "SlowDown"),
            ("500 Internal Server Error", "InternalError"),
            ("403 Forbidden", "AccessDenied"),
            ("400 Bad Request", "RequestTimeout"),
        ] {
            assert_eq!(refused(&said(status, code)), None, "{code}");
        }
    }
}
