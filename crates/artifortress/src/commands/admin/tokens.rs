//! `admin tokens`.

use std::collections::BTreeSet;

use clap::Subcommand;
use model::{Scope, ScopeRepo, TokenId};
use serde_json::{Value, json};

use super::Desk;
use crate::commands::failure::Failure;
use crate::commands::table;

const COLUMNS: [(&str, &str); 6] = [
    ("ID", "tokenId"),
    ("NAME", "name"),
    ("SUBJECT", "subject"),
    ("SCOPES", "scopes"),
    ("EXPIRES", "expiresAtUtc"),
    ("REVOKED", "revokedAtUtc"),
];

#[derive(Debug, Subcommand)]
pub(super) enum Tokens {
    /// List your tokens
    List {
        /// Everybody's (tenant admins)
        #[arg(long)]
        all: bool,
    },
    /// Make a token and print it, this once
    Mint {
        /// A right, such as `repo:libs:write` or `repo:*:read`; repeat it [default: what the subject is bound to]
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// Whose token [default: yours]
        #[arg(long)]
        subject: Option<String>,
        /// What it is for
        #[arg(long)]
        name: Option<String>,
        /// Minutes that it lives [default: as the server is set, see `tokens.default_ttl_minutes`]
        #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(5..=10_080))]
        ttl_minutes: Option<u64>,
    },
    /// Revoke a token, or all of a subject; in force at once
    Revoke {
        /// The token's id (see `list`)
        #[arg(required_unless_present = "subject", value_parser = token_id)]
        token_id: Option<TokenId>,
        /// Revoke every token of this subject instead (tenant admins)
        #[arg(long, conflicts_with = "token_id")]
        subject: Option<String>,
    },
}

impl Tokens {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::List { all } => {
                let target = if all { "/v1/admin/auth/pats" } else { "/v1/auth/pats" };
                desk.list(target, &[], None, &COLUMNS).await
            }
            Self::Mint { scopes, subject, name, ttl_minutes } => {
                let subject = match subject {
                    Some(subject) => subject,
                    None => own_subject(desk).await?,
                };
                mint(desk, &subject, &scopes, name.as_deref(), ttl_minutes).await
            }
            Self::Revoke { token_id: Some(id), .. } => {
                let call = desk.client.post("/v1/auth/pats/revoke").json(&json!({ "tokenId": id }));
                desk.perform(call, &format!("token {id} is revoked")).await
            }
            Self::Revoke { subject, .. } => {
                let subject = subject.unwrap_or_default();
                let call = desk.client.post("/v1/admin/auth/pats/revoke-subject").json(&json!({ "subject": subject }));
                desk.perform(call, &format!("every token of {subject} is revoked")).await
            }
        }
    }
}

/// For clap: a token's id.
fn token_id(text: &str) -> Result<TokenId, String> {
    text.parse().map_err(|_| "this is no id: see `admin tokens list`".to_owned())
}

async fn own_subject(desk: &Desk<'_>) -> Result<String, Failure> {
    let who: Value = desk.client.get("/v1/auth/whoami").send().await?.json().await?;
    who["subject"].as_str().map(str::to_owned).ok_or_else(|| Failure::new("the server did not say who you are"))
}

/// A token may be minted before its repository is made; more often the key is misspelt.
async fn warn_of_typos(desk: &Desk<'_>, scopes: &[Scope]) {
    let named = scopes.iter().filter_map(|scope| match scope {
        Scope::Repo(ScopeRepo::One(key), _) => Some(key),
        _ => None,
    });
    let mut looked = BTreeSet::new();
    for key in named.filter(|key| looked.insert(key.as_str())) {
        let asked = desk.client.get(&outbound::path(["v1", "repos", key.as_str()])).send().await;
        if asked.is_err_and(|error| error.status() == Some(404)) {
            desk.context.console.complain(&format!("warning: there is no repository {key} yet"));
        }
    }
}

/// The token alone goes to standard output, so that a script can take it; what else is known goes beside it.
async fn mint(
    desk: &Desk<'_>,
    subject: &str,
    scopes: &[Scope],
    name: Option<&str>,
    ttl_minutes: Option<u64>,
) -> Result<(), Failure> {
    let mut body = json!({ "subject": subject, "scopes": scopes });
    if let Some(name) = name {
        body["name"] = json!(name);
    }
    if let Some(minutes) = ttl_minutes {
        body["ttlMinutes"] = json!(minutes);
    }
    let minted: Value = desk.client.post("/v1/auth/pats").json(&body).send().await?.json().await?;
    let token = minted["token"].as_str().ok_or_else(|| Failure::new("the server's answer holds no token"))?;
    let console = &desk.context.console;
    warn_of_typos(desk, scopes).await;
    if desk.json {
        table::json(console, &minted);
        return Ok(());
    }
    let text = |field: &str| minted[field].as_str().unwrap_or_default();
    console.complain(&format!("token {} for {subject}, until {}; it is shown only now:", text("tokenId"), text("expiresAtUtc")));
    console.line(token);
    Ok(())
}
