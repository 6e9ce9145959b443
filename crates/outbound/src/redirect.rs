//! Redirects: where they lead, and how many are followed.

use reqwest::Url;
use reqwest::header::LOCATION;

use crate::address::{origin, under};
use crate::error::Error;

/// Redirects followed in one call.
pub(crate) const MOST: usize = 5;

/// Where an answer sends us; none when it is no redirect. Never from `https` to `http`.
pub(crate) fn next(from: &Url, response: &reqwest::Response) -> Result<Option<Url>, Error> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    follow(from, location).map(Some)
}

fn follow(from: &Url, location: Option<&str>) -> Result<Url, Error> {
    let next = location.and_then(|to| from.join(to).ok()).filter(|next| under(from, next.as_str()).is_ok());
    let Some(next) = next else {
        return Err(Error::Broken(format!("{} redirects to an address that cannot be read", origin(from))));
    };
    if from.scheme() == "https" && next.scheme() != "https" {
        return Err(Error::Broken(format!("{} redirects to an address without TLS", origin(from))));
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_the_web_and_never_out_of_tls() {
        let from = Url::parse("https://a.example/x/y").expect("valid");
        let to = |location| follow(&from, location).map(String::from).ok();
        assert_eq!(to(Some("../z")).as_deref(), Some("https://a.example/z"));
        assert_eq!(to(Some("//b.example/z")).as_deref(), Some("https://b.example/z"));
        for bad in [None, Some("http://a.example/z"), Some("file:///etc/passwd"), Some("https://"), Some("ftp://a/b")] {
            assert_eq!(to(bad), None, "{bad:?}");
        }
        let plain = Url::parse("http://a.example/").expect("valid");
        assert!(follow(&plain, Some("https://a.example/")).is_ok());
    }
}
