//! Lines of lockfiles that are indented, as Yarn and pnpm write them: a part of YAML, and what came before it.

/// A line with something in it.
pub(super) struct Line<'t> {
    /// Blanks before it.
    pub(super) indent: usize,
    /// What stands before its colon, without quotes; in lockfiles of Yarn 1 before the first blank.
    pub(super) key: &'t str,
    /// What follows, without quotes; `None`: lines that belong to it.
    pub(super) value: Option<&'t str>,
}

/// The lines, without comments.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().filter_map(|line| {
        let rest = line.trim_start_matches(' ');
        let indent = line.len() - rest.len();
        let rest = rest.trim_end();
        if rest.is_empty() || rest.starts_with('#') {
            return None;
        }
        if let Some(key) = rest.strip_suffix(':') {
            return Some(Line { indent, key: bare(key), value: None });
        }
        let quoted = rest.strip_prefix(['"', '\'']).and_then(|inner| inner.find(['"', '\'']).map(|at| at + 2));
        let from = quoted.unwrap_or_default();
        let cut = rest.get(from..)?.find(": ").map(|at| (from + at, 2));
        let (at, length) = cut.or_else(|| rest.get(from..)?.find(' ').map(|at| (from + at, 1)))?;
        Some(Line { indent, key: bare(rest.get(..at)?), value: rest.get(at + length..).map(|text| bare(text.trim())) })
    })
}

/// A text without the quotes around it. In lockfiles nothing needs to be escaped.
fn bare(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}
