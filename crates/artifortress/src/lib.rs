//! The program: configuration and commands.
//!
//! `main` gathers what the outside gives (arguments, environment, terminal, time and chance);
//! everything else gets it passed in and can be run by a test.

pub mod commands;
pub mod config;
pub mod console;
mod process;

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;
use model::Ambient;

use commands::Cli;
use commands::failure::Exit;
use config::Environment;
use console::Console;

/// What a command may use of the outside.
#[derive(Debug)]
pub struct Context {
    /// The environment, read once.
    pub environment: Environment,
    /// Time and chance.
    pub ambient: Ambient,
    /// Where to read, write and complain.
    pub console: Console,
}

/// Runs the program with these arguments (its own name first) and returns the exit code:
/// 0 ok, 1 failed, 2 usage, 3 not found, 4 denied.
pub async fn run(arguments: Vec<OsString>, context: &Context) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(refused) => return explain_usage(&refused, &context.console),
    };
    let done = cli.command.run(context).await;
    process::flush_logs();
    match done {
        Ok(()) => Exit::Ok.code(),
        Err(failure) => {
            failure.tell(&context.console);
            failure.exit.code()
        }
    }
}

fn explain_usage(refused: &clap::Error, console: &Console) -> u8 {
    let text = refused.render().to_string();
    if matches!(refused.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        console.line(text.trim_end());
        return Exit::Ok.code();
    }
    console.complain(text.trim_end());
    Exit::Usage.code()
}
