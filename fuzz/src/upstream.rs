//! What another server says of a package: the package's name, a line, then the answers to what is asked, NUL between them.

use std::collections::BTreeSet;
use std::sync::Arc;

use formats::{Ask, Asked, Format, Known, Method, Operation, Origin, PackageAt, Said, Site, Wanting};
use model::{EntryPath, Timestamp};

use crate::render::{VIEWS, check};

const SITE: Site<'static> = Site { base: "https://host.example/repository/libs", auth_required: true, subject: None };

/// The bytes of such answers.
pub(crate) fn write(name: &str, answers: &[&str]) -> Vec<u8> {
    format!("{name}\n{}", answers.join("\0")).into_bytes()
}

/// Reads the answers and renders all that is known then. Whether there is a version.
pub(crate) fn run(format: &dyn Format, bytes: &[u8]) -> bool {
    let Some(upstream) = format.upstream() else { return false };
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (name, rest) = (String::from_utf8_lossy(&bytes[..line]), bytes.get(line + 1..).unwrap_or_default());
    let at = PackageAt::named(name);
    let asks = upstream.asks(&at, Wanting::All);
    asks.iter().for_each(|ask| sound(&ask.target));
    let mut answers = rest.split(|byte| *byte == 0);
    let said: Vec<_> = asks.iter().map(|ask| Some(said(ask, answers.next()?))).collect();
    let said: Vec<_> = said.iter().map(|said| said.as_ref().map(|(address, body)| answer(address, body))).collect();
    let read = upstream.read(&at, Wanting::All, &said);
    assert_eq!(read, upstream.read(&at, Wanting::All, &said), "reading depends on chance");
    let Ok(Some(known)) = read else { return false };
    files(format, &at, &known);
    let any = !known.versions.is_empty();
    render(format, &at, known);
    any
}

fn said<'b>(ask: &Ask, body: &'b [u8]) -> (String, &'b [u8]) {
    let whole = ask.target.contains("://");
    (if whole { ask.target.clone() } else { format!("https://there.example/base/{}", ask.target) }, body)
}

fn answer<'a>(address: &'a str, body: &'a [u8]) -> Said<'a> {
    Said { body, media_type: "application/json", address, changed_at: None }
}

/// A target is a path beneath the upstream's address or a whole address, and none that does something else.
fn sound(target: &str) {
    let whole = target.starts_with("http://") || target.starts_with("https://");
    let climbs = || target.starts_with('/') || target.contains(':') || target.split('/').any(|part| part == "..");
    assert!(whole || !climbs(), "nobody asks for {target}");
    assert!(!target.contains(|c: char| c.is_control() || c == ' ' || c == '\\'), "an odd target: {target}");
}

/// Every version and every file is there once, where clients will ask for it.
fn files(format: &dyn Format, at: &PackageAt, known: &Known) {
    let (mut versions, mut locations) = (BTreeSet::new(), BTreeSet::new());
    for version in &known.versions {
        assert!(versions.insert(version.version.as_str()), "{} is there twice", version.version);
        for file in &version.files {
            sound(&file.target);
            assert!(locations.insert(EntryPath::as_str(&file.location)), "{} is there twice", file.location);
            leads(format, &file.location);
            match format.upstream().and_then(|upstream| upstream.origin(&file.location)) {
                Some(Origin::Listed(package)) => assert_eq!(&package, at, "{} is another package's", file.location),
                Some(Origin::Direct(direct)) => assert_eq!(&direct.package, at, "{} is another's", file.location),
                None => panic!("{} comes from nowhere", file.location),
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

fn render(format: &dyn Format, at: &PackageAt, known: Known) {
    let (head, facts) = known.facts(at, 7, Timestamp(1_700_000_000_000_000));
    for view in VIEWS {
        let fragments: Vec<_> = facts.iter().map(|one| format.fragment(view, one, &SITE).map(Arc::from)).collect();
        let each = facts.iter().filter_map(|one| format.version(view, &head, one, &SITE));
        let whole = format.assemble(view, &head, &fragments, &SITE);
        each.chain(whole).for_each(|document| check(format, &document));
    }
}
