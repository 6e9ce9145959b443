//! Addresses: the base of a server, paths beneath it, and origins.

use std::net::IpAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

use crate::error::Error;

/// What a path segment may hold as it is: letters, digits and `-._~`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path from plain segments: `path(["v1", "repos", key])` is `/v1/repos/<key>`, each encoded.
pub fn path<'a>(segments: impl IntoIterator<Item = &'a str>) -> String {
    segments.into_iter().map(|segment| format!("/{}", utf8_percent_encode(segment, SEGMENT))).collect()
}

/// Reads the base address of a server: `http` or `https`, without credentials, query or fragment.
pub(crate) fn base(text: &str) -> Result<Url, Error> {
    let refused = |why: &str| Error::Address(format!("'{text}' {why}"));
    let url = Url::parse(text).map_err(|_| refused("is not an address such as https://artifacts.example.org"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refused("must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Address("the server's address may not hold credentials".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("may have neither a query nor a fragment"));
    }
    Ok(url)
}

/// `target` under `base`: an absolute path goes beneath the base's path, a whole URL stays as it is.
pub(crate) fn under(base: &Url, target: &str) -> Result<Url, Error> {
    let refused = |_| Error::Address("the server named an address that cannot be read".to_owned());
    if target.starts_with('/') && !target.starts_with("//") {
        let whole = format!("{}{target}", base.as_str().trim_end_matches('/'));
        return Url::parse(&whole).map_err(refused);
    }
    let url = Url::parse(target).map_err(refused)?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(Error::Address("not a web address".into())) }
}

/// The address that a host is, however it was spelled (the URL parser reads `0x7f.1` and the like).
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Scheme, host and port: what may be shown of an address.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Whether both have the same scheme, host and port.
pub(crate) fn same_origin(one: &Url, two: &Url) -> bool {
    one.origin() == two.origin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_by_segment() {
        assert_eq!(path(["v1", "a b", "x/y", "ä+%"]), "/v1/a%20b/x%2Fy/%C3%A4%2B%25");
    }

    #[test]
    fn bases_are_read_strictly() {
        for bad in ["", "host", "ftp://a", "https://u:p@a", "https://a?x", "https://a#x", "file:///x"] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_go_beneath_the_base_and_urls_stay() {
        let base = base("https://a.example/x/").expect("valid");
        assert_eq!(under(&base, "/v1/y").expect("valid").as_str(), "https://a.example/x/v1/y");
        let other = under(&base, "https://s3.example/k?sig=1").expect("valid");
        assert!(!same_origin(&base, &other));
        assert!(under(&base, "file:///etc/passwd").is_err());
        assert!(under(&base, "//evil.example/x").is_err());
        let plain = under(&base, "http://a.example/x").expect("valid");
        assert!(!same_origin(&base, &plain));
    }
}
