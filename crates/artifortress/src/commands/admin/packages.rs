//! `admin packages`.

use clap::Subcommand;
use model::RepoKey;

use super::Desk;
use crate::commands::failure::Failure;
use crate::commands::push::repo_key;

#[derive(Debug, Subcommand)]
pub(super) enum Packages {
    /// List the packages of a repository
    List {
        /// The repository
        #[arg(value_parser = repo_key)]
        repo: RepoKey,
        /// How their names begin
        #[arg(long)]
        prefix: Option<String>,
    },
}

impl Packages {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        let Self::List { repo, prefix } = self;
        let columns = [
            ("NAMESPACE", "packageNamespace"),
            ("PACKAGE", "packageName"),
            ("LATEST", "latestVersion"),
            ("PUBLISHED", "latestPublishedAtUtc"),
        ];
        let place = outbound::path(["v1", "repos", repo.as_str(), "packages"]);
        desk.list(&place, &[("prefix", prefix.as_deref())], None, &columns).await
    }
}
