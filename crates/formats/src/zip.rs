//! ZIP archives, read so strictly that no other reader can see something else in them: one directory
//! at the very end, members one behind the other without gaps, each header said twice and the same
//! both times. Nothing is unpacked to disk; a member's bytes are checked while they are read.
//!
//! Source: the APPNOTE of PKWARE, version 6.3.10, sections 4.3 to 4.5.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, SeekFrom};

use model::{Code, Refusal};

use crate::ReadSeek;
use crate::extra::{LONG, has_other_name, widen};
use crate::fields::{Fields, read_at, text};
use crate::unpacked::Unpacked;

const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;

/// The flag that says that a name is UTF-8.
const UTF8: u16 = 0x800;

const END_LENGTH: u64 = 22;
const LOCATOR64_LENGTH: u64 = 20;
const END64_LENGTH: u64 = 56;
/// Sizes of the data descriptors that there are: short and long, without and with a signature.
const DESCRIPTORS: [u64; 4] = [12, 16, 20, 24];

/// Why an archive is not taken. The text is meant for the person who sent it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZipError {
    /// It is not as ZIP archives are, or two readers could see two things in it.
    #[error("the archive {0}")]
    Form(String),
    /// It is larger than the format allows.
    #[error("the archive has {0}")]
    Size(String),
    /// Its bytes could not be read.
    #[error("the archive cannot be read: {0}")]
    Read(#[from] io::Error),
}

impl From<ZipError> for Refusal {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Size(_) => Self::new(Code::PayloadTooLarge, error.to_string()),
            // Where the bytes are kept, not what they are.
            ZipError::Read(ref cause) if cause.kind() == io::ErrorKind::Other => {
                Self::new(Code::ServiceUnavailable, "the received archive cannot be read back: try again")
            }
            ZipError::Form(_) | ZipError::Read(_) => Self::new(Code::Unprocessable, error.to_string()),
        }
    }
}

fn form<T>(why: impl Into<String>) -> Result<T, ZipError> {
    Err(ZipError::Form(why.into()))
}

/// What an archive may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Members at most.
    pub(crate) members: u64,
    /// Bytes of its directory at most.
    pub(crate) directory: u64,
    /// Bytes of all members together, unpacked.
    pub(crate) unpacked: u64,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file.
    File,
    /// A folder; its name ends with a slash.
    Folder,
    /// A link, a device or the like.
    Other,
}

/// A member of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its name as it stands there.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its length in bytes, unpacked.
    pub(crate) size: u64,
    packed: u64,
    crc: u32,
    flags: u16,
    method: u16,
    header: u64,
    data: u64,
}

/// The members of an archive, in the order of their bytes. Each name is there once.
pub(crate) fn members(bytes: &mut dyn ReadSeek, length: u64, limits: &Limits) -> Result<Vec<Member>, ZipError> {
    let directory = Directory::find(bytes, length)?;
    if directory.members > limits.members {
        return Err(ZipError::Size(format!("more than {} members", limits.members)));
    }
    if directory.length > limits.directory {
        return Err(ZipError::Size(format!("a directory of more than {} bytes", limits.directory)));
    }
    let mut members = directory.read(bytes, limits)?;
    members.sort_by_key(|member| member.header);
    let mut at = 0;
    let ends: Vec<u64> = members.iter().skip(1).map(|next| next.header).chain([directory.start]).collect();
    for (member, end) in members.iter_mut().zip(ends) {
        if member.header != at {
            return form(format!("has {} bytes that belong to no member", member.header.abs_diff(at)));
        }
        member.check_header(bytes, end)?;
        at = end;
    }
    if at != directory.start {
        return form("has bytes that belong to no member");
    }
    Ok(members)
}

/// Looks whether something ends as an archive with members does: whole, whatever stands in front of them.
pub(crate) fn expect_end(bytes: &mut dyn ReadSeek, length: u64) -> Result<(), ZipError> {
    let tail = length.min(END_LENGTH + 0xffff);
    let end = read_at(bytes, length - tail, tail)?;
    let Some(at) = end.windows(4).rposition(|window| window == END.to_le_bytes()) else {
        return form("has no end: it is no ZIP archive, or was cut");
    };
    let mut fields = Fields(end.get(at..).unwrap_or_default());
    let mut read = || {
        let (_, _, _, members) = (fields.u32()?, fields.u32()?, fields.u16()?, fields.u16()?);
        let (_, _, comment) = (fields.u32()?, fields.u32()?, fields.u16()?);
        Some((members, usize::from(comment)))
    };
    match read() {
        Some((0, _)) => form("has no members"),
        Some((_, comment)) if fields.0.len() == comment => Ok(()),
        _ => form("was cut, or has bytes behind its end"),
    }
}

/// The bytes of a member, unpacked and checked: a wrong length or checksum is an error at their end.
pub(crate) fn open<'a>(bytes: &'a mut dyn ReadSeek, member: &Member) -> io::Result<Unpacked<'a>> {
    bytes.seek(SeekFrom::Start(member.data))?;
    let packed = BufReader::with_capacity(32 << 10, bytes).take(member.packed);
    Ok(Unpacked::new(packed, member.method != 0, member.size, member.crc))
}

