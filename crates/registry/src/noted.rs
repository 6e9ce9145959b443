//! What somebody made once of something that is remembered, kept beside it.

use std::any::Any;
use std::sync::{Arc, OnceLock};

/// Room for one value. Meant for one caller: another type than the first one's is made each time.
#[derive(Default)]
pub(crate) struct Note(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Note {
    /// What `make` made the first time.
    pub(crate) fn get_or_make<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        let note = self.0.get_or_init(|| Arc::new(make()));
        Arc::clone(note).downcast().unwrap_or_else(|_| Arc::new(make()))
    }
}

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.get().is_some() { "Note" } else { "no note" })
    }
}
