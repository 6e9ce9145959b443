//! The body of a PUT to a package: read as it comes. Files go out decoded; of the rest, what matters
//! is kept within bounds.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes};
use model::{Code, Refusal};
use serde_json::{Map, Value as Json};

use super::scan::{Event, Kind, Scanner, malformed};
use crate::{NewFile, Piece, Wanted, strict};

/// The longest metadata of one version, and the longest of the fields beside the versions, in bytes.
pub(super) const VERSION: usize = 4 << 20;
const FIELD: usize = 1 << 20;
/// The longest provenance statement, in bytes.
const PROVENANCE: usize = 1 << 20;
/// Versions and other keys at most, and the bytes of their names and deprecations together.
const KEYS: usize = 100_000;
const SAID: usize = 8 << 20;

/// What a body says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// `name`, `_id`, `_rev`, `dist-tags`, as far as they are there.
    pub(super) fields: BTreeMap<String, Json>,
    /// The versions and what is said instead of using them; `None`: the body names no versions.
    pub(super) versions: Option<BTreeMap<String, Option<String>>>,
    /// The metadata of the only version; `None` where there are several.
    pub(super) only: Option<Map<String, Json>>,
    /// The length that is announced for the archive.
    pub(super) length: Option<u64>,
    /// The provenance statement, as it came.
    pub(super) provenance: Option<Vec<u8>>,
}

/// A body under way.
#[derive(Debug)]
pub(super) struct Body {
    scanner: Scanner,
    /// The keys that lead to the value at hand.
    path: [String; 3],
    seen: HashSet<String>,
    held: Option<Held>,
    data: Option<Data>,
    archives: usize,
    bytes_said: usize,
    said: Said,
}

/// A value that is kept until it ends.
#[derive(Debug)]
struct Held {
    depth: usize,
    limit: usize,
    text: Vec<u8>,
}

/// The content of an attachment.
#[derive(Debug)]
enum Data {
    Archive(Base64),
    Provenance(Vec<u8>),
}

impl Body {
    pub(super) fn new() -> Self {
        Self {
            scanner: Scanner::new(),
            path: Default::default(),
            seen: HashSet::new(),
            held: None,
            data: None,
            archives: 0,
            bytes_said: 0,
            said: Said::default(),
        }
    }

