//! Addresses, bodies in any cut, and what an archive may say.

mod remote;

use bytes::Bytes;
use model::Timestamp;
use proptest::prelude::*;

use super::address::index_path;
use super::publish::Publish;
use super::*;
use crate::{Intake, Method, Piece, VersionHead};

fn operation(method: Method, rest: &str) -> Result<String, ParseError> {
    Cargo.parse(&Asked::plain(method, rest)).map(|operation| format!("{operation:?}"))
}

#[test]
fn index_files_lie_in_folders_by_their_first_letters() {
    for (name, path) in [("a", "1/a"), ("Ab", "2/ab"), ("abc", "3/a/abc"), ("Serde_Json", "se/rd/serde_json")] {
        assert_eq!(index_path(name), path);
        assert!(operation(Method::Get, path).is_ok_and(|found| found.starts_with("Index")), "{path}");
    }
    for wrong in ["1/ab", "se/rd/other", "se/rde/serde", "x/y", "", "3/b/abc", "1/-", "ab/c!/abc!"] {
        assert_eq!(operation(Method::Get, wrong), Err(ParseError::Unknown), "{wrong}");
    }
}

#[test]
fn twins_are_one_crate() {
    let asked = operation(Method::Get, "dl/Serde_Json/1.0.0/download").expect("a download");
    assert_eq!(asked, operation(Method::Get, "dl/serde-json/1.0.0/download").expect("the same"));
}

#[test]
fn a_search_shows_the_greatest_that_is_not_yanked() {
    let one = |version: &str, yanked: Option<&str>| VersionHead {
        id: model::VersionId(Default::default()),
        version: version.to_owned(),
        published_at: Some(Timestamp(0)),
        changed_at: Timestamp(0),
        yanked: yanked.map(str::to_owned),
        deprecated: None,
        unlisted: false,
    };
    let current = |versions: &[VersionHead]| {
        let (name, display) = ("a".to_owned(), "a".to_owned());
        let (namespace, refs, around) = (String::new(), Vec::new(), Vec::new());
        Cargo.stands_for(&crate::Head {
            namespace,
            name,
            display,
            generation: 1,
            versions: versions.to_vec(),
            refs,
            around,
        })
    };
    let versions = [one("0.10.0", None), one("1.0.0", Some("broken")), one("0.9.1", None)];
    assert_eq!(current(&versions).as_deref(), Some("0.10.0"));
    assert_eq!(current(&versions[1..2]), None);
}

#[test]
fn methods_are_the_registrys() {
    assert_eq!(operation(Method::Put, "config.json"), Err(ParseError::Method("GET, HEAD")));
    assert_eq!(operation(Method::Get, "api/v1/crates/new"), Err(ParseError::Method("PUT")));
    assert_eq!(operation(Method::Put, "api/v1/crates/a/1.0.0/yank"), Err(ParseError::Method("DELETE")));
}

#[test]
fn the_line_carries_what_changes_later() {
    let head = VersionHead {
        id: model::VersionId(Default::default()),
        version: "1.0.0".to_owned(),
        published_at: Some(Timestamp(1_500_000)),
        changed_at: Timestamp(1_500_000),
        yanked: Some(String::new()),
        deprecated: None,
        unlisted: false,
    };
    let manifest = r#"{"index": {"name": "a", "vers": "1.0.0"}}"#.to_owned();
    let line = index::line(&VersionFacts { head, manifest, files: Vec::new() }).expect("a line");
    let line: serde_json::Value = model::json::from_slice(&line).expect("JSON");
    assert_eq!(line["yanked"], true);
    assert_eq!(line["pubtime"], "1970-01-01T00:00:01Z");
}

/// A publish body: both lengths as they are announced.
fn body(metadata: &[u8], archive: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| u32::try_from(part.len()).expect("short").to_le_bytes();
    [&length(metadata), metadata, &length(archive), archive].concat()
}

fn take(pieces: &[&[u8]]) -> Result<Vec<u8>, model::Refusal> {
    let (mut intake, mut out) = (Publish::default(), Vec::new());
    for piece in pieces {
        intake.push(Bytes::copy_from_slice(piece), &mut out)?;
    }
    intake.end(&mut out)?;
    assert!(matches!(out.first(), Some(Piece::Begin(_))) && matches!(out.last(), Some(Piece::End)));
    Ok(out.iter().flat_map(|piece| if let Piece::Bytes(bytes) = piece { bytes.to_vec() } else { Vec::new() }).collect())
}

proptest! {
    #[test]
    fn a_body_is_one_however_it_is_cut(metadata in prop::collection::vec(any::<u8>(), 0..300),
                                       archive in prop::collection::vec(any::<u8>(), 0..300), cut in 1usize..97) {
        let whole = body(&metadata, &archive);
        let pieces: Vec<&[u8]> = whole.chunks(cut).collect();
        prop_assert_eq!(take(&pieces).expect("a body"), archive);
    }

    #[test]
    fn a_body_that_lies_about_its_length_is_refused(metadata in prop::collection::vec(any::<u8>(), 0..50),
                                                    archive in prop::collection::vec(any::<u8>(), 1..50), by in 1usize..20) {
        let whole = body(&metadata, &archive);
        let short = &whole[..whole.len().saturating_sub(by)];
        prop_assert!(take(&[short]).is_err());
        let long = [whole.as_slice(), &vec![0; by]].concat();
        prop_assert!(take(&[&long]).is_err());
    }
}

#[test]
fn a_search_takes_what_it_shows_and_no_more() {
    let manifest = json!({"index": {}, "description": "d", "published": {"readme": "x".repeat(1 << 20)}}).to_string();
    assert_eq!(Cargo.brief(&manifest).as_deref(), Some("d"));
}
