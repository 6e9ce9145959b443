//! A look into an archive: what its `package.json` says, and what installing it does.

use std::io::{BufReader, Read};

use flate2::read::MultiGzDecoder;
use model::{EntryPath, Refusal};
use serde_json::{Map, Value as Json};

use crate::paths::Paths;
use crate::tarball::{self, broken, contradiction, expect_zeros};

/// The longest `package.json`, in bytes.
const PACKAGE_JSON: u64 = 4 << 20;
/// Members at most, and their bytes together.
const MEMBERS: u64 = 100_000;
const UNPACKED: u64 = 2 << 30;

/// What an archive holds.
#[derive(Debug)]
pub(super) struct Archive {
    /// Its `package.json`.
    pub(super) package: Map<String, Json>,
    /// Files in it.
    pub(super) files: u64,
    /// Their bytes together.
    pub(super) unpacked: u64,
    /// Whether it pins what it depends on.
    pub(super) shrinkwrap: bool,
    /// Whether it has a `binding.gyp`: installing compiles it where no script says otherwise.
    pub(super) gyp: bool,
}

/// Reads through the archive once. Members may lie in any one folder, which clients cut off.
pub(super) fn look(bytes: impl Read) -> Result<Archive, Refusal> {
    // All members of a gzip file are read, as npm's clients do.
    let unpacked = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, bytes)).take(UNPACKED + 1);
    let mut found = Found::default();
    let mut rest = tarball::each(unpacked, |member| found.member(member))?;
    expect_zeros(&mut rest)?;
    if rest.limit() == 0 {
        return Err(contradiction(format!("the archive unpacks to more than {UNPACKED} bytes")));
    }
    let text = found.package.ok_or_else(|| contradiction("the archive has no package.json"))?;
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    let package: Json = model::json::from_slice(text)
        .map_err(|error| contradiction(format!("package.json in the archive cannot be read: {error}")))?;
    let Json::Object(package) = package else {
        return Err(contradiction("package.json in the archive is no object"));
    };
    let (files, unpacked, shrinkwrap, gyp) = (found.files, found.unpacked, found.shrinkwrap, found.gyp);
    Ok(Archive { package, files, unpacked, shrinkwrap, gyp })
}

#[derive(Default)]
struct Found {
    members: u64,
    paths: Paths,
    files: u64,
    unpacked: u64,
    package: Option<Vec<u8>>,
    shrinkwrap: bool,
    gyp: bool,
}

impl Found {
    fn member(&mut self, member: &mut tar::Entry<'_, impl Read>) -> Result<(), Refusal> {
        self.members += 1;
        if self.members > MEMBERS {
            return Err(contradiction(format!("the archive has more than {MEMBERS} members")));
        }
        let path = String::from_utf8(member.path_bytes().into_owned())
            .map_err(|_| contradiction("a path in the archive is not UTF-8"))?;
        let plain = path.strip_prefix("./").unwrap_or(&path).trim_end_matches('/');
        let kind = member.header().entry_type();
        if !(kind.is_file() || kind.is_dir()) {
            return Err(contradiction(format!("{} is neither a file nor a folder", path.escape_debug())));
        }
        if kind.is_dir() && (plain.is_empty() || plain == ".") {
            return Ok(());
        }
        EntryPath::parse(plain).map_err(|error| contradiction(format!("{}: {error}", path.escape_debug())))?;
        // Clients cut the first folder off, whichever it is.
        if let Some((_, inside)) = plain.split_once('/') {
            let collides = |why| contradiction(format!("{} {why}", path.escape_debug()));
            self.paths.enter(inside, kind.is_dir()).map_err(collides)?;
        }
        if kind.is_dir() {
            return Ok(());
        }
        let Some((_, inside)) = plain.split_once('/') else {
            return Err(contradiction(format!("{} lies in no folder: clients would cut it off", path.escape_debug())));
        };
        self.files += 1;
        self.unpacked += member.size();
        match inside.to_lowercase().as_str() {
            "package.json" if inside != "package.json" => {
                Err(contradiction(format!("{} could be taken for package.json", path.escape_debug())))
            }
            "package.json" => {
                self.package = Some(text(member)?);
                Ok(())
            }
            "npm-shrinkwrap.json" => {
                self.shrinkwrap = true;
                Ok(())
            }
            "binding.gyp" => {
                self.gyp = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn text(member: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, Refusal> {
    let mut text = Vec::new();
    member.take(PACKAGE_JSON + 1).read_to_end(&mut text).map_err(broken)?;
    if text.len() as u64 > PACKAGE_JSON {
        return Err(contradiction(format!("package.json may have at most {PACKAGE_JSON} bytes")));
    }
    Ok(text)
}
