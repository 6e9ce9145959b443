//! Archives that readers could read in two ways, or never to an end.

use super::*;
use crate::npm::archive::look;

const JSON: &[u8] = br#"{"name":"a","version":"1.0.0"}"#;

fn refusal(bytes: &[u8]) -> String {
    let (status, why) = refused(look(bytes));
    assert_eq!(status, 422, "{why}");
    why
}

fn special(kind: tar::EntryType, path: &str, link: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(path).expect("a path");
    header.set_link_name(link).expect("a link");
    header.set_size(0);
    header.set_cksum();
    tar.append(&header, std::io::empty()).expect("in memory");
    gzip(&tar.into_inner().expect("in memory"))
}

#[test]
fn any_one_folder_is_taken() {
    let found = look(packed(&[("./x/package.json", JSON), ("x/binding.gyp", b""), ("x/lib/a.js", b"1")]).as_slice());
    let found = found.expect("an archive");
    assert_eq!((found.files, found.gyp, found.shrinkwrap), (3, true, false));
    let bom = [b"\xef\xbb\xbf", JSON].concat();
    assert!(look(packed(&[("package/package.json", &bom)]).as_slice()).is_ok());
}

#[test]
fn one_package_json_has_the_last_word() {
    for members in [
        vec![("a/package.json", JSON), ("b/package.json", JSON)],
        vec![("a/package.json", JSON), ("a/package.json", JSON)],
        vec![("a/package.json", JSON), ("a/PACKAGE.JSON", JSON)],
        vec![("package.json", JSON)],
        vec![("a/b/package.json", JSON)],
        vec![("a/package.json", b"[]".as_slice())],
        vec![("a/package.json", b"{".as_slice())],
        vec![],
    ] {
        refusal(&packed(&members));
    }
}

#[test]
fn one_path_is_one_file_once_its_folder_is_cut_off() {
    for (one, other) in [("a/x", "b/x"), ("a/x", "a/X"), ("a/x", "a/x/y"), ("a/caf\u{e9}", "a/cafe\u{301}")] {
        let told = refusal(&packed(&[("a/package.json", JSON), (one, b""), (other, b"")]));
        assert!(told.contains("collides"), "{told}");
    }
}

#[test]
fn paths_stay_inside() {
    for path in
        ["/etc/passwd", "package/../../x", "../x", "package/a\\b", "package//x", "package/\u{202e}x", "package/nul"]
    {
        refusal(&packed(&[("package/package.json", JSON), (path, b"x")]));
    }
}

#[test]
fn links_and_devices_are_refused() {
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Char,
        tar::EntryType::Block,
        tar::EntryType::Fifo,
        tar::EntryType::GNUSparse,
    ] {
        refusal(&special(kind, "package/x", "/etc/passwd"));
    }
}

#[test]
fn nothing_follows_the_end() {
    let tar = tarred(&[("package/package.json", JSON)]);
    let evil = tarred(&[("package/package.json", br#"{"name":"evil","version":"1.0.0"}"#)]);
    assert!(refusal(&gzip(&[tar.as_slice(), &evil].concat())).contains("after its end"));
    // Two gzip members: what reads the first alone sees another package.
    assert!(refusal(&[gzip(&tar), gzip(&evil)].concat()).contains("after its end"));
    // One empty block is an end for some readers only.
    let short = tar.len() - 512;
    refusal(&gzip(&[&tar[..short.min(1024)], &[0; 512], evil.as_slice()].concat()));
    refusal(&[gzip(&tar), b"trailing".to_vec()].concat());
}

#[test]
fn two_sizes_are_refused() {
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_pax_extensions([("size", b"3".as_slice())]).expect("in memory");
    let mut header = tar::Header::new_ustar();
    header.set_path("package/package.json").expect("a path");
    header.set_size(JSON.len() as u64);
    header.set_cksum();
    tar.append(&header, JSON).expect("in memory");
    refusal(&gzip(&tar.into_inner().expect("in memory")));
}

#[test]
fn bombs_are_cut_off() {
    let names: Vec<_> = (0..=100_000).map(|number| format!("p/{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    assert!(refusal(&packed(&many)).contains("members"));
    let large = vec![b' '; 5 << 20];
    assert!(refusal(&packed(&[("package/package.json", large.as_slice())])).contains("at most"));
}

proptest::proptest! {
    #[test]
    fn no_archive_makes_it_panic(noise in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 1..60), at in 0usize..1500) {
        let mut tar = tarred(&[("package/package.json", JSON)]);
        for (byte, noise) in tar.iter_mut().skip(at).zip(&noise) {
            *byte = *noise;
        }
        drop(look(gzip(&tar).as_slice()));
    }
}
