//! Archives of modules: what is made of them, and those that are not what they should be.

use std::io::Cursor;

use bytes::Bytes;
use model::{Code, Refusal, Sha256Digest};
use proptest::prelude::*;

use super::super::publish::Publish;
use super::super::*;
use crate::zipping::Zipping;
use crate::{Intake, Piece, Plan, Source, StagedFile, Sums};

/// A name and its content.
type Member<'a> = (&'a str, &'a [u8]);

/// The archive with these members, in their order.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zipping = Zipping::new(Vec::new());
    for (name, content) in members {
        zipping.file(name, &mut &**content).expect("added");
    }
    zipping.finish().expect("finished")
}

fn publish(module: &str, version: &str, archive: Vec<u8>) -> Result<Plan, Refusal> {
    let length = archive.len() as u64;
    let bytes = Box::new(Cursor::new(archive));
    let mut files = [StagedFile { length, sha256: Sha256Digest([0; 32]), sums: Sums::default(), bytes }];
    Box::new(Publish::new(module.to_owned(), version.to_owned())).plan(&mut files)
}

fn refused(members: &[(&str, &[u8])]) -> (Code, String) {
    let refusal = publish("example.com/a", "v1.0.0", archive(members)).expect_err("refused");
    (refusal.code, refusal.detail)
}

const GO_MOD: (&str, &[u8]) = ("example.com/a@v1.0.0/go.mod", b"module example.com/a\n\ngo 1.21\n");

#[test]
fn a_module_is_published_with_what_is_derived_from_it() {
    let members: [(&str, &[u8]); 2] = [GO_MOD, ("example.com/a@v1.0.0/a.go", b"package a\n")];
    let plan = publish("example.com/a", "v1.0.0", archive(&members)).expect("a plan");
    let release = plan.release.expect("a release");
    let locations: Vec<_> = release.files.iter().map(|file| file.location.as_str()).collect();
    assert_eq!(locations, ["example.com/a/@v/v1.0.0.zip", "example.com/a/@v/v1.0.0.mod"]);
    assert!(matches!(&release.files[1].source, Source::Derived(text) if text == GO_MOD.1));
    let manifest: Manifest = serde_json::from_str(&release.manifest).expect("JSON");
    assert!(manifest.has_go_mod && manifest.go.as_deref() == Some("1.21"));
    // As `go mod download -json` says of these files.
    assert_eq!(manifest.sum.as_deref(), Some("h1:bnjUOPL3XLk8nD9gQ0SbNkP74zk64PqrTaQ52SNhjfQ="));
    assert_eq!(manifest.go_mod_sum.as_deref(), Some("h1:DhNAN5ESgofBjUyC9S2g6VCJUhcIDhtNzG+3JuOOhyg="));
}

#[test]
fn a_module_without_a_go_mod_gets_the_line_that_the_go_command_would_write() {
    let plan =
        publish("example.com/a", "v2.0.0+incompatible", archive(&[("example.com/a@v2.0.0+incompatible/a.go", b"x")]));
    let release = plan.expect("a plan").release.expect("a release");
    assert!(matches!(&release.files[1].source, Source::Derived(text) if text == b"module example.com/a\n"));
}

