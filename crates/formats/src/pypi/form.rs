//! The body of an upload: `multipart/form-data`, taken apart as it comes.
//!
//! Sources: RFC 7578, RFC 2046 section 5.1.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use model::{Code, Refusal};

/// The longest head of a part, in bytes, and the most parts.
const HEAD: usize = 4 << 10;
const PARTS: usize = 10_000;
/// The longest boundary, as RFC 2046 has it.
const BOUNDARY: usize = 70;

/// The boundary that a `Content-Type` names.
pub(super) fn boundary(content_type: &str) -> Result<String, String> {
    let why = || "an upload is multipart/form-data with a boundary".to_owned();
    let (kind, rest) = content_type.split_once(';').ok_or_else(why)?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(why());
    }
    let found = parameters(rest).and_then(|all| single(all, "boundary")).ok_or_else(why)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    let sound = (1..=BOUNDARY).contains(&found.len()) && found.bytes().all(plain) && !found.ends_with(' ');
    sound.then_some(found).ok_or_else(why)
}

/// What a body is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A field begins.
    Begin(Field),
    /// Its next bytes.
    Bytes(Bytes),
    /// It has ended.
    End,
}

/// A field that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: String,
    /// The name of its file; `None`: it is a text.
    pub(super) file: Option<String>,
}

/// A body under way. Holds back no more than a head or a delimiter.
#[derive(Debug)]
pub(super) struct Form {
    delimiter: Vec<u8>,
    held: BytesMut,
    at: At,
    parts: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Perhaps before an empty line.
    Start,
    FirstDelimiter,
    BehindDelimiter,
    Head,
    Body,
    End,
}

impl Form {
    pub(super) fn new(boundary: &str) -> Self {
        // The first delimiter has no line end before it.
        let held = BytesMut::from(&b"\r\n"[..]);
        Self { delimiter: format!("\r\n--{boundary}").into_bytes(), held, at: At::Start, parts: 0 }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &Bytes, out: &mut Vec<Part>) -> Result<(), Refusal> {
        if self.at == At::End {
            return self.behind(bytes);
        }
        self.held.extend_from_slice(bytes);
        while self.step(out)? {}
        Ok(())
    }

    /// The body has ended.
    pub(super) fn end(&self) -> Result<(), Refusal> {
        if self.at == At::End { Ok(()) } else { Err(malformed("the form ends before its last boundary")) }
    }

    /// Takes what it can; whether there may be more.
    fn step(&mut self, out: &mut Vec<Part>) -> Result<bool, Refusal> {
        match self.at {
            At::Start => Ok(self.empty_line()),
            At::FirstDelimiter => self.first_delimiter(),
            At::BehindDelimiter => self.behind_delimiter(),
            At::Head => self.head(out),
            At::Body => Ok(self.body(out)),
            At::End => {
                let rest = self.held.split().freeze();
                self.behind(&rest).map(|()| false)
            }
        }
    }

    /// `setup.py upload` puts one before the first delimiter (RFC 2046, section 5.1.1: a preamble, here of nothing).
    fn empty_line(&mut self) -> bool {
        match self.held.get(2..4) {
            None => false,
            Some(b"\r\n") => self.pass(2, At::FirstDelimiter),
            Some(_) => self.pass(0, At::FirstDelimiter),
        }
    }

    fn first_delimiter(&mut self) -> Result<bool, Refusal> {
        let there = self.held.len().min(self.delimiter.len());
        if self.held.get(..there) != self.delimiter.get(..there) {
            // After the line end that stands here in place of the one before the delimiter.
            if self.held.get(2) == Some(&b'\n') {
                return Err(malformed(
                    "the form has line ends of its own, as `setup.py register` and `upload_docs` send it: a project needs \
                     no registering, and documentation is not kept here",
                ));
            }
            return Err(malformed("the form does not begin with its boundary"));
        }
        Ok(self.pass(self.delimiter.len(), At::BehindDelimiter))
    }

