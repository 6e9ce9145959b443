//! `admin`: the control plane by hand.

mod audit;
mod bindings;
mod lists;
mod ops;
mod repos;
mod service_accounts;
mod tokens;

use clap::{Args, Subcommand};
use outbound::Client;

use super::connection::Connection;
use super::failure::Failure;
use crate::Context;

/// Administer repositories, tokens, bindings and service accounts; read the journal and the state of operations
#[derive(Args, Debug)]
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
    /// Personal access tokens
    #[command(subcommand)]
    Tokens(tokens::Tokens),
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
            Noun::Tokens(tokens) => tokens.run(&desk).await,
            Noun::Bindings(bindings) => bindings.run(&desk).await,
            Noun::ServiceAccounts(accounts) => accounts.run(&desk).await,
            Noun::Audit(audit) => audit.run(&desk).await,
            Noun::Ops(ops) => ops.run(&desk).await,
        }
    }
}
