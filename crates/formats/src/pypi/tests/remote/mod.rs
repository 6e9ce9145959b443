//! Indexes of others: those of several vendors, and our own.

mod hostile;

use model::Timestamp;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::{HTML, JSON, PLAIN_HTML, PROJECT, Pypi};
use crate::told::{index, said};
use crate::{Format as _, Known, KnownFile, KnownVersion, Origin, PackageAt, Unreadable, Upstream as _, Wanting};

const SIMPLE: &str = "application/vnd.pypi.simple.v1+json";
const FROM: &str = "https://files.example/simple/demo-lib/";
const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn at() -> PackageAt {
    PackageAt::named("demo-lib")
}

fn read(body: &str, media_type: &str, from: &str) -> Result<Option<Known>, Unreadable> {
    crate::told::read(&Pypi, &at(), Wanting::All, said(body.as_bytes(), media_type, from))
}

fn page(body: &str) -> Known {
    read(body, "text/html", FROM).expect("readable").expect("a project")
}

fn json(files: Json) -> Known {
    let body = json!({"meta": {"api-version": "1.1"}, "name": "demo-lib", "files": files}).to_string();
    read(&body, SIMPLE, FROM).expect("readable").expect("a project")
}

/// The files that the index tells of.
fn files(known: &Known) -> Vec<&KnownFile> {
    known.versions.iter().flat_map(|version| &version.files).collect()
}

fn targets(known: &Known) -> Vec<&str> {
    files(known).iter().map(|file| file.target.as_str()).collect()
}

fn only(known: &Known) -> (&KnownVersion, &KnownFile) {
    let [version] = known.versions.as_slice() else { panic!("{known:?}") };
    (version, version.files.first().expect("a file"))
}

#[test]
fn the_index_is_asked_for_beneath_the_address_that_clients_take() {
    let asks = Pypi.asks(&at(), Wanting::All);
    assert_eq!(asks.iter().map(|ask| ask.target.as_str()).collect::<Vec<_>>(), ["demo-lib/"]);
    assert!(asks[0].accept.starts_with("application/vnd.pypi.simple.v1+json, "));
    assert_eq!(Pypi.asks(&at(), Wanting::One("1.0")), asks);
    assert_eq!(Pypi.read(&at(), Wanting::All, &[None]), Ok(None));
}

#[test]
fn files_are_listed_by_the_index_of_their_project() {
    let origin = |path: &str| Pypi.origin(&model::EntryPath::parse(path).expect("a path"));
    assert_eq!(origin("packages/demo-lib/1.0/demo_lib-1.0.tar.gz"), Some(Origin::Listed(at())));
    for none in ["packages/Demo.Lib/1.0/x", "packages/demo-lib/1.0", "simple/demo-lib/1.0/x", "packages/-/1/x"] {
        assert_eq!(origin(none), None, "{none}");
    }
}

#[test]
fn json_tells_of_files_and_what_belongs_to_them() {
    let known = json(json!([
        {
            "filename": "demo_lib-1.0-py3-none-any.whl", "url": "../../files/ab/demo_lib-1.0-py3-none-any.whl",
            "hashes": {"sha256": A.to_uppercase(), "md5": "01".repeat(16), "other": "!"}, "size": 7,
            "upload-time": "2024-05-06T07:08:09.5Z", "requires-python": ">=3.8", "yanked": false, "gpg-sig": true,
            "core-metadata": {"sha256": "bb".repeat(32)},
            "provenance": "https://else.example/p/demo.provenance?v=1",
        },
        {"filename": "demo-lib-1.0.tar.gz", "url": "https://cdn.example/x?sig=1#frag", "hashes": {}},
        {"filename": "demo_lib-2.0.zip", "url": "//cdn.example/x", "hashes": {"sha512": "cc".repeat(64)}, "yanked": "bad"},
    ]));
    assert_eq!(known.versions.iter().map(|one| one.version.as_str()).collect::<Vec<_>>(), ["1.0", "2.0"]);
    let (one, two) = (&known.versions[0], &known.versions[1]);
    let time = Timestamp::parse("2024-05-06T07:08:09.5Z");
    assert_eq!((one.published_at, two.published_at), (time, None));
    assert_eq!(
        targets(&known),
        [
            "https://files.example/files/ab/demo_lib-1.0-py3-none-any.whl",
            "https://files.example/files/ab/demo_lib-1.0-py3-none-any.whl.metadata",
            "https://files.example/files/ab/demo_lib-1.0-py3-none-any.whl.asc",
            "https://else.example/p/demo.provenance?v=1",
            "https://cdn.example/x?sig=1",
            "https://cdn.example/x",
        ]
    );
    let wheel = &one.files[0];
    assert_eq!(wheel.location.as_str(), "packages/demo-lib/1.0/demo_lib-1.0-py3-none-any.whl");
    assert_eq!((wheel.sha256.map(|digest| digest.hex()), wheel.size), (Some(A.to_owned()), Some(7)));
    assert_eq!((wheel.sums.md5, wheel.published_at), (Some([1; 16]), time));
    let kept: Json = serde_json::from_str(wheel.attributes.as_deref().expect("kept")).expect("JSON");
    assert_eq!((&kept["filetype"], &kept["python"]), (&"bdist_wheel".into(), &"py3".into()));
    assert_eq!(
        (&kept["requires_python"], &kept["signed"], &kept["attested"]),
        (&">=3.8".into(), &true.into(), &true.into())
    );
    assert_eq!(kept["md5"], "01".repeat(16));
    let metadata = &one.files[1];
    assert_eq!(metadata.sha256.map(|digest| digest.hex()), Some("bb".repeat(32)));
    assert_eq!((metadata.path.as_str(), &metadata.attributes), ("demo_lib-1.0-py3-none-any.whl.metadata", &None));
    assert_eq!((two.yanked.as_deref(), two.files[0].sums.sha512), (Some("bad"), Some([0xcc; 64])));
}

