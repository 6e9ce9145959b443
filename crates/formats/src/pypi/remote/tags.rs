//! The tags of a page and some of their attributes, read as browsers read them, in one pass over any bytes.
//!
//! Source: the HTML standard, "Tokenization". Nothing is nested and nothing kept but what is asked for.

use memchr::{memchr, memmem};

/// Elements whose content is text, whatever it looks like.
const TEXT: [&[u8]; 8] = [b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed", b"noframes"];
/// The longest character reference that is read.
const REFERENCE: usize = 12;

/// A tag that begins an element.
#[derive(Debug)]
pub(super) struct Tag<'t> {
    /// Its name, as it is written.
    name: &'t [u8],
    /// Those attributes that were asked for, the first of each name.
    attributes: Vec<(&'static str, &'t [u8])>,
}

impl Tag<'_> {
    /// Whether it is one of this element.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The text of an attribute that is there and is text.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let (_, value) = self.attributes.iter().find(|(known, _)| *known == name)?;
        Some(decoded(std::str::from_utf8(value).ok()?))
    }
}

/// The tags of a page in their order.
#[derive(Debug)]
pub(super) struct Tags<'t> {
    rest: &'t [u8],
    wanted: &'static [&'static str],
}

impl<'t> Tags<'t> {
    /// With the attributes of these names, in lower case.
    pub(super) fn of(page: &'t [u8], wanted: &'static [&'static str]) -> Self {
        Self { rest: page, wanted }
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Goes behind the next one of these bytes; what does not end goes to the end of the page.
    fn behind(&mut self, end: &[u8]) {
        let found = memmem::find(self.rest, end).map_or(self.rest.len(), |at| at + end.len());
        self.skip(found);
    }

    fn comment(&mut self) {
        match self.rest {
            [b'>', ..] => self.skip(1),
            [b'-', b'>', ..] => self.skip(2),
            _ => self.behind(b"-->"),
        }
    }

    /// Goes to the end of an element whose content is text.
    fn text(&mut self, name: &[u8]) {
        let ends = |at: &usize| {
            let rest = self.rest.get(at + 2..).unwrap_or_default();
            let (found, next) = (rest.get(..name.len()), rest.get(name.len()));
            found.is_some_and(|found| found.eq_ignore_ascii_case(name))
                && next.is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'))
        };
        let end = memmem::find_iter(self.rest, b"</").find(ends).unwrap_or(self.rest.len());
        self.skip(end);
    }

    /// The tag whose name begins here; `None`: the page ends in it.
    fn tag(&mut self) -> Option<Tag<'t>> {
        let name = self.word(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
        let mut attributes: Vec<(&'static str, &'t [u8])> = Vec::new();
        loop {
            self.word(|byte| !(byte.is_ascii_whitespace() || byte == b'/'));
            if *self.rest.first()? == b'>' {
                self.skip(1);
                return Some(Tag { name, attributes });
            }
            let (attribute, value) = self.attribute()?;
            let wanted = self.wanted.iter().find(|name| attribute.eq_ignore_ascii_case(name.as_bytes()));
            let new = wanted.filter(|wanted| !attributes.iter().any(|(known, _)| known == *wanted));
            attributes.extend(new.map(|name| (*name, value)));
        }
    }

    fn attribute(&mut self) -> Option<(&'t [u8], &'t [u8])> {
        let start = self.rest;
        // An equals sign in front is the beginning of a name.
        self.skip(1);
        let more = self.word(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'='));
        let name = start.get(..=more.len())?;
        self.word(|byte| !byte.is_ascii_whitespace());
        if *self.rest.first()? != b'=' {
            return Some((name, b""));
        }
        self.skip(1);
        self.word(|byte| !byte.is_ascii_whitespace());
        let value = match *self.rest.first()? {
            quote @ (b'"' | b'\'') => {
                self.skip(1);
                let (value, _) = self.rest.split_at(memchr(quote, self.rest)?);
                self.skip(value.len() + 1);
                value
            }
            _ => self.word(|byte| byte.is_ascii_whitespace() || byte == b'>'),
        };
        Some((name, value))
    }

    /// What stands in front of the first such byte.
    fn word(&mut self, ends: impl Fn(u8) -> bool) -> &'t [u8] {
        let end = self.rest.iter().position(|byte| ends(*byte)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }
}

impl<'t> Iterator for Tags<'t> {
    type Item = Tag<'t>;

    fn next(&mut self) -> Option<Tag<'t>> {
        loop {
            let at = memchr(b'<', self.rest)?;
            self.skip(at + 1);
            match self.rest {
                [b'!', b'-', b'-', ..] => {
                    self.skip(3);
                    self.comment();
                }
                [b'!' | b'?', ..] => self.behind(b">"),
                [b'/', first, ..] if first.is_ascii_alphabetic() => {
                    self.skip(1);
                    self.tag()?;
                }
                [b'/', ..] => self.behind(b">"),
                [first, ..] if first.is_ascii_alphabetic() => {
                    let tag = self.tag()?;
                    if TEXT.iter().any(|name| name.eq_ignore_ascii_case(tag.name)) {
                        self.text(tag.name);
                    }
                    return Some(tag);
                }
                _ => {}
            }
        }
    }
}

/// The text with its character references put in: those by number, and the five of XML.
fn decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (plain, reference) = rest.split_at(at);
        decoded.push_str(plain);
        let short = reference.get(1..reference.floor_char_boundary(REFERENCE)).unwrap_or_default();
        let found = short.split_once(';').and_then(|(name, _)| Some((character(name)?, name.len() + 2)));
        let (c, length) = found.unwrap_or(('&', 1));
        decoded.push(c);
        rest = reference.get(length..).unwrap_or_default();
    }
    decoded + rest
}

fn character(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => digits.parse(),
        },
        None => return quick_xml::escape::resolve_predefined_entity(name)?.chars().next(),
    };
    char::from_u32(number.ok()?)
}
