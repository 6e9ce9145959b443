//! Answers that formats give themselves, and where a repository is for its clients.

/// A short answer of a format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 stands for 200.
    pub status: u16,
    /// The media type; empty: there is no body.
    pub media_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// More headers, their names in lower case.
    pub headers: Vec<(&'static str, String)>,
}

impl Answer {
    /// JSON with status 200.
    pub fn json(value: &serde_json::Value) -> Self {
        Self { status: 200, media_type: "application/json", body: value.to_string().into_bytes(), headers: Vec::new() }
    }

    /// Plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self { status, media_type: "text/plain; charset=utf-8", body: text.into().into_bytes(), headers: Vec::new() }
    }
}

/// A document that was made of facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// Where a repository is for the client who asks, and who asks.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The repository's address without a slash at the end, e.g. `https://host/repository/libs`.
    pub base: &'a str,
    /// Whether reading needs a token.
    pub auth_required: bool,
    /// Who asks; `None`: nobody we know.
    pub subject: Option<&'a str>,
}

/// A refusal on its way to a client.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The stable machine code.
    pub code: &'a str,
    /// One sentence for people.
    pub detail: &'a str,
    /// What stands behind it, where that matters.
    pub reason: Option<model::Reason>,
}