    fn behind_delimiter(&mut self) -> Result<bool, Refusal> {
        match self.held.get(..2) {
            None => Ok(false),
            Some(b"--") => Ok(self.pass(2, At::End)),
            Some(b"\r\n") => Ok(self.pass(2, At::Head)),
            Some(_) => Err(malformed("a boundary of the form goes on")),
        }
    }

    fn head(&mut self, out: &mut Vec<Part>) -> Result<bool, Refusal> {
        let Some(length) = memmem::find(&self.held, b"\r\n\r\n") else {
            return if self.held.len() > HEAD { Err(malformed("the head of a part is too long")) } else { Ok(false) };
        };
        let head = self.held.split_to(length).freeze();
        self.parts += 1;
        if head.len() > HEAD || self.parts > PARTS {
            return Err(malformed("the form has too many parts, or one with too long a head"));
        }
        out.push(Part::Begin(field(&head)?));
        Ok(self.pass(4, At::Body))
    }

    fn body(&mut self, out: &mut Vec<Part>) -> bool {
        let found = memmem::find(&self.held, &self.delimiter);
        let count = found.unwrap_or_else(|| (self.held.len() + 1).saturating_sub(self.delimiter.len()));
        if count > 0 {
            out.push(Part::Bytes(self.held.split_to(count).freeze()));
        }
        if found.is_none() {
            return false;
        }
        out.push(Part::End);
        self.pass(self.delimiter.len(), At::BehindDelimiter)
    }

    /// Leaves so many bytes behind, once they are there.
    fn pass(&mut self, count: usize, next: At) -> bool {
        if self.held.len() < count {
            return false;
        }
        drop(self.held.split_to(count));
        self.at = next;
        true
    }

    /// Nothing follows the last boundary but the end of its line.
    fn behind(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let nothing = bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        if nothing { Ok(()) } else { Err(malformed("the form goes on after its last boundary")) }
    }
}

/// What the head of a part says.
fn field(head: &[u8]) -> Result<Field, Refusal> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("the head of a part is not UTF-8"))?;
    let mut field = None;
    for line in head.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("the head of a part has a broken line"))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" if field.is_none() => field = Some(disposition(value)?),
            "content-disposition" => return Err(malformed("a part has two dispositions")),
            "content-transfer-encoding" if !["binary", "8bit", "7bit"].contains(&value) => {
                return Err(malformed("parts come as they are, in no transfer encoding"));
            }
            _ => {}
        }
    }
    field.ok_or_else(|| malformed("a part has no Content-Disposition"))
}

fn disposition(value: &str) -> Result<Field, Refusal> {
    let why = || malformed("a part is no field of a form: form-data with one name and at most one file name");
    let (kind, rest) = value.split_once(';').ok_or_else(why)?;
    let all = parameters(rest).ok_or_else(why)?;
    let count = |key: &str| all.iter().filter(|(name, _)| name == key).count();
    let plain = count("name") == 1 && count("filename") <= 1 && count("filename*") == 0;
    if !kind.trim().eq_ignore_ascii_case("form-data") || !plain {
        return Err(why());
    }
    let file = single(all.clone(), "filename");
    Ok(Field { name: single(all, "name").ok_or_else(why)?, file })
}

fn single(all: Vec<(String, String)>, key: &str) -> Option<String> {
    let mut found = all.into_iter().filter(|(name, _)| name == key).map(|(_, value)| value);
    found.next().filter(|_| found.next().is_none())
}

/// `; name=value; name="value"`, without the first semicolon. `None` where it is nothing of the kind.
fn parameters(text: &str) -> Option<Vec<(String, String)>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let (value, after) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').filter(|(value, _)| !value.contains('\\'))?,
            None => behind.split_at(behind.find(';').unwrap_or(behind.len())),
        };
        all.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        let after = after.trim_start();
        rest = match after.strip_prefix(';') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(all)
}

pub(super) fn malformed(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, why.into())
}