#[test]
fn pages_of_every_vendor_are_read() {
    let name = "demo_lib-1.0-py3-none-any.whl";
    let there = |path: &str| format!("https://files.example/{path}/{name}");
    for (vendor, body, target) in [
        (
            "devpi",
            format!("<a href=\"../../+f/aa/{name}#sha256={A}\" data-requires-python=\"&gt;=3.8\">{name}</a>"),
            there("+f/aa"),
        ),
        (
            "a proxy of artifacts",
            format!(
                "<a href=\"../../packages/packages/ab/{name}#sha256={A}\" rel=\"internal\" data-requires-python=\"&#62;=3.8\" >{name}</a><br/>"
            ),
            there("packages/packages/ab"),
        ),
        (
            "a static mirror",
            format!("<A HREF='{name}#sha256={A}' DATA-REQUIRES-PYTHON='>=3.8'>{name}</A>"),
            there("simple/demo-lib"),
        ),
        (
            "a path of the host",
            format!("<a data-requires-python=\"&#x3E;=3.8\"href=/a%20b/{name}#sha256={A}>x"),
            there("a%20b"),
        ),
        (
            "a base",
            format!(
                "<base target=x><base href=\"/up/\"><base href=\"/no/\"><a\nhref = \"{name}#egg=x&amp;sha256={A}\" data-requires-python=\">=3.8\" />"
            ),
            there("up"),
        ),
    ] {
        let known = page(&format!("<!DOCTYPE html><title>Links <a href=x></title>{body}"));
        let (version, file) = only(&known);
        assert_eq!((version.version.as_str(), &file.target), ("1.0", &target), "{vendor}");
        assert_eq!(file.sha256.map(|digest| digest.hex()), Some(A.to_owned()), "{vendor}");
        assert!(file.attributes.as_ref().is_some_and(|kept| kept.contains("\">=3.8\"")), "{vendor}: {file:?}");
    }
}

#[test]
fn pages_say_the_same_as_json() {
    let known = page(&format!(
        "<a href=\"https://cdn.example/demo_lib-1.0-py3-none-any.whl?x=1&amp;y=2#md5={}\" data-core-metadata=\"true\" \
         data-dist-info-metadata=\"sha256={A}\" data-yanked data-gpg-sig=\"true\" data-provenance=\"/p\">x</a>",
        "02".repeat(16),
    ));
    let (version, file) = only(&known);
    assert_eq!((version.yanked.as_deref(), &file.yanked), (Some(""), &None));
    assert_eq!((file.sums.md5, file.sha256), (Some([2; 16]), None));
    let own = "https://cdn.example/demo_lib-1.0-py3-none-any.whl";
    assert_eq!(
        targets(&known)[..3],
        [format!("{own}?x=1&y=2"), format!("{own}.metadata?x=1&y=2"), format!("{own}.asc?x=1&y=2")]
    );
    assert_eq!((targets(&known)[3], version.files[1].sha256), ("https://files.example/p", None));
    let shown = String::from_utf8(index(&Pypi, &at(), &known, PLAIN_HTML).expect("an index").body).expect("text");
    assert!(shown.contains("data-core-metadata=\"true\""), "{shown}");
}

