//! Acts that are hard to take back are asked about.

use clap::Args;

use super::Desk;
use crate::commands::failure::Failure;

/// For scripts, which nobody can ask.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Sure {
    /// Do not ask; needed where nobody is at a terminal
    #[arg(long)]
    yes: bool,
}

impl Sure {
    /// Passes when `act` was agreed to.
    pub(super) fn agreed(self, desk: &Desk<'_>, act: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let unreadable = |error| Failure::new(format!("standard input cannot be read: {error}"));
        match desk.context.console.confirms(&format!("{act}?")).map_err(unreadable)? {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::new("nothing was done")),
            None => Err(Failure::usage(format!("{act}: nobody is at a terminal to be asked")).advise("say --yes")),
        }
    }
}
