//! TAR archives, so that no other reader can see something else in them.

use std::io::{self, Read};

use model::{Code, Refusal};

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
