//! What shows that a protocol is spoken at an address: a few short questions that name nobody's packages, and what may be
//! concluded from the beginnings of the answers. That something answers shows nothing.

use crate::Ask;

/// Where nobody has anything: a name that nobody can have (RFC 2606).
pub(crate) const NOWHERE: &str = "artifortress.invalid/check";

/// Bytes of an answer that are looked at.
pub const LONGEST_SIGN: usize = 64 << 10;

/// How it is seen whether an upstream is one.
pub struct Signs {
    /// What it would be: `an npm registry`.
    pub what: &'static str,
    /// What is asked, one after the other, until one answer decides.
    pub probes: Vec<Probe>,
    /// Where no upstream has anything: whoever has something there has it everywhere, and has proven nothing.
    pub nowhere: Option<Ask>,
    /// Whether it is none where another format's protocol is spoken at its address.
    pub is_alone: bool,
}

impl Signs {
    /// What speaks a protocol of its own.
    pub(crate) fn of_protocol(what: &'static str, probes: Vec<Probe>) -> Self {
        Self { what, probes, nowhere: Some(Ask { target: NOWHERE.to_owned(), accept: "" }), is_alone: true }
    }
}

/// A question, and who judges its answer.
pub struct Probe {
    /// What is asked.
    pub ask: Ask,
    /// What follows from the answer.
    pub judge: fn(&Sign<'_>) -> Verdict,
    /// Whether 403 says nothing: some servers of files answer so where there is no file.
    pub of_file: bool,
    /// Whether to be refused, with 401 or 403, is an answer.
    pub of_rights: bool,
}

/// An answer, as far as it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Sign<'a> {
    /// The status, below 500 and none that asks for credentials or for patience.
    pub status: u16,
    /// `Content-Type` without its parameters, in lower case; empty: not told.
    pub media_type: &'a str,
    /// `Docker-Distribution-Api-Version`.
    pub api_version: Option<&'a str>,
    /// The beginning of the body, at most [`LONGEST_SIGN`].
    pub body: &'a [u8],
    /// The status of the answer before.
    pub before: Option<u16>,
}

/// What follows from an answer; a sentence without its subject and its full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The protocol is spoken.
    Proof(&'static str),
    /// It is spoken, but the address may be another one's.
    Part(&'static str),
    /// It is spoken beneath.
    Beneath(&'static str),
    /// It is not.
    Wrong(&'static str),
    /// It is not, unless a later answer shows it.
    Doubt(&'static str),
    /// It cannot be told.
    Open(&'static str),
}

impl Probe {
    /// A question for any media type.
    pub(crate) fn new(target: impl Into<String>, judge: fn(&Sign<'_>) -> Verdict) -> Self {
        Self { ask: Ask { target: target.into(), accept: "" }, judge, of_file: false, of_rights: false }
    }

    /// The same, asked of a server of files.
    pub(crate) fn of_file(self) -> Self {
        Self { of_file: true, ..self }
    }

    /// The same, where a refusal tells something.
    pub(crate) fn of_rights(self) -> Self {
        Self { of_rights: true, ..self }
    }
}

impl Sign<'_> {
    /// Whether there is something.
    pub(crate) fn is_found(&self) -> bool {
        self.status == 200
    }

    /// Whether it is HTML, whatever it is called.
    pub(crate) fn is_page(&self) -> bool {
        let begin = self.text().trim_start().get(..15).unwrap_or_default().to_ascii_lowercase();
        matches!(self.media_type, "text/html" | "application/xhtml+xml")
            || begin.starts_with("<!doctype html")
            || begin.starts_with("<html")
    }

    /// Whether it is a page for people, and no list of what is in a folder.
    pub(crate) fn is_site(&self) -> bool {
        let lists = ["Index of ", "Directory listing", "directly browseable"];
        self.is_found() && self.is_page() && !lists.iter().any(|words| self.text().contains(words))
    }

    /// The members of a whole JSON object.
    pub(crate) fn object(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        model::json::from_slice(self.body).ok()
    }

    /// The body as text, as far as it is some.
    pub(crate) fn text(&self) -> &str {
        match std::str::from_utf8(self.body) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&self.body[..error.valid_up_to()]).unwrap_or_default(),
        }
    }
}

/// A server of files says nothing of what they are for.
pub(crate) fn files(_: &Sign<'_>) -> Verdict {
    Verdict::Open("a server of files need not say what they are; whether the path is right shows with the first file")
}

/// Where no file need be, a page for people shows a site that has one for every address.
pub(crate) fn no_file(sign: &Sign<'_>) -> Verdict {
    match sign.is_site() {
        true => Verdict::Wrong(PAGES),
        false => files(sign),
    }
}

/// Who has a page for every address.
const PAGES: &str = "it answers with a page for people where no file need be";

/// Whether an address ends where repository managers name the repository.
pub fn lacks_repository(address: &str) -> bool {
    let ends = ["/artifactory", "/api/npm", "/api/pypi", "/api/go", "/api/cargo", "/repository", "/repositories"];
    ends.iter().any(|end| address.trim_end_matches('/').ends_with(end))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A 200 with this body.
    pub(crate) fn found<'a>(media_type: &'a str, body: &'a str) -> Sign<'a> {
        Sign { status: 200, media_type, api_version: None, body: body.as_bytes(), before: None }
    }

    /// The same with another status.
    pub(crate) fn said<'a>(status: u16, media_type: &'a str, body: &'a str) -> Sign<'a> {
        Sign { status, ..found(media_type, body) }
    }

    #[test]
    fn a_list_of_a_folder_is_no_web_site() {
        assert!(found("", " <!DOCTYPE html><h1>Welcome</h1>").is_site());
        assert!(found("text/html", "Welcome").is_site() && !found("text/plain", "Welcome").is_site());
        assert!(!found("text/html", "<title>Index of /</title>").is_site());
        assert!(!said(404, "text/html", "<html>").is_site());
        assert_eq!(Sign { body: b"abc\xff", ..found("", "") }.text(), "abc");
    }

    #[test]
    fn where_a_repository_is_named() {
        assert!(lacks_repository("https://host.example/artifactory/api/npm/"));
        assert!(lacks_repository("https://host.example/repository"));
        assert!(!lacks_repository("https://host.example/repository/libs"));
        assert!(!lacks_repository("https://repository.example"));
    }
}
