//! A checksum database behind a proxy: passed on as it comes, for the go command checks every answer by the database's
//! signature.
//!
//! Source: the Go Modules Reference, "Checksum database"; "Proposal: Secure the Public Go Module Ecosystem", "Proxying a
//! Checksum Database".

use super::names::{check_module, unescape};
use crate::address::decode;
use crate::{Ask, Asked, PackageAt, Relay};

/// Bytes of one hash in a tile.
const HASH: usize = 32;

/// Why the go command fails that asks for a module of ours, and what it is to be told.
const ADVICE: &str = "no checksum database knows it: name it in GONOSUMDB, as artifortress client-config prints it";

/// What is asked of the upstream for an address, if it is one of a checksum database.
pub(super) fn relay(asked: &Asked<'_>) -> Option<Relay> {
    if !asked.method.reads() || !asked.rest.starts_with("sumdb/") {
        return None;
    }
    let path = decode(asked.rest).ok()?;
    let (database, of) = path.strip_prefix("sumdb/")?.split_once('/')?;
    let named =
        !database.is_empty() && database.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let (package, forever, sound): (_, _, fn(&[u8]) -> bool) = match of.split_once('/') {
        None if of == "supported" => (None, false, |body| !is_page(body)),
        None if of == "latest" => (None, false, is_signed),
        Some(("lookup", module)) => (Some(looked_up(module)?), true, is_signed),
        Some(("tile", tile)) if is_tile(tile) && tile.contains("/data/") => {
            (None, true, |body| is_text(body) && !is_page(body))
        }
        Some(("tile", tile)) if is_tile(tile) => (None, true, |body| !body.is_empty() && body.len() % HASH == 0),
        _ => return None,
    };
    let ask = Ask { target: path.clone(), accept: "" };
    named.then_some(Relay { ask, package, media_type: "text/plain; charset=utf-8", forever, sound, advice: ADVICE })
}

/// A signed note: its signatures stand at its end, each on a line that begins with a dash.
fn is_signed(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| text.ends_with('\n') && text.contains("\n\n\u{2014} "))
}

fn is_text(body: &[u8]) -> bool {
    !body.is_empty() && std::str::from_utf8(body).is_ok()
}

fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// The module of `<module>@<version>`, as addresses spell both.
fn looked_up(text: &str) -> Option<PackageAt> {
    let (module, version) = text.split_once('@')?;
    let module = unescape(module).filter(|module| check_module(module).is_ok())?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+!_".contains(&byte);
    (!version.is_empty() && version.bytes().all(plain)).then(|| PackageAt::named(module))
}

/// `<height>/<level>/<number>[.p/<width>]`: numbers in groups of three, `data` for a level of records.
fn is_tile(tile: &str) -> bool {
    let number = |part: &str| {
        let part = part.strip_prefix('x').unwrap_or(part);
        let part = part.strip_suffix(".p").unwrap_or(part);
        part == "data" || (!part.is_empty() && part.len() <= 20 && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    tile.split('/').count() >= 3 && tile.split('/').all(number)
}

#[cfg(test)]
mod tests {
    use super::relay;
    use crate::{Asked, Method, PackageAt};

    fn target(rest: &str) -> Option<(String, Option<PackageAt>, bool)> {
        let relay = relay(&Asked::plain(Method::Get, rest))?;
        Some((relay.ask.target, relay.package, relay.forever))
    }

    #[test]
    fn what_a_database_has_is_passed_on() {
        let plain = |rest: &str, forever| assert_eq!(target(rest), Some((rest.to_owned(), None, forever)));
        plain("sumdb/sum.example.org/supported", false);
        plain("sumdb/sum.example.org/latest", false);
        plain("sumdb/sum.example.org/tile/8/0/x001/234", true);
        plain("sumdb/sum.example.org/tile/8/data/005.p/17", true);
        let looked_up = "sumdb/sum.example.org/lookup/example.com/!acme/tool@v1.0.0-!r!c.1+incompatible";
        let module = Some(PackageAt::named("example.com/Acme/tool"));
        assert_eq!(target(looked_up), Some((looked_up.to_owned(), module.clone(), true)));
        let encoded = looked_up.replace('!', "%21");
        assert_eq!(target(&encoded), Some((looked_up.to_owned(), module, true)), "both are one address");
    }

    #[test]
    fn nothing_else_is() {
        for rest in [
            "sumdb/sum.example.org",
            "sumdb//latest",
            "sumdb/sum.example.org/other",
            "sumdb/sum.example.org/tile/8/0",
            "sumdb/sum.example.org/tile/8/0/../../x",
            "sumdb/sum.example.org/tile/8/0/%2e%2e/1",
            "sumdb/sum.example.org/lookup/example.com/tool",
            "sumdb/sum.example.org/lookup/example.com/Tool@v1.0.0",
            "sumdb/sum.example.org/lookup/../@v1.0.0",
            "sumdb/sum.example.org/lookup/example.com/tool@v1/../..",
            "sumdb/user:x@sum.example.org/latest",
            "sumdb/sum.example.org/latest?x",
            "example.com/tool/@v/list",
        ] {
            assert_eq!(target(rest), None, "{rest}");
        }
        assert!(relay(&Asked::plain(Method::Put, "sumdb/sum.example.org/latest")).is_none());
    }

    #[test]
    fn a_page_is_no_answer_of_a_database() {
        let sound = |rest: &str, body: &[u8]| {
            let relay =
                relay(&Asked::plain(Method::Get, &format!("sumdb/sum.example.org/{rest}"))).expect("one of its");
            (relay.sound)(body)
        };
        let signed = "go.sum database tree\n3\nhash\n\n\u{2014} sum.example.org Az3g\n";
        let record = format!("2\nexample.com/tool v1.0.0 h1:x=\n\n{signed}");
        assert!(sound("latest", signed.as_bytes()) && sound("lookup/example.com/tool@v1.0.0", record.as_bytes()));
        assert!(
            sound("supported", b"") && sound("tile/8/0/001", &[7; 64]) && sound("tile/8/data/001", b"a v1 h1:x=\n")
        );
        for rest in ["latest", "supported", "lookup/example.com/tool@v1.0.0", "tile/8/0/001", "tile/8/data/001"] {
            assert!(!sound(rest, b"<!DOCTYPE html><p>Sorry</p>"), "{rest}");
        }
        assert!(!sound("tile/8/0/001", b"") && !sound("latest", &signed.as_bytes()[..signed.len() - 1]), "cut off");
    }
}
