//! The one way a JSON body is read: typed, bounded, strict.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, OptionalFromRequest};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};
use http_body::Body as _;
use http_body_util::BodyExt;
use model::json::Objects;
use registry::Call;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use super::body::body_problem;
use super::words;
use crate::problem::Problem;

/// The whole body must arrive within this time.
const READ_TIME: Duration = Duration::from_secs(30);

/// For so long what a caller may do is not asked for again.
const FRESH: Duration = Duration::from_millis(500);

/// Longest sentence that quotes a parser.
const QUOTED: usize = 300;

/// A JSON body of at most `MAX` bytes (default 1 MiB), or a JSON answer.
///
/// Refuses with 415 another content type or a coded body, 413 a larger body, 408 a slow one, and with 400 and the place:
/// bytes that are not UTF-8, nesting beyond 64, duplicate keys, lone surrogates, trailing bytes, lists in place of
/// objects, and what `T` does not take. What a caller may not do any more when a slow body has come is refused, too. Give `T` `#[serde(deny_unknown_fields)]`.
#[derive(Clone, Copy, Debug)]
pub struct Json<T, const MAX: usize = { 1 << 20 }>(pub T);

impl<T: DeserializeOwned, S: Send + Sync, const MAX: usize> FromRequest<S> for Json<T, MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Problem> {
        check_type(request.headers())?;
        read::<T>(request, MAX).await.map(Self)
    }
}

/// A body that says nothing: none at all, or an object without fields.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, Problem> {
        // Clients name the type of the body that they do not send, too.
        if request.body().is_end_stream() {
            return Ok(Self);
        }
        let said = <Json<Nothing> as OptionalFromRequest<S>>::from_request(request, state).await?;
        Ok(said.map_or(Self, |Json(Nothing {})| Self))
    }
}

/// `None` when there is no body at all.
impl<T: DeserializeOwned, S: Send + Sync, const MAX: usize> OptionalFromRequest<S> for Json<T, MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Option<Self>, Problem> {
        if request.body().is_end_stream() && !request.headers().contains_key(CONTENT_TYPE) {
            return Ok(None);
        }
        check_type(request.headers())?;
        read::<T>(request, MAX).await.map(|value| Some(Self(value)))
    }
}

impl<T: Serialize, const MAX: usize> IntoResponse for Json<T, MAX> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                Problem::internal_error("the answer could not be written").into_response()
            }
        }
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Problem::unsupported_media_type("the body must come without a Content-Encoding"));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (kind, second) = (types.next(), types.next());
    let fits = kind.and_then(|kind| kind.to_str().ok()).is_some_and(is_json);
    if fits && second.is_none() {
        return Ok(());
    }
    Err(Problem::unsupported_media_type("the body must be application/json"))
}

/// `application/json` or `application/…+json`, in UTF-8 if a charset is named.
fn is_json(kind: &str) -> bool {
    let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let named = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    let charset = parameters
        .split(';')
        .filter_map(|one| one.split_once('='))
        .find_map(|(key, value)| key.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"')));
    named && charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
}

async fn read<T: DeserializeOwned>(request: Request<Body>, max: usize) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    parse(&whole(&parts, body, max).await?)
}

/// The whole of a body of at most `max` bytes, which arrives in time: 413, 408. Who was let in when the request began may
/// have lost that since: 401, 403.
pub(crate) async fn whole(parts: &Parts, body: Body, max: usize) -> Result<Vec<u8>, Problem> {
    let slow = |_| Problem::request_timeout("the request body did not arrive in time");
    let begun = Instant::now();
    let bytes = timeout(READ_TIME, gather(body, max)).await.map_err(slow)??;
    match parts.extensions.get::<Call>() {
        Some(call) if begun.elapsed() > FRESH => call.expect_unchanged().await?,
        _ => {}
    }
    Ok(bytes)
}

/// The whole of a body of at most `max` bytes: 413.
pub(crate) async fn gather(mut body: Body, max: usize) -> Result<Vec<u8>, Problem> {
    let large = || Problem::payload_too_large(format!("the body is larger than the {max} bytes allowed here"));
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > max {
        return Err(large());
    }
    let mut bytes = Vec::with_capacity(told);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| body_problem(&error))?.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(refuse("", "the body is not UTF-8".to_owned()));
    }
    model::json::walk(bytes, &mut |_, _, _| Ok(()))
        .map_err(|fault| refuse(&fault.path, words::of_json(&fault.error)))?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(Objects(&mut reader))
        .map_err(|error| refuse(error.path().to_string().trim_matches(['.', '?']), words::of_json(error.inner())))
}

