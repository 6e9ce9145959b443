//! `login`: checks a token and keeps it.

use std::path::PathBuf;

use clap::Args;
use model::Secret;
use serde_json::{Value, json};

use super::connection::{Connection, given_token, secret_file};
use super::credentials::Credentials;
use super::failure::Failure;
use super::table;
use crate::Context;

/// Check a token and keep it for the commands that follow
#[derive(Args, Debug)]
pub struct Login {
    #[command(flatten)]
    connection: Connection,

    /// A file that holds the token; otherwise ARTIFORTRESS_TOKEN, else it is asked for or read from standard input
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Login {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let server = self.connection.address(context)?;
        let token = self.token(context, &server)?;
        let client = self.connection.client_with(context, &server, Some(token.clone()))?;
        let who: Value = client.get("/v1/auth/whoami").send().await?.json().await?;
        let subject = who["subject"].as_str().ok_or_else(|| Failure::new("the server did not say who this is"))?;
        let mut credentials = Credentials::load(&context.environment)?;
        credentials.keep(&context.console, &server, (subject, &token), self.connection.authorities(context)?)?;
        if self.json {
            table::json(&context.console, &json!({ "server": server, "subject": subject, "scopes": who["scopes"] }));
        } else {
            context.console.line(&format!("logged in to {server} as {subject}"));
        }
        Ok(())
    }

    fn token(&self, context: &Context, server: &str) -> Result<Secret<String>, Failure> {
        if let Some(path) = &self.token_file {
            return secret_file(path);
        }
        if let Some(token) = given_token(&context.environment)? {
            return Ok(token);
        }
        ask(context, &format!("Token for {server}"))
    }
}

/// A secret that a person types or a pipe delivers; empty is refused.
pub(super) fn ask(context: &Context, prompt: &str) -> Result<Secret<String>, Failure> {
    let secret = context.console.secret(prompt);
    let secret = secret.map_err(|error| Failure::new(format!("standard input cannot be read: {error}")))?;
    if secret.expose().is_empty() {
        return Err(Failure::usage("no token was given"));
    }
    Ok(secret)
}
