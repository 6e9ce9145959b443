//! What a connection holds of something that others may wait for.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// One thing held for an answer until its bytes were taken.
pub trait Piece: Debug + Send + Sync {
    /// Whether somebody waits for it.
    fn is_wanted(&self) -> bool;
}

/// All that one connection holds.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Mutex<Vec<Weak<dyn Piece>>>);

impl Pieces {
    /// Notes a piece; it is forgotten when it is dropped.
    pub(crate) fn note(&self, piece: Weak<dyn Piece>) {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.retain(|piece| piece.strong_count() > 0);
        pieces.push(piece);
    }

    /// Whether somebody waits for something of it.
    pub(crate) fn are_wanted(&self) -> bool {
        let pieces: Vec<Arc<dyn Piece>> = {
            let pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            pieces.iter().filter_map(Weak::upgrade).collect()
        };
        pieces.iter().any(|piece| piece.is_wanted())
    }
}
