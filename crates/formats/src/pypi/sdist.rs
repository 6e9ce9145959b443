//! A look into a source distribution: one folder, with its metadata in `PKG-INFO`.
//!
//! Sources: the source distribution format, "Source distribution archive features".

use std::collections::HashSet;
use std::io::{BufReader, Read};

use flate2::read::MultiGzDecoder;
use model::{Code, Refusal};

use super::metadata::{self, Metadata};
use super::names::joins;
use super::wheel::{self, Looked, is_sound, unpacked};
use crate::StagedFile;
use crate::paths::Paths;
use crate::tarball::{self, broken, contradiction, expect_zeros};
use crate::zip::Kind;

/// Members at most, and the bytes of their paths together.
const MEMBERS: usize = 100_000;
const PATHS: usize = 32 << 20;

/// Reads an archive of the kind `.tar.gz` once.
pub(super) fn look(archive: &mut StagedFile) -> Result<Looked, Refusal> {
    let most = unpacked(archive.length);
    // All members of a gzip file are read, as Python does.
    let source = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, &mut archive.bytes)).take(most + 1);
    let (mut seen, mut total) = (Seen::default(), 0u64);
    let too_large = || Refusal::new(Code::PayloadTooLarge, format!("the archive unpacks to more than {most} bytes"));
    let mut rest = tarball::each(source, |member| {
        total = total.saturating_add(member.size());
        if total > most {
            return Err(too_large());
        }
        seen.member(member)
    })?;
    expect_zeros(&mut rest)?;
    if rest.limit() == 0 {
        return Err(too_large());
    }
    seen.end()
}

/// Reads an archive of the kind `.zip`.
pub(super) fn look_zip(archive: &mut StagedFile) -> Result<Looked, Refusal> {
    let members = wheel::members(archive)?;
    let mut seen = Seen::default();
    for member in &members {
        seen.enter(member.name.trim_end_matches('/'), member.kind == Kind::Folder)?;
        if member.kind == Kind::File && seen.is_info(&member.name) {
            seen.info = Some(wheel::text(archive, member, metadata::LONGEST)?);
        }
    }
    seen.end()
}

/// What was seen of an archive.
#[derive(Default)]
struct Seen {
    top: String,
    paths: Paths,
    count: usize,
    links: HashSet<String>,
    named: usize,
    info: Option<Vec<u8>>,
}

impl Seen {
    fn member(&mut self, member: &mut tar::Entry<'_, impl Read>) -> Result<(), Refusal> {
        let kind = member.header().entry_type();
        if kind.is_pax_global_extensions() {
            return only_comments(member);
        }
        let path = String::from_utf8(member.path_bytes().into_owned())
            .map_err(|_| contradiction("a path in the archive is not UTF-8"))?;
        let named = |why: &str| contradiction(format!("{} in the archive {why}", path.escape_debug()));
        let plain = path.strip_prefix("./").unwrap_or(&path);
        let plain = if kind.is_dir() { plain.trim_end_matches('/') } else { plain };
        if kind.is_dir() && matches!(plain, "" | ".") {
            return Ok(());
        }
        if kind.is_symlink() || kind.is_hard_link() {
            let target = member.link_name_bytes().map(|name| name.into_owned()).unwrap_or_default();
            let target = String::from_utf8(target).map_err(|_| named("leads to a path that is not UTF-8"))?;
            let target = if kind.is_hard_link() { Some(target) } else { resolved(plain, &target) };
            let top = plain.split('/').next().unwrap_or_default();
            if !target.is_some_and(|target| is_sound(&target) && target.split('/').next() == Some(top)) {
                return Err(named("leads out of its folder"));
            }
        } else if !(kind.is_file() || kind.is_dir()) {
            return Err(named("is neither a file, a folder nor a link"));
        }
        self.enter(plain, kind.is_dir())?;
        if kind.is_symlink() || kind.is_hard_link() {
            self.links.insert(plain.to_owned());
        }
        if self.is_info(plain) {
            if !kind.is_file() {
                return Err(named("is no file"));
            }
            self.info = Some(text(member)?);
        }
        Ok(())
    }

    /// Takes a path. All lie in one folder, none below a link, and only folders may come again.
    fn enter(&mut self, path: &str, folder: bool) -> Result<(), Refusal> {
        let named = |why: String| contradiction(format!("{} in the archive {why}", path.escape_debug()));
        if !is_sound(path) {
            return Err(named("is no path that stays in its folder".to_owned()));
        }
        self.named += path.len();
        self.count += 1;
        if self.count > MEMBERS || self.named > PATHS {
            return Err(contradiction(format!("the archive has more than {MEMBERS} members, or too long paths")));
        }
        let top = path.split('/').next().unwrap_or_default();
        if self.top.is_empty() {
            top.clone_into(&mut self.top);
        }
        if top != self.top {
            return Err(named(format!("lies outside {}/", self.top.escape_debug())));
        }
        let below = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        if below.into_iter().any(|folder| self.links.contains(folder)) {
            return Err(named("lies below a link".to_owned()));
        }
        if self.is_like_info(path) && !self.is_info(path) {
            return Err(named("could be taken for PKG-INFO".to_owned()));
        }
        self.paths.enter(path, folder).map_err(|why| named(why.to_owned()))
    }

    fn is_info(&self, path: &str) -> bool {
        path.strip_prefix(&self.top).and_then(|rest| rest.strip_prefix('/')) == Some("PKG-INFO")
    }

    fn is_like_info(&self, path: &str) -> bool {
        path.split_once('/').is_some_and(|(_, inside)| inside.eq_ignore_ascii_case("PKG-INFO"))
    }

    fn end(self) -> Result<Looked, Refusal> {
        let Some(text) = self.info else {
            let top = self.top.escape_debug();
            return Err(contradiction(format!("the archive has no {top}/PKG-INFO: it is no source distribution")));
        };
        let metadata = Metadata::parse(&text, "PKG-INFO")?;
        if !joins(&self.top, &metadata.name, &metadata.version) {
            let (name, version, top) = (&metadata.name, &metadata.version, self.top.escape_debug());
            return Err(contradiction(format!("PKG-INFO in the archive says {name} {version}, but lies in {top}/")));
        }
        Ok(Looked { metadata, text })
    }
}

/// Where a symbolic link leads, seen from the archive's root; `None`: out of it.
fn resolved(link: &str, target: &str) -> Option<String> {
    let folder = link.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if target.is_empty() || target.starts_with('/') {
        return None;
    }
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

/// What holds for all members may be a comment, nothing that gives them other names or sizes.
fn only_comments(member: &mut tar::Entry<'_, impl Read>) -> Result<(), Refusal> {
    let mut text = Vec::new();
    member.take(1 << 16).read_to_end(&mut text).map_err(broken)?;
    for extension in tar::PaxExtensions::new(&text) {
        if extension.map_err(broken)?.key_bytes() != b"comment" {
            return Err(contradiction("the archive says something of all its members at once"));
        }
    }
    Ok(())
}

fn text(member: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, Refusal> {
    let mut text = Vec::new();
    member.take(metadata::LONGEST + 1).read_to_end(&mut text).map_err(broken)?;
    if text.len() as u64 > metadata::LONGEST {
        let why = format!("PKG-INFO may have at most {} bytes", metadata::LONGEST);
        return Err(Refusal::new(Code::PayloadTooLarge, why));
    }
    Ok(text)
}
