//! The frame of the pages that show what is in repositories: a heading, the way up, a table, the way on.

use axum::response::Response;
use http::header;
use http::request::Parts;
use model::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::text;
use crate::problem::Problem;
use crate::ui::escape;

/// Everything but what URLs may hold plainly in a segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A page with a table.
pub(super) struct Frame<'a> {
    /// Text.
    pub(super) title: &'a str,
    /// Where the page above lies, and what it is called there. Text that needs no escape.
    pub(super) up: (&'a str, &'a str),
    /// Markup above the table.
    pub(super) note: &'a str,
    /// The heads of the columns, markup.
    pub(super) columns: &'a [&'a str],
    /// Markup.
    pub(super) rows: &'a str,
    /// The query of the next page, markup.
    pub(super) next: Option<String>,
}

impl Frame<'_> {
    pub(super) fn page(&self) -> Response {
        let Self { note, rows, .. } = self;
        let (up, above) = self.up;
        let title = escape(self.title);
        let more = self.next.iter().map(|query| format!("<p><a href=\"?{query}\">More</a></p>\n")).collect::<String>();
        let head: String = self.columns.iter().map(|column| format!("<th scope=\"col\">{column}</th>")).collect();
        let table = match rows.is_empty() {
            true => "<p>There is nothing here.</p>\n".to_owned(),
            false => {
                format!("<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
            }
        };
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
             <link rel=\"stylesheet\" href=\"/assets/page.css\">\
             <link rel=\"icon\" type=\"image/svg+xml\" href=\"/assets/icon.svg\"></head>\n<body><main>\n\
             <nav aria-label=\"Up\"><a href=\"{up}\">{above}</a></nav>\n<h1>{title}</h1>\n\
             {note}{table}{more}</main></body>\n</html>\n"
        );
        crate::ui::page(html)
    }
}

/// Whether a page is asked for: what `?format=` says, else whether a browser asks.
pub(super) fn is_wanted(format: Option<&str>, parts: &Parts) -> Result<bool, Problem> {
    match format {
        Some("json") => Ok(false),
        Some("html") => Ok(true),
        Some(_) => Err(Problem::bad_request("format is json or html").field("format", "json or html")),
        None => Ok(is_for_browser(parts)),
    }
}

/// Whether a browser asks.
pub(super) fn is_for_browser(parts: &Parts) -> bool {
    text(parts, &header::ACCEPT).is_some_and(|accept| accept.contains("text/html"))
}

/// Whether JSON is asked for.
pub(super) fn is_for_program(parts: &Parts) -> bool {
    text(parts, &header::ACCEPT).is_some_and(|accept| accept.contains("json"))
}

/// A name as a segment of a link or a value in its query.
pub(super) fn linked(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// A moment for people, to the second.
pub(super) fn time(at: Timestamp) -> String {
    let shown = at.to_seconds().replace('T', "</span> <span>").replace('Z', " UTC");
    format!("<time datetime=\"{at}\"><span>{shown}</span></time>")
}

/// When something was published where it comes from; where that is not known, since when it is here.
pub(super) fn published(told_at: Option<Timestamp>, here_since: Option<Timestamp>) -> String {
    match (told_at, here_since) {
        (Some(at), _) => time(at),
        (None, Some(since)) => format!("<span class=\"about\">fetched</span> {}", time(since)),
        (None, None) => String::new(),
    }
}

/// A length for people; to the byte where somebody points at it.
pub(super) fn size(bytes: u64) -> String {
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_235 && unit < 5 {
        tenths = (tenths + 512) / 1024;
        unit += 1;
    }
    let word = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit];
    match unit {
        0 => format!("<span class=\"size\">{bytes} B</span>"),
        _ => format!("<span class=\"size\" title=\"{bytes} bytes\">{}.{} {word}</span>", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<script>\"x'&"), "&lt;script&gt;&quot;x&#39;&amp;");
        assert_eq!(linked("a b\"<>#?/&"), "a%20b%22%3C%3E%23%3F%2F%26");
    }

    #[test]
    fn lengths_and_times_are_for_people() {
        let shown = |bytes| size(bytes).replace("</span>", "").split('>').next_back().unwrap_or_default().to_owned();
        let cases = [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (1 << 20, "1.0 MiB")];
        for (bytes, words) in cases.into_iter().chain([((1 << 20) - 1, "1.0 MiB"), (u64::MAX, "16384.0 PiB")]) {
            assert_eq!(shown(bytes), words);
        }
        assert_eq!(
            time(Timestamp(1_500_000)),
            "<time datetime=\"1970-01-01T00:00:01.500000Z\"><span>1970-01-01</span> <span>00:00:01 UTC</span></time>"
        );
    }
}
