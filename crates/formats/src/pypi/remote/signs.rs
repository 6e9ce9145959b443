//! Whether an address is that of a simple index.

use super::ACCEPT;
use crate::{Ask, Probe, Sign, Signs, Verdict};

const FOLDER: &str = "it lists packages without saying that it is a simple index, as folders of files do";
const SILENT: &str =
    "it lists no packages, which not every index does; whether the path is right shows with the first package";

/// The list of all packages; but not what lists them above the place where each of them is.
pub(super) fn of(base: &str) -> Signs {
    let probe =
        |target: &str, judge| Probe { ask: Ask { target: target.to_owned(), accept: ACCEPT }, ..Probe::new("", judge) };
    let mut probes = Vec::new();
    // Else it would be asked for a package of that name.
    if !base.trim_end_matches('/').ends_with("simple") {
        probes.extend([probe("simple/", beneath), probe("+simple/", beneath_plus)]);
    }
    probes.push(probe("", own));
    Signs::of_protocol("a simple index of Python", probes)
}

fn own(sign: &Sign<'_>) -> Verdict {
    match sign.is_found() {
        true if is_index(sign) => Verdict::Proof("it lists packages"),
        true if is_package(sign) => Verdict::Doubt("it lists the files of one package: the index is above it"),
        true if is_folder(sign) => Verdict::Open(FOLDER),
        true if sign.is_page() => Verdict::Doubt("its root is a page for people, and no list of packages"),
        true => Verdict::Doubt("its root is neither a page nor JSON that lists packages"),
        false => Verdict::Open(SILENT),
    }
}

fn beneath(sign: &Sign<'_>) -> Verdict {
    within(sign, "the one above it: add /simple to the address")
}

fn beneath_plus(sign: &Sign<'_>) -> Verdict {
    within(sign, "the one above it: add /+simple to the address")
}

fn within(sign: &Sign<'_>, advice: &'static str) -> Verdict {
    match sign.is_found() && is_index(sign) {
        true => Verdict::Beneath(advice),
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

/// Whether it is what the index has of one package.
fn is_package(sign: &Sign<'_>) -> bool {
    let text = sign.text();
    let files = text.contains("\"api-version\"") && text.contains("\"files\"") && !text.contains("\"projects\"");
    files || (sign.is_page() && ["#sha256=", ".whl\"", ".tar.gz\""].iter().any(|part| text.contains(part)))
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
            assert!(matches!(beneath(&found(kind, body)), Verdict::Beneath(_)), "{body}");
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
        for page in [project, r#"{"meta": {"api-version": "1.1"}, "files": [{"filename": "x.whl"}]}"#] {
            let kind = if page.starts_with('<') { "text/html" } else { "application/json" };
            assert!(matches!(own(&found(kind, page)), Verdict::Doubt(why) if why.contains("above it")), "{page}");
        }
        let asked = |base| of(base).probes.iter().map(|probe| probe.ask.target.clone()).collect::<Vec<_>>();
        assert_eq!(asked("https://x.example/simple/"), [""]);
        assert_eq!(asked("https://x.example/"), ["simple/", "+simple/", ""]);
    }
}
