//! A member of a ZIP archive, unpacked while it is read.

use std::io::{self, BufReader, Read, Take};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use crate::ReadSeek;

/// The packed bytes of a member.
pub(crate) type Packed<'a> = Take<BufReader<&'a mut dyn ReadSeek>>;

/// A wrong length or checksum is an error at the end.
pub(crate) struct Unpacked<'a> {
    source: Packing<Packed<'a>>,
    left: u64,
    crc: Crc,
    expected: u32,
}

enum Packing<R> {
    Stored(R),
    Deflated(Box<DeflateDecoder<R>>),
}

impl<'a> Unpacked<'a> {
    /// As many bytes as `length`, with this checksum.
    pub(crate) fn new(packed: Packed<'a>, is_deflated: bool, length: u64, expected: u32) -> Self {
        let source = match is_deflated {
            false => Packing::Stored(packed),
            true => Packing::Deflated(Box::new(DeflateDecoder::new(packed))),
        };
        Self { source, left: length, crc: Crc::new(), expected }
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let count = match &mut self.source {
            Packing::Stored(source) => source.read(into)?,
            Packing::Deflated(source) => source.read(into)?,
        };
        let wrong = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
        let Some(left) = self.left.checked_sub(count as u64) else {
            return wrong("a member is longer than its header says");
        };
        self.left = left;
        self.crc.update(into.get(..count).unwrap_or_default());
        if count == 0 {
            let unread = match &self.source {
                Packing::Stored(source) => source.limit(),
                Packing::Deflated(source) => source.get_ref().limit(),
            };
            if self.left > 0 || unread > 0 {
                return wrong("a member is shorter than its header says");
            }
            if self.crc.sum() != self.expected {
                return wrong("the checksum of a member is wrong");
            }
        }
        Ok(count)
    }
}