/// Where the directory is.
struct Directory {
    start: u64,
    length: u64,
    members: u64,
}

impl Directory {
    fn find(bytes: &mut dyn ReadSeek, length: u64) -> Result<Self, ZipError> {
        if length < END_LENGTH {
            return form("is too short to be a ZIP archive");
        }
        let tail = length.min(END_LENGTH + 0xffff);
        let end = read_at(bytes, length - tail, tail)?;
        let signature = END.to_le_bytes();
        // Readers look for it from behind.
        let Some(at) = end.windows(4).rposition(|window| window == signature) else {
            return form("has no end: it is no ZIP archive, or was cut");
        };
        let mut fields = Fields(end.get(at..).unwrap_or_default());
        let read = |fields: &mut Fields<'_>| {
            fields.u32()?;
            let disks = (fields.u16()?, fields.u16()?);
            let counts = (fields.u16()?, fields.u16()?);
            Some((disks, counts, u64::from(fields.u32()?), u64::from(fields.u32()?), usize::from(fields.u16()?)))
        };
        let Some((disks, counts, size, start, comment)) = read(&mut fields) else { return form("was cut") };
        if fields.0.len() != comment {
            return form("has bytes behind its end");
        }
        let end = length - tail + at as u64;
        // Writers add a long end before they need one, and some readers take it wherever one stands.
        let located = match end.checked_sub(LOCATOR64_LENGTH) {
            Some(at) => read_at(bytes, at, 4)? == LOCATOR64.to_le_bytes(),
            None => false,
        };
        let (members, size, start, end) = if located || counts.1 == 0xffff || size == LONG || start == LONG {
            let told = (u64::from(counts.1), size, start);
            let (members, size, start, end64) = Self::long(bytes, end)?;
            let agrees = |short: u64, none: u64, long: u64| short == none || short == long;
            if !agrees(told.0, 0xffff, members) || !agrees(told.1, LONG, size) || !agrees(told.2, LONG, start) {
                return form("has two ends that contradict each other");
            }
            (members, size, start, end64)
        } else {
            (u64::from(counts.1), size, start, end)
        };
        if disks != (0, 0) || counts.0 != counts.1 {
            return form("is part of a series");
        }
        if start.checked_add(size) != Some(end) {
            return form("has something between its directory and its end, or before its beginning");
        }
        Ok(Self { start, length: size, members })
    }

    /// What the longer end says, which stands right before the end at `end`.
    fn long(bytes: &mut dyn ReadSeek, end: u64) -> Result<(u64, u64, u64, u64), ZipError> {
        let Some(locator) = end.checked_sub(LOCATOR64_LENGTH) else { return form("was cut") };
        let text = read_at(bytes, locator, LOCATOR64_LENGTH)?;
        let mut fields = Fields(&text);
        let located = (fields.u32(), fields.u32(), fields.u64(), fields.u32());
        let (Some(LOCATOR64), Some(0), Some(at), Some(1)) = located else { return form("has no long end") };
        if at.checked_add(END64_LENGTH) != Some(locator) {
            return form("has its long end elsewhere");
        }
        let text = read_at(bytes, at, END64_LENGTH)?;
        let mut fields = Fields(&text);
        let mut read = || {
            let signature = (fields.u32()?, fields.u64()?);
            fields.u32()?;
            let disks = (fields.u32()?, fields.u32()?);
            Some((signature, disks, fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?))
        };
        match read() {
            Some(((END64, 44), (0, 0), here, members, size, start)) if here == members => {
                Ok((members, size, start, at))
            }
            _ => form("has a long end that contradicts itself"),
        }
    }

    fn read(&self, bytes: &mut dyn ReadSeek, limits: &Limits) -> Result<Vec<Member>, ZipError> {
        bytes.seek(SeekFrom::Start(self.start))?;
        let mut source = BufReader::new(&mut *bytes).take(self.length);
        let (mut members, mut names, mut unpacked) = (Vec::new(), HashSet::new(), 0u64);
        for _ in 0..self.members {
            let member = Member::read(&mut source)?;
            unpacked = unpacked.saturating_add(member.size);
            if unpacked > limits.unpacked {
                return Err(ZipError::Size(format!("more than {} bytes unpacked", limits.unpacked)));
            }
            if !names.insert(member.name.clone()) {
                return form(format!("has {} twice", member.name.escape_debug()));
            }
            members.push(member);
        }
        if source.limit() > 0 {
            return form("has more members than its end says");
        }
        Ok(members)
    }
}