    pub(super) fn push(&mut self, mut bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            let (used, event) = self.scanner.next(&bytes)?;
            let stretch = bytes.slice(..used.min(bytes.len()));
            bytes.advance(stretch.len());
            self.take(event, &stretch, out)?;
        }
        Ok(())
    }

    /// The body has ended.
    pub(super) fn end(self) -> Result<Said, Refusal> {
        if self.scanner.is_done() { Ok(self.said) } else { Err(malformed("the body stops in the middle")) }
    }

    fn take(&mut self, event: Event, stretch: &Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        match event {
            Event::Begin(kind) => self.begin(kind, out)?,
            Event::Key => self.key()?,
            Event::Text | Event::Char(_) if self.data.is_some() => self.content(event, stretch, out)?,
            _ => {}
        }
        if let Some(held) = &mut self.held {
            if held.text.len() + stretch.len() > held.limit {
                let why = format!("the metadata at {} is longer than {} bytes", self.path.join("/"), held.limit);
                return Err(Refusal::new(Code::PayloadTooLarge, why));
            }
            held.text.extend_from_slice(stretch);
        }
        if event == Event::End { self.end_value(out) } else { Ok(()) }
    }

    fn key(&mut self) -> Result<(), Refusal> {
        let (depth, key) = (self.scanner.depth(), self.scanner.key()?.to_owned());
        if key == "__proto__" {
            return Err(malformed("the key __proto__ is not taken"));
        }
        let Some(slot) = depth.checked_sub(1).and_then(|place| self.path.get_mut(place)) else { return Ok(()) };
        *slot = key;
        for after in self.path.iter_mut().skip(depth) {
            after.clear();
        }
        let watched = match depth {
            1 => true,
            2 | 3 => self.top() == "_attachments" || (depth == 2 && self.top() == "versions"),
            _ => false,
        };
        if watched {
            self.bytes_said += self.path.iter().map(String::len).sum::<usize>();
            self.bound()?;
        }
        if watched && !self.seen.insert(self.path.join("\n")) {
            return Err(malformed(format!("the key {} is there twice", self.path.join(" ").trim().escape_debug())));
        }
        Ok(())
    }

    fn top(&self) -> &str {
        let [top, ..] = &self.path;
        top
    }

    fn begin(&mut self, kind: Kind, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        let container = matches!(kind, Kind::Object | Kind::Array);
        let depth = self.scanner.depth() - usize::from(container);
        let [top, second, third] = &self.path;
        let object = |what: &str| {
            if kind == Kind::Object { Ok(()) } else { Err(malformed(format!("{what} must be an object"))) }
        };
        match (depth, top.as_str(), third.as_str()) {
            (1, "_attachments", _) => object("_attachments"),
            (1, "versions", _) => {
                self.said.versions.get_or_insert_default();
                object("versions")
            }
            (1, "name" | "_id" | "_rev" | "dist-tags", _) => self.hold(depth, FIELD),
            (2, "versions", _) => self.hold(depth, VERSION),
            (2, "_attachments", _) => object(second),
            (3, "_attachments", "length") => self.hold(depth, 64),
            (3, "_attachments", "data") if kind == Kind::Text => self.open(out),
            (3, "_attachments", "data") => Err(malformed("the data of an attachment must be text")),
            _ => Ok(()),
        }
    }

    fn hold(&mut self, depth: usize, limit: usize) -> Result<(), Refusal> {
        self.held = Some(Held { depth, limit, text: Vec::new() });
        Ok(())
    }

    /// The content of an attachment begins.
    fn open(&mut self, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        let [_, name, _] = &self.path;
        if name.ends_with(".tgz") {
            self.archives += 1;
            if self.archives > 1 {
                return Err(malformed("the body has two archives"));
            }
            let sums = Wanted { sha1: true, sha512: true, ..Wanted::default() };
            out.push(Piece::Begin(NewFile { sums, ..NewFile::default() }));
            self.data = Some(Data::Archive(Base64::default()));
        } else if name.ends_with(".sigstore") && self.said.provenance.is_none() {
            self.data = Some(Data::Provenance(Vec::new()));
        } else {
            let why = "an attachment is one archive (.tgz) or one provenance statement (.sigstore)";
            return Err(malformed(why));
        }
        Ok(())
    }

    fn content(&mut self, event: Event, stretch: &Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        let mut buffer = [0; 4];
        let text: &[u8] = match event {
            Event::Char(char) => char.encode_utf8(&mut buffer).as_bytes(),
            _ => stretch,
        };
        match &mut self.data {
            Some(Data::Archive(base64)) => {
                let bytes = base64.push(text)?;
                if !bytes.is_empty() {
                    out.push(Piece::Bytes(bytes));
                }
            }
            Some(Data::Provenance(kept)) if kept.len() + text.len() <= PROVENANCE => kept.extend_from_slice(text),
            Some(Data::Provenance(_)) => {
                let why = format!("a provenance statement may have at most {PROVENANCE} bytes");
                return Err(Refusal::new(Code::PayloadTooLarge, why));
            }
            None => {}
        }
        Ok(())
    }

    fn end_value(&mut self, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        let depth = self.scanner.depth();
        match self.data.take() {
            Some(Data::Archive(base64)) => {
                base64.end()?;
                out.push(Piece::End);
            }
            Some(Data::Provenance(kept)) => self.said.provenance = Some(kept),
            None => {}
        }
        if self.held.as_ref().is_none_or(|held| held.depth != depth) {
            return Ok(());
        }
        let Some(held) = self.held.take() else { return Ok(()) };
        let value = strict::read(&held.text).map_err(|error| {
            malformed(format!("the metadata at {} cannot be read: {error}", self.path.join("/").escape_debug()))
        })?;
        let [top, second, _] = &self.path;
        match top.as_str() {
            "versions" => self.version(second.clone(), value),
            "_attachments" => {
                if second.ends_with(".tgz") {
                    self.said.length = value.as_u64();
                }
                Ok(())
            }
            _ => {
                self.said.fields.insert(top.clone(), value);
                Ok(())
            }
        }
    }

    fn version(&mut self, version: String, value: Json) -> Result<(), Refusal> {
        let Json::Object(metadata) = value else { return Err(malformed("each of versions must be an object")) };
        let deprecated = match metadata.get("deprecated") {
            None | Some(Json::Null | Json::Bool(false)) => None,
            Some(Json::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
            Some(_) => return Err(malformed("deprecated must be text")),
        };
        self.bytes_said += version.len() + deprecated.as_ref().map_or(0, String::len);
        let versions = self.said.versions.get_or_insert_default();
        versions.insert(version, deprecated);
        self.said.only = Some(metadata).filter(|_| versions.len() == 1);
        self.bound()
    }

    fn bound(&self) -> Result<(), Refusal> {
        if self.seen.len() > KEYS || self.bytes_said > SAID {
            return Err(Refusal::new(Code::PayloadTooLarge, "the body names too many versions".to_owned()));
        }
        Ok(())
    }
}

/// Base64 in any cut.
#[derive(Debug, Default)]
struct Base64 {
    /// Less than four characters.
    held: Vec<u8>,
    padded: bool,
}

impl Base64 {
    fn push(&mut self, text: &[u8]) -> Result<Bytes, Refusal> {
        if self.padded && !text.is_empty() {
            return Err(broken());
        }
        self.held.extend_from_slice(text);
        let rest = self.held.split_off(self.held.len() - self.held.len() % 4);
        let whole = std::mem::replace(&mut self.held, rest);
        self.padded = whole.ends_with(b"=");
        if self.padded && !self.held.is_empty() {
            return Err(broken());
        }
        STANDARD.decode(&whole).map(Bytes::from).map_err(|_| broken())
    }

    fn end(&self) -> Result<(), Refusal> {
        if self.held.is_empty() { Ok(()) } else { Err(broken()) }
    }
}

fn broken() -> Refusal {
    malformed("the data of the archive is not base64")
}
