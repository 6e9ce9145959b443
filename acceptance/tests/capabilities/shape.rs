//! What holds for every answer, whoever made it.

use acceptance::http::{Answer, Request};
use acceptance::{Result, Trouble};
use serde_json::Value;

use crate::site::ensure;

/// The codes of the contract, with their statuses.
const CODES: [(&str, u16); 27] = [
    ("bad_request", 400),
    ("unauthorized", 401),
    ("forbidden", 403),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("not_acceptable", 406),
    ("request_timeout", 408),
    ("conflict", 409),
    ("upload_verification_failed", 409),
    ("gone", 410),
    ("length_required", 411),
    ("precondition_failed", 412),
    ("payload_too_large", 413),
    ("uri_too_long", 414),
    ("unsupported_media_type", 415),
    ("invalid_range", 416),
    ("expectation_failed", 417),
    ("unprocessable", 422),
    ("artifact_protected", 423),
    ("quarantined", 423),
    ("policy_denied", 423),
    ("too_many_requests", 429),
    ("headers_too_large", 431),
    ("internal_error", 500),
    ("service_unavailable", 503),
    ("policy_timeout", 503),
    ("insufficient_storage", 507),
];

/// Sends `request` and checks the answer's shape.
pub(crate) async fn ask(request: Request) -> Result<Answer> {
    let told = format!("{request:?}");
    let answer = request.send().await?;
    check(&answer).map_err(|trouble| Trouble::new(format!("{trouble:?}\nto {told}\nanswered {answer:?}")))?;
    Ok(answer)
}

/// Sends `request`, checks the answer's shape and that its status is `status`; the code of a problem is returned.
pub(crate) async fn refused(request: Request, status: u16) -> Result<String> {
    let told = format!("{request:?}");
    let answer = ask(request).await?;
    ensure(answer.status == status, format!("expected {status}, got {} {}\nto {told}", answer.status, answer.text()))?;
    answer.string("/code")
}

/// Security headers, a correlation id and, for a refusal, problem details with a known code.
pub(crate) fn check(answer: &Answer) -> Result<()> {
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("referrer-policy", "no-referrer")]
    {
        ensure(answer.header(name) == Some(value), format!("{name} is missing"))?;
    }
    let policy = answer.header("content-security-policy").unwrap_or_default();
    ensure(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "the content policy is weak")?;
    let correlation = answer.header("x-correlation-id").unwrap_or_default();
    ensure(is_uuid(correlation), "there is no correlation id")?;
    ensure(answer.status < 500 || matches!(answer.status, 503 | 507), "a failure of ours")?;
    if answer.status < 400 {
        return Ok(());
    }
    ensure(answer.header("content-type") == Some("application/problem+json"), "a refusal that is no problem")?;
    match answer.body.is_empty() {
        true => Ok(()),
        false => problem(answer, correlation),
    }
}

fn problem(answer: &Answer, correlation: &str) -> Result<()> {
    let value = answer.json()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let known = CODES.iter().any(|(code, status)| *code == text("code") && *status == answer.status);
    ensure(known, "an unknown code, or one with another status")?;
    ensure(value.get("status").and_then(Value::as_u64) == Some(u64::from(answer.status)), "another status inside")?;
    ensure(text("correlationId") == correlation, "another correlation id inside")?;
    ensure(!text("title").is_empty() && !text("detail").is_empty() && !text("type").is_empty(), "a member is empty")
}

pub(crate) fn is_uuid(text: &str) -> bool {
    let places = [8, 13, 18, 23];
    let letter = |(at, byte): (usize, u8)| match places.contains(&at) {
        true => byte == b'-',
        false => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(letter)
}

/// All that an answer tells, without what is of one request alone.
pub(crate) fn whole(answer: &Answer) -> String {
    let id = answer.header("x-correlation-id").unwrap_or_default();
    let of_one = |name: &str| ["date", "x-correlation-id"].iter().any(|one| name.eq_ignore_ascii_case(one));
    let headers =
        answer.headers.iter().filter(|(name, _)| !of_one(name)).map(|(name, value)| format!("{name}: {value}\n"));
    format!("{}\n{}\n{}", answer.status, headers.collect::<String>(), answer.text().replace(id, "{id}"))
}
