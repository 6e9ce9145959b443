//! POMs, module metadata, archives and checksums: what agrees, and what hostile clients send.

use std::io::{Cursor, Write as _};

use bytes::Bytes;
use model::EntryPath;
use proptest::prelude::*;

use super::stored;
use crate::maven::deposit::{self, hex_of};
use crate::maven::{Maven, module, pom};
use crate::{Algorithm, Asked, Format, Intake, Method, Operation, PackageAt, Piece, Plan, StagedFile, Sums};

fn pom(bytes: &[u8], path: &str) -> Result<(), String> {
    let read = pom::Pom::parse(bytes).and_then(|pom| pom.agrees(&stored(path)));
    read.map_err(|refusal| format!("{} {}", refusal.code.status(), refusal.detail))
}

const AT: &str = "com/example/demo/1.0/demo-1.0.pom";

fn project(inside: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project xmlns=\"x\">{inside}</project>").into_bytes()
}

const GAV: &str = "<groupId>com.example</groupId><artifactId>demo</artifactId><version>1.0</version>";

#[test]
fn a_pom_must_say_what_its_path_says() {
    pom(&project(GAV), AT).expect("the same");
    for good in [
        "<parent><groupId>com.example</groupId><artifactId>top</artifactId><version>1.0</version></parent>\
         <artifactId>demo</artifactId>",
        "<parent><groupId>other</groupId><artifactId>top</artifactId><version>9</version></parent>\
         <groupId> com.example\n</groupId><artifactId>demo</artifactId><version>1<!-- x -->.<![CDATA[0]]></version>",
        "<properties><revision>1.0</revision></properties><groupId>com.example</groupId>\
         <artifactId>demo</artifactId><version>${revision}</version>",
        "<groupId>com.example</groupId><artifactId>d&#101;mo</artifactId><version>1.0</version>\
         <dependencies><dependency><groupId>a</groupId><version>${x}</version></dependency></dependencies>",
        "<groupId>com.example</groupId><artifactId>demo</artifactId><version>1.0</version><name>&copy; us</name>",
    ] {
        pom(&project(good), AT).unwrap_or_else(|why| panic!("{good}: {why}"));
    }
    let mut latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><project><name>M\xfcller</name>".to_vec();
    latin.extend_from_slice(format!("{GAV}</project>").as_bytes());
    pom(&latin, AT).expect("Latin-1");
    pom(&[b"\xef\xbb\xbf", project(GAV).as_slice()].concat(), AT).expect("a byte order mark");
}

#[test]
fn a_pom_that_says_something_else_is_refused() {
    let cases = [
        (project(&GAV.replace("1.0", "1.1")), "version \"1.1\", its path says \"1.0\""),
        (project(&GAV.replace("com.example", "com.evil")), "groupId \"com.evil\""),
        (project(&GAV.replace("demo", "Demo")), "artifactId \"Demo\""),
        (project("<groupId>com.example</groupId><artifactId>demo</artifactId>"), "says no version"),
        (project(&format!("{GAV}<version>1.0</version>")), "says version twice"),
        (project(&GAV.replace("1.0", "${revision}")), "flattened"),
        (project(&GAV.replace("1.0", "${version}")), "flattened"),
        (project(&format!("<properties><a>${{a}}${{a}}</a></properties>{}", GAV.replace("1.0", "${a}"))), "flattened"),
        (project(&GAV.replace("1.0", "1.0&x;")), "unknown entity"),
        (b"<!DOCTYPE project [<!ENTITY a \"b\">]><project/>".to_vec(), "document type"),
        (b"".to_vec(), "empty"),
        (b"PK\x03\x04".to_vec(), "422"),
        (b"<project>".to_vec(), "ends inside"),
        (b"<project><a></b></project>".to_vec(), "not XML"),
        (format!("<html>{GAV}</html>").into_bytes(), "not one <project>"),
        (format!("<project>{GAV}</project><project/>").into_bytes(), "not one <project>"),
        (b"<?xml version='1.0' encoding='UTF-16'?><project/>".to_vec(), "encoding"),
        (b"<?xml version='1.0' encoding='utf-7'?><project/>".to_vec(), "encoding"),
        (b"<project>\xff</project>".to_vec(), "not utf-8"),
        (project(&"<a>".repeat(100_000)), "deep"),
    ];
    for (bytes, expected) in cases {
        let why = pom(&bytes, AT).expect_err(expected);
        assert!(why.contains(expected) && why.starts_with("422"), "{why}: {expected}");
    }
}

