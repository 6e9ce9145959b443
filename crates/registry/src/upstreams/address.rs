//! Addresses of upstreams, of what may see their credentials, and of proxies on the way.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use url::Url;

/// Bytes of an address at most.
const LONGEST: usize = 2048;

/// The address of an upstream: `http` or `https`, a host, perhaps a port and a path; no credentials, no query, no
/// fragment, no slash at its end. Host and scheme are in lower case, and a port that goes without saying is not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    text: String,
    origin: Origin,
}

/// Scheme, host and port: `https://packages.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl UpstreamUrl {
    /// Reads an address; what is wrong is said without what was given, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("must have at most {LONGEST} bytes"));
        }
        let url = Url::parse(text).map_err(|_| "must be an address such as https://packages.example/path")?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err("must begin with http:// or https:// and name a host".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("may not hold credentials: they belong into upstreamAuth".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("may have neither a query nor a fragment".to_owned());
        }
        let origin = Origin(url.origin().ascii_serialization());
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), origin })
    }

    /// The address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whom it is at.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Origin {
    /// Reads an origin: an address without a path.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = UpstreamUrl::parse(text)?;
        match url.text == url.origin.0 {
            true => Ok(url.origin),
            false => Err("must be scheme, host and port alone, such as https://login.example".to_owned()),
        }
    }

    /// As browsers write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                $name::parse(&String::deserialize(source)?).map_err(de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}

as_text!(UpstreamUrl, Origin);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised() {
        let cases = [
            ("HTTPS://Packages.Example:443/", "https://packages.example", "https://packages.example"),
            ("http://a:80/x/y//", "http://a/x/y", "http://a"),
            ("http://a:8080/x/../y", "http://a:8080/y", "http://a:8080"),
            ("https://[::1]:8443/x y", "https://[::1]:8443/x%20y", "https://[::1]:8443"),
        ];
        for (given, text, origin) in cases {
            let url = UpstreamUrl::parse(given).expect(given);
            assert_eq!((url.as_str(), url.origin().as_str()), (text, origin), "{given}");
            assert_eq!(UpstreamUrl::parse(text), Ok(url), "read again");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        let long = format!("https://a/{}", "x".repeat(LONGEST));
        let bad = [
            "",
            "a",
            "/x",
            "ftp://a",
            "file:///x",
            "https://",
            "http:///",
            "https://u:hunter2@a",
            "https://u@a",
            "https://:hunter2@a",
            "https://a?hunter2",
            "https://a#hunter2",
            "https://a?",
            "https://a#",
            "//a/x",
            &long,
        ];
        for text in bad {
            let why = UpstreamUrl::parse(text).expect_err(text);
            assert!(!why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(
            Origin::parse("https://Login.Example:443/").map(|origin| origin.to_string()),
            Ok("https://login.example".to_owned())
        );
        assert!(Origin::parse("https://login.example/x").is_err());
    }
}
