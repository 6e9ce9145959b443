//! Versions of a package as an upstream offers them that knows when each was published.

use std::io::Write as _;
use std::path::Path;

use acceptance::Result;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::desk::Desk;

/// A version, and when it was published, as `date` understands it.
#[derive(Clone, Copy)]
pub(super) struct Offer {
    pub(super) version: &'static str,
    pub(super) when: &'static str,
}

impl Offer {
    /// When it was published, in UTC (RFC 3339).
    pub(super) fn time(&self, desk: &Desk) -> Result<String> {
        desk.moment(self.when, "%Y-%m-%dT%H:%M:%SZ")
    }
}

/// A packed folder with these files.
pub(super) fn tgz(files: &[(String, String)]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, text.as_bytes())?;
    }
    let mut packed = tar.into_inner()?;
    packed.flush()?;
    Ok(packed.finish()?)
}

/// The same as a zip file.
pub(super) fn zip(desk: &Desk, to: &Path, files: &[(String, String)]) -> Result<()> {
    let program = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as out:\n    \
                   for name, text in zip(sys.argv[2::2], sys.argv[3::2]):\n        out.writestr(name, text)\n";
    let deed = desk.command("python3")?.args(["-c", program, &to.display().to_string()]);
    deed.args(files.iter().flat_map(|(path, text)| [path.as_str(), text.as_str()])).works().map(drop)
}
