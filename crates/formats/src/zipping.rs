//! ZIP archives, written as a stream: the same files give the same bytes.

use std::io::{self, Read, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// Names are UTF-8, and checksum and lengths stand behind the bytes.
const FLAGS: u16 = 0x0808;
const DEFLATED: u16 = 8;
/// The version of the format that readers need: 2.0; with the long end 4.5.
const NEEDED: (u16, u16) = (20, 45);

/// An archive under way.
pub(crate) struct Zipping<W> {
    out: W,
    at: u64,
    directory: Vec<u8>,
    members: u64,
}

impl<W: Write> Zipping<W> {
    /// An archive without members.
    pub(crate) fn new(out: W) -> Self {
        Self { out, at: 0, directory: Vec::new(), members: 0 }
    }

    /// Adds a file. Its name must be new; at most 4 GiB.
    pub(crate) fn file(&mut self, name: &str, content: &mut dyn Read) -> io::Result<()> {
        let length = u16::try_from(name.len()).map_err(|_| io::Error::other(format!("{name} is too long a name")))?;
        let begin = self.at;
        let head = [NEEDED.0, FLAGS, DEFLATED, 0, 0].map(u16::to_le_bytes).concat();
        self.put(&[&0x0403_4b50u32.to_le_bytes(), head.as_slice(), &[0; 12], &length.to_le_bytes(), &[0; 2]].concat())?;
        self.put(name.as_bytes())?;
        let (crc, size) = self.deflate(content)?;
        let packed = self.at - begin - 30 - u64::from(length);
        let short = |long: u64| u32::try_from(long).map_err(|_| io::Error::other(format!("{name} is too long")));
        let sums = [crc, short(packed)?, short(size)?].map(u32::to_le_bytes).concat();
        self.put(&[&0x0807_4b50u32.to_le_bytes(), sums.as_slice()].concat())?;
        self.directory.extend_from_slice(&0x0201_4b50u32.to_le_bytes());
        self.directory.extend_from_slice(&NEEDED.0.to_le_bytes());
        self.directory.extend_from_slice(&head);
        self.directory.extend_from_slice(&sums);
        self.directory.extend_from_slice(&length.to_le_bytes());
        self.directory.extend_from_slice(&[0; 12]);
        self.directory.extend_from_slice(&short(begin)?.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.members += 1;
        Ok(())
    }

    fn deflate(&mut self, content: &mut dyn Read) -> io::Result<(u32, u64)> {
        let (mut crc, mut size) = (Crc::new(), 0);
        let mut encoder = DeflateEncoder::new(Counted { out: &mut self.out, count: 0 }, Compression::default());
        let mut buffer = [0; 16 << 10];
        loop {
            let count = content.read(&mut buffer)?;
            let piece = buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            crc.update(piece);
            size += piece.len() as u64;
            encoder.write_all(piece)?;
        }
        self.at += encoder.finish()?.count;
        Ok((crc.sum(), size))
    }

    /// Writes the directory and the end.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let (start, directory) = (self.at, std::mem::take(&mut self.directory));
        let (length, members) = (directory.len() as u64, self.members);
        self.put(&directory)?;
        let end = self.at;
        let short = |long: u64| u32::try_from(long).unwrap_or(u32::MAX);
        let count = u16::try_from(members).unwrap_or(u16::MAX);
        if count == u16::MAX || short(start) == u32::MAX || short(length) == u32::MAX {
            let versions = [NEEDED.1.to_le_bytes(), NEEDED.1.to_le_bytes()].concat();
            self.put(&[&0x0606_4b50u32.to_le_bytes(), 44u64.to_le_bytes().as_slice(), &versions, &[0; 8]].concat())?;
            self.put(&[members, members, length, start].map(u64::to_le_bytes).concat())?;
            let locator = [&0x0706_4b50u32.to_le_bytes(), [0; 4].as_slice(), &end.to_le_bytes(), &1u32.to_le_bytes()];
            self.put(&locator.concat())?;
        }
        let counts = [count, count].map(u16::to_le_bytes).concat();
        let places = [short(length), short(start)].map(u32::to_le_bytes).concat();
        self.put(&[&0x0605_4b50u32.to_le_bytes(), [0; 4].as_slice(), &counts, &places, &[0; 2]].concat())?;
        Ok(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

struct Counted<'a, W> {
    out: &'a mut W,
    count: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::zip::{Kind, Limits, members, open};
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { members: 100_000, directory: 16 << 20, unpacked: 1 << 20 };

    fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut zipping = Zipping::new(Vec::new());
        for (name, content) in files {
            zipping.file(name, &mut content.as_slice()).expect("added");
        }
        zipping.finish().expect("finished")
    }

    fn read(archive: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
        let mut bytes = Cursor::new(archive.to_vec());
        let found = members(&mut bytes, archive.len() as u64, &LIMITS).ok()?;
        let read = |member: &crate::zip::Member| {
            let mut content = Vec::new();
            open(&mut bytes, member).ok()?.read_to_end(&mut content).ok()?;
            (member.kind == Kind::File).then(|| (member.name.clone(), content))
        };
        found.iter().map(read).collect()
    }

    #[test]
    fn many_members_have_a_long_end() {
        let files: Vec<_> = (0..65_600).map(|number| (format!("f{number}"), Vec::new())).collect();
        assert_eq!(read(&archive(&files)).map(|found| found.len()), Some(files.len()));
    }

    #[test]
    fn nothing_may_stand_before_between_or_behind() {
        let files = [("a/b".to_owned(), b"hello".to_vec()), ("a/c".to_owned(), b"hello hello".repeat(9))];
        let whole = archive(&files);
        assert!(read(&whole).is_some());
        assert!(read(&[b"x", whole.as_slice()].concat()).is_none(), "before");
        assert!(read(&[whole.as_slice(), b"x"].concat()).is_none(), "behind");
        assert!(read(&[whole.as_slice(), &whole].concat()).is_none(), "two directories");
        let twice = [files[0].clone(), files[0].clone()];
        assert!(read(&archive(&twice)).is_none(), "one name twice");
    }

    /// A whole archive in two: its directory's place and length, and its bytes without the end.
    fn without_end(whole: &[u8]) -> (u64, u64, Vec<u8>) {
        let (rest, end) = whole.split_at(whole.len() - 22);
        let number = |at: usize| u64::from(u32::from_le_bytes(end[at..at + 4].try_into().expect("four bytes")));
        (number(16), number(12), rest.to_vec())
    }

    /// A long end that stands at `at`, with its locator. Source: APPNOTE 6.3, sections 4.3.14 and 4.3.15.
    fn long_end(at: u64, members: u64, length: u64, start: u64) -> Vec<u8> {
        let end = [&b"PK\x06\x06"[..], &44u64.to_le_bytes(), &[45, 0, 45, 0], &[0; 8]].concat();
        let said = [members, members, length, start].map(u64::to_le_bytes).concat();
        [&end, &said, &b"PK\x06\x07\0\0\0\0"[..], &at.to_le_bytes(), &1u32.to_le_bytes()].concat()
    }

    fn short_end(members: u16, length: u64, start: u64) -> Vec<u8> {
        let short = |long: u64| u32::try_from(long).expect("short").to_le_bytes();
        let count = members.to_le_bytes();
        [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &short(length), &short(start), &[0; 2]].concat()
    }

    #[test]
    fn two_ends_say_the_same() {
        let (start, length, rest) = without_end(&archive(&[("a/b".to_owned(), b"hello".to_vec())]));
        let at = rest.len() as u64;
        let none = u64::from(u32::MAX);
        let with = |said: (u64, u64, u64), short: (u16, u64, u64)| {
            let (long, short) = (long_end(at, said.0, said.1, said.2), short_end(short.0, short.1, short.2));
            read(&[rest.as_slice(), &long, &short].concat()).is_some()
        };
        let said = (1, length, start);
        assert!(
            with(said, (0xffff, none, none)) && with(said, (0xffff, length, start)) && with(said, (1, length, none))
        );
        // Python writes both in full from 2 GiB on, Info-ZIP whenever it reads from a pipe.
        assert!(with(said, (1, length, start)), "nothing but what both say");
        for short in [(2, length, none), (0xffff, length + 1, start), (0xffff, length, start + 1), (0xffff, 0, none)] {
            assert!(!with(said, short), "{short:?}");
        }
    }

    #[test]
    fn a_long_end_in_a_comment_is_refused() {
        // It hides in the comment of the last member: readers that look for it take another directory.
        let (start, length, mut rest) = without_end(&archive(&[("a/b".to_owned(), b"hello".to_vec())]));
        let commented = |rest: &mut Vec<u8>, comment: &[u8]| {
            let at = usize::try_from(start).expect("short") + 32;
            rest[at..at + 2].copy_from_slice(&u16::try_from(comment.len()).expect("short").to_le_bytes());
            let length = length + comment.len() as u64;
            read(&[rest.as_slice(), comment, &short_end(1, length, start)].concat()).is_some()
        };
        let fake = long_end(rest.len() as u64, 0, 0, start);
        assert!(commented(&mut rest, &vec![b'x'; fake.len()]));
        assert!(!commented(&mut rest, &fake));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(files in prop::collection::btree_map("[a-zA-Z0-9/äß.]{1,20}[a-z]", prop::collection::vec(any::<u8>(), 0..200), 0..6)) {
            let files: Vec<_> = files.into_iter().collect();
            prop_assert_eq!(read(&archive(&files)), Some(files));
        }

        /// A change of one byte is noticed, or is in what means nothing: times, versions, attributes, counters of disks.
        #[test]
        fn a_broken_archive_never_reads_as_another(at in any::<prop::sample::Index>(), flip in 1u8.., content in prop::collection::vec(0u8..4, 0..300)) {
            let files = vec![("a/b".to_owned(), content), ("c".to_owned(), b"x".to_vec())];
            let mut whole = archive(&files);
            let at = at.index(whole.len());
            whole[at] ^= flip;
            prop_assert!(read(&whole).is_none_or(|found| found == files), "byte {at}");
        }

        #[test]
        fn a_cut_archive_is_refused(at in any::<prop::sample::Index>()) {
            let whole = archive(&[("a/b".to_owned(), b"hello".to_vec())]);
            prop_assert!(read(&whole[..at.index(whole.len())]).is_none());
        }

        #[test]
        fn reading_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..200), tail in any::<bool>()) {
            if tail {
                bytes.extend_from_slice(&archive(&[("a".to_owned(), b"b".to_vec())]));
            }
            let _ = read(&bytes);
        }
    }
}
