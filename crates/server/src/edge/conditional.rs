//! Conditional requests (RFC 9110 §13) as pure functions over headers and what is there.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use model::{Sha256Digest, Timestamp};

/// A validator: opaque text, strong (byte for byte) or weak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag {
    weak: bool,
    opaque: String,
}

impl EntityTag {
    /// A strong tag, e.g. of a digest. `None` when the text has a quote, a blank or a control character.
    pub fn strong(opaque: impl Into<String>) -> Option<Self> {
        Self::new(false, opaque.into())
    }

    /// A weak tag: the same meaning, perhaps other bytes.
    pub fn weak(opaque: impl Into<String>) -> Option<Self> {
        Self::new(true, opaque.into())
    }

    fn new(weak: bool, opaque: String) -> Option<Self> {
        opaque.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'"').then_some(Self { weak, opaque })
    }

    /// The value of an `ETag` header.
    pub fn header(&self) -> HeaderValue {
        let prefix = if self.weak { "W/" } else { "" };
        HeaderValue::try_from(format!("{prefix}\"{}\"", self.opaque)).unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// A strong tag of the bytes with this digest; `coding` tells their coded forms apart, e.g. `-gzip`.
    pub(crate) fn of_digest(digest: Sha256Digest, coding: &'static str) -> Self {
        Self { weak: false, opaque: digest.hex() + coding }
    }

    fn matches(&self, text: &str, comparison: Comparison) -> bool {
        let (weak, quoted) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
        let opaque = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        opaque == Some(&self.opaque) && (comparison == Comparison::Weak || !(weak || self.weak))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// The state of what a request is about; both `None` when it does not exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Current<'a> {
    /// Its validator.
    pub tag: Option<&'a EntityTag>,
    /// When it last changed; compared in whole seconds.
    pub modified: Option<Timestamp>,
    /// The time that readers are shown, which may be an earlier one, of another server: what follows there may be older. It
    /// holds that a state is still the same, and proves to nobody that it is.
    pub shown: Option<Timestamp>,
}

/// What the conditions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Do what was asked.
    Proceed,
    /// 304: the client has it.
    NotModified,
    /// 412: the state is not what the client thinks.
    Failed,
}

/// Evaluates all conditions in the order of RFC 9110 §13.2.2.
pub fn evaluate(method: &Method, headers: &HeaderMap, current: Current<'_>) -> Outcome {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if headers.contains_key(header::IF_MATCH) {
        if !listed(headers, &header::IF_MATCH, current, Comparison::Strong) {
            return Outcome::Failed;
        }
    } else if let (Some(since), Some(modified)) = (time(headers, &header::IF_UNMODIFIED_SINCE), current.modified)
        && modified.unix_seconds() > since
        && current.shown.is_none_or(|shown| shown.unix_seconds() != since)
    {
        return Outcome::Failed;
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        return match listed(headers, &header::IF_NONE_MATCH, current, Comparison::Weak) {
            true if reads => Outcome::NotModified,
            true => Outcome::Failed,
            false => Outcome::Proceed,
        };
    }
    match (time(headers, &header::IF_MODIFIED_SINCE), current.modified) {
        (Some(since), Some(modified)) if reads && modified.unix_seconds() <= since => Outcome::NotModified,
        _ => Outcome::Proceed,
    }
}

/// Whether a `Range` may be honoured: no `If-Range`, or one that names exactly what is there.
pub fn range_applies(headers: &HeaderMap, current: Current<'_>) -> bool {
    let Some(condition) = headers.get(header::IF_RANGE) else { return true };
    let Ok(text) = condition.to_str() else { return false };
    if text.starts_with(['"', 'W']) && text.ends_with('"') {
        return current.tag.is_some_and(|tag| tag.matches(text.trim(), Comparison::Strong));
    }
    match (read_date(text), current.modified) {
        (Some(date), Some(modified)) => modified.unix_seconds() == date,
        _ => false,
    }
}

/// The request without the conditions that name a time: where one file follows another at an address, also an older one, only
/// entity tags tell them apart.
pub fn without_times(parts: &Parts) -> Cow<'_, Parts> {
    let is_time = |value: &HeaderValue| !value.as_bytes().contains(&b'"');
    let resumes_by_time = parts.headers.get(header::IF_RANGE).is_some_and(is_time);
    let times = [header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE];
    if !resumes_by_time && !times.iter().any(|name| parts.headers.contains_key(name)) {
        return Cow::Borrowed(parts);
    }
    let mut parts = parts.clone();
    times.iter().for_each(|name| drop(parts.headers.remove(name)));
    if resumes_by_time {
        parts.headers.remove(header::IF_RANGE);
        parts.headers.remove(header::RANGE);
    }
    Cow::Owned(parts)
}

