//! Query parameters as strict as JSON bodies.

use std::collections::HashSet;

use axum::extract::FromRequestParts;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::words::plainly;
use crate::problem::Problem;

/// Most parameters in a query.
const MAX_PARAMETERS: usize = 100;

/// The parameters of the query. Duplicate ones, ones that are not UTF-8 and what `T` does not take are
/// 400 naming the parameter. Give `T` `#[serde(deny_unknown_fields)]`.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> Query<T> {
    /// The parameters of an address, for handlers that decide late what they want.
    pub fn of(uri: &http::Uri) -> Result<Self, Problem> {
        parse(uri.query().unwrap_or_default()).map(Self)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = pairs(query)?;
    let mut seen = HashSet::new();
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !seen.insert(name)) {
        return Err(refuse(name, "this parameter appears twice"));
    }
    let text = query.split('&').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        refuse(path.trim_matches(['.', '?']), &plainly(&error.inner().to_string()))
    })
}

/// The pairs, decoded; `+` is a blank as in forms.
pub(crate) fn pairs(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let parts: Vec<&str> = query.split('&').filter(|part| !part.is_empty()).collect();
    if parts.len() > MAX_PARAMETERS {
        return Err(Problem::bad_request(format!("more than {MAX_PARAMETERS} parameters")));
    }
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned)
    };
    let pair = |part: &&str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = decode(name).map_err(|_| refuse("", "a parameter's name is not UTF-8"))?;
        let value = decode(value).map_err(|_| refuse(&name, "the value is not UTF-8"))?;
        Ok((name, value))
    };
    parts.iter().map(pair).collect()
}

/// 400 about the parameter `name`; empty: about the query as a whole.
pub(crate) fn refuse(name: &str, detail: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    let detail: String = detail.chars().take(300).collect();
    let place = if name.is_empty() { "query".to_owned() } else { format!("query parameter `{name}`") };
    Problem::bad_request(format!("{place}: {detail}")).field(name, detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<u32>,
        q: Option<String>,
    }

    fn page(query: &str) -> Result<Page, Problem> {
        parse(query)
    }

    #[test]
    fn known_parameters_are_read() {
        assert_eq!(page("").unwrap(), Page { limit: None, q: None });
        assert_eq!(page("limit=7&q=a+b%2Fc").unwrap(), Page { limit: Some(7), q: Some("a b/c".into()) });
    }

    #[test]
    fn unknown_duplicate_and_broken_ones_are_refused_by_name() {
        for (query, name) in [
            ("limt=1", "limt"),
            ("limit=1&limit=1", "limit"),
            ("q=a&%71=b", "q"),
            ("limit=-1", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("limit=", "limit"),
            ("q=%ff", "q"),
            ("q=%ed%a0%80", "q"),
        ] {
            let text = String::from_utf8(page(query).unwrap_err().render(None)).unwrap();
            assert!(text.contains("bad_request") && text.contains(name), "{query}: {text}");
        }
        assert!(page(&"a&".repeat(101)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(q in "\\PC{0,20}", limit: u32) {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", &q).append_pair("limit", &limit.to_string()).finish();
            prop_assert_eq!(page(&query).unwrap(), Page { limit: Some(limit), q: Some(q.clone()) });
            prop_assert_eq!(pairs(&query).unwrap(), [("q".to_owned(), q), ("limit".to_owned(), limit.to_string())]);
        }

        #[test]
        fn no_text_panics(text in "[ -~é&=%+]{0,60}") {
            let _ = (pairs(&text).is_ok(), page(&text).is_ok());
        }
    }
}
