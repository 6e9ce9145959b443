//! `init`: from a fresh server to a login and a first repository.

use std::path::Path;

use clap::Args;
use model::Secret;
use outbound::Client;
use serde_json::{Value, json};

use super::connection::{Connection, local, secret_file};
use super::credentials::Credentials;
use super::failure::Failure;
use super::login::ask;
use super::table;
use crate::Context;
use crate::config::{Config, FewFlags};

const USED: &str = "the bootstrap token works once: was this server set up before? Whoever owns its database and has no \
                    admin's token in force uses `artifortress recover`";

/// Set up a fresh server: exchange its bootstrap token for the first admin login and make a repository
///
/// The bootstrap token comes from ARTIFORTRESS_BOOTSTRAP_TOKEN (or _FILE), else from `<data>/bootstrap-token` on
/// the server's own machine, else it is asked for or read from standard input. It works once.
#[derive(Args, Debug)]
pub struct Init {
    #[command(flatten)]
    connection: Connection,

    /// Who the first admin is
    #[arg(long, default_value = "admin")]
    subject: String,

    /// Minutes that the login lives
    #[arg(long, value_name = "MINUTES", default_value_t = 10_080, value_parser = clap::value_parser!(u64).range(5..=10_080))]
    ttl_minutes: u64,

    /// The repository to make for files of any kind; empty for none
    #[arg(long, value_name = "KEY", default_value = "files")]
    repo: String,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    config: FewFlags,
}

impl Init {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = Config::load(&self.config.0, &context.environment)?;
        let server = self.server(context, &config)?;
        let bootstrap = bootstrap_token(context, &config)?;
        let token = self.exchange(context, &server, &bootstrap).await?;
        let mut credentials = Credentials::load(&context.environment)?;
        let authorities = self.connection.authorities(context)?;
        credentials.keep(&context.console, &server, (&self.subject, &token), authorities)?;
        let client = self.connection.client_with(context, &server, Some(token))?;
        if !self.repo.is_empty() {
            make_repository(&client, &self.repo).await?;
        }
        self.tell(context, &server, &credentials);
        Ok(())
    }

    /// A fresh server, so not the one of an earlier login: the one that is named, else the local one.
    fn server(&self, context: &Context, config: &Config) -> Result<String, Failure> {
        let named = self.connection.server.is_some() || context.environment.filled("ARTIFORTRESS_SERVER").is_some();
        if named {
            return self.connection.address(context);
        }
        let address = local(Some(&config.server.listen.to_string()));
        Ok(if config.tls.cert.is_some() { address.replacen("http://", "https://", 1) } else { address })
    }

    async fn exchange(
        &self,
        context: &Context,
        server: &str,
        bootstrap: &Secret<String>,
    ) -> Result<Secret<String>, Failure> {
        let client = self.connection.client_with(context, server, None)?;
        let body = json!({
            "subject": self.subject, "scopes": ["repo:*:admin"], "ttlMinutes": self.ttl_minutes, "name": "init",
        });
        let call = client.post("/v1/auth/pats").secret_header("X-Bootstrap-Token", bootstrap).json(&body);
        let minted = call.send().await.map_err(|error| match error.status() {
            Some(401 | 403) => Failure::from(error).advise(USED),
            _ => error.into(),
        })?;
        let minted: Value = minted.json().await?;
        let token = minted["token"].as_str().ok_or_else(|| Failure::new("the server's answer holds no token"))?;
        Ok(Secret::new(token.to_owned()))
    }

    fn tell(&self, context: &Context, server: &str, credentials: &Credentials) {
        let Self { subject, repo, .. } = self;
        if self.json {
            let path = credentials.path().display().to_string();
            let told = json!({ "server": server, "subject": subject, "repo": repo, "credentials": path });
            return table::json(&context.console, &told);
        }
        let console = &context.console;
        console.line(&format!("{server} is set up, and you are logged in as {subject}"));
        console.line(&format!("the login is kept in {}", credentials.path().display()));
        if !repo.is_empty() {
            console.line("\nnext:");
            console.line(&format!("  artifortress push {repo} README.md     # store a file"));
            console.line(&format!("  artifortress pull {repo} README.md -o copy.md"));
        }
        console.line("  artifortress admin tokens mint --scope 'repo:*:write' --name ci");
    }
}

fn bootstrap_token(context: &Context, config: &Config) -> Result<Secret<String>, Failure> {
    if let Some(token) = &config.server.bootstrap_token {
        return Ok(token.clone());
    }
    let path = config.server.data.join("bootstrap-token");
    if Path::exists(&path) {
        return secret_file(&path);
    }
    let advice = format!("there is no {}: name the server's folder with --data, or set ARTIFORTRESS_BOOTSTRAP_TOKEN", path.display());
    ask(context, "Bootstrap token").map_err(|failure| failure.advise(advice))
}

async fn make_repository(client: &Client, key: &str) -> Result<(), Failure> {
    let body = json!({ "repoKey": key, "format": "raw", "repoType": "local" });
    match client.post("/v1/repos").json(&body).once().send().await {
        Ok(_) => Ok(()),
        Err(error) if error.status() == Some(409) => Ok(()),
        Err(error) => Err(Failure::from(error).about(format!("the repository '{key}'"))),
    }
}