fn listed(headers: &HeaderMap, name: &HeaderName, current: Current<'_>, comparison: Comparison) -> bool {
    let exists = current.tag.is_some() || current.modified.is_some();
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|line| {
        line.trim() == "*" && exists
            || current.tag.is_some_and(|tag| tags(line).any(|text| tag.matches(text, comparison)))
    })
}

/// The entity tags of a list; a comma inside of quotes does not separate.
fn tags(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .map(str::trim)
}

fn time(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    read_date(headers.get(name)?.to_str().ok()?)
}

fn read_date(text: &str) -> Option<i64> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// A time as HTTP writes it: whole seconds, GMT. Times before 1970 or after 9999 are clamped.
pub fn http_date(at: Timestamp) -> HeaderValue {
    const LAST: u64 = 253_402_300_799;
    let seconds = u64::try_from(at.unix_seconds()).unwrap_or(0).min(LAST);
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds);
    HeaderValue::try_from(httpdate::fmt_http_date(time)).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_763_700_000_900_000);
    const SAME: &str = "Fri, 21 Nov 2025 04:40:00 GMT";
    const EARLIER: &str = "Fri, 21 Nov 2025 04:39:59 GMT";

    fn ask(method: Method, pairs: &[(&'static str, &str)], tag: Option<&EntityTag>) -> Outcome {
        evaluate(&method, &headers(pairs), Current { tag, modified: tag.map(|_| NOW), shown: None })
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::try_from(*v).unwrap())).collect()
    }

    #[test]
    fn if_none_match_spares_a_read_and_stops_a_write() {
        let tag = EntityTag::strong("abc").unwrap();
        for list in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*", "\"a,b\",\"abc\""] {
            assert_eq!(ask(Method::GET, &[("if-none-match", list)], Some(&tag)), Outcome::NotModified, "{list}");
            assert_eq!(ask(Method::PUT, &[("if-none-match", list)], Some(&tag)), Outcome::Failed, "{list}");
        }
        for list in ["\"abd\"", "abc", "\"x, abc\"", ""] {
            assert_eq!(ask(Method::GET, &[("if-none-match", list)], Some(&tag)), Outcome::Proceed, "{list}");
        }
        assert_eq!(ask(Method::PUT, &[("if-none-match", "*")], None), Outcome::Proceed);
    }

    #[test]
    fn if_match_is_strong_and_needs_existence() {
        let (tag, weak) = (EntityTag::strong("abc").unwrap(), EntityTag::weak("abc").unwrap());
        assert_eq!(ask(Method::PUT, &[("if-match", "\"abc\"")], Some(&tag)), Outcome::Proceed);
        assert_eq!(ask(Method::PUT, &[("if-match", "W/\"abc\"")], Some(&tag)), Outcome::Failed);
        assert_eq!(ask(Method::PUT, &[("if-match", "\"abc\"")], Some(&weak)), Outcome::Failed);
        assert_eq!(ask(Method::PUT, &[("if-match", "*")], Some(&tag)), Outcome::Proceed);
        assert_eq!(ask(Method::PUT, &[("if-match", "*")], None), Outcome::Failed);
        assert_eq!(ask(Method::PUT, &[("if-match", "\"abc\"")], None), Outcome::Failed);
    }

    #[test]
    fn dates_count_only_without_tags_and_in_seconds() {
        let tag = EntityTag::strong("abc").unwrap();
        let since = |name, date| ask(Method::GET, &[(name, date)], Some(&tag));
        assert_eq!(since("if-modified-since", SAME), Outcome::NotModified);
        assert_eq!(since("if-modified-since", EARLIER), Outcome::Proceed);
        assert_eq!(since("if-modified-since", "soon"), Outcome::Proceed);
        assert_eq!(since("if-unmodified-since", SAME), Outcome::Proceed);
        assert_eq!(since("if-unmodified-since", EARLIER), Outcome::Failed);
        let both = [("if-none-match", "\"other\""), ("if-modified-since", SAME)];
        assert_eq!(ask(Method::GET, &both, Some(&tag)), Outcome::Proceed);
        let both = [("if-match", "\"abc\""), ("if-unmodified-since", EARLIER)];
        assert_eq!(ask(Method::GET, &both, Some(&tag)), Outcome::Proceed);
        assert_eq!(ask(Method::PUT, &[("if-modified-since", SAME)], Some(&tag)), Outcome::Proceed);
    }

    /// The shown time is that of another server: what followed here may be older there.
    #[test]
    fn a_time_of_elsewhere_holds_and_proves_nothing() {
        let (tag, shown) = (EntityTag::strong("abc").unwrap(), Some(Timestamp(NOW.0 - 3_600_000_000)));
        let current = Current { tag: Some(&tag), modified: Some(NOW), shown };
        let since = |name, date| evaluate(&Method::GET, &headers(&[(name, date)]), current);
        let then = http_date(shown.unwrap());
        let then = then.to_str().unwrap();
        assert_eq!(since("if-modified-since", then), Outcome::Proceed);
        assert_eq!(since("if-modified-since", SAME), Outcome::NotModified);
        assert_eq!(since("if-unmodified-since", then), Outcome::Proceed);
        assert_eq!(since("if-unmodified-since", EARLIER), Outcome::Failed);
        assert!(!range_applies(&headers(&[("if-range", then)]), current));
    }

    #[test]
    fn if_range_must_be_exact() {
        let (tag, weak) = (EntityTag::strong("abc").unwrap(), EntityTag::weak("abc").unwrap());
        let applies = |value: &str, tag| {
            range_applies(
                &headers(&[("if-range", value)]),
                Current { tag: Some(tag), modified: Some(NOW), shown: None },
            )
        };
        assert!(range_applies(&HeaderMap::new(), Current::default()));
        assert!(applies("\"abc\"", &tag) && applies(SAME, &tag));
        assert!(!applies("W/\"abc\"", &tag) && !applies("\"abc\"", &weak));
        assert!(!applies("\"abd\"", &tag) && !applies(EARLIER, &tag) && !applies("abc", &tag) && !applies("\"", &tag));
    }

    #[test]
    fn dates_are_written_in_whole_seconds() {
        assert_eq!(http_date(NOW), SAME);
        assert_eq!(http_date(Timestamp(-5)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(Timestamp(i64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn a_tag_cannot_break_its_quotes() {
        assert!(EntityTag::strong("a\"b").is_none() && EntityTag::strong("a\r\nb").is_none());
        assert_eq!(EntityTag::weak("x").unwrap().header(), "W/\"x\"");
    }

    proptest! {
        #[test]
        fn a_tag_matches_itself_in_any_list(before in "[a-z,]{0,8}", opaque in "[!#-~]{0,20}", after in "[a-z,]{0,8}") {
            let tag = EntityTag::strong(opaque).unwrap();
            let list = format!("\"{before}\", {} ,\"{after}\"", tag.header().to_str().unwrap());
            prop_assert_eq!(ask(Method::GET, &[("if-none-match", &list)], Some(&tag)), Outcome::NotModified);
            prop_assert_eq!(ask(Method::PUT, &[("if-match", &list)], Some(&tag)), Outcome::Proceed);
        }

        #[test]
        fn what_differs_never_matches(one in "[a-z]{1,8}", other in "[A-Z]{1,8}") {
            let tag = EntityTag::strong(one).unwrap();
            let list = format!("\"{other}\"");
            prop_assert_eq!(ask(Method::GET, &[("if-none-match", &list)], Some(&tag)), Outcome::Proceed);
            prop_assert_eq!(ask(Method::GET, &[("if-match", &list)], Some(&tag)), Outcome::Failed);
        }

        #[test]
        fn written_dates_are_read_back(seconds in 0i64..253_402_300_799) {
            let text = http_date(Timestamp(seconds * 1_000_000));
            prop_assert_eq!(read_date(text.to_str().unwrap()), Some(seconds));
        }

        #[test]
        fn no_value_panics(value in "[ -~]{0,60}") {
            let pairs = [("if-match", value.as_str()), ("if-none-match", &value), ("if-range", &value)];
            let tag = EntityTag::strong("a").unwrap();
            let _ = ask(Method::GET, &pairs, Some(&tag));
            let _ = range_applies(&headers(&pairs), Current { tag: Some(&tag), modified: Some(NOW), shown: None });
        }
    }
}