impl Member {
    fn read(source: &mut impl Read) -> Result<Self, ZipError> {
        let mut fixed = [0; 46];
        source.read_exact(&mut fixed)?;
        let mut fields = Fields(&fixed);
        let mut read = || {
            let (signature, made, _) = (fields.u32()?, fields.u16()?, fields.u16()?);
            let (flags, method) = (fields.u16()?, fields.u16()?);
            fields.u32()?;
            let crc = fields.u32()?;
            let sizes = (u64::from(fields.u32()?), u64::from(fields.u32()?));
            let lengths = (fields.u16()?, fields.u16()?, fields.u16()?);
            let (disk, _, attributes) = (fields.u16()?, fields.u16()?, fields.u32()?);
            Some((signature, made, flags, method, crc, sizes, lengths, disk, attributes, u64::from(fields.u32()?)))
        };
        let Some((CENTRAL, made, flags, method, crc, (packed, size), lengths, 0, attributes, header)) = read() else {
            return form("has a broken directory");
        };
        let name = text(source, lengths.0)?;
        let extra = text(source, lengths.1)?;
        text(source, lengths.2)?;
        let Ok(name) = String::from_utf8(name) else { return form("has a name that is not UTF-8") };
        if (!name.is_ascii() && flags & UTF8 == 0) || has_other_name(&extra) {
            return form(format!("has a name that not everybody reads alike, {}", name.escape_debug()));
        }
        let mut long = [size, packed, header];
        if !widen(&mut long, &extra) {
            return form(format!("says twice how long {} is", name.escape_debug()));
        }
        let [size, packed, header] = long;
        if flags & 0x2041 != 0 {
            return form(format!("has an encrypted member, {}", name.escape_debug()));
        }
        if !matches!(method, 0 | 8) || (method == 0 && packed != size) {
            return form(format!("packs {} in a way that not everybody reads", name.escape_debug()));
        }
        let kind = kind(&name, made, attributes);
        if kind == Kind::Folder && size != 0 {
            return form(format!("has a folder with content, {}", name.escape_debug()));
        }
        Ok(Self { name, kind, size, packed, crc, flags, method, header, data: 0 })
    }

    /// The header before the member's bytes must say what the directory says, and the bytes must end
    /// where the next member begins.
    fn check_header(&mut self, bytes: &mut dyn ReadSeek, end: u64) -> Result<(), ZipError> {
        let differ = |member: &Self| form(format!("says two things of {}", member.name.escape_debug()));
        let fixed = read_at(bytes, self.header, 30)?;
        let mut fields = Fields(&fixed);
        let mut read = || {
            let (signature, _) = (fields.u32()?, fields.u16()?);
            let (flags, method) = (fields.u16()?, fields.u16()?);
            fields.u32()?;
            let crc = fields.u32()?;
            let sizes = (u64::from(fields.u32()?), u64::from(fields.u32()?));
            Some((signature, flags, method, crc, sizes, u64::from(fields.u16()?), u64::from(fields.u16()?)))
        };
        let Some((LOCAL, flags, method, crc, (packed, size), name, extra)) = read() else { return differ(self) };
        let rest = read_at(bytes, self.header + 30, name + extra)?;
        let (name, extra) = rest.split_at(usize::try_from(name).unwrap_or(usize::MAX).min(rest.len()));
        let mut long = [size, packed];
        if flags != self.flags
            || method != self.method
            || name != self.name.as_bytes()
            || has_other_name(extra)
            || !widen(&mut long, extra)
        {
            return differ(self);
        }
        let [size, packed] = long;
        let said = (crc, packed, size);
        let known = (self.crc, self.packed, self.size);
        self.data = self.header + 30 + rest.len() as u64;
        let Some(behind) = self.data.checked_add(self.packed).and_then(|ends| end.checked_sub(ends)) else {
            return form(format!("has {} overlap with what follows", self.name.escape_debug()));
        };
        if flags & 8 == 0 {
            return if said == known && behind == 0 { Ok(()) } else { differ(self) };
        }
        if !(said == known || said == (0, 0, 0)) || !DESCRIPTORS.contains(&behind) {
            return differ(self);
        }
        let text = read_at(bytes, self.data + self.packed, behind)?;
        if describes(&text, known) { Ok(()) } else { differ(self) }
    }
}

/// Whether a data descriptor says these: checksum, packed and unpacked length.
fn describes(text: &[u8], known: (u32, u64, u64)) -> bool {
    let mut fields = Fields(text);
    if matches!(text.len(), 16 | 24) && fields.u32() != Some(DESCRIPTOR) {
        return false;
    }
    let crc = fields.u32();
    let mut size = || if text.len() < 20 { fields.u32().map(u64::from) } else { fields.u64() };
    (crc, size(), size()) == (Some(known.0), Some(known.1), Some(known.2))
}

fn kind(name: &str, made: u16, attributes: u32) -> Kind {
    // Unix and macOS keep the file's mode in the upper half.
    let mode = if matches!(made >> 8, 3 | 19) { (attributes >> 16) & 0o170_000 } else { 0 };
    match (mode, name.ends_with('/')) {
        (0 | 0o040_000, true) => Kind::Folder,
        (0 | 0o100_000, false) => Kind::File,
        _ => Kind::Other,
    }
}