/// Of another server: what nobody could publish here may be in it, but nothing that lies elsewhere once it is unpacked.
#[test]
fn an_archive_of_elsewhere_stays_below_its_folder() {
    let sound = |member: &str| {
        let archive = archive(&[GO_MOD, (&format!("example.com/a@v1.0.0/{member}"), b"x")]);
        let (length, bytes) = (archive.len() as u64, Box::new(Cursor::new(archive)));
        let mut file = StagedFile { length, sha256: Sha256Digest([0; 32]), sums: Sums::default(), bytes };
        let path = EntryPath::parse("example.com/a/@v/v1.0.0.zip").expect("a path");
        Go.expect_sound(&path, &mut file)
    };
    for fine in ["a.go", "..a/b..", "vendor/x/go.mod", ".git/a", "aux.go"] {
        sound(fine).expect(fine);
    }
    for outside in ["../x", "a/../../x", "./x", "a/..", "..\\x", "a\\..\\..\\x"] {
        assert_eq!(sound(outside).expect_err(outside).code, Code::Unprocessable);
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let own = GO_MOD.1;
    let cases: [(&str, &[Member<'_>], &str); 14] = [
        ("no files", &[], "has no files"),
        ("a foreign prefix", &[("example.com/b@v1.0.0/go.mod", own)], "lies outside example.com/a@v1.0.0/"),
        ("another version", &[("example.com/a@v1.0.1/go.mod", own)], "lies outside"),
        ("another case", &[("example.com/A@v1.0.0/go.mod", own)], "lies outside"),
        (
            "another module",
            &[("example.com/a@v1.0.0/go.mod", b"module example.com/b\n")],
            "go.mod in the archive says example.com/b",
        ),
        ("another major version", &[("example.com/a@v1.0.0/go.mod", b"module example.com/a/v2\n")], "example.com/a/v2"),
        ("broken go.mod", &[("example.com/a@v1.0.0/go.mod", b"module (\n")], "never ends"),
        ("a nested module", &[GO_MOD, ("example.com/a@v1.0.0/b/go.mod", b"module x")], "another module"),
        ("GO.MOD", &[("example.com/a@v1.0.0/GO.MOD", own)], "must be called go.mod"),
        (
            "case twins",
            &[GO_MOD, ("example.com/a@v1.0.0/x.go", b""), ("example.com/a@v1.0.0/X.go", b"")],
            "collides with x.go",
        ),
        (
            "folder twins",
            &[GO_MOD, ("example.com/a@v1.0.0/x/a", b""), ("example.com/a@v1.0.0/X/b", b"")],
            "collides with x",
        ),
        (
            "file and folder",
            &[GO_MOD, ("example.com/a@v1.0.0/x", b""), ("example.com/a@v1.0.0/x/b", b"")],
            "both a file and a folder",
        ),
        ("climbing", &[GO_MOD, ("example.com/a@v1.0.0/../../x", b"")], "ends with a dot"),
        ("a device", &[GO_MOD, ("example.com/a@v1.0.0/nul.go", b"")], "device"),
    ];
    for (name, members, why) in cases {
        let (code, detail) = refused(members);
        assert_eq!(code, Code::Unprocessable, "{name}: {detail}");
        assert!(detail.contains(why), "{name}: {detail}");
    }
    let stated = archive(&[("example.com/a@v2.0.0+incompatible/go.mod", b"module example.com/a\n")]);
    let why = publish("example.com/a", "v2.0.0+incompatible", stated).expect_err("refused").detail;
    assert!(why.contains("+incompatible"), "{why}");
}

#[test]
fn no_archive_is_refused_in_plain_words() {
    for (bytes, why) in [
        (b"hello, I am no archive at all".to_vec(), "no ZIP archive"),
        (b"PK".to_vec(), "too short"),
        (archive(&[GO_MOD]).split_off(3), "something between"),
    ] {
        let refusal = publish("example.com/a", "v1.0.0", bytes).expect_err("refused");
        assert_eq!(refusal.code, Code::Unprocessable);
        assert!(refusal.detail.contains(why), "{}", refusal.detail);
    }
}

/// Where the directory says something of its member number 0: `at` bytes after the signature.
fn patched(members: &[(&str, &[u8])], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut archive = archive(members);
    let directory = archive.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    archive[directory + at..directory + at + bytes.len()].copy_from_slice(bytes);
    archive
}

#[test]
fn links_bombs_and_lies_are_refused() {
    let link = [&(0o120_777u32 << 16).to_le_bytes()[..]].concat();
    let mut linked = patched(&[GO_MOD], 38, &link);
    let made = linked.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory") + 5;
    linked[made] = 3;
    let cases = [
        ("a symbolic link", linked, Code::Unprocessable, "neither a file nor a folder"),
        (
            "a bomb by its header",
            patched(&[GO_MOD], 24, &(600u32 << 20).to_le_bytes()),
            Code::PayloadTooLarge,
            "unpacked",
        ),
        ("a size that lies", patched(&[GO_MOD], 24, &5u32.to_le_bytes()), Code::Unprocessable, "says two things"),
        ("a checksum that lies", patched(&[GO_MOD], 16, &[1, 2, 3, 4]), Code::Unprocessable, "says two things"),
        ("another name in front", patched(&[GO_MOD], 46 + 21, b"GO.MOD"), Code::Unprocessable, "says two things"),
        ("encryption", patched(&[GO_MOD], 8, &[9, 8]), Code::Unprocessable, "encrypted"),
        ("an unknown packing", patched(&[GO_MOD], 10, &[14]), Code::Unprocessable, "not everybody reads"),
        (
            "an offset into itself",
            patched(&[GO_MOD, ("example.com/a@v1.0.0/b", b"")], 42, &[9]),
            Code::Unprocessable,
            "belong",
        ),
    ];
    for (name, archive, code, why) in cases {
        let refusal = publish("example.com/a", "v1.0.0", archive).expect_err(name);
        assert_eq!(refusal.code, code, "{name}: {}", refusal.detail);
        assert!(refusal.detail.contains(why), "{name}: {}", refusal.detail);
    }
}

#[test]
fn a_deep_path_costs_no_more_than_its_length() {
    let deep = format!("example.com/a@v1.0.0/{}", vec!["a"; 30_000].join("/"));
    assert!(publish("example.com/a", "v1.0.0", archive(&[GO_MOD, (&deep, b"x")])).is_ok());
}

#[test]
fn a_large_go_mod_is_refused_by_its_size() {
    let large = vec![b' '; 16 << 20 | 1];
    let (code, why) = refused(&[("example.com/a@v1.0.0/go.mod", &large)]);
    assert_eq!((code, why.contains("16 MiB")), (Code::PayloadTooLarge, true), "{why}");
    let (code, _) = refused(&[GO_MOD, ("example.com/a@v1.0.0/LICENSE", &large)]);
    assert_eq!(code, Code::PayloadTooLarge);
}

#[test]
fn a_body_of_nothing_and_one_without_end_are_refused() {
    let mut intake = Publish::new("example.com/a".to_owned(), "v1.0.0".to_owned());
    assert!(intake.end(&mut Vec::new()).is_err());
    let piece = Bytes::from(vec![0; 64 << 20]);
    let taken = (0..8).map(|_| intake.push(piece.clone(), &mut Vec::new())).collect::<Result<Vec<()>, _>>();
    assert_eq!(taken.expect_err("refused").code, Code::PayloadTooLarge);
}

proptest! {
    #[test]
    fn a_body_is_one_however_it_is_cut(body in prop::collection::vec(any::<u8>(), 1..300), cut in 1usize..97) {
        let (mut intake, mut out) = (Publish::new("a.b/c".to_owned(), "v1.0.0".to_owned()), Vec::new());
        for piece in body.chunks(cut) {
            intake.push(Bytes::copy_from_slice(piece), &mut out).expect("taken");
        }
        intake.end(&mut out).expect("ended");
        prop_assert!(matches!(out.first(), Some(Piece::Begin(_))) && matches!(out.last(), Some(Piece::End)));
        let bytes = out.iter().flat_map(|piece| if let Piece::Bytes(bytes) = piece { bytes.to_vec() } else { Vec::new() });
        prop_assert_eq!(bytes.collect::<Vec<_>>(), body);
    }

    #[test]
    fn hostile_archives_never_panic(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut bytes = archive(&[GO_MOD, ("example.com/a@v1.0.0/b", b"content")]);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let _ = publish("example.com/a", "v1.0.0", bytes);
    }
}
