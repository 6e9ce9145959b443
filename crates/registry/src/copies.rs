//! Good copies of a blob, ready to be read.

use blobs::BlobCopy;
use bytes::Bytes;
use model::CopyId;
use model::state::CopyKind;

use crate::error::{Error, Result};

/// A good copy.
#[derive(Clone, Debug)]
pub(crate) struct CopyOf {
    pub(crate) id: CopyId,
    pub(crate) bytes: CopyBytes,
}

/// Where its bytes are.
#[derive(Clone, Debug)]
pub(crate) enum CopyBytes {
    Inline(Bytes, Vec<u64>),
    Stored(BlobCopy),
}

impl CopyOf {
    /// The place that it has for itself.
    pub(crate) fn own_place(&self) -> Option<&blobs::Key> {
        match &self.bytes {
            CopyBytes::Stored(stored) if stored.offset == 0 && stored.key.area() == Some(blobs::Area::Blobs) => {
                Some(&stored.key)
            }
            _ => None,
        }
    }
}

pub(crate) fn copy_of(copy: store::copy::Copy, length: u64) -> Result<CopyOf> {
    let sums = crate::heal::sums_of(&copy.sums);
    let bytes = match (copy.kind, copy.bytes) {
        (CopyKind::Inline, Some(bytes)) => CopyBytes::Inline(Bytes::from(bytes), sums),
        (CopyKind::Inline, None) => return Err(Error::Defect(format!("the inline copy {} has no bytes", copy.id))),
        _ => {
            let key = blobs::Key::parse(&copy.place).map_err(|error| Error::Defect(error.to_string()))?;
            CopyBytes::Stored(BlobCopy { key, offset: copy.start, length, sums: sums.into() })
        }
    };
    Ok(CopyOf { id: copy.id, bytes })
}
