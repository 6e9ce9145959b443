//! `npm token`: lists, makes and revokes the caller's tokens.
//!
//! The password is a token, as when logging in; what npm's registry lets a token be bound to and we do not is
//! refused: a token that may more than its maker asked for is worse than none.

use std::time::Duration;

use model::{Code, Refusal, Role, Scope, Secret};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Npm;
use crate::{Answer, Rights, TokenLine, TokenWanted, Tokens, strict};

const DAY: u64 = 24 * 60 * 60;
/// How each of our tokens begins: all that is shown of one.
const BEGINNING: &str = "aft_";

/// What clients send, old and new; a field that is not here is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    password: String,
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    readonly: bool,
    expires: Option<u32>,
    cidr_whitelist: Option<Vec<String>>,
    packages: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    orgs: Option<Vec<String>>,
    packages_and_scopes_permission: Option<String>,
    orgs_permission: Option<String>,
    /// Both say nothing here: a token is for all packages of a repository, and there is no second factor.
    #[serde(default, rename = "packages_all")]
    _packages_all: bool,
    #[serde(default, rename = "bypass_2fa")]
    _bypass_2fa: bool,
}

impl Tokens for Npm {
    fn list(&self, tokens: &[TokenLine<'_>], more: bool) -> Answer {
        let objects: Vec<Json> = tokens.iter().map(|token| line(token, BEGINNING)).collect();
        let last = tokens.last().filter(|_| more);
        let next = last.map(|last| format!("/-/npm/v1/tokens?after={}", last.id));
        let mut body = json!({"objects": objects, "total": objects.len(), "urls": {}});
        if let Some(next) = next {
            body["urls"]["next"] = Json::from(next);
        }
        Answer::json(&body)
    }

    fn wanted(&self, body: &[u8]) -> Result<TokenWanted, Refusal> {
        let sent = strict::read(body).and_then(|sent| Ok(model::json::from_value::<Sent>(sent)?));
        let sent = sent.map_err(|error| refuse(format!("this is no token that can be made here: {error}")))?;
        bounds(&sent)?;
        let rights = rights(&sent)?;
        let life = sent.expires.map(|days| Duration::from_secs(u64::from(days) * DAY));
        let texts = [sent.name, sent.description].into_iter().flatten();
        let name = texts.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let name = name.reduce(|name, description| format!("{name}: {description}"));
        let name = name.unwrap_or_else(|| "npm token".to_owned());
        Ok(TokenWanted { password: Secret::new(sent.password), rights, life, name })
    }

    fn made(&self, token: &TokenLine<'_>, secret: &str) -> Answer {
        Answer { status: 201, ..Answer::json(&line(token, secret)) }
    }
}

/// A token as npm knows it, with as much of it as may be shown.
fn line(token: &TokenLine<'_>, shown: &str) -> Json {
    json!({
        "key": token.id.to_string(),
        "token": shown,
        "name": token.name,
        "created": token.created_at.to_string(),
        "updated": token.created_at.to_string(),
        "expires": token.expires_at.to_string(),
        "readonly": token.scopes.iter().all(|scope| matches!(scope, Scope::Repo(_, Role::Read))),
        "cidr_whitelist": null,
    })
}

fn refuse(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, why.into())
}

/// Refuses what a token cannot be bound to here.
fn bounds(sent: &Sent) -> Result<(), Refusal> {
    let named = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if named(&sent.cidr_whitelist) {
        return Err(refuse("tokens are not bound to addresses here: leave out --cidr"));
    }
    if named(&sent.packages) || named(&sent.scopes) {
        return Err(refuse("a token is for all packages of a repository here: leave out --packages and --scopes"));
    }
    if named(&sent.orgs) || !matches!(sent.orgs_permission.as_deref(), None | Some("no-access")) {
        return Err(refuse("there are no organisations here: leave out --orgs and --orgs-permission"));
    }
    Ok(())
}

fn rights(sent: &Sent) -> Result<Rights, Refusal> {
    match sent.packages_and_scopes_permission.as_deref() {
        Some("read-only") => Ok(Rights::Read),
        None | Some("read-write") if sent.readonly => Ok(Rights::Read),
        Some("read-write") => Ok(Rights::Write),
        None => Ok(Rights::Same),
        Some(_) => Err(refuse("--packages-and-scopes-permission is read-only or read-write")),
    }
}
