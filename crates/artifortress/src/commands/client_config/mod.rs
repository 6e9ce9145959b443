//! `client-config`: what a repository's clients must be told.

mod own;
mod target;

use clap::Args;
use formats::{Place, Setup};
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::Connection;
use super::failure::{Exit, Failure};
use super::table;
use crate::Context;
use target::Target;

/// Print the configuration with which package managers use a repository
///
/// Secrets are never printed: a client reads its token from the environment variable that is named, or `$TOKEN` stands
/// for it.
#[derive(Args, Debug)]
pub struct ClientConfig {
    /// The repository, or `REPO@MOMENT` for how it was then: a day, or a time as in RFC 3339
    #[arg(value_parser = Target::parse)]
    repo: Target,

    /// Only what this client reads; alone, and without a heading, where that is one file
    #[arg(long, value_name = "NAME")]
    client: Option<String>,

    /// Only this file of a client that reads several, by its name or the end of its path
    #[arg(long, value_name = "FILE")]
    file: Option<String>,

    #[command(flatten)]
    connection: Connection,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the server says of a repository.
#[derive(Deserialize)]
struct Repository {
    format: String,
    #[serde(rename = "repoType")]
    kind: String,
    #[serde(default)]
    settings: Value,
}

impl Repository {
    /// Whether something can be published there.
    fn takes(&self) -> bool {
        match self.kind.as_str() {
            "remote" => false,
            "virtual" => self.settings.pointer("/virtual/deployTo").is_some_and(Value::is_string),
            _ => true,
        }
    }
}

impl ClientConfig {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        self.repo.expect_settled(context.ambient.now())?;
        let (server, repository) = (self.connection.address(context)?, self.look(context).await?);
        let format = formats::by_key(&repository.format);
        let own = match format {
            Some(format) if format.tells_own_names() => {
                own::names(&self.connection.client(context)?, &self.repo.key, context).await?
            }
            _ => Vec::new(),
        };
        let place = Place {
            moment: self.repo.moment,
            takes: self.repo.moment.is_none() && repository.takes(),
            proxies: repository.kind != "local",
            own: &own,
            ..Place::local(&server, self.repo.key.as_str())
        };
        let setups = format.map(|format| format.setups(&place)).unwrap_or_default();
        let chosen = self.choose(&repository.format, &setups).map_err(|failure| match place.takes {
            true => failure,
            false => failure.advise("what publishes is left out: nothing can be published there"),
        })?;
        let console = &context.console;
        match chosen.as_slice() {
            chosen if self.json => table::json(console, &self.document(&repository, chosen)),
            [one] if self.client.is_some() => console.line(&one.text),
            several => {
                let parts: Vec<_> = several.iter().map(|setup| format!("# {}\n{}", title(setup), setup.text)).collect();
                console.line(&parts.join("\n\n"));
            }
        }
        Ok(())
    }

    async fn look(&self, context: &Context) -> Result<Repository, Failure> {
        let client = self.connection.client(context)?;
        let asked = client.get(&outbound::path(["v1", "repos", self.repo.key.as_str()])).send().await;
        match asked {
            Ok(answer) => Ok(answer.json().await?),
            Err(error) => match Failure::from(error) {
                missing @ Failure { exit: Exit::NotFound, .. } => {
                    Err(missing.advise("or you may not read it: see `artifortress whoami`"))
                }
                other => Err(other),
            },
        }
    }

    fn choose<'s>(&self, format: &str, setups: &'s [Setup]) -> Result<Vec<&'s Setup>, Failure> {
        if setups.is_empty() {
            return Err(Failure::new(format!("this program knows no clients of the format {format}")));
        }
        let read = |setup: &&Setup| self.client.as_deref().is_none_or(|client| setup.clients.contains(&client));
        let named = |setup: &&Setup| self.file.as_deref().is_none_or(|file| is_file(setup.file, file));
        let chosen: Vec<_> = setups.iter().filter(read).filter(named).collect();
        if chosen.is_empty() {
            let known: Vec<_> = setups.iter().map(title).collect();
            let why = format!("there is no such client or file; the format {format} has {}", known.join("; "));
            return Err(Failure::usage(why));
        }
        Ok(chosen)
    }

    fn document(&self, repository: &Repository, chosen: &[&Setup]) -> Value {
        let item = |setup: &&Setup| json!({"clients": setup.clients, "file": setup.file, "text": setup.text});
        let items: Vec<_> = chosen.iter().map(item).collect();
        let moment = self.repo.moment;
        json!({"repoKey": self.repo.key, "asOfUtc": moment, "format": repository.format, "repoType": repository.kind,
            "items": items})
    }
}

fn title(setup: &Setup) -> String {
    format!("{}: {}", setup.clients.join(", "), setup.file)
}

/// Whether a path is meant by its whole or by its last parts.
fn is_file(path: &str, asked: &str) -> bool {
    path.strip_suffix(asked).is_some_and(|front| front.is_empty() || front.ends_with('/'))
}
