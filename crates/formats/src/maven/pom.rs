//! What a POM says of itself, and whether that is what its path says.
//!
//! Only the project's own fields are read, in one pass without recursion. A document type is refused, so
//! there are no entities beyond the five of XML.

use std::collections::HashMap;

use model::{Code, Refusal};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::layout::Stored;

/// The longest POM, in bytes.
pub(super) const LONGEST: u64 = 4 << 20;
/// Elements inside one another at most.
const DEPTH: usize = 200;
/// Rounds of putting properties in, and the longest value that may come of it.
const ROUNDS: usize = 10;
const VALUE: usize = 1024;

/// What is read of a POM.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pom {
    /// By their paths below `project`, trimmed.
    fields: HashMap<&'static str, String>,
    properties: HashMap<String, String>,
}

/// The fields that are read, each at most once in a POM.
const FIELDS: [&str; 9] = [
    "groupId",
    "artifactId",
    "version",
    "packaging",
    "name",
    "description",
    "parent/groupId",
    "parent/artifactId",
    "parent/version",
];

impl Pom {
    /// Reads a POM. 422 where it is none.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let text = decoded(bytes)?;
        let mut reader = Reader::from_str(&text);
        reader.config_mut().expand_empty_elements = true;
        let (mut pom, mut path, mut value) = (Self::default(), Vec::<String>::new(), Value::default());
        let mut roots = 0;
        loop {
            let event = reader.read_event().map_err(|error| wrong(format!("the POM is not XML: {error}")))?;
            match event {
                Event::Start(start) => {
                    let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
                    if path.is_empty() {
                        roots += 1;
                        if name != "project" || roots > 1 {
                            return Err(wrong("the POM is not one <project>"));
                        }
                    }
                    if path.len() >= DEPTH {
                        return Err(wrong(format!("the POM has elements more than {DEPTH} deep")));
                    }
                    path.push(name);
                    value = Value::default();
                }
                Event::End(_) => {
                    pom.take(&path, std::mem::take(&mut value))?;
                    path.pop();
                }
                Event::Text(text) => value.push(&text.decode().map_err(|_| wrong("the POM is not text"))?),
                Event::CData(text) => value.push(&text.decode().map_err(|_| wrong("the POM is not text"))?),
                Event::GeneralRef(reference) => {
                    let name = reference.decode().map_err(|_| wrong("the POM is not text"))?;
                    match reference.resolve_char_ref() {
                        Ok(Some(c)) => value.push(c.encode_utf8(&mut [0; 4])),
                        Ok(None) => match quick_xml::escape::resolve_predefined_entity(&name) {
                            Some(text) => value.push(text),
                            None => value.unknown = Some(name.into_owned()),
                        },
                        Err(error) => return Err(wrong(format!("the POM is not XML: {error}"))),
                    }
                }
                Event::DocType(_) => return Err(wrong("the POM has a document type, which is not read")),
                Event::Eof => break,
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        match (roots, path.last()) {
            (1, None) => Ok(pom),
            (_, Some(open)) => Err(wrong(format!("the POM ends inside <{}>", open.escape_debug()))),
            _ => Err(wrong("the POM is empty")),
        }
    }

    /// An element has ended.
    fn take(&mut self, path: &[String], value: Value) -> Result<(), Refusal> {
        let place = match path {
            [_, field] => field.clone(),
            [_, parent, field] if parent == "parent" => format!("parent/{field}"),
            [_, properties, name] if properties == "properties" => {
                self.properties.insert(name.clone(), value.trimmed());
                return Ok(());
            }
            _ => return Ok(()),
        };
        let Some(place) = FIELDS.into_iter().find(|field| *field == place) else { return Ok(()) };
        if let (Some(entity), false) = (&value.unknown, matches!(place, "name" | "description")) {
            return Err(wrong(format!("{place} in the POM has the unknown entity &{};", entity.escape_debug())));
        }
        match self.fields.insert(place, value.trimmed()) {
            None => Ok(()),
            Some(_) => Err(wrong(format!("the POM says {place} twice"))),
        }
    }

    /// Refuses a POM that says something else than its path.
    pub(super) fn agrees(&self, stored: &Stored) -> Result<(), Refusal> {
        let said = |field: &'static str, parent: &'static str| {
            let value = self.fields.get(field).or_else(|| self.fields.get(parent).filter(|_| !parent.is_empty()));
            value.ok_or_else(|| wrong(format!("the POM says no {field}"))).and_then(|text| self.filled(field, text))
        };
        for (field, said, path) in [
            ("groupId", said("groupId", "parent/groupId")?, &stored.group),
            ("artifactId", said("artifactId", "")?, &stored.artifact),
            ("version", said("version", "parent/version")?, &stored.base),
        ] {
            if said != *path {
                return Err(wrong(format!("the POM says {field} {said:?}, its path says {path:?}")));
            }
        }
        Ok(())
    }

    /// A value with the POM's own properties in it.
    fn filled(&self, field: &str, text: &str) -> Result<String, Refusal> {
        let mut text = text.to_owned();
        for _ in 0..ROUNDS {
            let Some((front, rest)) = text.split_once("${") else { return Ok(text) };
            let Some((name, end)) = rest.split_once('}') else { return Ok(text) };
            let Some(value) = self.property(name) else { break };
            let next = format!("{front}{value}{end}");
            if next.len() > VALUE {
                break;
            }
            text = next;
        }
        Err(wrong(format!(
            "{field} in the POM is {}, which nobody who reads it can fill in: deploy a flattened POM",
            text.chars().take(100).collect::<String>().escape_debug()
        )))
    }

    fn property(&self, name: &str) -> Option<&String> {
        if let Some(value) = self.properties.get(name) {
            return Some(value);
        }
        let field = name.strip_prefix("project.").or_else(|| name.strip_prefix("pom.")).unwrap_or(name);
        let field = field.replace('.', "/");
        let own = self.fields.get(field.as_str());
        own.or_else(|| self.fields.get(format!("parent/{field}").as_str()))
    }

    /// What lists show of it.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }
}

/// The text of an element, put together from its pieces.
#[derive(Default)]
struct Value {
    text: String,
    unknown: Option<String>,
}

impl Value {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn trimmed(self) -> String {
        self.text.trim().to_owned()
    }
}

/// The text of an XML file: UTF-8, or one of the encodings in which ASCII is ASCII and nothing else.
pub(super) fn decoded(bytes: &[u8]) -> Result<String, Refusal> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let encoding = declared(bytes).unwrap_or_else(|| "utf-8".to_owned());
    match encoding.as_str() {
        "utf-8" | "utf8" | "us-ascii" | "ascii" => {
            String::from_utf8(bytes.to_vec()).map_err(|_| wrong(format!("the POM is not {encoding}")))
        }
        // What is compared is ASCII; other letters of these encodings may be shown as their Latin-1 twins.
        "windows-1252" | "cp1252" => Ok(bytes.iter().copied().map(char::from).collect()),
        latin if latin.starts_with("iso-8859-") => Ok(bytes.iter().copied().map(char::from).collect()),
        other => Err(wrong(format!("the POM's encoding {} is not read: use UTF-8", other.escape_debug()))),
    }
}

/// The encoding that the XML declaration names, in lower case.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(200))?;
    let head = head.strip_prefix(b"<?xml")?;
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let head = String::from_utf8_lossy(head.get(..end)?).into_owned();
    let rest = head.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest.get(1..)?.split(quote).next().map(str::to_ascii_lowercase)
}

fn wrong(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::Unprocessable, why)
}
