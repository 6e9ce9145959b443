//! Logging in as npm's clients do: the password is a token, or somebody says yes in a browser; what they get
//! is a new token of its kind that `logout` ends.

use model::Secret;
use serde::Deserialize;
use serde_json::json;

use super::Npm;
use super::names::normal;
use crate::{Answer, Asked, Login, LoginStep, Logins, Method, strict};

/// Where a client asks whether somebody said yes.
const DONE: &str = "-/v1/done/";
/// Seconds until it asks again.
const PAUSE: &str = "2";

#[derive(Deserialize)]
struct Sent {
    name: String,
    password: String,
}

impl Logins for Npm {
    fn step(&self, asked: &Asked<'_>) -> Option<LoginStep> {
        let hands_in = |user: &str| {
            let user = user.split('/').next().unwrap_or_default();
            user.starts_with("org.couchdb.user:") || user.starts_with("org.couchdb.user%3")
        };
        match asked.method {
            Method::Put if asked.rest.strip_prefix("-/user/").is_some_and(hands_in) => Some(LoginStep::Password),
            Method::Post if asked.rest == "-/v1/login" => Some(LoginStep::Begin),
            Method::Get => asked.rest.strip_prefix(DONE).map(|name| LoginStep::Ask(Secret::new(name.to_owned()))),
            _ => None,
        }
    }

    /// npm 8 and older begins so wherever it runs, and ends where no browser can be opened.
    fn has_browser(&self, user_agent: &str) -> bool {
        let version = user_agent.strip_prefix("npm/").and_then(|rest| rest.split('.').next());
        version.and_then(|major| major.parse::<u32>().ok()).is_none_or(|major| major > 8)
    }

    fn read(&self, body: &[u8]) -> Option<Login> {
        let sent: Sent = model::json::from_value(strict::read(body).ok()?).ok()?;
        Some(Login { name: normal(&sent.name), token: Secret::new(sent.password) })
    }

    fn welcome(&self, subject: &str, token: &str) -> Answer {
        let body = json!({"ok": true, "id": format!("org.couchdb.user:{subject}"), "rev": "1-0", "token": token});
        Answer { status: 201, ..Answer::json(&body) }
    }

    fn invite(&self, page: &str, base: &str, name: &str) -> Answer {
        Answer::json(&json!({"loginUrl": page, "doneUrl": format!("{base}/{DONE}{name}")}))
    }

    fn wait(&self) -> Answer {
        let headers = vec![("retry-after", PAUSE.to_owned())];
        Answer { status: 202, headers, ..Answer::json(&json!({})) }
    }

    fn admit(&self, token: &str) -> Answer {
        Answer::json(&json!({"token": token}))
    }
}
