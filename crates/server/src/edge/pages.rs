//! Long answers from memory that the kernel sends without copying them: out of a file that exists in memory alone.
//!
//! Only the socket knows of it. Where bytes are written that lie, by their address, in what [`Outgoing`] was told of, it
//! sends the same part of the file. Everything in between handles bytes, and where they are written as something else
//! (TLS, a part that was copied) they go as they are.

use std::fs::File;
use std::io::{IoSlice, Write as _};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// Bytes, and a file of the same content that nobody can change.
#[derive(Debug)]
pub(crate) struct Pages {
    /// As long as they are held, no other bytes are at their address.
    bytes: Bytes,
    file: OwnedFd,
}

impl Pages {
    /// A file of these bytes, which takes their memory once more; `None`: the system has none to give.
    pub(crate) fn of(bytes: &Bytes) -> Option<Arc<Self>> {
        let file = memfd_create(c"answer", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).ok()?;
        let mut file = File::from(file);
        file.write_all(bytes).ok()?;
        let file = OwnedFd::from(file);
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL).ok()?;
        Some(Arc::new(Self { bytes: bytes.clone(), file }))
    }

    pub(crate) fn file(&self) -> &OwnedFd {
        &self.file
    }

    /// Whether the file ends there.
    pub(crate) fn ends_at(&self, offset: u64) -> bool {
        offset == self.bytes.len() as u64
    }

    /// Where in the file the same bytes are.
    fn offset_of(&self, part: &[u8]) -> Option<u64> {
        let offset = part.as_ptr().addr().checked_sub(self.bytes.as_ptr().addr())?;
        let fits = offset.checked_add(part.len())? <= self.bytes.len();
        fits.then_some(offset as u64)
    }
}

/// What one connection is sending of this kind.
#[derive(Debug, Default)]
pub(crate) struct Outgoing(Mutex<Option<Arc<Pages>>>);

/// What is to be written: perhaps a head, then a part of the pages.
pub(crate) struct Part<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) pages: Arc<Pages>,
    pub(crate) offset: u64,
    pub(crate) length: usize,
}

impl Outgoing {
    /// The bytes of `pages` are about to be written.
    pub(crate) fn begin(&self, pages: Arc<Pages>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pages);
    }

    /// They were sent.
    pub(crate) fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The part of the pages that these slices are, alone or behind one other; `None`: they are something else.
    pub(crate) fn part<'a>(&self, slices: &'a [IoSlice<'_>]) -> Option<Part<'a>> {
        let (head, body) = match slices {
            [body] => (&[][..], &**body),
            [head, body] => (&**head, &**body),
            _ => return None,
        };
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|_| !body.is_empty())?;
        let offset = pages.offset_of(body)?;
        Some(Part { head, pages, offset, length: body.len() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    const LENGTH: usize = 10_000;

    fn pages() -> (Bytes, Arc<Pages>) {
        let bytes = Bytes::from((0..LENGTH).map(|number| number as u8).collect::<Vec<_>>());
        let pages = Pages::of(&bytes).unwrap();
        (bytes, pages)
    }

    #[test]
    fn bytes_are_known_by_their_address() {
        let (bytes, pages) = pages();
        let (other, outgoing) = (Bytes::from(bytes.to_vec()), Outgoing::default());
        let offset = |slices: &[&[u8]]| {
            let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
            outgoing.part(&slices).map(|part| (part.head.len(), part.offset, part.length))
        };
        assert_eq!(offset(&[&bytes]), None, "nothing was begun");
        outgoing.begin(pages);
        assert_eq!(offset(&[&bytes]), Some((0, 0, LENGTH)));
        assert_eq!(offset(&[&bytes[7..9]]), Some((0, 7, 2)));
        assert_eq!(offset(&[b"head", &bytes[100..]]), Some((4, 100, LENGTH - 100)));
        assert_eq!(offset(&[b"head", &bytes[LENGTH..]]), None, "nothing follows the head");
        assert_eq!(offset(&[&other]), None);
        assert_eq!(offset(&[&bytes, &other]), None);
        assert_eq!(offset(&[b"a", b"b", &bytes]), None);
        outgoing.end();
        assert_eq!(offset(&[&bytes]), None);
    }

    #[test]
    fn nobody_can_change_them() {
        let (bytes, pages) = pages();
        let mut found = vec![0; LENGTH];
        assert_eq!(rustix::io::pread(pages.file(), &mut found, 0).unwrap(), LENGTH);
        assert_eq!(found, bytes);
        assert!(rustix::io::pwrite(pages.file(), b"x", 0).is_err());
        assert!(rustix::fs::ftruncate(pages.file().as_fd(), 1).is_err());
    }
}
