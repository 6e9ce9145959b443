//! `admin`: the control plane by hand.

mod audit;
mod bindings;
mod jobs;
mod lists;
mod ops;
mod packages;
mod quotas;
mod refs;
mod repos;
mod rules;
mod service_accounts;
mod sure;
mod token_policy;
mod tokens;
mod upstream;
mod versions;
mod waivers;

use clap::{Args, Subcommand};
use outbound::Client;

use super::connection::Connection;
use super::failure::Failure;
use crate::Context;

/// Administer repositories, what is in them, tokens, roles and allowances; read the journal and the state of operations
#[derive(Args, Debug)]
#[command(after_help = "When no admin's token is in force any more, see `artifortress recover`.")]
pub struct Admin {
    #[command(flatten)]
    connection: Connection,

    /// Print JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Repositories
    #[command(subcommand)]
    Repos(repos::Repos),
    /// A repository's ordered rule list
    #[command(subcommand)]
    Rules(rules::Rules),
    /// What rules keep out and somebody lets in for a while
    #[command(subcommand)]
    Waivers(waivers::Waivers),
    /// Packages of a repository
    #[command(subcommand)]
    Packages(packages::Packages),
    /// Versions: look, yank, deprecate, withdraw, restore
    #[command(subcommand)]
    Versions(versions::Versions),
    /// Names that move from version to version: tags, dist-tags
    #[command(subcommand)]
    Refs(refs::Refs),
    /// Personal access tokens
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    /// How long tokens may live
    #[command(subcommand)]
    TokenPolicy(token_policy::TokenPolicy),
    /// Allowances of the tenant and what is used of them
    #[command(subcommand)]
    Quotas(quotas::Quotas),
    /// Dead letters: background jobs that failed too often
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// Roles on a repository or on the tenant
    #[command(subcommand)]
    Bindings(bindings::Bindings),
    /// Machine accounts
    #[command(subcommand)]
    ServiceAccounts(service_accounts::ServiceAccounts),
    /// Read the journal: who did what, when
    Audit(audit::Audit),
    /// The state of operations
    #[command(subcommand)]
    Ops(ops::Ops),
}

/// What every administrative command works with.
struct Desk<'a> {
    context: &'a Context,
    client: Client,
    json: bool,
}

impl Admin {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let desk = Desk { context, client: self.connection.client(context)?, json: self.json };
        match self.noun {
            Noun::Repos(repos) => repos.run(&desk).await,
            Noun::Rules(rules) => rules.run(&desk).await,
            Noun::Waivers(waivers) => waivers.run(&desk).await,
            Noun::Packages(packages) => packages.run(&desk).await,
            Noun::Versions(versions) => versions.run(&desk).await,
            Noun::Refs(refs) => refs.run(&desk).await,
            Noun::Tokens(tokens) => tokens.run(&desk).await,
            Noun::TokenPolicy(policy) => policy.run(&desk).await,
            Noun::Quotas(quotas) => quotas.run(&desk).await,
            Noun::Jobs(jobs) => jobs.run(&desk).await,
            Noun::Bindings(bindings) => bindings.run(&desk).await,
            Noun::ServiceAccounts(accounts) => accounts.run(&desk).await,
            Noun::Audit(audit) => audit.run(&desk).await,
            Noun::Ops(ops) => ops.run(&desk).await,
        }
    }
}
