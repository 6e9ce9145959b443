//! Logging in through a client: with a token as the password, or by saying yes in a browser.

use model::Secret;

use crate::operation::Asked;
use crate::say::Answer;

/// What a request wants that logs in. Such a request is told by its address alone and needs no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginStep {
    /// Its body hands in a name and a password.
    Password,
    /// A page where its user can say yes, and an address where the client can ask whether they did.
    Begin,
    /// Whether they did, asked under the name that [`Logins::invite`] was given.
    Ask(Secret<String>),
}

/// Credentials that a client hands in to get a token.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name that it says.
    pub name: String,
    /// A token, as the password.
    pub token: Secret<String>,
}

/// How the clients of a format log in.
pub trait Logins: Sync {
    /// The step that a request is, if it is one.
    fn step(&self, asked: &Asked<'_>) -> Option<LoginStep>;

    /// Whether a client that calls itself so means it when it begins a login in a browser. Who does not is refused, and
    /// asks for a name and a password.
    fn has_browser(&self, user_agent: &str) -> bool;

    /// What the body of [`LoginStep::Password`] hands in.
    fn read(&self, body: &[u8]) -> Option<Login>;

    /// What is answered then: the subject and its new token.
    fn welcome(&self, subject: &str, token: &str) -> Answer;

    /// Where to go on: `page` for the user; the client asks the repository at `base` under `name`, which is one or
    /// more plain segments of a path.
    fn invite(&self, page: &str, base: &str, name: &str) -> Answer;

    /// Nobody has said yes so far.
    fn wait(&self) -> Answer;

    /// Somebody has: this is the token.
    fn admit(&self, token: &str) -> Answer;
}
