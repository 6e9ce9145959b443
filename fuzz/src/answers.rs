//! What other servers say of a package, as text: what a client asks for and the media type, one line each, then the
//! answers, a form feed between them. An empty answer: there is none.

use std::collections::BTreeSet;
use std::sync::Arc;

use formats::{Asked, Format, Known, Method, Operation, Origin, PackageAt, Said, Site, Wanting};
use model::{EntryPath, Timestamp};

use crate::render::{VIEWS, check};

const SITE: Site<'static> = Site { base: "https://host.example/repository/libs", auth_required: true, subject: None };
const FROM: &str = "https://other.example/simple/demo/";

/// The bytes of such answers.
pub(crate) fn write(asked: &str, media_type: &str, answers: &[&str]) -> Vec<u8> {
    format!("{asked}\n{media_type}\n{}", answers.join("\x0c")).into_bytes()
}

/// Reads the answers, and makes the documents of what they say. Whether they were understood.
pub(crate) fn run(format: &dyn Format, bytes: &[u8]) -> bool {
    read(format, bytes).is_some()
}

fn read(format: &dyn Format, bytes: &[u8]) -> Option<()> {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (rest, media_type) = (line()?, line()?);
    let upstream = format.upstream()?;
    let asked = Asked { as_written: true, ..Asked::plain(Method::Get, rest) };
    if let Some(relay) = upstream.relay(&asked) {
        expect_target(&relay.ask.target);
        return (relay.sound)(lines.next().unwrap_or_default()).then_some(());
    }
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
    sound(format, &at, &known);
    documents(format, &at, &known, view);
    Some(())
}

/// Every version and every file is there once, where clients will ask for it.
fn sound(format: &dyn Format, at: &PackageAt, known: &Known) {
    let (mut versions, mut locations) = (BTreeSet::new(), BTreeSet::new());
    for version in &known.versions {
        assert!(versions.insert(version.version.as_str()), "{} is there twice", version.version);
        for file in &version.files {
            expect_target(&file.target);
            let location = &file.location;
            assert!(locations.insert(EntryPath::as_str(location)), "{location} is there twice");
            leads(format, location);
            match format.upstream().and_then(|upstream| upstream.origin(location)) {
                Some(Origin::Listed(package)) => assert_eq!(&package, at, "{location} is another package's"),
                Some(Origin::Direct(direct)) => {
                    assert_eq!(&direct.package, at, "{location} is another package's");
                    assert_eq!((&direct.ask.target, &direct.path), (&file.target, &file.path), "two ways to one file");
                }
                None => panic!("{location} comes from nowhere"),
            }
        }
    }
    let points = |(_, version): &(String, String)| versions.contains(version.as_str());
    assert!(known.refs.iter().all(points), "a ref points at nothing: {:?}", known.refs);
}

/// The address of a file leads to it.
fn leads(format: &dyn Format, location: &EntryPath) {
    let asked = Asked { as_written: true, ..Asked::plain(Method::Get, location.as_str()) };
    let there = matches!(format.parse(&asked), Ok(Operation::Fetch(path)) if path == *location);
    assert!(there, "{location} leads elsewhere");
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

fn documents(format: &dyn Format, at: &PackageAt, known: &Known, view: u8) {
    let (head, versions) = known.clone().facts(at, 1, Timestamp(0));
    for view in VIEWS.chain([view]) {
        let fragments: Vec<_> =
            versions.iter().map(|version| format.fragment(view, version, &SITE).map(Arc::from)).collect();
        let index = format.assemble(view, &head, &fragments, &SITE);
        let each = versions.iter().filter_map(|version| format.version(view, &head, version, &SITE));
        index.into_iter().chain(each).for_each(|document| check(format, &document));
    }
}
