//! The harness's one error: a sentence for whoever reads the failed test.

use std::fmt;

/// What went wrong, in words. Tests return it with `?`; nothing ever inspects it.
pub struct Trouble(String);

/// A result of the harness.
pub type Result<T> = std::result::Result<T, Trouble>;

impl Trouble {
    /// A trouble that says `words`.
    pub fn new(words: impl Into<String>) -> Trouble {
        Trouble(words.into())
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Trouble {
        Trouble(error.to_string())
    }
}
