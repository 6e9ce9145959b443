//! Fields of binary formats.

use std::io::{self, Read, SeekFrom};

use crate::ReadSeek;

/// The next bytes, all of them.
pub(crate) fn text(source: &mut impl Read, length: u16) -> io::Result<Vec<u8>> {
    let mut text = vec![0; usize::from(length)];
    source.read_exact(&mut text)?;
    Ok(text)
}

/// Bytes at a place, all of them.
pub(crate) fn read_at(bytes: &mut dyn ReadSeek, at: u64, length: u64) -> io::Result<Vec<u8>> {
    bytes.seek(SeekFrom::Start(at))?;
    let mut text = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?];
    bytes.read_exact(&mut text)?;
    Ok(text)
}

/// Little-endian fields, one after the other.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next bytes; `None` where they are not there.
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    /// The next two bytes, as a number; `None` where they are not there.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    /// The next four; `None` where they are not there.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    /// The next eight; `None` where they are not there.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }
}
