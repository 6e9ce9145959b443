//! `admin versions`.

use clap::{Args, Subcommand};
use model::RepoKey;
use serde_json::{Value, json};

use super::Desk;
use super::sure::Sure;
use crate::commands::failure::Failure;
use crate::commands::push::repo_key;

#[derive(Debug, Subcommand)]
pub(super) enum Versions {
    /// List the versions of a package with their marks and refs (an image's tags), youngest first
    List {
        #[command(flatten)]
        package: InRepo,
    },
    /// Show one with its files, refs and marks
    Get {
        #[command(flatten)]
        which: Which,
    },
    /// Yank: resolvers do not choose it any more (npm shows it as deprecated), downloads go on
    Yank {
        #[command(flatten)]
        which: Which,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Take a yank back
    Unyank {
        #[command(flatten)]
        which: Which,
    },
    /// Deprecate with a text; npm shows it, other clients have no place for it
    Deprecate {
        #[command(flatten)]
        which: Which,
        /// What users are told
        #[arg(long)]
        text: String,
    },
    /// Take a deprecation back
    Undeprecate {
        #[command(flatten)]
        which: Which,
    },
    /// Withdraw: gone from the next request on; can be restored while it is retained
    Tombstone {
        #[command(flatten)]
        which: Which,
        /// Why
        #[arg(long)]
        reason: String,
        /// Days for which it can be restored [default: as the server is set]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
        retention_days: Option<u64>,
        #[command(flatten)]
        sure: Sure,
    },
    /// Publish a withdrawn version again
    Restore {
        #[command(flatten)]
        which: Which,
    },
}

/// A package of a repository.
#[derive(Args, Debug)]
pub(super) struct InRepo {
    /// The repository
    #[arg(value_parser = repo_key)]
    pub(super) repo: RepoKey,
    /// The package's name; `group:artifact` for Maven
    pub(super) package: String,
    /// The package's namespace, where the name is given without it
    #[arg(long)]
    pub(super) namespace: Option<String>,
}

/// A version of a package.
#[derive(Args, Debug)]
pub(super) struct Which {
    #[command(flatten)]
    of: InRepo,
    /// The version's name
    version: String,
}

impl InRepo {
    pub(super) fn at(&self, rest: &[&str]) -> String {
        outbound::path(["v1", "repos", self.repo.as_str()].into_iter().chain(rest.iter().copied()))
    }

    /// The id of the version with this name, whatever became of it.
    pub(super) async fn version_id(&self, desk: &Desk<'_>, version: &str) -> Result<String, Failure> {
        let call = desk.client.get(&self.at(&["packages", "versions", "resolve"])).query("name", &self.package);
        let call = call.query("version", version);
        let call = self.namespace.iter().fold(call, |call, namespace| call.query("namespace", namespace));
        let found: Value = match call.send().await {
            Ok(answer) => answer.json().await?,
            Err(error) if error.status() == Some(410) => return self.withdrawn(desk, version).await?.ok_or(error.into()),
            Err(error) => return Err(error.into()),
        };
        let id = found["versionId"].as_str().map(str::to_owned);
        id.ok_or_else(|| Failure::new("the server's answer holds no version"))
    }

    /// The id of a version that is not resolved any more.
    async fn withdrawn(&self, desk: &Desk<'_>, version: &str) -> Result<Option<String>, Failure> {
        let all = desk.pages(&self.at(&["packages", "versions"]), &self.filters(), None).await?;
        let found = all.iter().find(|found| found["version"] == version);
        Ok(found.and_then(|found| found["versionId"].as_str()).map(str::to_owned))
    }

    /// What a list of something of this package is asked with.
    pub(super) fn filters(&self) -> [(&'static str, Option<&str>); 2] {
        [("package", Some(self.package.as_str())), ("namespace", self.namespace.as_deref())]
    }
}

impl Which {
    /// Where the version is, and where its `deed` is done.
    async fn at(&self, desk: &Desk<'_>, deed: &[&str]) -> Result<String, Failure> {
        let id = self.of.version_id(desk, &self.version).await?;
        Ok(self.of.at(&[&["packages", "versions", &id], deed].concat()))
    }

    async fn act(&self, desk: &Desk<'_>, deed: &str, body: Option<&Value>, done: &str) -> Result<(), Failure> {
        let call = desk.client.post(&self.at(desk, &[deed]).await?);
        let call = body.into_iter().fold(call, |call, body| call.json(body));
        desk.perform(call, &format!("{self} {done}")).await
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.of.package, self.version)
    }
}

impl Versions {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::List { package } => list(desk, &package).await,
            Self::Get { which } => desk.show(&which.at(desk, &[]).await?).await,
            Self::Yank { which, reason } => {
                let body = reason.map(|reason| json!({ "reason": reason }));
                which.act(desk, "yank", body.as_ref(), "is yanked").await
            }
            Self::Unyank { which } => which.act(desk, "unyank", None, "is not yanked").await,
            Self::Deprecate { which, text } => {
                if text.trim().is_empty() {
                    return Err(Failure::usage("say in --text what users are told, or use `undeprecate`"));
                }
                which.act(desk, "deprecate", Some(&json!({ "text": text })), "is deprecated").await
            }
            Self::Undeprecate { which } => {
                which.act(desk, "deprecate", Some(&json!({ "text": "" })), "is not deprecated").await
            }
            Self::Tombstone { which, reason, retention_days, sure } => {
                sure.agreed(desk, &format!("withdraw {which} from {}", which.of.repo))?;
                let mut body = json!({ "reason": reason });
                if let Some(days) = retention_days {
                    body["retentionDays"] = json!(days);
                }
                which.act(desk, "tombstone", Some(&body), "is withdrawn").await
            }
            Self::Restore { which } => which.act(desk, "restore", None, "is published again").await,
        }
    }
}

async fn list(desk: &Desk<'_>, package: &InRepo) -> Result<(), Failure> {
    let columns = [
        ("VERSION", "version"),
        ("STATE", "state"),
        ("MARKS", "markKinds"),
        ("REFS", "refNames"),
        ("PUBLISHED", "publishedAtUtc"),
        ("BY", "publishedBySubject"),
    ];
    desk.list(&package.at(&["packages", "versions"]), &package.filters(), None, &columns).await
}
