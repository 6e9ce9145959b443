//! The form: any order, any cut, and what is none.

use model::Code;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::super::form::boundary;
use super::*;

#[test]
fn boundaries_are_read_from_the_content_type() {
    for (text, found) in [
        ("multipart/form-data; boundary=abc", Some("abc")),
        ("Multipart/Form-Data;boundary=\"a b\"", Some("a b")),
        ("multipart/form-data; charset=utf-8; boundary=a-b", Some("a-b")),
        ("multipart/form-data", None),
        ("multipart/mixed; boundary=abc", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=a; boundary=b", None),
        ("multipart/form-data; boundary=\"a", None),
        ("multipart/form-data; boundary=\"a\"b", None),
        ("multipart/form-data; boundary=a\u{e9}", None),
        ("", None),
    ] {
        assert_eq!(boundary(text).ok().as_deref(), found, "{text}");
    }
    assert!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))).is_err());
}

#[test]
fn fields_come_in_any_order() {
    let wheel = sound_wheel();
    let plain = publish(&FIELDS, FILE, &wheel).expect("a plan").release.expect("a release");
    // The file first.
    let head = format!("--{BOUNDARY}\r\ncontent-disposition: FORM-DATA; filename={FILE}; name=content\r\n\r\n");
    let mut body = [head.as_bytes(), &wheel, b"\r\n"].concat();
    body.extend_from_slice(&form(&FIELDS, FILE, b""));
    let twice = take(&mut Upload::new(BOUNDARY), &[&body]).expect_err("two files");
    assert!(twice.detail.contains("one file"), "{}", twice.detail);
    let own = body.len() - form(&[], FILE, b"").len();
    body.truncate(own);
    body.extend_from_slice(format!("--{BOUNDARY}--").as_bytes());
    let mut upload = Upload::new(BOUNDARY);
    assert_eq!(take(&mut upload, &[&body]).expect("a body"), wheel);
    assert_eq!(plain.display, "Demo.Lib");
}

#[test]
fn what_setup_py_sends_is_taken() {
    let wheel = sound_wheel();
    // An empty line before the form, and the interpreter that built the wheel.
    let sent = form(&fields(&[("pyversion", "3.6")]), FILE, &wheel);
    for cut in [1, 2, 3, 7, sent.len()] {
        let body = [b"\r\n", sent.as_slice()].concat();
        let pieces: Vec<&[u8]> = body.chunks(cut).collect();
        assert_eq!(take(&mut Upload::new(BOUNDARY), &pieces).expect("a body"), wheel, "cut at {cut}");
    }
    publish(&fields(&[("pyversion", "3.6")]), FILE, &wheel).expect("a plan");
    publish(&fields(&[("pyversion", "cp36")]), FILE, &wheel).expect_err("a tag that is not the file's");
    // Since Python 3.9 another digest under the name of one, beside that which counts.
    let (long, sum) = ("ab".repeat(64), model::Sha256Digest(Sha256::digest(&wheel).into()).hex());
    publish(&fields(&[("blake2_256_digest", &long), ("sha256_digest", &sum)]), FILE, &wheel).expect("a plan");
    publish(&fields(&[("blake2_256_digest", &long)]), FILE, &wheel).expect_err("nothing that can be checked");
}

