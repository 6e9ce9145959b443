//! The commands, one file or folder each.
//!
//! To add one: write `commands/<name>.rs` with a `clap::Args` struct that has
//! `async fn run(self, context: &Context) -> Result<(), Failure>`, and add its line below. A command of
//! the server flattens [`crate::config::ConfigFlags`] and hands it to [`crate::process::live`].

mod clients;
pub mod connection;
pub mod credentials;
pub mod failure;
pub(crate) mod files;
mod hashing;
mod progress;
mod table;
#[cfg(test)]
mod tests;
mod words;

use clap::{Parser, Subcommand};

use crate::Context;
use failure::Failure;

/// Declares the commands: module and type; the type's own text is the command's help.
macro_rules! commands {
    ($($module:ident: $type:ident),+ $(,)?) => {
        $(mod $module;)+

        /// What can be asked of the program.
        #[derive(Debug, Subcommand)]
        #[expect(missing_docs, reason = "each command is documented where it is written")]
        pub enum Command {
            $($type($module::$type)),+
        }

        impl Command {
            /// Does it.
            pub async fn run(self, context: &Context) -> Result<(), Failure> {
                // Boxed, so that the largest command does not decide the size of all.
                match self {
                    $(Self::$type(command) => Box::pin(command.run(context)).await),+
                }
            }
        }
    };
}

commands! {
    serve: Serve,
    api: Api,
    worker: Worker,
    beat: Beat,
    migrate: Migrate,
    init: Init,
    recover: Recover,
    login: Login,
    logout: Logout,
    whoami: Whoami,
    push: Push,
    pull: Pull,
    client_config: ClientConfig,
    explain: Explain,
    mirror: Mirror,
    admin: Admin,
    health: Health,
    doctor: Doctor,
}

/// The artifact repository: what was acknowledged is durable, what was published never changes.
#[derive(Debug, Parser)]
#[command(name = "artifortress", version, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

#[cfg(test)]
mod shape {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_command_is_described() {
        let mut command = super::Cli::command();
        command.build();
        check(&command);
        command.debug_assert();
    }

    #[test]
    fn init_shows_what_it_looks_at_and_takes_the_rest() {
        let help = |name: &str| {
            let mut command = super::Cli::command();
            command.find_subcommand_mut(name).expect("a command").render_long_help().to_string()
        };
        let (init, serve) = (help("init"), help("serve"));
        assert!(
            init.contains("--data ") && init.contains("--bootstrap-token-file") && init.contains("--server"),
            "{init}"
        );
        assert!(!init.contains("--worker-batch-size") && serve.contains("--worker-batch-size"), "{init}");
        super::Cli::command().try_get_matches_from(["artifortress", "init", "--worker-batch-size=7"]).expect("taken");
    }

    fn check(command: &clap::Command) {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            assert!(inner.get_about().is_some(), "{} has no description", inner.get_name());
            for argument in inner.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {} has no help", inner.get_name(), argument.get_id());
            }
            check(inner);
        }
    }
}
