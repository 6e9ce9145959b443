//! Logging in as npm's clients do: the password is a token, and what they get is a new token of its
//! kind that `logout` ends.

use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::names::normal;
use crate::strict;
use crate::{Asked, Login, Method};

/// Whether the request hands in a name and a password.
pub(super) fn is_login(asked: &Asked<'_>) -> bool {
    let mut segments = asked.rest.split('/');
    let begins = segments.next() == Some("-") && segments.next() == Some("user");
    let user = segments.next().unwrap_or_default();
    asked.method == Method::Put
        && begins
        && (user.starts_with("org.couchdb.user:") || user.starts_with("org.couchdb.user%3"))
}

#[derive(Deserialize)]
struct Sent {
    name: String,
    password: String,
}

/// What the body hands in.
pub(super) fn read(body: &[u8]) -> Option<Login> {
    let sent: Sent = serde_json::from_value(strict::read(body).ok()?).ok()?;
    Some(Login { name: normal(&sent.name), token: model::Secret::new(sent.password) })
}

/// What the client is told: its name and the token to use.
pub(super) fn welcome(subject: &str, token: &str) -> Answer {
    let body = json!({"ok": true, "id": format!("org.couchdb.user:{subject}"), "rev": "1-0", "token": token});
    Answer { status: 201, ..Answer::json(&body) }
}
