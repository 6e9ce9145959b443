//! Parts of the path, as strict and as well explained as bodies and queries.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::words::plainly;
use crate::problem::Problem;

/// The named parts of the path, in their order. One that `T` does not take is 400 naming it.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

#[expect(clippy::disallowed_types, reason = "this is the one extractor that others use")]
impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let rejection = match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(found)) => return Ok(Self(found)),
            Err(rejection) => rejection,
        };
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let names: Vec<&str> = params.iter().flatten().map(|(name, _)| name).collect();
        Err(refuse(rejection, &names))
    }
}

fn refuse(rejection: PathRejection, names: &[&str]) -> Problem {
    let PathRejection::FailedToDeserializePathParams(failed) = rejection else {
        return Problem::internal_error("the route has no parts that could be read");
    };
    let (name, why) = match failed.into_kind() {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => (key, wanted(expected_type)),
        ErrorKind::ParseErrorAtIndex { index, expected_type, .. } => {
            (names.get(index).copied().unwrap_or_default().to_owned(), wanted(expected_type))
        }
        ErrorKind::ParseError { expected_type, .. } => {
            (names.first().copied().unwrap_or_default().to_owned(), wanted(expected_type))
        }
        ErrorKind::InvalidUtf8InPathParam { key } => (key, "must be UTF-8".to_owned()),
        ErrorKind::DeserializeError { key, message, .. } => (key, worded(&message)),
        other => (String::new(), worded(&other.to_string())),
    };
    let place = if name.is_empty() { "a part of the path".to_owned() } else { format!("`{name}` in the path") };
    Problem::bad_request(format!("{place} {why}")).field(name, why)
}

fn wanted(rust: &str) -> String {
    format!("must be {}", plainly(rust))
}

fn worded(message: &str) -> String {
    // What our ids say; whoever mistyped one is not helped by which of its characters is wrong.
    if message.starts_with("UUID parsing failed") {
        "must be a UUID".to_owned()
    } else {
        format!("is refused: {message}")
    }
}
