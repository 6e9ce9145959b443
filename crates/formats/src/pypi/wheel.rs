//! A look into a wheel: its metadata, and whether its files are those that it says it has.
//!
//! Source: the binary distribution format, "File contents".

use std::io::Read as _;

use model::{Code, Refusal};
use pep440_rs::Version;

use super::metadata::{self, Metadata};
use super::names::joins;
use super::record::{self, Record};
use crate::StagedFile;
use crate::paths::Paths;
use crate::tarball::contradiction;
use crate::zip::{self, Kind, Limits, Member, ZipError};

/// The longest `WHEEL`, in bytes.
const WHEEL: u64 = 1 << 20;
/// What an archive may unpack to: so many times its length, at least and at most.
const RATIO: u64 = 200;
const UNPACKED: (u64, u64) = (64 << 20, 16 << 30);

/// A package that was looked into.
#[derive(Debug)]
pub(super) struct Looked {
    /// What it says of itself.
    pub(super) metadata: Metadata,
    /// That text as it is.
    pub(super) text: Vec<u8>,
}

/// What an archive of so many bytes may unpack to.
pub(super) fn unpacked(length: u64) -> u64 {
    length.saturating_mul(RATIO).clamp(UNPACKED.0, UNPACKED.1)
}

/// Reads the whole wheel once.
pub(super) fn look(archive: &mut StagedFile) -> Result<Looked, Refusal> {
    let members = members(archive)?;
    let folder = folder(&members)?;
    let text = needed(archive, &members, &format!("{folder}/METADATA"), metadata::LONGEST)?;
    let metadata = Metadata::parse(&text, "METADATA")?;
    expect_folder(&folder, &metadata.name, &metadata.version)?;
    check_wheel(&needed(archive, &members, &format!("{folder}/WHEEL"), WHEEL)?)?;
    let list = needed(archive, &members, &format!("{folder}/RECORD"), record::LONGEST)?;
    let record = Record::parse(&list, &folder)?;
    let files = || members.iter().filter(|member| member.kind == Kind::File);
    files().try_for_each(|member| expect_plain(&member.name, &folder))?;
    expect_distinct(&members)?;
    record.expect_only(files().map(|member| member.name.as_str()))?;
    for member in files() {
        check(archive, member, &record)?;
    }
    Ok(Looked { metadata, text })
}

/// The members of an archive, all of them files and folders with sound names.
pub(super) fn members(archive: &mut StagedFile) -> Result<Vec<Member>, Refusal> {
    let limits = Limits { members: 100_000, directory: 32 << 20, unpacked: unpacked(archive.length) };
    let members = zip::members(&mut archive.bytes, archive.length, &limits)?;
    for member in &members {
        let named = |why: &str| contradiction(format!("{} in the archive {why}", member.name.escape_debug()));
        if member.kind == Kind::Other {
            return Err(named("is neither a file nor a folder"));
        }
        let path = member.name.strip_suffix('/').filter(|_| member.kind == Kind::Folder).unwrap_or(&member.name);
        if !is_sound(path) {
            return Err(named("is no path that stays in its folder"));
        }
    }
    Ok(members)
}

/// Whether a path stays where it is unpacked, on every system.
pub(super) fn is_sound(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    let plain = |c: char| !c.is_control() && c != '\\';
    !drive
        && path.len() <= 4096
        && path.chars().all(plain)
        && !path.split('/').any(|part| matches!(part, "" | "." | ".."))
}

/// No two members may be one on some file system.
fn expect_distinct(members: &[Member]) -> Result<(), Refusal> {
    let mut paths = Paths::default();
    members.iter().try_for_each(|member| {
        let collides = |why| contradiction(format!("{} in the archive {why}", member.name.escape_debug()));
        paths.enter(&member.name, member.kind == Kind::Folder).map_err(collides)
    })
}

/// The one folder with metadata.
fn folder(members: &[Member]) -> Result<String, Refusal> {
    let top = |member: &Member| member.name.split('/').next().unwrap_or_default().to_owned();
    let is_info = |name: &String| name.to_lowercase().ends_with(".dist-info");
    let mut found: Vec<String> = members.iter().map(top).filter(is_info).collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [one] if one.ends_with(".dist-info") => Ok(one.clone()),
        [] => Err(contradiction("the archive has no .dist-info folder: it is no wheel")),
        _ => Err(contradiction(format!("the archive has {} where one .dist-info folder must be", found.join(" and ")))),
    }
}

fn expect_folder(folder: &str, name: &str, version: &Version) -> Result<(), Refusal> {
    let stem = folder.strip_suffix(".dist-info").unwrap_or(folder);
    if joins(stem, name, version) {
        return Ok(());
    }
    let folder = folder.escape_debug();
    Err(contradiction(format!("METADATA in the archive says {name} {version}, but lies in {folder}")))
}

/// A file that is taken for the metadata where case is ignored would replace it there.
fn expect_plain(name: &str, folder: &str) -> Result<(), Refusal> {
    let alike = ["METADATA", "WHEEL", "RECORD"].into_iter().find(|known| {
        let known = format!("{folder}/{known}");
        name != known && name.eq_ignore_ascii_case(&known)
    });
    match alike {
        Some(known) => Err(contradiction(format!("{} could be taken for {known}", name.escape_debug()))),
        None => Ok(()),
    }
}

fn check_wheel(text: &[u8]) -> Result<(), Refusal> {
    let text = String::from_utf8_lossy(text);
    let version = text.lines().find_map(|line| line.strip_prefix("Wheel-Version:")).map(str::trim);
    match version {
        Some(version) if version.split('.').next() == Some("1") => Ok(()),
        Some(other) => {
            let other = other.escape_debug();
            Err(contradiction(format!("WHEEL in the archive says Wheel-Version {other}: only 1 is known")))
        }
        None => Err(contradiction("WHEEL in the archive says no Wheel-Version")),
    }
}

fn needed(archive: &mut StagedFile, members: &[Member], name: &str, most: u64) -> Result<Vec<u8>, Refusal> {
    let found = members.iter().find(|member| member.name == name && member.kind == Kind::File);
    let member = found.ok_or_else(|| contradiction(format!("the archive has no {}", name.escape_debug())))?;
    text(archive, member, most)
}

/// The whole of a member that is a text.
pub(super) fn text(archive: &mut StagedFile, member: &Member, most: u64) -> Result<Vec<u8>, Refusal> {
    if member.size > most {
        let why = format!("{} in the archive may have at most {most} bytes", member.name.escape_debug());
        return Err(Refusal::new(Code::PayloadTooLarge, why));
    }
    let mut text = Vec::new();
    let mut source = zip::open(&mut archive.bytes, member).map_err(ZipError::Read)?;
    source.read_to_end(&mut text).map_err(ZipError::Read)?;
    Ok(text)
}

/// Reads a member to its end.
fn check(archive: &mut StagedFile, member: &Member, record: &Record) -> Result<(), Refusal> {
    let mut hasher = record.hasher(&member.name)?;
    let mut source = zip::open(&mut archive.bytes, member).map_err(ZipError::Read)?;
    let mut buffer = [0; 16 << 10];
    loop {
        let count = source.read(&mut buffer).map_err(ZipError::Read)?;
        if count == 0 {
            break;
        }
        if let Some(hasher) = &mut hasher {
            hasher.update(buffer.get(..count).unwrap_or_default());
        }
    }
    hasher.map_or(Ok(()), |hasher| record.check(&member.name, hasher, member.size))
}
