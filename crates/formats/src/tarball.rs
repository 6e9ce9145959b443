//! TAR archives, so that no other reader can see something else in them.

use std::io::{self, Read};

use model::{Code, Refusal};

/// The longest extension of a member's header, in bytes: whoever reads archives keeps it in memory.
const EXTENSION: u64 = 1 << 20;
const BLOCK: usize = 512;

/// The bytes of an archive on their way to its reader: headers whose extensions are endless are an error before they
/// are read.
pub(crate) struct Guarded<R> {
    source: R,
    block: [u8; BLOCK],
    filled: usize,
    /// Bytes until the next header.
    behind: u64,
}

impl<R> Guarded<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, block: [0; BLOCK], filled: 0, behind: 0 }
    }

    pub(crate) fn into_inner(self) -> R {
        self.source
    }

    fn see(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.behind > 0 {
                let count = usize::try_from(self.behind).unwrap_or(usize::MAX).min(bytes.len());
                self.behind -= count as u64;
                bytes = bytes.get(count..).unwrap_or_default();
                continue;
            }
            let count = bytes.len().min(BLOCK - self.filled);
            let (now, rest) = bytes.split_at(count);
            self.block.iter_mut().skip(self.filled).zip(now).for_each(|(to, from)| *to = *from);
            self.filled += count;
            bytes = rest;
            if self.filled == BLOCK {
                self.filled = 0;
                self.header()?;
            }
        }
        Ok(())
    }

    fn header(&mut self) -> io::Result<()> {
        if self.block.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let header = tar::Header::from_byte_slice(&self.block);
        let (kind, size) = (header.entry_type(), header.entry_size()?);
        let extends = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions();
        if extends && size > EXTENSION {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "what extends a header is too long"));
        }
        self.behind = size.checked_next_multiple_of(BLOCK as u64).unwrap_or(u64::MAX);
        Ok(())
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(into)?;
        self.see(into.get(..count).unwrap_or_default())?;
        Ok(count)
    }
}

/// What follows the end of the archive must be nothing: some readers go on after one empty block.
pub(crate) fn expect_zeros(rest: &mut impl Read) -> Result<(), Refusal> {
    let mut block = [0; 8192];
    loop {
        let count = rest.read(&mut block).map_err(broken)?;
        let read = block.get(..count).unwrap_or_default();
        if read.iter().any(|byte| *byte != 0) {
            return Err(contradiction("the archive goes on after its end"));
        }
        if count == 0 {
            return Ok(());
        }
    }
}

/// A header that says one size and an extension that says another would be read two ways.
pub(crate) fn same_size(member: &mut tar::Entry<'_, impl Read>, path: &str) -> Result<(), Refusal> {
    let plain = member.header().entry_size().map_err(broken)?;
    let mut stated = None;
    if let Some(extensions) = member.pax_extensions().map_err(broken)? {
        for extension in extensions {
            let extension = extension.map_err(broken)?;
            if extension.key_bytes() == b"size" {
                stated = Some(extension.value().ok().and_then(|value| value.parse::<u64>().ok()));
            }
        }
    }
    match stated {
        Some(stated) if stated != Some(plain) => {
            Err(contradiction(format!("the archive gives {} two sizes", path.escape_debug())))
        }
        _ => Ok(()),
    }
}

/// A name in an extension that is not the one that was taken, or that is there twice, would be read two ways.
pub(crate) fn same_path(member: &mut tar::Entry<'_, impl Read>, path: &str) -> Result<(), Refusal> {
    let mut stated = Vec::new();
    if let Some(extensions) = member.pax_extensions().map_err(broken)? {
        for extension in extensions {
            let extension = extension.map_err(broken)?;
            if extension.key_bytes() == b"path" {
                stated.push(extension.value_bytes().to_vec());
            }
        }
    }
    match stated.as_slice() {
        [] => Ok(()),
        [one] if one.as_slice() == path.as_bytes() => Ok(()),
        _ => Err(contradiction(format!("the archive gives {} two names", path.escape_debug()))),
    }
}

/// The archive is not as such archives are.
pub(crate) fn broken(error: io::Error) -> Refusal {
    contradiction(format!("the archive cannot be read: {error}"))
}

/// The package contradicts itself or what is said of it.
pub(crate) fn contradiction(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::Unprocessable, why.into())
}
