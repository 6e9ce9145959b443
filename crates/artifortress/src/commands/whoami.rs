//! `whoami`: who the server takes us for.

use clap::Args;
use serde_json::Value;

use super::connection::Connection;
use super::failure::{Exit, Failure};
use super::table;
use crate::Context;

/// Show who the server takes you for, and what you may do
#[derive(Args, Debug)]
pub struct Whoami {
    #[command(flatten)]
    connection: Connection,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Whoami {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let server = self.connection.address(context)?;
        let Some(token) = self.connection.token(context, &server)? else {
            let failure = Failure { exit: Exit::Denied, ..Failure::new(format!("not logged in to {server}")) };
            return Err(failure.advise("log in with `artifortress login --server URL`, or set ARTIFORTRESS_TOKEN"));
        };
        let client = self.connection.client_with(context, &server, Some(token))?;
        let who: Value = client.get("/v1/auth/whoami").send().await?.json().await?;
        let print = if self.json { table::json } else { table::fields };
        print(&context.console, &who);
        Ok(())
    }
}
