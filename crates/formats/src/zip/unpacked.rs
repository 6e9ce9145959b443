//! A member of a ZIP archive, unpacked while it is read.

use std::io::{self, BufReader, Read, SeekFrom, Take};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::Member;
use crate::ReadSeek;

/// The bytes of a member, unpacked and checked: a wrong length or checksum is an error at their end.
pub(crate) fn open<'a>(bytes: &'a mut dyn ReadSeek, member: &Member) -> io::Result<Unpacked<'a>> {
    bytes.seek(SeekFrom::Start(member.data))?;
    let packed = BufReader::with_capacity(32 << 10, bytes).take(member.packed);
    let source = match member.method {
        0 => Packing::Stored(packed),
        _ => Packing::Deflated(Box::new(DeflateDecoder::new(packed))),
    };
    Ok(Unpacked { source, left: member.size, crc: Crc::new(), expected: member.crc })
}

/// See [`open`].
pub(crate) struct Unpacked<'a> {
    source: Packing<Take<BufReader<&'a mut dyn ReadSeek>>>,
    left: u64,
    crc: Crc,
    expected: u32,
}

enum Packing<R> {
    Stored(R),
    Deflated(Box<DeflateDecoder<R>>),
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
