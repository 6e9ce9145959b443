//! Addresses in the answers of upstreams.

use url::Url;

use crate::Unreadable;

/// The longest address, in bytes.
const LONGEST: usize = 4096;

/// What the links of an answer are relative to.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    base: Url,
    /// Whether the document has said itself what that is.
    based: bool,
}

impl Links {
    /// Links of what came from this address.
    pub(crate) fn of(address: &str) -> Result<Self, Unreadable> {
        let address = Url::parse(address).ok().filter(is_fetched);
        address
            .map(|base| Self { base, based: false })
            .ok_or_else(|| Unreadable("it came from no address of HTTP".to_owned()))
    }

    /// A document says itself what its links are relative to: the first time counts, and only an address counts.
    pub(crate) fn rebase(&mut self, link: &str) {
        if !self.based {
            self.based = true;
            self.base = self.follow(link).unwrap_or_else(|| self.base.clone());
        }
    }

    /// The whole address of a link. `None`: it leads to nothing that is fetched over HTTP, it carries a name or a
    /// password, or readers disagree on it.
    pub(crate) fn follow(&self, link: &str) -> Option<Url> {
        let odd = link.is_empty() || link.len() > LONGEST;
        if odd || link.contains('\\') || link.trim() != link || link.chars().any(char::is_control) {
            return None;
        }
        let mut found = self.base.join(link).ok().filter(is_fetched)?;
        self.keep_safe(&mut found);
        Some(found)
    }

    /// The same as text, without its fragment.
    pub(crate) fn resolve(&self, link: &str) -> Option<String> {
        let mut found = self.follow(link)?;
        found.set_fragment(None);
        Some(found.into())
    }

    /// A server behind a proxy that ends TLS calls itself `http`: it is asked as it was before.
    fn keep_safe(&self, found: &mut Url) {
        let same = self.base.host() == found.host() && self.base.port().is_none() && found.port().is_none();
        if same && self.base.scheme() == "https" && found.scheme() == "http" {
            // A change between these two cannot fail.
            let _ = found.set_scheme("https");
        }
    }
}

fn is_fetched(address: &Url) -> bool {
    matches!(address.scheme(), "http" | "https")
        && address.has_host()
        && address.username().is_empty()
        && address.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_clients_would_go() {
        let links = Links::of("https://packages.example/npm/tool").expect("an address");
        for (link, whole) in [
            ("tool/-/tool-1.tgz", "https://packages.example/npm/tool/-/tool-1.tgz"),
            ("/npm/tool/-/tool-1.tgz", "https://packages.example/npm/tool/-/tool-1.tgz"),
            ("../up.tgz?x=1#frag", "https://packages.example/up.tgz?x=1"),
            ("//cdn.example/a.tgz", "https://cdn.example/a.tgz"),
            ("http://cdn.example:8080/a.tgz", "http://cdn.example:8080/a.tgz"),
            ("http://packages.example/a.tgz", "https://packages.example/a.tgz"),
            ("http://packages.example:80/a.tgz", "https://packages.example/a.tgz"),
            ("http://packages.example:8080/a.tgz", "http://packages.example:8080/a.tgz"),
            ("https://packages.example/a b.tgz", "https://packages.example/a%20b.tgz"),
        ] {
            assert_eq!(links.resolve(link).as_deref(), Some(whole), "{link}");
        }
        let plain = Links::of("http://packages.example/tool").expect("an address");
        assert_eq!(plain.resolve("https://packages.example/a").as_deref(), Some("https://packages.example/a"));
    }

    #[test]
    fn links_that_are_not_followed() {
        let links = Links::of("https://packages.example/npm/tool").expect("an address");
        for link in [
            "",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:,x",
            "ftp://packages.example/a",
            "https://user:secret@packages.example/a",
            "https://user@packages.example/a",
            "//user@packages.example/a",
            "https:\\\\packages.example\\a",
            "https://packages.example/a\nb",
            " https://packages.example/a",
            "http://",
            "https://packages.example:99999/",
            &format!("/{}", "a".repeat(LONGEST)),
        ] {
            assert_eq!(links.resolve(link), None, "{link}");
        }
        for address in ["", "tool", "file:///tmp", "https://user:secret@packages.example/"] {
            assert!(Links::of(address).is_err(), "{address}");
        }
    }
}
