//! Tokens as the clients of a format list, make and end them.

use std::time::Duration;

use model::{Refusal, Scope, Secret, Timestamp, TokenId};

use crate::say::Answer;

/// What a client wants with the caller's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenDeed {
    /// Those in force, oldest first, after this one.
    List(Option<TokenId>),
    /// One more; the body says which.
    Make,
    /// One less: named by its id or by itself. And what is answered then.
    End(Secret<String>, Answer),
}

/// A token in force, as its holder may see it.
#[derive(Clone, Copy, Debug)]
pub struct TokenLine<'a> {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a [Scope],
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What a new token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// What the token may do that it is made with.
    Same,
    /// Read this repository.
    Read,
    /// Publish to this repository, and withdraw where its maker may.
    Write,
}

/// A token that is wanted.
#[derive(Clone, Debug)]
pub struct TokenWanted {
    /// The token that it is to be made with, as the password.
    pub password: Secret<String>,
    /// What it may do.
    pub rights: Rights,
    /// How long it lives at most; `None`: as long as is usual.
    pub life: Option<Duration>,
    /// What it is for.
    pub name: String,
}

/// How the clients of a format manage tokens.
pub trait Tokens: Sync {
    /// A list; `more`: it goes on after its last.
    fn list(&self, tokens: &[TokenLine<'_>], more: bool) -> Answer;

    /// What a body asks for. What we cannot hold a token to is refused, not left out.
    fn wanted(&self, body: &[u8]) -> Result<TokenWanted, Refusal>;

    /// A new token and its secret, which is shown now and never again.
    fn made(&self, token: &TokenLine<'_>, secret: &str) -> Answer;
}
