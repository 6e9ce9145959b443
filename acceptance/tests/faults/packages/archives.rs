//! The two kinds of archives that packages are, made in memory.

use std::io::Write as _;

use acceptance::Result;
use bytes::Bytes;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

/// A path and what is there.
pub(super) type Member = (String, Vec<u8>);

/// A tar archive, packed.
pub(super) fn tgz(members: &[Member]) -> Result<Bytes> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_slice())?;
    }
    let mut packed = tar.into_inner()?;
    packed.flush()?;
    Ok(packed.finish()?.into())
}

/// A ZIP archive whose members are stored as they are.
pub(super) fn zip(members: &[Member]) -> Result<Bytes> {
    let (mut files, mut directory) = (Vec::new(), Vec::new());
    for (path, content) in members {
        let mut crc = Crc::new();
        crc.update(content);
        let (length, at) = (u32::try_from(content.len())?.to_le_bytes(), u32::try_from(files.len())?.to_le_bytes());
        let name = u16::try_from(path.len())?.to_le_bytes();
        // Flags, method, time and date are zero; the date's day and month may not be.
        let both =
            [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..], &crc.sum().to_le_bytes(), &length, &length, &name, &[0; 2]];
        let both = both.concat();
        files.extend_from_slice(&[b"PK\x03\x04", both.as_slice(), path.as_bytes(), content].concat());
        let entry = [b"PK\x01\x02\x14\0", both.as_slice(), &[0; 10], &at, path.as_bytes()];
        directory.extend_from_slice(&entry.concat());
    }
    let count = u16::try_from(members.len())?.to_le_bytes();
    let (length, at) = (u32::try_from(directory.len())?.to_le_bytes(), u32::try_from(files.len())?.to_le_bytes());
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &length, &at, &[0; 2]];
    Ok([files, directory, end.concat()].concat().into())
}
