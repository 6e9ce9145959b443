//! One pass over the bytes: SHA-256 of the whole, a fast checksum of each block.

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use model::digest::Sha256Digest;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// The length of a block: 1 MiB. Only a blob's last block may be shorter.
pub const BLOCK: u64 = 1 << 20;

const ALGORITHM: CrcAlgorithm = CrcAlgorithm::Crc64Nvme;

/// How many blocks a blob of `length` bytes has.
pub fn blocks(length: u64) -> u64 {
    length.div_ceil(BLOCK)
}

/// The fast checksum of one block (CRC-64/NVME).
pub(crate) fn block_sum(block: &[u8]) -> u64 {
    crc_fast::checksum(ALGORITHM, block)
}

/// Checks the bytes of an inline copy against its block sums; the first bad block is the error.
pub fn check_inline(bytes: &[u8], sums: &[u64]) -> Result<()> {
    let mut actual = bytes.chunks(BLOCK as usize).map(block_sum);
    for (block, sum) in (0..).zip(sums) {
        if actual.next() != Some(*sum) {
            return Err(Error::Damaged { block });
        }
    }
    if actual.next().is_some() { Err(Error::Damaged { block: sums.len() as u64 }) } else { Ok(()) }
}

/// What one pass over the bytes found out.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) digest: Sha256Digest,
    pub(crate) length: u64,
    pub(crate) sums: Vec<u64>,
}

/// The pass itself. Further digests, where a format asks for them, are further fields fed in [`Meter::feed`].
pub(crate) struct Meter {
    sha256: Sha256,
    crc: Crc,
    in_block: u64,
    length: u64,
    sums: Vec<u64>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { sha256: Sha256::new(), crc: Crc::new(ALGORITHM), in_block: 0, length: 0, sums: Vec::new() }
    }

    pub(crate) fn feed_all(&mut self, chunks: &[Bytes]) {
        chunks.iter().for_each(|chunk| self.feed(chunk));
    }

    /// Takes the next bytes in strides that stay in the nearest cache between the two checksums.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        const STRIDE: usize = 32 << 10;
        for stride in bytes.chunks(STRIDE) {
            self.sha256.update(stride);
            self.feed_crc(stride);
        }
        self.length += bytes.len() as u64;
    }

    fn feed_crc(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = (BLOCK - self.in_block) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.crc.update(now);
            self.in_block += now.len() as u64;
            if self.in_block == BLOCK {
                self.end_block();
            }
            bytes = later;
        }
    }

    fn end_block(&mut self) {
        self.sums.push(self.crc.finalize_reset());
        self.in_block = 0;
    }

    /// What was measured so far, going on afterwards.
    pub(crate) fn so_far(&self) -> Measured {
        let mut sums = self.sums.clone();
        if self.in_block > 0 {
            sums.push(self.crc.finalize());
        }
        Measured { digest: Sha256Digest(self.sha256.clone().finalize().into()), length: self.length, sums }
    }

    pub(crate) fn end(mut self) -> Measured {
        if self.in_block > 0 {
            self.end_block();
        }
        Measured { digest: Sha256Digest(self.sha256.finalize().into()), length: self.length, sums: self.sums }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksums_are_the_published_ones() {
        assert_eq!(block_sum(b"123456789"), 0xae8b_1486_0a79_9888);
        let mut meter = Meter::new();
        meter.feed(b"abc");
        let measured = meter.end();
        assert_eq!(measured.digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((measured.length, measured.sums), (3, vec![block_sum(b"abc")]));
    }

    #[test]
    fn inline_bytes_are_checked_whole() {
        let bytes = vec![7; BLOCK as usize + 1];
        let sums = [block_sum(&bytes[..BLOCK as usize]), block_sum(&bytes[BLOCK as usize..])];
        assert!(check_inline(&bytes, &sums).is_ok());
        assert!(check_inline(b"", &[]).is_ok());
        assert!(matches!(check_inline(&bytes, &sums[..1]), Err(Error::Damaged { block: 1 })));
        assert!(matches!(check_inline(&bytes[1..], &sums), Err(Error::Damaged { block: 1 })));
        assert!(matches!(check_inline(b"", &sums), Err(Error::Damaged { block: 0 })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn pieces_do_not_matter(mut cuts in proptest::collection::vec(0usize..2_200_000, 0..6)) {
            let bytes: Vec<u8> = (0..2_200_000u32).map(|i| (i ^ (i >> 9)) as u8).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut meter = Meter::new();
            cuts.windows(2).for_each(|pair| meter.feed(&bytes[pair[0]..pair[1]]));
            let measured = meter.end();
            prop_assert!(check_inline(&bytes, &measured.sums).is_ok());
            prop_assert_eq!(measured.digest.0, <[u8; 32]>::from(Sha256::digest(&bytes)));
        }
    }
}
