//! Enough of Rust's grammar to tell code, strings and comments apart.

/// A source text taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// The code alone: the insides of strings and comments are blanks, lines stay where they were.
    pub(crate) code: String,
    /// Every string literal with the line that it starts on, counted from 1.
    pub(crate) strings: Vec<(usize, String)>,
}

/// Takes `text` apart.
pub(crate) fn read(text: &str) -> Source {
    let mut reader = Reader { rest: text, line: 1, source: Source::default() };
    while !reader.rest.is_empty() {
        reader.step();
    }
    reader.source
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    source: Source,
}

impl Reader<'_> {
    fn step(&mut self) {
        let rest = self.rest;
        if rest.starts_with("//") {
            self.blank(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.blank(comment_length(rest));
        } else if rest.starts_with('"') {
            self.string(1, quoted_length(rest), 1);
        } else if let Some((open, length, close)) = self.starts_word().then(|| raw_string(rest)).flatten() {
            self.string(open, length, close);
        } else if let Some(length) = character(rest) {
            self.blank(length);
        } else {
            self.keep(rest.chars().next().map_or(1, char::len_utf8));
        }
    }

    /// Whether what comes next starts a word: `r"` is a raw string in `(r"…")` and none in `for"…"`.
    fn starts_word(&self) -> bool {
        !self.source.code.ends_with(|last: char| last.is_alphanumeric() || last == '_')
    }

    fn string(&mut self, open: usize, length: usize, close: usize) {
        let inside = self.rest.get(open..length.saturating_sub(close)).unwrap_or_default();
        self.source.strings.push((self.line, inside.to_string()));
        self.source.code.push('"');
        self.blank(length);
        self.source.code.push('"');
    }

    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length);
        let lines = gone.matches('\n').count();
        self.source.code.push_str(&if lines == 0 { " ".to_string() } else { "\n".repeat(lines) });
        self.line += lines;
        self.rest = rest;
    }

    fn keep(&mut self, length: usize) {
        let (kept, rest) = self.rest.split_at(length);
        self.line += kept.matches('\n').count();
        self.source.code.push_str(kept);
        self.rest = rest;
    }
}

fn comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// Lengths of the opening, the whole and the closing of `r#"…"#`, `br"…"`, `b"…"`, `c"…"` and their kin.
fn raw_string(rest: &str) -> Option<(usize, usize, usize)> {
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c']).len();
    let after = rest.get(prefix..).filter(|_| prefix <= 1)?;
    let Some(after) = after.strip_prefix('r') else {
        return (prefix == 1 && after.starts_with('"')).then(|| (2, prefix + quoted_length(after), 1));
    };
    let hashes = after.len() - after.trim_start_matches('#').len();
    let open = prefix + 1 + hashes + 1;
    after.get(hashes..)?.starts_with('"').then_some(())?;
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = rest.get(open..)?;
    let length = inside.find(&end).map_or(rest.len(), |found| open + found + end.len());
    Some((open, length, end.len()))
}

/// The length of a character literal; `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    match first {
        '\\' => inside.get(2..)?.find('\'').map(|end| end + 4),
        _ => inside.get(first.len_utf8()..)?.starts_with('\'').then(|| first.len_utf8() + 2),
    }
}

#[test]
fn strings_comments_and_code_are_told_apart() {
    let source = read(concat!(
        "let a = \"x\\\"y\"; // \"no\"\n",
        "/* \"no\" /* nested */ */ let b = r#\"raw \"in\" side\"#;\n",
        "let c = '\"'; let d: &'static str = \"z\";\n",
        "let e = '\\''; for x in br\"by\\\" {}\n",
    ));
    let strings: Vec<_> = source.strings.iter().map(|(line, text)| (*line, text.as_str())).collect();
    assert_eq!(strings, [(1, "x\\\"y"), (2, "raw \"in\" side"), (3, "z"), (4, "by\\")]);
    assert!(source.code.contains("&'static str") && !source.code.contains("no") && !source.code.contains("nested"));
    assert_eq!(source.code.lines().count(), 4);
}
