//! XML as we take it from strangers: in one pass without recursion. A document type is refused, so there are no
//! entities beyond the five of XML.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Elements inside one another at most.
const DEPTH: usize = 200;

/// Asked of every element that has ended: the names down to it, and the text behind its last child.
pub(super) type Take<'t> = dyn FnMut(&[String], Value) -> Result<(), String> + 't;

/// The text of an element, put together from its pieces.
#[derive(Default)]
pub(super) struct Value {
    text: String,
    /// The name of an entity that nobody knows.
    pub(super) unknown: Option<String>,
}

impl Value {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn trimmed(self) -> String {
        self.text.trim().to_owned()
    }
}

/// Reads a file that is one element `root`. `what`: how it is called in an error.
pub(super) fn read(bytes: &[u8], what: &str, root: &str, take: &mut Take<'_>) -> Result<(), String> {
    let text = decoded(bytes, what)?;
    let mut reader = Reader::from_str(&text);
    reader.config_mut().expand_empty_elements = true;
    let no_text = || format!("{what} is not text");
    let (mut path, mut value, mut roots) = (Vec::<String>::new(), Value::default(), 0);
    loop {
        match reader.read_event().map_err(|error| format!("{what} is not XML: {error}"))? {
            Event::Start(start) => {
                let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
                if path.is_empty() {
                    roots += 1;
                    if name != root || roots > 1 {
                        return Err(format!("{what} is not one <{root}>"));
                    }
                }
                if path.len() >= DEPTH {
                    return Err(format!("{what} has elements more than {DEPTH} deep"));
                }
                path.push(name);
                value = Value::default();
            }
            Event::End(_) => {
                take(&path, std::mem::take(&mut value))?;
                path.pop();
            }
            Event::Text(text) => value.push(&text.decode().map_err(|_| no_text())?),
            Event::CData(text) => value.push(&text.decode().map_err(|_| no_text())?),
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|_| no_text())?;
                match reference.resolve_char_ref() {
                    Ok(Some(c)) => value.push(c.encode_utf8(&mut [0; 4])),
                    Ok(None) => match quick_xml::escape::resolve_predefined_entity(&name) {
                        Some(text) => value.push(text),
                        None => value.unknown = Some(name.into_owned()),
                    },
                    Err(error) => return Err(format!("{what} is not XML: {error}")),
                }
            }
            Event::DocType(_) => return Err(format!("{what} has a document type, which is not read")),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    match (roots, path.last()) {
        (1, None) => Ok(()),
        (_, Some(open)) => Err(format!("{what} ends inside <{}>", open.escape_debug())),
        _ => Err(format!("{what} is empty")),
    }
}

/// The text of an XML file: UTF-8, or one of the encodings in which ASCII is ASCII and nothing else.
fn decoded(bytes: &[u8], what: &str) -> Result<String, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let encoding = declared(bytes).unwrap_or_else(|| "utf-8".to_owned());
    match encoding.as_str() {
        "utf-8" | "utf8" | "us-ascii" | "ascii" => {
            String::from_utf8(bytes.to_vec()).map_err(|_| format!("{what} is not {encoding}"))
        }
        // What is compared is ASCII; other letters of these encodings may be shown as their Latin-1 twins.
        "windows-1252" | "cp1252" => Ok(bytes.iter().copied().map(char::from).collect()),
        latin if latin.starts_with("iso-8859-") => Ok(bytes.iter().copied().map(char::from).collect()),
        other => Err(format!("the encoding {} of {what} is not read: use UTF-8", other.escape_debug())),
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
