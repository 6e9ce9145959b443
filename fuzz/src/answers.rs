//! What other servers say of a package, as text: the format, what a client asks for, the media type, one line each,
//! then the answers, a form feed between them. An empty answer: there is none.

use std::sync::Arc;

use formats::{Format, Known, Method, Operation, Origin, PackageAt, Said, Site, Wanting};
use model::Timestamp;

use crate::render;

const SITE: Site<'static> = Site { base: "https://host.example/repository/libs", auth_required: true, subject: None };
const FROM: &str = "https://other.example/simple/demo/";

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let json = "pypi\nsimple/demo/\napplication/vnd.pypi.simple.v1+json\n{\"meta\":{\"api-version\":\"1.1\"},\"name\":\"demo\",\
        \"files\":[{\"filename\":\"demo-1.0-py3-none-any.whl\",\"url\":\"../x?a#b\",\"hashes\":{\"other\":\"0\"},\"yanked\":\"b\"},\
        {\"filename\":\"demo-1.0.tar.gz\",\"url\":\"//h/x\",\"hashes\":{},\"core-metadata\":true,\"gpg-sig\":true,\
        \"provenance\":\"/p\",\"size\":1,\"upload-time\":\"2024-01-01T00:00:00Z\",\"requires-python\":\">3\"}]}";
    let html = "pypi\nsimple/demo/\ntext/html\n<!DOCTYPE html><base href=/a/><!-- x --><a href=\"../demo-1.0.zip#sha256=00\" \
        data-yanked='x' data-requires-python=&gt;3></a><script></script><a href=demo-2.zip>";
    let list = "go\nexample.com/tool/@v/list\n\nv1.0.0\nv2.0.0+incompatible 2020-01-01T00:00:00Z\n\x0c{\"Version\":\
        \"v0.0.0-20200101000000-abcdefabcdef\",\"Time\":\"2020-01-01T00:00:00Z\"}";
    let info = "go\nexample.com/tool/@v/main.info\n\n{\"Version\":\"v1.0.0\"}";
    let artifact = "maven\ncom/a/demo/maven-metadata.xml\n\n<?xml version=\"1.0\"?><metadata><groupId>com.a</groupId>\
        <artifactId>demo</artifactId><versioning><versions><version>1.0</version><version>2-SNAPSHOT</version></versions>\
        </versioning><plugins><plugin><prefix>p</prefix><artifactId>a</artifactId></plugin></plugins></metadata>";
    let line = "maven\ncom/a/demo/1-SNAPSHOT/maven-metadata.xml\n\n<metadata><version>1-SNAPSHOT</version><versioning>\
        <snapshot><timestamp>20260101.000000</timestamp><buildNumber>2</buildNumber></snapshot><snapshotVersions>\
        <snapshotVersion><classifier>c</classifier><extension>jar</extension><value>1-20260101.000000-1</value>\
        <updated>20260101000000</updated></snapshotVersion></snapshotVersions></versioning></metadata>";
    [json, html, list, info, artifact, line].iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Reads the answers, and makes the documents of what they say. Whether they were understood.
pub(crate) fn run(bytes: &[u8]) -> bool {
    read(bytes).unwrap_or(false)
}

fn read(bytes: &[u8]) -> Option<bool> {
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (format, rest, media_type) = (formats::by_key(line()?)?, line()?, line()?);
    let upstream = format.upstream()?;
    let asked = formats::Asked { as_written: true, ..formats::Asked::plain(Method::Get, rest) };
    let (at, wanted, view) = match format.parse(&asked).ok()? {
        Operation::Index(at, view) => (at, None, view),
        Operation::Part(at, part, view) => (at, Some((part, true)), view),
        Operation::Version(at, version, view) => (at, Some((version, false)), view),
        _ => return None,
    };
    let wanted = match &wanted {
        None => Wanting::All,
        Some((part, true)) => Wanting::Part(part),
        Some((version, false)) => Wanting::One(version),
    };
    let answers = lines.next().unwrap_or_default().split(|byte| *byte == b'\x0c');
    let said = |body| Said { body, media_type, address: FROM, changed_at: None };
    let said: Vec<_> = answers.map(|body| (!body.is_empty()).then(|| said(body))).collect();
    for ask in upstream.asks(&at, wanted) {
        expect_target(&ask.target);
    }
    let known = upstream.read(&at, wanted, &said).ok()??;
    assert_eq!(upstream.read(&at, wanted, &said).as_ref(), Ok(&Some(known.clone())), "reading depends on chance");
    check(format, &at, &known);
    document(format, &at, &known, view);
    Some(true)
}

/// What is promised of what was read.
fn check(format: &dyn Format, at: &PackageAt, known: &Known) {
    let mut names: Vec<&str> = known.versions.iter().map(|version| version.version.as_str()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a version is there twice: {names:?}");
    for file in known.versions.iter().flat_map(|version| &version.files) {
        expect_target(&file.target);
        let origin = format.upstream().and_then(|upstream| upstream.origin(&file.location));
        let of = match origin.expect("each file has an origin") {
            Origin::Listed(package) => package,
            Origin::Direct(direct) => {
                assert_eq!((&direct.ask.target, &direct.path), (&file.target, &file.path), "two ways to one file");
                direct.package
            }
        };
        assert_eq!(&of, at, "a file belongs to another package");
    }
    let mut locations: Vec<_> =
        known.versions.iter().flat_map(|version| &version.files).map(|file| file.location.twin()).collect();
    locations.sort_unstable();
    assert!(locations.windows(2).all(|pair| pair[0] != pair[1]), "two files are in one place: {locations:?}");
}

/// A whole web address without credentials, or a path that stays beneath the upstream's address.
fn expect_target(target: &str) {
    let plain = target.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(plain && !target.starts_with('/') && !target.contains('\\'), "an odd target: {target:?}");
    match target.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?']).next().unwrap_or_default();
            assert!(matches!(scheme, "http" | "https") && !host.contains('@') && !host.is_empty(), "{target:?}");
        }
        None => assert!(target.split('/').all(|part| !matches!(part, "." | "..")), "it climbs: {target:?}"),
    }
}

fn document(format: &dyn Format, at: &PackageAt, known: &Known, view: u8) {
    let (head, versions) = known.clone().facts(at, 1, Timestamp(0));
    for view in [view, 0, 1, 2, 3] {
        let fragments: Vec<_> =
            versions.iter().map(|version| format.fragment(view, version, &SITE).map(Arc::from)).collect();
        let index = format.assemble(view, &head, &fragments, &SITE);
        let each = versions.iter().filter_map(|version| format.version(view, &head, version, &SITE));
        index.into_iter().chain(each).for_each(|document| render::check(format, &document));
    }
}
