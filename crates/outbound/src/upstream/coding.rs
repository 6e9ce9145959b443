//! Content codings: none, or gzip undone by us in small steps, so that nothing swells beyond what was asked for.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

/// Coded bytes that are undone in one step. Deflate swells by at most 1032, so a step gives about 4 MiB at most.
const STEP: usize = 4096;

/// Undoes a coding while the body comes.
pub(crate) struct Decoder {
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    waiting: Bytes,
}

impl Decoder {
    /// For bytes as they are, or for gzip.
    pub(crate) fn new(gzip: bool) -> Self {
        Self { gzip: gzip.then(|| MultiGzDecoder::new(Vec::new())), waiting: Bytes::new() }
    }

    /// Takes the next piece of the body, once [`Decoder::step`] has nothing more to give.
    pub(crate) fn feed(&mut self, piece: Bytes) {
        self.waiting = piece;
    }

    /// The next bytes of what was fed; none when more must be fed.
    pub(crate) fn step(&mut self) -> io::Result<Option<Bytes>> {
        let Some(gzip) = &mut self.gzip else {
            let whole = std::mem::take(&mut self.waiting);
            return Ok((!whole.is_empty()).then_some(whole));
        };
        while !self.waiting.is_empty() {
            let coded = self.waiting.split_to(self.waiting.len().min(STEP));
            gzip.write_all(&coded)?;
            if !gzip.get_ref().is_empty() {
                return Ok(Some(std::mem::take(gzip.get_mut()).into()));
            }
        }
        Ok(None)
    }

    /// The body is over: what is left of it. A coded body that was cut short is an error.
    pub(crate) fn finish(&mut self) -> io::Result<Option<Bytes>> {
        let Some(mut gzip) = self.gzip.take() else { return Ok(None) };
        gzip.try_finish()?;
        let rest = std::mem::take(gzip.get_mut());
        Ok((!rest.is_empty()).then(|| rest.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).expect("written");
        encoder.finish().expect("finished")
    }

    fn undo(coded: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let (mut decoder, mut plain) = (Decoder::new(true), Vec::new());
        for piece in coded.chunks(piece) {
            decoder.feed(Bytes::copy_from_slice(piece));
            while let Some(bytes) = decoder.step()? {
                plain.extend_from_slice(&bytes);
            }
        }
        plain.extend_from_slice(&decoder.finish()?.unwrap_or_default());
        Ok(plain)
    }

    #[test]
    fn gzip_is_undone_however_it_comes_in_pieces() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(|number| (number / 3).to_le_bytes()).collect();
        for piece in [1, 7, 4096, 1 << 20] {
            assert_eq!(undo(&gzip(&plain), piece).expect("undone"), plain, "{piece}");
        }
        let twice = [gzip(b"ab"), gzip(b"cd")].concat();
        assert_eq!(undo(&twice, 3).expect("undone"), b"abcd");
        assert_eq!(undo(&gzip(b""), 5).expect("undone"), b"");
    }

    #[test]
    fn gzip_that_is_short_or_wrong_is_an_error() {
        let whole = gzip(&vec![7; 10_000]);
        for length in 0..whole.len() {
            assert!(undo(&whole[..length], 8).is_err(), "{length} of {}", whole.len());
        }
        let mut wrong = whole.clone();
        let sum = wrong.len() - 6;
        wrong[sum] ^= 1;
        assert!(undo(&wrong, 8).is_err(), "checksum");
        assert!(undo(&[&whole[..], b"more"].concat(), 8).is_err(), "trailing bytes");
        assert!(undo(b"plain text", 8).is_err());
    }

    #[test]
    fn a_bomb_swells_in_small_steps() {
        let mut decoder = Decoder::new(true);
        decoder.feed(gzip(&vec![0; 16 << 20]).into());
        while let Some(bytes) = decoder.step().expect("undone") {
            assert!(bytes.len() <= 5 << 20, "{}", bytes.len());
        }
    }
}
