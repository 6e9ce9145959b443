//! What archives may say, and hostile ones by name.

use std::io::Write as _;

use model::Code;
use serde_json::json;

use super::super::upload::Kept;
use super::*;
use crate::Source;

fn refused(members: &[(String, Vec<u8>)]) -> (Code, String) {
    let refusal = publish(&FIELDS, FILE, &zipped(members)).expect_err("refused");
    (refusal.code, refusal.detail)
}

type Sent<'a> = Vec<(&'a str, &'a str)>;

const SDIST: [(&str, &str); 2] = [("filetype", "sdist"), ("pyversion", "source")];

fn sdist(members: &[Entry<'_>]) -> Result<Plan, Refusal> {
    publish(&fields(&SDIST), "demo_lib-1.0.tar.gz", &tarred(members))
}

#[test]
fn a_wheel_is_published_with_its_metadata() {
    let release = publish(&FIELDS, FILE, &sound_wheel()).expect("a plan").release.expect("a release");
    assert_eq!((release.package.name.as_str(), release.display.as_str()), ("demo-lib", "Demo.Lib"));
    assert_eq!((release.version.as_str(), release.joins), ("1.0", true));
    let places: Vec<_> = release.files.iter().map(|file| file.location.as_str()).collect();
    let place = format!("packages/demo-lib/1.0/{FILE}");
    assert_eq!(places, [place.clone(), format!("{place}.metadata")]);
    assert!(matches!(&release.files[1].source, Source::Derived(text) if text == METADATA.as_bytes()));
    let kept: Kept = serde_json::from_str(release.files[0].attributes.as_deref().expect("attributes")).expect("JSON");
    assert_eq!(kept.requires_python.as_deref(), Some(">=3.8"));
    assert_eq!(kept.metadata, Some(model::digest::hex(&Sha256::digest(METADATA))));
}

#[test]
fn a_source_distribution_is_published_without_a_metadata_file() {
    let info: Entry<'_> = ("demo_lib-1.0/PKG-INFO", tar::EntryType::Regular, METADATA.as_bytes());
    let link: Entry<'_> = ("demo_lib-1.0/a/b", tar::EntryType::Symlink, b"../PKG-INFO");
    let folder: Entry<'_> = ("demo_lib-1.0/", tar::EntryType::Directory, b"");
    let release = sdist(&[folder, info, link, folder]).expect("a plan").release.expect("a release");
    assert_eq!(release.files.len(), 1);
    let members = [("demo_lib-1.0/PKG-INFO".to_owned(), METADATA.as_bytes().to_vec())];
    let zip = publish(&fields(&SDIST), "demo-lib-1.0.zip", &zipped(&members)).expect("a plan");
    assert_eq!(zip.release.expect("a release").files[0].location.as_str(), "packages/demo-lib/1.0/demo-lib-1.0.zip");
}

#[test]
fn contradictions_name_both() {
    let wheel = sound_wheel();
    let zeros = "0".repeat(64);
    let cases: [(&str, Sent<'_>, &str, &[&str]); 8] = [
        ("name", fields(&[("name", "other")]), FILE, &["name other", "Demo.Lib"]),
        ("version", fields(&[("version", "2.0")]), FILE, &["version 2.0", "says 1.0"]),
        ("the file's name", fields(&[]), "other-1.0-py3-none-any.whl", &["other-1.0", "Demo.Lib 1.0"]),
        ("the file's version", fields(&[]), "demo_lib-1.1-py3-none-any.whl", &["demo_lib-1.1", "Demo.Lib 1.0"]),
        ("the file's type", fields(&[("filetype", "sdist")]), FILE, &["filetype sdist", "bdist_wheel"]),
        ("the interpreter", fields(&[("pyversion", "cp39")]), FILE, &["pyversion cp39", "py3"]),
        ("sha256", fields(&[("sha256_digest", &zeros)]), FILE, &["sha256_digest is 000", "the file's is"]),
        ("md5", fields(&[("md5_digest", "00000000000000000000000000000000")]), FILE, &["md5_digest is 000", "010101"]),
    ];
    for (name, fields, file, words) in cases {
        let refusal = publish(&fields, file, &wheel).expect_err(name);
        assert_eq!(refusal.code, Code::Unprocessable, "{name}: {}", refusal.detail);
        assert!(words.iter().all(|word| refusal.detail.contains(word)), "{name}: {}", refusal.detail);
    }
    // A digest that is none, a file that is none.
    for (fields, file) in [
        (fields(&[("blake2_256_digest", "xyz")]), FILE),
        (fields(&[("version", "one")]), FILE),
        (fields(&[]), "demo_lib-1.0-py3.11.egg"),
    ] {
        assert_eq!(publish(&fields, file, &wheel).expect_err("malformed").code, Code::BadRequest);
    }
}

#[test]
fn metadata_must_be_read_in_one_way() {
    let odd = |from: &str, to: &str| METADATA.replacen(from, to, 1);
    let cases = [
        ("no name", odd("Name: Demo.Lib\n", ""), "does not say name"),
        ("two names", odd("Name:", "Name: other\nName:"), "says name twice"),
        ("two names by case", odd("Name:", "name: other\nName:"), "says name twice"),
        ("no version", odd("Version: 1.0\n", ""), "does not say version"),
        ("a version that is none", odd("Version: 1.0\n", "Version: latest\n"), "version latest"),
        ("a folded name", odd("Demo.Lib\n", "Demo.\n Lib\n"), "more than one line"),
        ("a name that is none", odd("Demo.Lib", "Demo Lib"), "which is none"),
        ("no interpreters", odd(">=3.8", "3.8 or so"), "Requires-Python"),
        ("a lone carriage return", odd("Demo.Lib\n", "Demo.Lib\rName: other\n"), "line end"),
        ("a line that is no field", odd("Name:", "hello\nName:"), "no field: hello"),
        ("a field with a space", odd("Name:", "Name : x\nName:"), "no field"),
        ("two descriptions", odd("Name:", "Description: a\nName:") + "\nanother\n", "two descriptions"),
        ("an empty line in front", format!("\n{METADATA}"), "no field"),
        ("an empty line in front, as some write it", format!("\r\n{METADATA}"), "no field"),
        ("no metadata at all", String::new(), "does not say name"),
    ];
    for (name, metadata, why) in cases {
        // The version's line is the second match of its key.
        let (code, detail) = refused(&wheel_of(&metadata, &[]));
        assert_eq!(code, Code::Unprocessable, "{name}: {detail}");
        assert!(detail.contains(why), "{name}: {detail}");
    }
    let mut members = wheel_of(METADATA, &[]);
    members[1].1 = vec![0xff, 0xfe];
    assert!(refused(&members).1.contains("not UTF-8"));
}

#[test]
fn hostile_wheels_are_refused_by_name() {
    let second = ("other-1.0.dist-info/METADATA", METADATA);
    let renamed = |from: &str, to: &str| {
        let mut members = wheel_of(METADATA, &[]);
        members.iter_mut().for_each(|(name, _)| *name = name.replace(from, to));
        members
    };
    let without = |name: &str| {
        let mut members = wheel_of(METADATA, &[]);
        members.retain(|(known, _)| !known.ends_with(name));
        members
    };
    let with_record = |change: &dyn Fn(String) -> String| {
        let mut members = wheel_of(METADATA, &[]);
        let record = members.last_mut().expect("a record");
        record.1 = change(String::from_utf8(record.1.clone()).expect("text")).into_bytes();
        members
    };
    let shouted = with_record(&|text| text.replacen("sha256=", "SHA256=", 1));
    publish(&FIELDS, FILE, &zipped(&shouted)).expect("as Python 2.7 on OpenSSL 3 writes it");
    let cases = [
        ("no folder", renamed(".dist-info", ".other"), "no .dist-info folder"),
        ("two folders", wheel_of(METADATA, &[second]), "one .dist-info folder"),
        ("a folder in other case", renamed(".dist-info", ".DIST-INFO"), "one .dist-info folder"),
        ("another folder", renamed("demo_lib-1.0", "demo_lib-2.0"), "lies in demo_lib-2.0"),
        ("no metadata", without("METADATA"), "has no demo_lib-1.0.dist-info/METADATA"),
        ("no WHEEL", without("WHEEL"), "has no demo_lib-1.0.dist-info/WHEEL"),
        ("no RECORD", without("RECORD"), "has no demo_lib-1.0.dist-info/RECORD"),
        (
            "metadata in other case",
            wheel_of(METADATA, &[("demo_lib-1.0.dist-info/metadata", "x")]),
            "could be taken for",
        ),
        ("files that differ in case", wheel_of(METADATA, &[("A.py", "x"), ("a.py", "x")]), "collides"),
        ("files that look alike", wheel_of(METADATA, &[("\u{e9}", "x"), ("e\u{301}", "x")]), "collides"),
        ("a file for a folder", wheel_of(METADATA, &[("a", "x"), ("a/b", "x")]), "collides"),
        ("climbing", wheel_of(METADATA, &[("../x", "x")]), "stays in its folder"),
        ("an absolute path", wheel_of(METADATA, &[("/etc/x", "x")]), "stays in its folder"),
        ("a drive", wheel_of(METADATA, &[("c:x", "x")]), "stays in its folder"),
        ("a backslash", wheel_of(METADATA, &[("a\\b", "x")]), "stays in its folder"),
        (
            "a file that RECORD misses",
            with_record(&|text| text.replace("demo_lib/__init__.py", "demo_lib/x.py")),
            "RECORD names",
        ),
        ("a file that is not there", with_record(&|text| text + "demo_lib/x.py,,\n"), "not in the archive"),
        ("a file twice in RECORD", with_record(&|text| text.clone() + &text), "twice"),
        ("another digest", with_record(&|text| text.replacen("sha256=", "sha256=AAAA", 1)), "neither sha256"),
        ("a weak digest", with_record(&|text| text.replacen("sha256=", "md5=", 1)), "neither sha256"),
        (
            "another file",
            with_record(&|text| {
                text.replace(&line("demo_lib/__init__.py", b"x = 1\n"), &line("demo_lib/__init__.py", b"x = 2\n"))
            }),
            "not the file that RECORD names",
        ),
        (
            "no digest",
            with_record(&|text| text.replace(&line("demo_lib/__init__.py", b"x = 1\n"), "demo_lib/__init__.py,,\n")),
            "no digest of",
        ),
        ("no list", with_record(&|text| text + "\"x"), "no list of values"),
    ];
    for (name, members, why) in cases {
        let (code, detail) = refused(&members);
        assert_eq!(code, Code::Unprocessable, "{name}: {detail}");
        assert!(detail.contains(why), "{name}: {detail}");
    }
    let unlisted = {
        let mut members = wheel_of(METADATA, &[]);
        members.push(("demo_lib/extra.py".to_owned(), b"x".to_vec()));
        members
    };
    assert!(refused(&unlisted).1.contains("RECORD in the archive misses demo_lib/extra.py"));
}

#[test]
fn broken_wheels_and_bombs_are_refused() {
    let whole = sound_wheel();
    // Its directory says that the first member is long.
    let mut bomb = whole.clone();
    let directory = bomb.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    bomb[directory + 24..directory + 28].copy_from_slice(&(1u32 << 30).to_le_bytes());
    for (name, archive, code) in [
        ("no archive", b"hello".to_vec(), Code::Unprocessable),
        ("empty", Vec::new(), Code::Unprocessable),
        ("cut", whole[..whole.len() / 2].to_vec(), Code::Unprocessable),
        ("bytes before", [b"#!/bin/sh\n", whole.as_slice()].concat(), Code::Unprocessable),
        ("bytes behind", [whole.as_slice(), b"PK"].concat(), Code::Unprocessable),
        ("a member twice", zipped(&[wheel_of(METADATA, &[]), wheel_of(METADATA, &[])].concat()), Code::Unprocessable),
        ("a bomb", bomb, Code::PayloadTooLarge),
    ] {
        let refusal = publish(&FIELDS, FILE, &archive).expect_err(name);
        assert_eq!(refusal.code, code, "{name}: {}", refusal.detail);
    }
    // One byte of a member is another.
    let at = whole.windows(20).position(|window| window == b"demo_lib/__init__.py").expect("the name") + 21;
    let mut bent = whole.clone();
    bent[at] ^= 1;
    assert_eq!(publish(&FIELDS, FILE, &bent).expect_err("bent").code, Code::Unprocessable);
}

#[test]
fn names_that_readers_take_for_others_are_refused() {
    let members = wheel_of(METADATA, &[("demo_lib/é.txt", "x")]);
    assert!(publish(&FIELDS, FILE, &zipped(&members)).is_ok());
    // Without the flag some read the name in another alphabet.
    let mut archive = zipped(&members);
    let flags: Vec<usize> = archive
        .windows(4)
        .enumerate()
        .filter_map(|(at, window)| match window {
            b"PK\x03\x04" => Some(at + 7),
            b"PK\x01\x02" => Some(at + 9),
            _ => None,
        })
        .collect();
    flags.iter().for_each(|at| archive[*at] &= !0x08);
    let refusal = publish(&FIELDS, FILE, &archive).expect_err("refused");
    assert!(refusal.detail.contains("not everybody reads alike"), "{}", refusal.detail);
}

#[test]
fn hostile_source_distributions_are_refused_by_name() {
    use tar::EntryType as T;
    let info: Entry<'_> = ("demo_lib-1.0/PKG-INFO", T::Regular, METADATA.as_bytes());
    let other = METADATA.replace("1.0", "2.0");
    let cases: [(&str, &[Entry<'_>], &str); 18] = [
        ("nothing", &[], "PKG-INFO"),
        ("no PKG-INFO", &[("demo_lib-1.0/x", T::Regular, b"")], "no demo_lib-1.0/PKG-INFO"),
        ("one deeper", &[("demo_lib-1.0/x/PKG-INFO", T::Regular, METADATA.as_bytes())], "no demo_lib-1.0/PKG-INFO"),
        ("two", &[info, info], "there twice"),
        ("two by case", &[info, ("demo_lib-1.0/pkg-info", T::Regular, b"")], "could be taken for PKG-INFO"),
        (
            "two that differ in case",
            &[info, ("demo_lib-1.0/x", T::Regular, b""), ("demo_lib-1.0/X", T::Regular, b"")],
            "collides",
        ),
        (
            "a file with one in it",
            &[info, ("demo_lib-1.0/x", T::Regular, b""), ("demo_lib-1.0/x/y", T::Regular, b"")],
            "collides",
        ),
        ("two folders", &[info, ("other-1.0/x", T::Regular, b"")], "lies outside demo_lib-1.0/"),
        ("another folder", &[("x-1.0/PKG-INFO", T::Regular, METADATA.as_bytes())], "lies in x-1.0/"),
        ("another version", &[("demo_lib-1.0/PKG-INFO", T::Regular, other.as_bytes())], "lies in demo_lib-1.0/"),
        ("climbing", &[info, ("demo_lib-1.0/../x", T::Regular, b"")], "stays in its folder"),
        ("an absolute path", &[info, ("/etc/x", T::Regular, b"")], "stays in its folder"),
        ("a link out", &[info, ("demo_lib-1.0/x", T::Symlink, b"../../etc")], "leads out"),
        ("an absolute link", &[info, ("demo_lib-1.0/x", T::Symlink, b"/etc")], "leads out"),
        (
            "below a link",
            &[info, ("demo_lib-1.0/x", T::Symlink, b"."), ("demo_lib-1.0/x/PKG-INFO", T::Regular, b"")],
            "below a link",
        ),
        ("a link for metadata", &[("demo_lib-1.0/PKG-INFO", T::Symlink, b"x")], "is no file"),
        ("a device", &[info, ("demo_lib-1.0/x", T::Char, b"")], "neither a file"),
        (
            "a file for a folder",
            &[info, ("demo_lib-1.0/x", T::Directory, b""), ("demo_lib-1.0/x", T::Symlink, b".")],
            "there twice",
        ),
    ];
    for (name, members, why) in cases {
        let refusal = sdist(members).expect_err(name);
        assert_eq!(refusal.code, Code::Unprocessable, "{name}: {}", refusal.detail);
        assert!(refusal.detail.contains(why), "{name}: {}", refusal.detail);
    }
}

#[test]
fn broken_and_endless_source_distributions_are_refused() {
    let whole = tarred(&[("demo_lib-1.0/PKG-INFO", tar::EntryType::Regular, METADATA.as_bytes())]);
    let second = tarred(&[("demo_lib-1.0/PKG-INFO", tar::EntryType::Regular, b"other")]);
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_path("demo_lib-1.0/zeros").expect("a path");
    header.set_size(100 << 20);
    header.set_cksum();
    bomb.write_all(header.as_bytes()).expect("written");
    bomb.write_all(&[0; 1 << 16]).expect("written");
    let mut name = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(2 << 20);
    header.set_cksum();
    name.append(&header, &*vec![b'x'; 2 << 20]).expect("added");
    let name = name.into_inner().expect("ended").finish().expect("packed");
    for (name, archive, code) in [
        ("an endless name", name, Code::Unprocessable),
        ("no gzip", b"hello".to_vec(), Code::Unprocessable),
        ("cut", whole[..whole.len() / 2].to_vec(), Code::Unprocessable),
        ("a second archive behind", [whole.as_slice(), &second].concat(), Code::Unprocessable),
        ("bytes behind", [whole.as_slice(), b"hello"].concat(), Code::Unprocessable),
        ("a bomb", bomb.finish().expect("packed"), Code::PayloadTooLarge),
    ] {
        let refusal = publish(&fields(&SDIST), "demo_lib-1.0.tar.gz", &archive).expect_err(name);
        assert_eq!(refusal.code, code, "{name}: {}", refusal.detail);
        assert_eq!(refusal.detail.contains("stand before a member"), name == "an endless name", "{}", refusal.detail);
    }
}

#[test]
fn signatures_and_attestations_are_kept_and_must_be_of_the_file() {
    let wheel = sound_wheel();
    let sha256 = model::digest::hex(&Sha256::digest(&wheel));
    let attestation = |file: &str, sha256: &str| {
        let statement = json!({"subject": [{"name": file, "digest": {"sha256": sha256}}]}).to_string();
        let code = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        json!([{"version": 1, "verification_material": {"certificate": "x", "transparency_entries": []},
            "envelope": {"statement": code(&statement), "signature": code("s")}}])
        .to_string()
    };
    let good = attestation(FILE, &sha256);
    let signature = "-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n";
    let sent = fields(&[("attestations", &good), ("gpg_signature", signature)]);
    let release = publish(&sent, FILE, &wheel).expect("a plan").release.expect("a release");
    let names: Vec<_> = release.files.iter().map(|file| file.path.as_str().trim_start_matches(FILE)).collect();
    assert_eq!(names, ["", ".metadata", ".asc", ".provenance"]);
    assert!(matches!(&release.files[2].source, Source::Derived(text) if text == signature.as_bytes()));
    let Source::Derived(provenance) = &release.files[3].source else { panic!("made") };
    let provenance: serde_json::Value = model::json::from_slice(provenance).expect("JSON");
    assert_eq!(provenance["attestation_bundles"][0]["attestations"].to_string(), {
        let sent: serde_json::Value = serde_json::from_str(&good).expect("JSON");
        sent.to_string()
    });
    let another = attestation("other.whl", &sha256);
    let of_another = attestation(FILE, &"0".repeat(64));
    for (name, field, text, code) in [
        ("another file", "attestations", another.as_str(), Code::Unprocessable),
        ("another digest", "attestations", &of_another, Code::Unprocessable),
        ("no JSON", "attestations", "{", Code::BadRequest),
        ("no list", "attestations", "{}", Code::BadRequest),
        ("an empty list", "attestations", "[]", Code::BadRequest),
        ("nothing inside", "attestations", "[{}]", Code::BadRequest),
        ("a key twice", "attestations", "[{\"version\":1,\"version\":1}]", Code::BadRequest),
        ("no signature", "gpg_signature", "<script>", Code::BadRequest),
    ] {
        let refusal = publish(&fields(&[(field, text)]), FILE, &wheel).expect_err(name);
        assert_eq!(refusal.code, code, "{name}: {}", refusal.detail);
    }
}
