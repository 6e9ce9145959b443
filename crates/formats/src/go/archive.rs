//! The archive of a module: what is in it must be what the go command unpacks, nothing else.
//!
//! Source: the Go Modules Reference, "Module zip files", and the rules of `golang.org/x/mod/zip`.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Code, Refusal};
use sha2::{Digest as _, Sha256};

use super::modfile::{self, ModFile};
use super::names::check_file;
use super::tree::Tree;
use super::version::Version;
use crate::StagedFile;
use crate::zip::{self, Kind, Limits, Member, ZipError};

/// The longest archive, and all that it unpacks to, in bytes.
pub(super) const LARGEST: u64 = 500 << 20;
/// The longest `go.mod` and `LICENSE`, in bytes.
pub(super) const LARGEST_TEXT: u64 = 16 << 20;
pub(super) const LIMITS: Limits = Limits { members: 100_000, directory: 16 << 20, unpacked: LARGEST };

/// A module that was looked into.
#[derive(Debug)]
pub(super) struct Module {
    /// Its `go.mod`: its own, or the one line that stands for it.
    pub(super) go_mod: Vec<u8>,
    /// Whether it has one of its own.
    pub(super) has_go_mod: bool,
    /// The version of the language that it needs.
    pub(super) go: Option<String>,
    /// What `go.sum` says of the archive.
    pub(super) sum: String,
    /// What `go.sum` says of the `go.mod`.
    pub(super) go_mod_sum: String,
}

/// Looks into the archive of version `text` of `path`.
pub(super) fn check(
    path: &str,
    text: &str,
    version: &Version<'_>,
    archive: &mut StagedFile,
) -> Result<Module, Refusal> {
    if archive.length > LARGEST {
        return Err(too_large());
    }
    let prefix = format!("{path}@{text}/");
    let members = zip::members(&mut archive.bytes, archive.length, &LIMITS)?;
    let (mut tree, mut lines, mut go_mod) = (Tree::default(), Vec::with_capacity(members.len()), None);
    for member in &members {
        let named = |why: &str| contradiction(format!("{} in the archive {why}", member.name.escape_debug()));
        let inside = member.name.strip_prefix(&prefix);
        let inside = inside.ok_or_else(|| named(&format!("lies outside {prefix}")))?;
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        if member.kind == Kind::Other {
            return Err(named("is neither a file nor a folder"));
        }
        if !inside.is_empty() || member.kind == Kind::File {
            check_file(inside).map_err(|why| named(&why))?;
            tree.add(inside, member.kind == Kind::Folder).map_err(|why| named(&why))?;
        }
        check_special(inside, member).map_err(|(code, why)| Refusal::new(code, named(why).detail))?;
        let mut kept = (inside == "go.mod").then(Vec::new);
        let digest = read(archive, member, kept.as_mut())?;
        lines.push((member.name.as_str(), digest));
        go_mod = go_mod.or(kept);
    }
    if !members.iter().any(|member| member.kind == Kind::File) {
        return Err(contradiction("the archive has no files"));
    }
    let has_go_mod = go_mod.is_some();
    let stated = go_mod.as_deref().map(|text| stated(path, version, text)).transpose()?;
    let go_mod = go_mod.unwrap_or_else(|| format!("module {path}\n").into_bytes());
    let go_mod_sum = sum(&mut [("go.mod", Sha256::digest(&go_mod).into())]);
    Ok(Module { has_go_mod, go: stated.and_then(|stated| stated.go), sum: sum(&mut lines), go_mod_sum, go_mod })
}

