//! Gathering received pieces into portions worth handing over.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// Pieces from this length on are kept as they are; shorter ones are copied together, so that neither their
/// bookkeeping nor what they keep alive outgrows the bytes themselves.
const KEEP: usize = 16 << 10;

/// Pieces received and not yet handed over, in order.
#[derive(Default)]
pub(crate) struct Batch {
    pieces: Vec<Bytes>,
    tail: BytesMut,
    length: usize,
}

impl Batch {
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        if piece.len() < KEEP {
            self.tail.extend_from_slice(&piece);
        } else {
            self.seal_tail();
            self.pieces.push(piece);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(std::mem::take(&mut self.tail).freeze());
        }
    }

    /// Everything gathered so far; the batch is empty afterwards.
    pub(crate) fn take(&mut self) -> Arc<[Bytes]> {
        self.seal_tail();
        self.length = 0;
        std::mem::take(&mut self.pieces).into()
    }

    /// Everything gathered so far as one piece of memory of exactly its length.
    pub(crate) fn into_bytes(mut self) -> Bytes {
        let length = self.length;
        let pieces = self.take();
        let mut whole = Vec::with_capacity(length);
        pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
        whole.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_whatever_the_sizes() {
        let mut batch = Batch::default();
        let mut all = Vec::new();
        for (index, length) in [1, KEEP, 2, 3, KEEP - 1, KEEP + 1, 0, 5].into_iter().enumerate() {
            let piece = vec![index as u8; length];
            all.extend_from_slice(&piece);
            batch.push(piece.into());
        }
        assert_eq!(batch.len(), all.len());
        let pieces = batch.take();
        assert_eq!(pieces.concat(), all);
        assert_eq!(pieces.len(), 5);
        assert_eq!((batch.len(), batch.take().len()), (0, 0));
    }
}
