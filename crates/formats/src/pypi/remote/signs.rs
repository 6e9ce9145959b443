//! Whether an address is that of a simple index.

use super::ACCEPT;
use crate::{Ask, Probe, Sign, Signs, Verdict};

const FOLDER: &str = "it lists packages without saying that it is a simple index, as folders of files do";
const SILENT: &str =
    "it lists no packages, which not every index does; whether the path is right shows with the first package";

/// The list of all packages; where it is not, it may be beneath.
pub(super) fn of(base: &str) -> Signs {
    let probe =
        |target: &str, judge| Probe { ask: Ask { target: target.to_owned(), accept: ACCEPT }, ..Probe::new("", judge) };
    let mut probes = vec![probe("", own)];
    // Else it would be asked for a package of that name.
    if !base.trim_end_matches('/').ends_with("/simple") {
        probes.push(probe("simple/", beneath));
    }
    Signs { what: "a simple index of Python", probes }
}

fn own(sign: &Sign<'_>) -> Verdict {
    match sign.is_found() {
        true if is_index(sign) => Verdict::Proof("it lists packages"),
        true if is_folder(sign) => Verdict::Open(FOLDER),
        true if sign.is_page() => Verdict::Doubt("its root is a page for people, and no list of packages"),
        true => Verdict::Doubt("its root is neither a page nor JSON that lists packages"),
        false => Verdict::Open(SILENT),
    }
}

fn beneath(sign: &Sign<'_>) -> Verdict {
    match sign.is_found() && is_index(sign) {
        true => Verdict::Wrong("the index is beneath it: add /simple to the address"),
        false => Verdict::Open(SILENT),
    }
}

/// Whether it lists packages, and says that it is an index. Of a large one the beginning must do.
fn is_index(sign: &Sign<'_>) -> bool {
    let text = sign.text();
    match sign.media_type {
        "application/vnd.pypi.simple.v1+json" | "application/json" => {
            text.contains("\"api-version\"") && text.contains("\"projects\"")
        }
        "application/vnd.pypi.simple.v1+html" | "text/html" => {
            let says =
                text.contains("pypi:repository-version") || text.to_ascii_lowercase().contains("<title>simple index");
            says && !text.contains("#sha256=")
        }
        _ => false,
    }
}

/// Whether it is nothing but links.
fn is_folder(sign: &Sign<'_>) -> bool {
    let text = sign.text().to_ascii_lowercase();
    let more = ["<script", "<form", "<nav", "<img", "stylesheet"];
    sign.is_page() && text.contains("<a ") && !more.iter().any(|tag| text.contains(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signs::tests::{found, said};

    #[test]
    fn an_index_says_that_it_is_one() {
        let json = r#"{"meta": {"api-version": "1.1"}, "projects": [{"name": "a"}, "#;
        for (kind, body) in [
            ("application/vnd.pypi.simple.v1+json", json),
            ("text/html", r#"<html><head><meta name="pypi:repository-version" content="1.0"></head>"#),
            ("text/html", "<!DOCTYPE html><title>Simple Index</title><a href=\"/simple/a/\">a</a>"),
        ] {
            assert!(matches!(own(&found(kind, body)), Verdict::Proof(_)), "{body}");
            assert!(matches!(beneath(&found(kind, body)), Verdict::Wrong(_)), "{body}");
        }
    }

    #[test]
    fn what_is_none() {
        let folder = found("text/html", "<html><body><a href=\"a/\">a</a>");
        assert_eq!(own(&folder), Verdict::Open(FOLDER));
        let site = found("text/html", "<html><script>go()</script><a href=\"/\">home</a>");
        assert!(matches!(own(&site), Verdict::Doubt(_)));
        assert_eq!(own(&said(404, "text/html", "")), Verdict::Open(SILENT));
        let project = r#"<meta name="pypi:repository-version" content="1.0"><a href="x.whl#sha256=0f">x.whl</a>"#;
        assert!(matches!(beneath(&found("text/html", project)), Verdict::Open(_)), "the project simple");
        assert_eq!((of("https://x.example/simple/").probes.len(), of("https://x.example/").probes.len()), (1, 2));
    }
}
