//! Whether an archive is a Maven plugin, and the prefix of its goals.
//!
//! Only the directory at the end of the archive and one member are read, so that a large archive costs no
//! more than a small one. An archive in which nothing is found is as good as any other.

use std::io::{BufRead, BufReader, Read, SeekFrom};

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::ReadSeek;

/// The member that makes an archive a plugin.
const DESCRIPTOR: &[u8] = b"META-INF/maven/plugin.xml";
/// The end of the directory and the longest comment behind it.
const END: usize = 22;
const COMMENT: u64 = 65_535;
/// The longest directory that is looked through, and as much of the descriptor as is read, in bytes.
const DIRECTORY: u64 = 32 << 20;
const DESCRIBED: u64 = 4 << 20;

/// The prefix of the goals.
pub(super) fn prefix(archive: &mut dyn ReadSeek, length: u64) -> Option<String> {
    let member = find(archive, length)?;
    archive.seek(SeekFrom::Start(member.header)).ok()?;
    let mut header = [0; 30];
    archive.read_exact(&mut header).ok()?;
    if header.get(..4)? != b"PK\x03\x04" {
        return None;
    }
    let skip = u64::from(short(&header, 26)?) + u64::from(short(&header, 28)?);
    archive.seek(SeekFrom::Start(member.header + 30 + skip)).ok()?;
    let packed = BufReader::new(archive.take(member.packed));
    match member.method {
        0 => goal_prefix(packed.take(DESCRIBED)),
        8 => goal_prefix(BufReader::new(flate2::bufread::DeflateDecoder::new(packed)).take(DESCRIBED)),
        _ => None,
    }
}

struct Member {
    header: u64,
    packed: u64,
    method: u16,
}

/// Looks for the descriptor in the directory.
fn find(archive: &mut dyn ReadSeek, length: u64) -> Option<Member> {
    let tail = length.min(END as u64 + COMMENT);
    archive.seek(SeekFrom::Start(length - tail)).ok()?;
    let mut bytes = Vec::new();
    archive.take(tail).read_to_end(&mut bytes).ok()?;
    let at = (0..=bytes.len().checked_sub(END)?).rev().find(|at| bytes.get(*at..at + 4) == Some(b"PK\x05\x06"))?;
    let end = bytes.get(at..at + END)?;
    let (size, start) = (u64::from(long(end, 12)?), u64::from(long(end, 16)?));
    let directory = (length - tail + at as u64).checked_sub(size)?;
    // Bytes in front of the archive, as in programs that unpack themselves, move everything.
    let moved = directory.checked_sub(start)?;
    if size > DIRECTORY {
        return None;
    }
    archive.seek(SeekFrom::Start(directory)).ok()?;
    let mut entries = BufReader::with_capacity(32 << 10, archive.take(size));
    let mut head = [0; 46];
    while entries.read_exact(&mut head).is_ok() && head.starts_with(b"PK\x01\x02") {
        let mut name = vec![0; usize::from(short(&head, 28)?)];
        entries.read_exact(&mut name).ok()?;
        if name == DESCRIPTOR {
            let header = u64::from(long(&head, 42)?).checked_add(moved)?;
            return Some(Member { header, packed: u64::from(long(&head, 20)?), method: short(&head, 10)? });
        }
        let rest = u64::from(short(&head, 30)?) + u64::from(short(&head, 32)?);
        std::io::copy(&mut entries.by_ref().take(rest), &mut std::io::sink()).ok()?;
    }
    None
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// The text of `plugin/goalPrefix`.
fn goal_prefix(descriptor: impl BufRead) -> Option<String> {
    let mut reader = Reader::from_reader(descriptor);
    let (mut buffer, mut depth, mut here, mut found) = (Vec::new(), 0usize, false, String::new());
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(start) => {
                depth += 1;
                if depth == 1 && start.name().as_ref() != b"plugin" {
                    return None;
                }
                here = depth == 2 && start.name().as_ref() == b"goalPrefix";
            }
            Event::Text(text) if here => found.push_str(&text.decode().ok()?),
            Event::End(_) if here => return Some(found.trim().to_owned()).filter(|found| !found.is_empty()),
            Event::End(_) => depth = depth.checked_sub(1)?,
            Event::DocType(_) | Event::Eof => return None,
            _ => {}
        }
    }
}
