//! `admin waivers`.

use clap::Subcommand;
use model::RepoKey;
use serde_json::json;

use super::Desk;
use crate::commands::failure::Failure;
use crate::commands::push::repo_key;

#[derive(Debug, Subcommand)]
pub(super) enum Waivers {
    /// List the waivers of a repository, those that have ended too
    List {
        /// The repository
        #[arg(value_parser = repo_key)]
        repo: RepoKey,
    },
    /// Let a package, or one version of it, in although rules block it or find it too young
    Give {
        /// The repository
        #[arg(value_parser = repo_key)]
        repo: RepoKey,
        /// The package; `group:artifact` for Maven
        package: String,
        /// One version; without it, all of them
        #[arg(long)]
        version: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
        /// For so many days, at most 90
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=90))]
        days: u16,
    },
    /// End a waiver before its time
    End {
        /// The repository
        #[arg(value_parser = repo_key)]
        repo: RepoKey,
        /// Its id
        id: String,
    },
}

const COLUMNS: [(&str, &str); 7] = [
    ("ID", "waiverId"),
    ("PACKAGE", "package"),
    ("VERSION", "version"),
    ("UNTIL", "untilUtc"),
    ("ENDED", "endedAtUtc"),
    ("BY", "bySubject"),
    ("REASON", "reason"),
];

impl Waivers {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::List { repo } => desk.list(&at(&repo, None), &[], None, &COLUMNS).await,
            Self::Give { repo, package, version, reason, days } => {
                // A minute less: the server's clock may be behind.
                let seconds = u64::from(days) * 86_400 - 60;
                let until = desk.context.ambient.now().plus(std::time::Duration::from_secs(seconds));
                let body = json!({"package": package, "version": version, "reason": reason, "until": until});
                let call = desk.client.post(&at(&repo, None)).json(&body);
                desk.perform(call, &format!("{package} is let into {repo} until {}", until.to_seconds())).await
            }
            Self::End { repo, id } => {
                let call = desk.client.delete(&at(&repo, Some(&id)));
                desk.perform(call, &format!("waiver {id} is ended")).await
            }
        }
    }
}

fn at(repo: &RepoKey, id: Option<&str>) -> String {
    outbound::path(["v1", "repos", repo.as_str(), "waivers"].into_iter().chain(id))
}
