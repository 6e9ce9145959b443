//! A JSON text in pieces: told apart as it comes, nothing kept but the key at hand.

use model::{Code, Refusal};

/// Containers in containers, at most.
const DEPTH: usize = 100;
/// The longest key, in bytes.
const KEY: usize = 4096;
/// The longest number or word, in bytes.
const WORD: usize = 400;

/// What a stretch of the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Nothing that matters.
    Nothing,
    /// A key has ended: [`Scanner::key`].
    Key,
    /// A value begins with this stretch.
    Begin(Kind),
    /// The stretch is text of a value, without escapes.
    Text,
    /// An escape has ended: one character of a text value.
    Char(char),
    /// A value ends with this stretch.
    End,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    /// A number, `true`, `false` or `null`.
    Word,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Value,
    FirstValue,
    Key,
    FirstKey,
    Colon,
    Next,
    Word,
    In(Text),
    Done,
}

/// Inside a key or a text value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Text {
    key: bool,
    step: Step,
    /// The first half of a surrogate pair.
    high: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Plain,
    Escape,
    Hex { digits: u8, code: u32 },
}

/// Reads one JSON object.
#[derive(Debug)]
pub(super) struct Scanner {
    /// The open containers: whether each is an object.
    open: Vec<bool>,
    at: At,
    key: Vec<u8>,
    word: Vec<u8>,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self { open: Vec::new(), at: At::Value, key: Vec::new(), word: Vec::new() }
    }

    /// How many containers are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The key that ended last.
    pub(super) fn key(&self) -> Result<&str, Refusal> {
        std::str::from_utf8(&self.key).map_err(|_| malformed("a key is not UTF-8"))
    }

    /// Whether the object is whole.
    pub(super) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Reads on in `bytes`, which are not empty: how many were read, and what they are.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<(usize, Event), Refusal> {
        match self.at {
            At::In(text) => self.text(text, bytes),
            At::Word => self.word(bytes),
            _ => {
                let byte = bytes.first().copied().unwrap_or(b' ');
                let event = if byte.is_ascii_whitespace() { Event::Nothing } else { self.mark(byte)? };
                Ok((1, event))
            }
        }
    }

    /// A byte outside of texts and words.
    fn mark(&mut self, byte: u8) -> Result<Event, Refusal> {
        match (self.at, byte) {
            (At::FirstKey | At::Key, b'"') => {
                self.key.clear();
                self.at = At::In(Text { key: true, step: Step::Plain, high: None });
                Ok(Event::Nothing)
            }
            (At::FirstKey, b'}') | (At::FirstValue, b']') => self.close(),
            (At::Colon, b':') => self.go(At::Value),
            (At::Next, b',') if self.open.last() == Some(&true) => self.go(At::Key),
            (At::Next, b',') => self.go(At::Value),
            (At::Next, b'}') if self.open.last() == Some(&true) => self.close(),
            (At::Next, b']') if self.open.last() == Some(&false) => self.close(),
            (At::Value, b'{') => self.begin(true),
            _ if self.open.is_empty() => Err(malformed("the body must be one JSON object")),
            (At::Value | At::FirstValue, byte) => self.value(byte),
            _ => Err(malformed("the body is not well-formed JSON")),
        }
    }

    fn go(&mut self, at: At) -> Result<Event, Refusal> {
        self.at = at;
        Ok(Event::Nothing)
    }

    fn value(&mut self, byte: u8) -> Result<Event, Refusal> {
        match byte {
            b'{' => self.begin(true),
            b'[' => self.begin(false),
            b'"' => {
                self.at = At::In(Text { key: false, step: Step::Plain, high: None });
                Ok(Event::Begin(Kind::Text))
            }
            _ => {
                self.word.clear();
                self.word.push(byte);
                self.at = At::Word;
                Ok(Event::Begin(Kind::Word))
            }
        }
    }

    fn begin(&mut self, object: bool) -> Result<Event, Refusal> {
        if self.open.len() == DEPTH {
            return Err(malformed(format!("the JSON is nested more than {DEPTH} deep")));
        }
        self.open.push(object);
        self.at = if object { At::FirstKey } else { At::FirstValue };
        Ok(Event::Begin(if object { Kind::Object } else { Kind::Array }))
    }

    fn close(&mut self) -> Result<Event, Refusal> {
        self.open.pop();
        self.end()
    }

    fn end(&mut self) -> Result<Event, Refusal> {
        self.at = if self.open.is_empty() { At::Done } else { At::Next };
        Ok(Event::End)
    }

    fn word(&mut self, bytes: &[u8]) -> Result<(usize, Event), Refusal> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = bytes.iter().position(|byte| !is_part(byte)).unwrap_or(bytes.len());
        if length > 0 {
            self.word.extend(bytes.iter().take(length.min(WORD)));
            return if self.word.len() > WORD {
                Err(malformed("a number in the body is too long"))
            } else {
                Ok((length, Event::Nothing))
            };
        }
        // What is no number, true, false or null is refused here; so is 1e400.
        model::json::from_slice::<serde_json::Value>(&self.word)
            .map_err(|_| malformed("the body is not well-formed JSON"))?;
        Ok((0, self.end()?))
    }

    fn text(&mut self, text: Text, bytes: &[u8]) -> Result<(usize, Event), Refusal> {
        let byte = bytes.first().copied().unwrap_or_default();
        match text.step {
            Step::Plain => self.plain(text, bytes),
            Step::Escape if byte == b'u' => self.step(text, Step::Hex { digits: 0, code: 0 }),
            Step::Escape => {
                let char = match byte {
                    b'"' | b'\\' | b'/' => char::from(byte),
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    _ => return Err(malformed("a text in the body has a broken escape")),
                };
                self.escaped(text, u32::from(char))
            }
            Step::Hex { digits, code } => {
                let digit = char::from(byte).to_digit(16);
                let digit = digit.ok_or_else(|| malformed("a text in the body has a broken escape"))?;
                let code = code * 16 + digit;
                if digits == 3 {
                    self.escaped(text, code)
                } else {
                    self.step(text, Step::Hex { digits: digits + 1, code })
                }
            }
        }
    }

    fn step(&mut self, text: Text, step: Step) -> Result<(usize, Event), Refusal> {
        self.at = At::In(Text { step, ..text });
        Ok((1, Event::Nothing))
    }

    fn plain(&mut self, text: Text, bytes: &[u8]) -> Result<(usize, Event), Refusal> {
        let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < 0x20;
        let length = bytes.iter().position(special).unwrap_or(bytes.len());
        if text.high.is_some() && (length > 0 || bytes.first() != Some(&b'\\')) {
            return Err(malformed("a text in the body has half a surrogate pair"));
        }
        if length > 0 {
            if text.key {
                self.key.extend(bytes.iter().take(length.min(KEY + 1)));
                self.bound_key()?;
                return Ok((length, Event::Nothing));
            }
            return Ok((length, Event::Text));
        }
        match bytes.first() {
            Some(b'\\') => self.step(text, Step::Escape),
            Some(b'"') if text.key => {
                self.at = At::Colon;
                Ok((1, Event::Key))
            }
            Some(b'"') => Ok((1, self.end()?)),
            _ => Err(malformed("a text in the body has a control character")),
        }
    }

    fn bound_key(&self) -> Result<(), Refusal> {
        if self.key.len() > KEY { Err(malformed("a key in the body is too long")) } else { Ok(()) }
    }

    /// An escape has ended: a character, or half of one.
    fn escaped(&mut self, text: Text, code: u32) -> Result<(usize, Event), Refusal> {
        let half = || malformed("a text in the body has half a surrogate pair");
        let code = match (text.high, code) {
            (None, 0xd800..=0xdbff) => {
                self.at = At::In(Text { step: Step::Plain, high: Some(code), ..text });
                return Ok((1, Event::Nothing));
            }
            (Some(high), 0xdc00..=0xdfff) => 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00),
            (None, code) => code,
            (Some(_), _) => return Err(half()),
        };
        let char = char::from_u32(code).ok_or_else(half)?;
        self.at = At::In(Text { step: Step::Plain, high: None, ..text });
        if text.key {
            self.key.extend(char.encode_utf8(&mut [0; 4]).bytes());
            self.bound_key()?;
            return Ok((1, Event::Nothing));
        }
        Ok((1, Event::Char(char)))
    }
}

pub(super) fn malformed(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, why.into())
}
