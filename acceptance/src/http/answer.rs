//! An answer, whole.

use bytes::Bytes;
use serde_json::Value;

use crate::{Result, Trouble};

/// Status, headers in their order, and body.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers as sent.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined; empty when it went to a sink.
    pub body: Bytes,
    /// The status codes of the interim answers before it (100, 103).
    pub interim: Vec<u16>,
}

impl Answer {
    /// The first header called `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every header called `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        let told = |error: &dyn std::fmt::Display| Trouble::new(format!("{error} in {}", self.text()));
        let text = std::str::from_utf8(&self.body).map_err(|error| told(&error))?;
        serde_json::from_str(text).map_err(|error| told(&error))
    }

    /// The string at a JSON pointer, for instance `/items/0/name`.
    pub fn string(&self, pointer: &str) -> Result<String> {
        let value = self.json()?;
        let text = value.pointer(pointer).and_then(Value::as_str).map(str::to_string);
        text.ok_or_else(|| Trouble::new(format!("no string at {pointer} in {value}")))
    }

    /// This answer if its status is one of `statuses`, or else a trouble that shows it.
    pub fn expect(self, statuses: &[u16]) -> Result<Answer> {
        match statuses.contains(&self.status) {
            true => Ok(self),
            false => Err(Trouble::new(format!("expected {statuses:?}, got {}: {}", self.status, self.text()))),
        }
    }
}
