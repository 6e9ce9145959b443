//! Answers: errors with their codes, lists of tags, images and referrers, tokens.

use serde_json::{Value as Json, json};

use super::manifest::{INDEX, Kept};
use super::{ImageAt, Step};
use crate::{Answer, Refused};

/// What a refusal is about; it decides the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An image's name, or nothing in particular.
    Name,
    /// A manifest: read or withdrawn.
    Manifest,
    /// A manifest being pushed.
    Push,
    /// A blob.
    Blob,
    /// A digest that cannot be read.
    Digest,
    /// An upload session.
    Upload,
    /// Bytes being uploaded.
    Bytes,
}

impl About {
    /// What a refusal of a request for `step` is about.
    pub fn of(step: &Step, writes: bool) -> Self {
        match step {
            Step::Manifest(_) if writes => Self::Push,
            Step::Manifest(_) | Step::Referrers(_) => Self::Manifest,
            Step::Blob(_) => Self::Blob,
            Step::Uploads => Self::Bytes,
            Step::Upload(_) => Self::Upload,
            Step::Tags => Self::Name,
        }
    }
}

/// A refusal as clients expect it: the specification's code, and our sentence.
pub fn refuse(about: &About, refused: &Refused<'_>) -> Answer {
    let (status, code) = code(about, refused);
    let body = json!({"errors": [{"code": code, "message": refused.detail}]});
    Answer { status, ..Answer::json(&body) }
}

fn code(about: &About, refused: &Refused<'_>) -> (u16, &'static str) {
    let unknown = match about {
        About::Name => "NAME_UNKNOWN",
        About::Manifest => "MANIFEST_UNKNOWN",
        About::Push => "MANIFEST_BLOB_UNKNOWN",
        About::Blob | About::Digest => "BLOB_UNKNOWN",
        About::Upload | About::Bytes => "BLOB_UPLOAD_UNKNOWN",
    };
    let invalid = match about {
        About::Name => "NAME_INVALID",
        About::Manifest | About::Push => "MANIFEST_INVALID",
        About::Blob | About::Digest => "DIGEST_INVALID",
        About::Upload | About::Bytes => "BLOB_UPLOAD_INVALID",
    };
    match (refused.code, refused.status) {
        ("unauthorized", status) => (status, "UNAUTHORIZED"),
        ("forbidden" | "conflict", status) => (status, "DENIED"),
        ("policy_denied", _) => (403, "DENIED"),
        // Withdrawn is unknown to these clients.
        ("not_found" | "gone", _) => (404, unknown),
        ("upload_verification_failed", _) => (400, "DIGEST_INVALID"),
        ("unprocessable" | "bad_request", _) => (400, invalid),
        ("payload_too_large", status) => (status, "SIZE_INVALID"),
        ("invalid_range", status) => {
            (status, if *about == About::Upload { "BLOB_UPLOAD_INVALID" } else { "SIZE_INVALID" })
        }
        ("too_many_requests", status) => (status, "TOOMANYREQUESTS"),
        ("method_not_allowed", status) => (status, "UNSUPPORTED"),
        (_, status) if status >= 500 => (status, "UNKNOWN"),
        (_, status) => (status, "DENIED"),
    }
}

/// A page of tags.
pub fn tags(at: &ImageAt, tags: &[String], more: Option<u64>) -> Answer {
    let mut answer = Answer::json(&json!({"name": at.to_string(), "tags": tags}));
    if let (Some(n), Some(last)) = (more, tags.last()) {
        answer.headers.push(("link", format!("</v2/{at}/tags/list?n={n}&last={last}>; rel=\"next\"")));
    }
    answer
}

/// A page of the catalogue.
pub fn catalogue(names: &[String], more: Option<u64>) -> Answer {
    let mut answer = Answer::json(&json!({"repositories": names}));
    if let (Some(n), Some(last)) = (more, names.last()) {
        let last: String = form_urlencoded::byte_serialize(last.as_bytes()).collect();
        answer.headers.push(("link", format!("</v2/_catalog?n={n}&last={last}>; rel=\"next\"")));
    }
    answer
}

/// A version that refers to another, as it is kept: its digest and its manifest's metadata.
pub type Referrer = (String, String);

/// What refers to a manifest. `wanted`: the artifact types that are asked for; empty: all.
/// `next`: where the next page begins.
pub fn referrers(at: &ImageAt, subject: &str, all: &[Referrer], wanted: &[String], next: Option<&str>) -> Answer {
    let listed: Vec<Json> = all
        .iter()
        .filter_map(|(digest, kept)| Some((digest, serde_json::from_str::<Kept>(kept).ok()?)))
        .filter(|(_, kept)| {
            wanted.is_empty() || kept.artifact_type.as_ref().is_some_and(|found| wanted.contains(found))
        })
        .map(|(digest, kept)| descriptor(digest, &kept))
        .collect();
    let body = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed});
    let mut answer = Answer { media_type: INDEX, ..Answer::json(&body) };
    if !wanted.is_empty() {
        answer.headers.push(("oci-filters-applied", "artifactType".to_owned()));
    }
    if let Some(next) = next {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for kind in wanted {
            query.append_pair("artifactType", kind);
        }
        let query = query.append_pair("after", next).finish();
        answer.headers.push(("link", format!("</v2/{at}/referrers/{subject}?{query}>; rel=\"next\"")));
    }
    answer
}

fn descriptor(digest: &str, kept: &Kept) -> Json {
    let mut found = json!({"mediaType": kept.media_type, "digest": digest, "size": kept.size});
    if let (Some(kind), Some(map)) = (&kept.artifact_type, found.as_object_mut()) {
        map.insert("artifactType".to_owned(), json!(kind));
    }
    if let (false, Some(map)) = (kept.annotations.is_empty(), found.as_object_mut()) {
        map.insert("annotations".to_owned(), json!(kept.annotations));
    }
    found
}

/// A token under both names that clients look for. `seconds`: how long it lives.
pub fn token(token: &str, seconds: u64, issued_at: &str) -> Answer {
    Answer::json(&json!({
        "token": token, "access_token": token, "expires_in": seconds, "issued_at": issued_at, "token_type": "Bearer",
    }))
}