fn refuse(path: &str, mut detail: String) -> Problem {
    detail.truncate(detail.floor_char_boundary(QUOTED));
    let place = if path.is_empty() { "the body" } else { path };
    Problem::bad_request(format!("{place}: {detail}")).field(path, detail)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::problem::Code;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Form {
        #[serde(rename = "name")]
        _name: String,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Part {
        part_number: u32,
    }

    async fn send(kind: Option<&str>, body: impl Into<Body>) -> Result<Form, Problem> {
        let mut request = Request::new(body.into());
        if let Some(kind) = kind {
            request.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
        }
        <Json<Form, 100> as FromRequest<()>>::from_request(request, &()).await.map(|Json(form)| form)
    }

    async fn fault(body: &str) -> (String, String) {
        let problem = send(Some("application/json"), body.to_owned()).await.unwrap_err();
        assert_eq!(problem.code(), Code::BadRequest, "{body}");
        let value: serde_json::Value = model::json::from_slice(&problem.render(None)).unwrap();
        let text = |key: &str| value["errors"][0][key].as_str().unwrap().to_owned();
        (text("path"), text("detail"))
    }

    #[tokio::test]
    async fn a_good_body_is_read() {
        let form = send(Some("application/json; charset=UTF-8"), r#"{"name":"a","parts":[{"partNumber":3}]}"#).await;
        assert_eq!(form.unwrap().parts[0].part_number, 3);
    }

    #[tokio::test]
    async fn faults_name_their_place() {
        assert_eq!(fault(r#"{"name":"a","parts":[{"partNumber":"x"}]}"#).await.0, "parts[0].partNumber");
        let (path, detail) = fault(r#"{"name":"a","nmae":1}"#).await;
        assert!(path.contains("nmae") || detail.contains("nmae"), "{path} {detail}");
        assert_eq!(fault(r#"{"name":"a","name":"b"}"#).await.0, "name");
        assert!(fault("{}").await.1.contains("missing field `name`"));
        fault(r#"{"name":"a"} x"#).await;
        fault("[]").await;
        fault(r#"["a",[]]"#).await;
        assert_eq!(fault(r#"{"name":"a","parts":[[3]]}"#).await.0, "parts[0]");
        fault("").await;
    }

    #[tokio::test]
    async fn other_types_are_415() {
        for kind in [None, Some("text/json"), Some("application/jsonp"), Some("application/json; charset=latin1")] {
            assert_eq!(send(kind, "{}").await.unwrap_err().code(), Code::UnsupportedMediaType, "{kind:?}");
        }
        assert!(is_json("application/problem+json"));
    }

    #[tokio::test]
    async fn a_large_body_is_413_with_or_without_a_length() {
        let large = format!(r#"{{"name":"{}"}}"#, "a".repeat(100));
        let known = send(Some("application/json"), large.clone()).await;
        assert_eq!(known.unwrap_err().code(), Code::PayloadTooLarge);
        let pieces: Vec<Result<_, std::io::Error>> =
            large.as_bytes().chunks(9).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece))).collect();
        let streamed = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(send(Some("application/json"), streamed).await.unwrap_err().code(), Code::PayloadTooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_408() {
        let never = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        assert_eq!(send(Some("application/json"), never).await.unwrap_err().code(), Code::RequestTimeout);
    }

    #[tokio::test]
    async fn an_absent_body_is_none_where_optional() {
        type Optional = Json<Form, 100>;
        let none = <Optional as OptionalFromRequest<()>>::from_request(Request::new(Body::empty()), &()).await;
        assert!(none.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_body_that_says_nothing_is_none() {
        for (kind, body, fine) in [
            (None, "", true),
            (Some("application/json"), "", true),
            (Some("application/json"), "{}", true),
            (Some("application/json"), "{\"a\":1}", false),
            (Some("application/json"), "[1]", false),
        ] {
            let mut request = Request::new(Body::from(body));
            kind.map(|kind| request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind)));
            assert_eq!(NoBody::from_request(request, &()).await.is_ok(), fine, "{kind:?} {body}");
        }
    }
}
