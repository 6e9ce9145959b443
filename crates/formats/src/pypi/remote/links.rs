//! Where the links of an index lead.

use url::Url;

/// The longest link, in bytes.
const LONGEST: usize = 4096;

/// What links in a document are relative to.
#[derive(Clone, Debug)]
pub(super) struct Links {
    base: Url,
    based: bool,
}

impl Links {
    /// Those of a document that came from here; `None`: that is no address.
    pub(super) fn of(address: &str) -> Option<Self> {
        let mut base = Url::parse(address).ok().filter(is_web)?;
        // Credentials in it were for the document.
        base.set_username("").ok()?;
        base.set_password(None).ok()?;
        Some(Self { base, based: false })
    }

    /// The document says itself what its links are relative to: the first time counts, and only an address counts.
    pub(super) fn rebase(&mut self, href: &str) {
        if self.based {
            return;
        }
        self.based = true;
        if let Some(base) = self.follow(href) {
            self.base = base;
        }
    }

    /// The address that a link leads to; `None`: to nothing that is fetched, or with credentials.
    pub(super) fn follow(&self, link: &str) -> Option<Url> {
        let found = self.base.join(link).ok().filter(|_| link.len() <= LONGEST).filter(is_web)?;
        (found.username().is_empty() && found.password().is_none()).then_some(found)
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host_str().is_some()
}

/// The address of what belongs to the file at another one: its path goes on.
pub(super) fn beside(file: &Url, ending: &str) -> String {
    let mut there = file.clone();
    there.set_fragment(None);
    there.set_path(&format!("{}{ending}", file.path()));
    there.into()
}
