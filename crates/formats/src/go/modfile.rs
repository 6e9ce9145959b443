//! What a `go.mod` says of itself. Read as the go command reads those of dependencies: the syntax must
//! be right, directives that we do not know are passed over.
//!
//! Source: the Go Modules Reference, "go.mod files: Lexical elements, Grammar".

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use super::names::Why;

/// Words in a line at most; those that mean something have a handful.
const WORDS: usize = 1000;

/// What we take from a `go.mod`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ModFile {
    /// The module's path.
    pub(super) module: String,
    /// The version of the language that it needs.
    pub(super) go: Option<String>,
}

/// Reads a `go.mod`. The error names the line.
pub(super) fn read(text: &[u8]) -> Result<ModFile, Why> {
    let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())?;
    let mut found = Found::default();
    let mut block: Option<(Vec<&str>, usize)> = None;
    for (number, line) in (1..).zip(text.split('\n')) {
        let at = |why: &str| format!("has an error in line {number}: {why}");
        let mut tokens = tokens(line).map_err(|why| at(&why))?;
        let (first, last) = (tokens.first().copied(), tokens.last().copied());
        match (&mut block, first, last) {
            (_, None, _) => {}
            (Some(_), Some(")"), _) if tokens.len() > 1 => return Err(at("something follows a closing parenthesis")),
            (Some(_), Some(")"), _) => block = None,
            (Some((verb, _)), ..) => found.take(verb, &tokens).map_err(|why| at(&why))?,
            (None, _, Some("(")) => {
                tokens.pop();
                block = Some((tokens, number));
            }
            (None, _, Some(")")) if tokens.len() > 1 && tokens.get(tokens.len() - 2) == Some(&"(") => {}
            (None, ..) => found.take(&[], &tokens).map_err(|why| at(&why))?,
        }
    }
    if let Some((_, line)) = block {
        return Err(format!("has a block that begins in line {line} and never ends"));
    }
    let module = found.module.ok_or_else(|| "names no module".to_owned())?;
    Ok(ModFile { module, go: found.go })
}

#[derive(Default)]
struct Found {
    module: Option<String>,
    go: Option<String>,
}

impl Found {
    /// Takes a line; `before`: the words of the block that it stands in.
    fn take(&mut self, before: &[&str], line: &[&str]) -> Result<(), String> {
        let mut words = before.iter().chain(line).copied();
        let verb = words.next().unwrap_or_default();
        let slot = match (verb, before.len()) {
            ("module", 0 | 1) => &mut self.module,
            ("go", 0) => &mut self.go,
            _ => return Ok(()),
        };
        let (Some(word), None) = (words.next(), words.next()) else { return Err(format!("{verb} takes one word")) };
        match slot.replace(plain(word)?) {
            None => Ok(()),
            Some(_) => Err(format!("{verb} is there twice")),
        }
    }
}

/// A word without its quotes.
fn plain(word: &str) -> Result<String, String> {
    let inner = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(word);
    if inner.contains(['"', '\'', '`', '\\']) {
        return Err(format!("{} is quoted in a way that is not read", word.escape_debug()));
    }
    Ok(inner.to_owned())
}

/// The words of a line, strings with their quotes, without the comment.
fn tokens(line: &str) -> Result<Vec<&str>, String> {
    let mut tokens = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r']);
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        if rest.starts_with("//") {
            return Ok(tokens);
        }
        let length = match first {
            '(' | ')' | '[' | ']' | '{' | '}' | ',' => 1,
            '"' | '`' => string(rest, first)?,
            _ => word(rest)?,
        };
        if tokens.len() == WORDS {
            return Err(format!("it has more than {WORDS} words"));
        }
        let (token, behind) = rest.split_at(length);
        tokens.push(token);
        rest = behind;
    }
}

/// The length of the string at the beginning.
fn string(text: &str, quote: char) -> Result<usize, String> {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, c)) = letters.next() {
        if c == quote {
            return Ok(at + 1);
        }
        if c == '\\' && quote == '"' {
            letters.next();
        }
    }
    Err("a string does not end".to_owned())
}

/// The length of the word at the beginning.
fn word(text: &str) -> Result<usize, String> {
    let ends = |(at, c): (usize, char)| !is_word(c) || text.get(at..).is_some_and(|rest| rest.starts_with("//"));
    let length = text.char_indices().find(|(at, c)| ends((*at, *c))).map_or(text.len(), |(at, _)| at);
    let word = text.get(..length).unwrap_or_default();
    if length == 0 {
        return Err(format!("the character {:?} has no meaning there", text.chars().next().unwrap_or_default()));
    }
    if word.contains("/*") {
        return Err("comments begin with //".to_owned());
    }
    Ok(length)
}

/// Whether a word may hold the character: what is printed, without white space and brackets.
fn is_word(c: char) -> bool {
    let group = c.general_category_group();
    !matches!(c, ' ' | '(' | ')' | '[' | ']' | '{' | '}' | ',')
        && !matches!(group, GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn module(text: &str) -> Result<String, Why> {
        read(text.as_bytes()).map(|found| found.module)
    }

    #[test]
    fn the_module_is_found_however_it_is_written() {
        for text in [
            "module a.b/c",
            "module a.b/c\n\ngo 1.21\n",
            "// first\nmodule \"a.b/c\" // why\n",
            "module (\n\ta.b/c\n)\n",
            "module ( // x\r\n\r\n\ta.b/c // y\r\n)\r\n",
            "\tmodule\ta.b/c\r\n",
            "require (\n\tx.y/z v1.0.0 // indirect\n)\nmodule a.b/c\nretract [v1.0.0, v1.1.0]\nreplace x.y/z => ../z\n",
            "exclude ( )\nmodule a.b/c\nsomething new {}\nmodule2 x\n",
            "module a.b/c//comment",
        ] {
            assert_eq!(module(text), Ok("a.b/c".to_owned()), "{text}");
        }
        assert_eq!(read(b"module a.b/c\ngo 1.24.1\n").expect("read").go.as_deref(), Some("1.24.1"));
    }

    #[test]
    fn errors_name_their_line() {
        for (text, line) in [
            ("", None),
            ("go 1.21\n", None),
            ("module a.b/c\nmodule a.b/d\n", Some(2)),
            ("module a.b/c d\n", Some(1)),
            ("module\n", Some(1)),
            ("module `a.b/c`\n", Some(1)),
            ("module \"a.b/c\n", Some(1)),
            ("module a.b/c\n/* x */\n", Some(2)),
            ("module a.b/c\nx/*y\n", Some(2)),
            ("module a.b/c\nrequire (\nx v1\n", Some(2)),
            ("module a.b/c\nrequire (\n) x\n", Some(3)),
            ("module a.b/c\n\0\n", Some(2)),
            ("\u{feff}module a.b/c\n", Some(1)),
            ("module \"a\\u002eb/c\"\n", Some(1)),
            ("module 'a.b/c'\n", Some(1)),
        ] {
            let why = module(text).expect_err(text);
            assert!(line.is_none_or(|line| why.contains(&format!("line {line}"))), "{text:?}: {why}");
        }
        assert!(read(b"module a.b/c // \xff\n").is_err());
        let many = format!("module a.b/c\nx {}\n", "(".repeat(WORDS));
        assert!(module(&many).expect_err("many words").contains("line 2"));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(module|go|require|[(]|[)]|[a-z./ \"`\\\\\n\r,/*]|\\PC){0,40}") {
            let _ = read(text.as_bytes());
        }
    }
}
