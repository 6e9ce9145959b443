//! What nobody can guess.

use crate::{Result, Trouble};

/// Thirty-two letters and digits that nobody can guess, for passwords of one test.
pub fn text() -> Result<String> {
    let name = tempfile::Builder::new().prefix("").rand_bytes(32).tempfile()?;
    let name = name.path().file_name().map(|name| name.to_string_lossy().into_owned());
    name.ok_or_else(|| Trouble::new("no random text"))
}
