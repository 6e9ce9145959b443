//! `logout`: forgets a stored login.

use clap::Args;

use super::connection::Connection;
use super::credentials::Credentials;
use super::failure::Failure;
use crate::Context;

/// Forget the stored login of a server (the token itself stays valid: see `admin tokens revoke`)
#[derive(Args, Debug)]
pub struct Logout {
    #[command(flatten)]
    connection: Connection,
}

impl Logout {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let server = self.connection.address(context)?;
        let known = Credentials::load(&context.environment)?.forget(&server)?;
        let what = if known { "logged out of" } else { "there was no login for" };
        context.console.line(&format!("{what} {server}"));
        Ok(())
    }
}
