//! Extra fields of the members of ZIP archives.
//!
//! Source: the APPNOTE of PKWARE, version 6.3.10, sections 4.5 and 4.6.9.

use crate::fields::Fields;

/// What stands for "see the extra field" in the short fields.
pub(crate) const LONG: u64 = 0xffff_ffff;
/// The extra field with long sizes.
const SIZES: u16 = 1;
/// The extra field with another name.
const OTHER_NAME: u16 = 0x7075;

/// Whether an extra field gives a member another name: some readers take that one.
pub(crate) fn has_other_name(extra: &[u8]) -> bool {
    let mut rest = Fields(extra);
    while let (Some(id), Some(length)) = (rest.u16(), rest.u16()) {
        if id == OTHER_NAME {
            return true;
        }
        if rest.take(usize::from(length)).is_none() {
            return false;
        }
    }
    false
}

/// Replaces the values that are too long for their fields by those in the extra field. Whether all
/// that were announced are there, once.
pub(crate) fn widen<const N: usize>(values: &mut [u64; N], extra: &[u8]) -> bool {
    let mut rest = Fields(extra);
    let mut seen = false;
    while let (Some(id), Some(length)) = (rest.u16(), rest.u16()) {
        let Some(field) = rest.take(usize::from(length)) else { return false };
        if id != SIZES {
            continue;
        }
        if std::mem::replace(&mut seen, true) {
            return false;
        }
        let mut field = Fields(field);
        for value in values.iter_mut().filter(|value| **value == LONG) {
            let Some(long) = field.u64() else { return false };
            *value = long;
        }
    }
    seen || values.iter().all(|value| *value != LONG)
}