#[test]
fn module_metadata_must_say_what_its_path_says() {
    let check = |text: &str| module::check(&mut text.as_bytes(), &stored("com/example/demo/1.0/demo-1.0.module"));
    let said = |group: &str, url: &str| {
        format!(r#"{{"formatVersion":"1.1","component":{{{url}"group":"{group}","module":"demo","version":"1.0"}}}}"#)
    };
    check(&said("com.example", "")).expect("the same");
    check(&said("other", r#""url":"../x.module","#)).expect("a part of another component");
    assert!(check(&said("other", "")).is_err());
    assert!(check(&said("com.example", r#""group":"com.example","#)).is_err(), "a key that is there twice");
    for wrong in ["", "{}", "[]", &"[".repeat(100_000), "{\"component\":1}"] {
        assert!(check(wrong).is_err());
    }
}

/// A file goes in, in pieces.
fn put(path: &str, body: &[u8], cut: usize) -> Result<(Vec<u8>, Plan), model::Refusal> {
    let mut intake: Box<dyn Intake> = Box::new(deposit::File::new(stored(path)));
    let mut out = Vec::new();
    for piece in body.chunks(cut) {
        intake.push(Bytes::copy_from_slice(piece), &mut out)?;
    }
    intake.end(&mut out)?;
    assert!(matches!(out.first(), Some(Piece::Begin(_))) && matches!(out.last(), Some(Piece::End)));
    let got: Vec<u8> = out
        .iter()
        .flat_map(|piece| if let Piece::Bytes(bytes) = piece { bytes.to_vec() } else { Vec::new() })
        .collect();
    let staged = StagedFile {
        length: got.len() as u64,
        sha256: model::Sha256Digest([0; 32]),
        sums: Sums { sha1: Some([7; 20]), ..Sums::default() },
        bytes: Box::new(Cursor::new(got.clone())),
    };
    Ok((got, intake.plan(&mut [staged])?))
}

#[test]
fn a_file_is_published_under_its_coordinates() {
    let (_, plan) = put("com/example/demo/1.1-SNAPSHOT/demo-1.1-20260101.101010-3.jar", b"x", 1).expect("a plan");
    let release = plan.release.expect("a release");
    assert_eq!((release.package.namespace.as_str(), release.package.name.as_str()), ("com.example", "demo"));
    assert_eq!(release.version.as_str(), "1.1-20260101.101010-3");
    assert!(release.joins && release.refs.is_empty());
    let file = release.files.first().expect("a file");
    assert_eq!(file.location.as_str(), "com/example/demo/1.1-SNAPSHOT/demo-1.1-20260101.101010-3.jar");
    assert_eq!(Sums::of_attributes(file.attributes.as_deref().expect("sums")).sha1, Some([7; 20]));
    assert!(put(AT, &project(&GAV.replace("1.0", "2")), 7).is_err());
}

/// The index of an artifact is the end of its deployments; nothing else is.
#[test]
fn the_index_of_an_artifact_completes_its_deployments() {
    let intake = |path: &str| match Maven.parse(&Asked::plain(Method::Put, path)) {
        Ok(Operation::Receive(intake)) => intake,
        other => panic!("{path}: {other:?}"),
    };
    let demo = PackageAt { namespace: "com.example".to_owned(), name: "demo".to_owned() };
    let completes = |path: &str| intake(path).plan(&mut []).expect("a plan").completes;
    assert_eq!(completes("com/example/demo/maven-metadata.xml"), Some(demo.clone()));
    for path in [
        "com/example/demo/maven-metadata.xml.sha1",
        "com/example/demo/1.1-SNAPSHOT/maven-metadata.xml",
        "com/example/demo/1.1-SNAPSHOT/maven-metadata.xml.md5",
    ] {
        assert_eq!(completes(path), None, "{path}");
        assert!(intake(path).belongs_to().is_none());
    }
    let (jar, build) = (intake(AT), "1.1-20260101.101010-3");
    assert_eq!(jar.belongs_to(), Some((&demo, "1.0")));
    let snapshot = intake(&format!("com/example/demo/1.1-SNAPSHOT/demo-{build}.jar"));
    assert_eq!(snapshot.belongs_to(), Some((&demo, build)));
}

/// A ZIP archive with stored or deflated members.
fn archive(members: &[(&str, &[u8], bool)], front: &[u8]) -> Vec<u8> {
    let (mut bytes, mut directory) = (front.to_vec(), Vec::new());
    for (name, content, deflate) in members {
        let packed = if *deflate {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(content).expect("memory");
            encoder.finish().expect("memory")
        } else {
            content.to_vec()
        };
        let at = u32::try_from(bytes.len() - front.len()).expect("short");
        let size = u32::try_from(packed.len()).expect("short").to_le_bytes();
        let length = u16::try_from(name.len()).expect("short").to_le_bytes();
        let method = if *deflate { [8, 0] } else { [0, 0] };
        let common = [&[20, 0, 0, 0][..], &method, &[0; 8], &size, &[0; 4], &length, &[0, 0]].concat();
        bytes.extend([b"PK\x03\x04".as_slice(), &common, name.as_bytes(), &packed].concat());
        directory
            .extend([b"PK\x01\x02\x14\0".as_slice(), &common, &[0; 10], &at.to_le_bytes(), name.as_bytes()].concat());
    }
    let number = u16::try_from(members.len()).expect("few").to_le_bytes();
    let (size, start) = (directory.len(), bytes.len() - front.len());
    bytes.extend_from_slice(&directory);
    let word = |number: usize| u32::try_from(number).expect("short").to_le_bytes();
    bytes.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &number, &number, &word(size), &word(start), &[0, 0]].concat());
    bytes
}

const DESCRIPTOR: &[u8] = b"<?xml version=\"1.0\"?><plugin><name>n</name><goalPrefix> hello </goalPrefix></plugin>";

#[test]
fn the_prefix_of_a_plugin_is_read_from_its_archive() {
    for (deflate, front) in [(false, &b""[..]), (true, b""), (true, b"#!/bin/sh\n")] {
        let bytes = archive(&[("a", b"x", false), ("META-INF/maven/plugin.xml", DESCRIPTOR, deflate)], front);
        let (_, plan) = put("com/example/p/1.0/p-1.0.jar", &bytes, 100).expect("a plan");
        let refs = plan.release.expect("a release").refs;
        assert_eq!(refs.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["maven-plugin.hello"]);
    }
    for other in [
        archive(&[("a", b"x", false)], b""),
        archive(&[("META-INF/maven/plugin.xml", b"<!DOCTYPE plugin><plugin/>", false)], b""),
        archive(&[("META-INF/maven/plugin.xml", b"<x><goalPrefix>a</goalPrefix></x>", false)], b""),
        archive(&[("META-INF/maven/plugin.xml", b"<plugin><goalPrefix>a b/c</goalPrefix></plugin>", true)], b""),
        b"not an archive".to_vec(),
        Vec::new(),
    ] {
        let (_, plan) = put("com/example/p/1.0/p-1.0.jar", &other, 100).expect("a plan");
        assert!(plan.release.expect("a release").refs.is_empty());
    }
}

#[test]
fn checksums_are_read_as_clients_write_them() {
    let sum = "0123456789abcdef0123456789abcdef";
    for text in [sum, &format!("{sum}\n"), &format!("{}  demo.jar", sum.to_uppercase()), &format!("MD5(x)= {sum}")] {
        assert!(hex_of(text, Algorithm::Md5).is_some(), "{text}");
    }
    for text in ["", "  ", &sum[1..], &format!("{sum}00"), "zz", "0123"] {
        assert!(hex_of(text, Algorithm::Md5).is_none(), "{text}");
    }
    let mut intake = deposit::Checksum::new(EntryPath::parse("a/c/1/c-1.jar").expect("a path"), None, Algorithm::Md5);
    assert!(intake.push(Bytes::from(vec![b'a'; 4000]), &mut Vec::new()).is_err());
}

proptest! {
    #[test]
    fn a_body_is_one_however_it_is_cut(content in prop::collection::vec(any::<u8>(), 0..300), cut in 1usize..97) {
        let (got, _) = put("a/c/1.0/c-1.0.zip", &content, cut).expect("a plan");
        prop_assert_eq!(got, content);
    }

    #[test]
    fn foreign_bytes_are_refused_or_read_but_never_break_a_parser(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(pom::Pom::parse(&bytes));
        drop(put("a/c/1.0/c-1.0.jar", &bytes, 100));
        drop(module::check(&mut bytes.as_slice(), &stored("a/c/1.0/c-1.0.module")));
    }

    #[test]
    fn a_damaged_archive_never_breaks_the_reader(at in 0usize..400, to in any::<u8>()) {
        let mut bytes = archive(&[("META-INF/maven/plugin.xml", DESCRIPTOR, true)], b"");
        let at = at % bytes.len();
        bytes[at] = to;
        drop(put("a/c/1.0/c-1.0.jar", &bytes, 100));
        bytes.truncate(at);
        drop(put("a/c/1.0/c-1.0.jar", &bytes, 100));
    }
}