#[test]
fn what_is_no_form_is_refused_by_name() {
    let whole = form(&FIELDS, FILE, b"content");
    let text = String::from_utf8(whole.clone()).expect("text");
    let with = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    let cases: [(&str, Vec<u8>, &str); 15] = [
        ("nothing", Vec::new(), "ends before"),
        ("cut", whole[..whole.len() - 10].to_vec(), "ends before"),
        ("another boundary", with("--xYz-1", "--other"), "does not begin"),
        ("text before", [b"hello\r\n", whole.as_slice()].concat(), "does not begin"),
        ("what `setup.py register` sends", b"\n--xYz-1\nContent-Disposition: form-data".to_vec(), "no registering"),
        ("two lines before", [b"\r\n\r\n", whole.as_slice()].concat(), "does not begin"),
        ("text behind", [whole.as_slice(), b"hello"].concat(), "goes on after"),
        ("a boundary that goes on", with("--xYz-1\r\n", "--xYz-12\r\n"), "goes on"),
        ("no disposition", with("Content-Disposition: form-data; name=\"name\"", "X: y"), "no Content-Disposition"),
        ("no name", with("; name=\"name\"", ""), "no field of a form"),
        ("two names", with("name=\"name\"", "name=\"name\"; name=\"version\""), "no field of a form"),
        ("a broken head", with("Content-Disposition: form-data; name=\"name\"", "nothing"), "broken line"),
        (
            "a coded part",
            with("Content-Type: application/octet-stream", "Content-Transfer-Encoding: base64"),
            "transfer",
        ),
        ("a field twice", with("name=\"protocol_version\"", "name=\":action\""), "twice"),
        ("a file name in other characters", with("filename=", "filename*="), "no field of a form"),
    ];
    for (name, body, why) in cases {
        for cut in [1, 7, body.len().max(1)] {
            let pieces: Vec<&[u8]> = body.chunks(cut).collect();
            let refusal = take(&mut Upload::new(BOUNDARY), &pieces).expect_err(name);
            assert_eq!(refusal.code, Code::BadRequest, "{name}: {}", refusal.detail);
            assert!(refusal.detail.contains(why), "{name}: {}", refusal.detail);
        }
    }
}

#[test]
fn what_is_too_long_is_refused_while_it_comes() {
    let long = "x".repeat(300);
    let refusal = publish(&fields(&[("name", &long)]), FILE, b"").expect_err("a long name");
    assert_eq!(refusal.code, Code::PayloadTooLarge);
    // A field that we do not look at may be long, but not endless.
    let text = "x".repeat(1 << 20);
    let mut upload = Upload::new(BOUNDARY);
    let mut out = Vec::new();
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n");
    upload.push(Bytes::from(head), &mut out).expect("a head");
    let pushed = (0..40).map(|_| upload.push(Bytes::from(text.clone()), &mut out)).find(Result::is_err);
    assert_eq!(pushed.expect("refused").expect_err("too long").code, Code::PayloadTooLarge);
    // A head that never ends.
    let mut upload = Upload::new(BOUNDARY);
    upload.push(Bytes::from(format!("--{BOUNDARY}\r\n")), &mut out).expect("a boundary");
    let pushed = (0..40).map(|_| upload.push(Bytes::from(vec![b'x'; 1024]), &mut out)).find(Result::is_err);
    assert!(pushed.is_some());
}

#[test]
fn actions_and_protocols_are_ours() {
    for (other, why) in
        [((":action", "submit"), "not submit"), ((":action", ""), "no :action"), (("protocol_version", "2"), "not 2")]
    {
        let refusal = publish(&fields(&[other]), FILE, &sound_wheel()).expect_err(why);
        assert_eq!((refusal.code, refusal.detail.contains(why)), (Code::BadRequest, true), "{}", refusal.detail);
    }
}

proptest! {
    #[test]
    fn a_body_is_one_however_it_is_cut(content in prop::collection::vec(prop_oneof![
        Just(b"\r".to_vec()), Just(b"\n".to_vec()), Just(b"\r\n--".to_vec()), Just(b"\r\n--xYz-".to_vec()),
        Just(b"--xYz-1".to_vec()), prop::collection::vec(any::<u8>(), 0..9)], 0..60), cut in 1usize..97) {
        let content = content.concat();
        prop_assume!(!content.windows(9).any(|window| window == b"\r\n--xYz-1"));
        let whole = form(&FIELDS, FILE, &content);
        let pieces: Vec<&[u8]> = whole.chunks(cut).collect();
        prop_assert_eq!(take(&mut Upload::new(BOUNDARY), &pieces).expect("a body"), content);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 1usize..50) {
        let body = [format!("--{BOUNDARY}").as_bytes(), &bytes].concat();
        let pieces: Vec<&[u8]> = body.chunks(cut).collect();
        let mut upload = Upload::new(BOUNDARY);
        let mut out = Vec::new();
        let done = pieces.iter().try_for_each(|piece| upload.push(Bytes::copy_from_slice(piece), &mut out));
        let held: usize = out.len();
        prop_assert!(done.is_err() || held <= body.len());
    }
}