/// Looks whether an archive is whole and one of version `text` of `path`, and nothing else: proxies have modules that
/// nobody could publish today.
pub(super) fn expect_sound(path: &str, text: &str, archive: &mut StagedFile) -> Result<(), Refusal> {
    if archive.length > LARGEST {
        return Err(too_large());
    }
    let prefix = format!("{path}@{text}/");
    let members = zip::members(&mut archive.bytes, archive.length, &LIMITS)?;
    if let Some(outside) = members.iter().find(|member| !is_below(&prefix, &member.name)) {
        return Err(contradiction(format!("{} in the archive lies outside {prefix}", outside.name.escape_debug())));
    }
    if !members.iter().any(|member| member.kind == Kind::File) {
        return Err(contradiction("the archive has no files"));
    }
    members.iter().try_for_each(|member| read(archive, member, None).map(drop))
}

fn is_below(prefix: &str, name: &str) -> bool {
    let climbs = |segment: &str| matches!(segment, "." | "..") || segment.contains('\\');
    name.strip_prefix(prefix).is_some_and(|inside| !inside.split('/').any(climbs))
}

/// Looks whether a file is a `go.mod`. Which module it names is not looked at: forks keep the name of what they forked.
pub(super) fn expect_go_mod(file: &mut StagedFile) -> Result<(), Refusal> {
    let mut text = Vec::new();
    (&mut file.bytes).take(LARGEST_TEXT + 1).read_to_end(&mut text).map_err(ZipError::Read)?;
    if text.len() as u64 > LARGEST_TEXT {
        return Err(contradiction("the go.mod has more than 16 MiB"));
    }
    modfile::read(&text).map(drop).map_err(|why| contradiction(format!("the go.mod {why}")))
}

/// What `go.mod` says, which must be what the address says.
fn stated(path: &str, version: &Version<'_>, text: &[u8]) -> Result<ModFile, Refusal> {
    let stated = modfile::read(text).map_err(|why| contradiction(format!("go.mod {why}")))?;
    if stated.module != path {
        let found = stated.module.escape_debug();
        return Err(contradiction(format!("the address says module {path}, go.mod in the archive says {found}")));
    }
    if version.incompatible {
        let why = "a module with a go.mod names its major version in its path: its versions are never +incompatible";
        return Err(contradiction(why));
    }
    Ok(stated)
}

fn check_special(inside: &str, member: &Member) -> Result<(), (Code, &'static str)> {
    let name = inside.rsplit('/').next().unwrap_or_default();
    if member.kind == Kind::File && name.eq_ignore_ascii_case("go.mod") {
        if name != inside {
            return Err((
                Code::Unprocessable,
                "belongs to another module: only one go.mod is possible, in the top folder",
            ));
        }
        if name != "go.mod" {
            return Err((Code::Unprocessable, "must be called go.mod"));
        }
    }
    if matches!(inside, "go.mod" | "LICENSE") && member.size > LARGEST_TEXT {
        return Err((Code::PayloadTooLarge, "has more than 16 MiB"));
    }
    Ok(())
}

/// Reads a member to its end, and keeps it where that is wanted.
fn read(archive: &mut StagedFile, member: &Member, mut kept: Option<&mut Vec<u8>>) -> Result<[u8; 32], Refusal> {
    let mut source = zip::open(&mut archive.bytes, member).map_err(ZipError::Read)?;
    let (mut hasher, mut buffer) = (Sha256::new(), [0; 16 << 10]);
    loop {
        let count = source.read(&mut buffer).map_err(ZipError::Read)?;
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() {
            return Ok(hasher.finalize().into());
        }
        hasher.update(piece);
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(piece);
        }
    }
}

/// The sum of files as `go.sum` has it.
fn sum(lines: &mut [(&str, [u8; 32])]) -> String {
    lines.sort_unstable();
    let mut hasher = Sha256::new();
    for (name, digest) in lines {
        hasher.update(format!("{}  {name}\n", model::digest::hex(digest)));
    }
    format!("h1:{}", STANDARD.encode(hasher.finalize()))
}

pub(super) fn too_large() -> Refusal {
    Refusal::new(Code::PayloadTooLarge, "the archive of a module may have at most 500 MiB")
}

pub(super) fn contradiction(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::Unprocessable, why.into())
}
