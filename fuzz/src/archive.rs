//! Well-made archives of members with any names and contents.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// What separates names and contents in the text of a package.
const CUT: &[u8] = b"\x00\x00";

/// A package as text: what is said of it, then name and content of each member.
pub(crate) struct Parts<'a> {
    pub(crate) said: &'a [u8],
    pub(crate) members: Vec<(&'a [u8], &'a [u8])>,
}

/// The text of a package.
pub(crate) fn write(said: &str, members: &[(&str, &str)]) -> Vec<u8> {
    let parts = members.iter().flat_map(|(name, content)| [name.as_bytes(), content.as_bytes()]);
    std::iter::once(said.as_bytes()).chain(parts).collect::<Vec<_>>().join(CUT)
}

pub(crate) fn read(text: &[u8]) -> Parts<'_> {
    let mut rest = Some(text);
    let mut next = || {
        let text = rest?;
        let at = text.windows(CUT.len()).position(|window| window == CUT);
        rest = at.map(|at| &text[at + CUT.len()..]);
        Some(&text[..at.unwrap_or(text.len())])
    };
    let said = next().unwrap_or_default();
    let members = std::iter::from_fn(|| Some((next()?, next()?))).take(64).collect();
    Parts { said, members }
}

/// Takes the content of a first member without a name.
pub(crate) fn unnamed<'a>(members: &mut Vec<(&'a [u8], &'a [u8])>) -> Option<&'a [u8]> {
    let (name, _) = members.first()?;
    name.is_empty().then(|| members.remove(0).1)
}

/// A gzip file of a tar archive. A name too long for its header is cut.
pub(crate) fn tgz(members: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        let name = &name[..name.len().min(99)];
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).expect("in memory");
    }
    gzip(&builder.into_inner().expect("in memory"))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(bytes).and_then(|()| gzip.finish()).expect("in memory")
}

/// A tar archive whose headers have true checksums, so that changes of them are read.
pub(crate) fn summed(tar: &[u8]) -> Vec<u8> {
    let (mut tar, mut at) = (tar.to_vec(), 0);
    while let Some(block) = tar.get_mut(at..at + 512) {
        let mut header = tar::Header::from_byte_slice(block).clone();
        if block.iter().any(|&byte| byte != 0) {
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
        let size = usize::try_from(header.entry_size().unwrap_or(0)).unwrap_or(usize::MAX).min(1 << 24);
        at += 512 + size.next_multiple_of(512);
    }
    tar
}

/// A zip archive whose members are stored as they are. Source: APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16.
pub(crate) fn zip(members: &[(&[u8], &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let offset = number(bytes.len()).to_le_bytes();
        let about = about(name, content);
        put(&mut bytes, &[b"PK\x03\x04", &about, name, content]);
        put(&mut directory, &[b"PK\x01\x02\x14\x00", &about, &[0; 10], &offset, name]);
    }
    let (count, start) = (u16::try_from(members.len()).expect("few").to_le_bytes(), number(bytes.len()).to_le_bytes());
    let length = number(directory.len()).to_le_bytes();
    put(&mut bytes, &[&directory, b"PK\x05\x06\x00\x00\x00\x00", &count, &count, &length, &start, &[0, 0]]);
    bytes
}

/// What both headers say of a member: version, flags, method, time, checksum, lengths.
fn about(name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(content);
    let (length, name) = (number(content.len()).to_le_bytes(), u16::try_from(name.len()).unwrap_or(u16::MAX));
    let mut about = vec![0x14, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x50];
    put(&mut about, &[&sum.sum().to_le_bytes(), &length, &length, &name.to_le_bytes(), &[0, 0]]);
    about
}

fn put(bytes: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        bytes.write_all(part).expect("in memory");
    }
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("short")
}