#[test]
fn a_version_is_yanked_where_all_its_files_are() {
    let file = |name: &str, yanked: Json| json!({"filename": name, "url": "x", "hashes": {}, "yanked": yanked});
    let one = json(json!([file("demo-lib-1.0.tar.gz", json!("a")), file("demo-lib-1.0.0.zip", json!(""))]));
    assert_eq!((only(&one).0.yanked.as_deref(), only(&one).1.yanked.as_deref()), (None, Some("a")));
    let both = json(json!([file("demo-lib-1.0.tar.gz", json!("a")), file("demo-lib-1.0.0.zip", json!(true))]));
    let (version, first) = only(&both);
    assert_eq!((version.yanked.as_deref(), first.yanked.as_deref()), (Some(""), Some("a")));
    assert_eq!(version.files[1].yanked, None);
}

#[test]
fn one_version_is_told_of_alone() {
    let body = "<a href=demo_lib-1.0.tar.gz></a><a href=demo_lib-2.0.tar.gz></a>";
    let one =
        |version| crate::told::read(&Pypi, &at(), Wanting::One(version), said(body.as_bytes(), "text/html", FROM));
    let known = one("2.0").expect("readable").expect("a version");
    assert_eq!(only(&known).0.version.as_str(), "2.0");
    assert_eq!(one("3.0"), Ok(None));
    let shown = Pypi.version(
        PROJECT,
        &crate::told::head(&at(), &known),
        &crate::told::facts(only(&known).0),
        &crate::told::SITE,
    );
    let shown: Json = model::json::from_slice(&shown.expect("a document").body).expect("JSON");
    assert_eq!((&shown["info"]["version"], &shown["urls"][0]["packagetype"]), (&"2.0".into(), &"sdist".into()));
}

fn a_file() -> impl Strategy<Value = Json> {
    let name = prop::sample::select(vec![
        "demo_lib-1.0-py3-none-any.whl",
        "demo_lib-1.0+local.1-py3-none-any.whl",
        "demo_lib-1.0.tar.gz",
        "Demo.Lib-2.0rc1.zip",
        "demo_lib-2.0rc1-cp311-cp311-linux_x86_64.whl",
        "demo_lib-1!3.0.post1.tar.gz",
    ]);
    let yanked = prop_oneof![Just(json!(false)), Just(json!(true)), Just(json!("a < \"b\" & 'c'"))];
    let metadata = prop_oneof![Just(json!(false)), Just(json!(true)), Just(json!({"sha256": A}))];
    let digest = prop_oneof![Just(json!({})), Just(json!({"sha256": A}))];
    let requires = prop_oneof![Just(Json::Null), Just(json!(">=3.8, <4 & \"x\""))];
    (name, yanked, metadata, digest, requires, any::<bool>(), any::<bool>(), 0..2_000_000_000u32).prop_map(
        |(name, yanked, metadata, hashes, requires, signed, attested, time)| {
            let attested = attested.then(|| format!("https://host.example/repository/libs/packages/{name}.provenance"));
            json!({
                "filename": name, "url": format!("../../there/{}", name.replace('+', "%2B")), "hashes": hashes,
                "requires-python": requires, "yanked": yanked, "core-metadata": metadata, "gpg-sig": signed,
                "provenance": attested, "size": time, "upload-time": Timestamp(i64::from(time) * 1_000_001),
            })
        },
    )
}

/// With the addresses that are ours; a page tells no length and no time.
fn ours(known: &Known, plain: bool) -> Known {
    let mut known = known.clone();
    for version in &mut known.versions {
        version.files.iter_mut().for_each(|file| {
            file.target = format!("{}/{}", crate::told::SITE.base, file.location).replace('+', "%2B");
            if plain {
                (file.size, file.published_at) = (None, None);
            }
        });
        version.files.sort_by(|a, b| a.path.cmp(&b.path));
        if plain {
            version.published_at = None;
        }
    }
    known
}

proptest! {
    #[test]
    fn our_own_index_is_read_as_it_was_told(entries in prop::collection::vec(a_file(), 1..8)) {
        let told = json(Json::Array(entries));
        for (view, media_type) in [(JSON, SIMPLE), (HTML, "application/vnd.pypi.simple.v1+html"), (PLAIN_HTML, "text/html")] {
            let document = index(&Pypi, &at(), &told, view).expect("an index");
            let from = "https://host.example/repository/libs/simple/demo-lib/";
            let found = read(std::str::from_utf8(&document.body).expect("text"), media_type, from);
            let found = found.expect("readable").expect("a project");
            prop_assert_eq!(ours(&found, false), ours(&told, view != JSON));
        }
    }

    #[test]
    fn reading_never_panics(text in "(<a|<base|href|=|[\"'<>/!&;#]|--|script|demo_lib-1.0.zip|\\PC| ){0,60}") {
        let _ = read(&text, "text/html", FROM);
        let _ = read(&text, SIMPLE, FROM);
    }
}
