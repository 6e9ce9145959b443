//! Which form of the simple index a client wants.
//!
//! Source: the simple repository API, "Version + format selection".

use super::{HTML, JSON, PLAIN_HTML};
use crate::View;

/// The forms that there are, the one first that is taken where several are named alike.
const OFFERED: [(&str, View); 3] = [
    ("application/vnd.pypi.simple.v1+json", JSON),
    ("application/vnd.pypi.simple.v1+html", HTML),
    ("text/html", PLAIN_HTML),
];

/// The form to answer with; `None`: the client takes none of them. Who names nothing gets what every client knows.
pub(super) fn choose(accept: &str) -> Option<View> {
    let accept = if accept.trim().is_empty() { "*/*" } else { accept };
    let weighed = OFFERED.iter().enumerate().filter_map(|(order, (name, view))| {
        let (precision, weight) = weight_of(accept, name)?;
        // Among those that a pattern covers, the last is the one that every client knows.
        let order = if precision == Precision::Named { OFFERED.len() - order } else { order };
        (weight > 0).then_some(((weight, precision, order), *view))
    });
    weighed.max_by_key(|(rank, _)| *rank).map(|(_, view)| view)
}

/// How exactly a range names a type: the most exact one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Anything,
    Family,
    Named,
}

/// The weight of a type, in thousandths.
fn weight_of(accept: &str, name: &str) -> Option<(Precision, u16)> {
    let ranges = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let range = parts.next()?;
        let precision = precision(range, name)?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((precision, weight.map_or(1000, thousandths)))
    });
    ranges.max_by_key(|(precision, _)| *precision)
}

fn precision(range: &str, name: &str) -> Option<Precision> {
    let family = name.split_once('/').map(|(family, _)| family).unwrap_or_default();
    match range.split_once('/')? {
        ("*", "*") => Some(Precision::Anything),
        (found, "*") if found.eq_ignore_ascii_case(family) => Some(Precision::Family),
        _ => {
            let range = range.to_ascii_lowercase().replace(".latest+", ".v1+");
            (range == name).then_some(Precision::Named)
        }
    }
}

/// A weight that is none counts as 0.
fn thousandths(text: &str) -> u16 {
    let (whole, rest) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = format!("{rest:0<3}");
    let fraction = digits.parse::<u16>().ok().filter(|_| rest.len() <= 3);
    match (whole, fraction) {
        ("0", Some(fraction)) => fraction,
        ("1", Some(0)) => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_decide_then_precision_then_our_order() {
        let pip = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
        for (accept, view) in [
            ("", Some(PLAIN_HTML)),
            ("*/*", Some(PLAIN_HTML)),
            ("text/html", Some(PLAIN_HTML)),
            ("TEXT/HTML", Some(PLAIN_HTML)),
            ("text/*", Some(PLAIN_HTML)),
            ("application/*", Some(HTML)),
            (pip, Some(JSON)),
            ("application/vnd.pypi.simple.latest+json", Some(JSON)),
            ("application/vnd.pypi.simple.v1+html", Some(HTML)),
            ("application/vnd.pypi.simple.v1+json;q=0.5, text/html;q=0.9", Some(PLAIN_HTML)),
            ("application/vnd.pypi.simple.v1+json;q=0.001, text/html;q=0", Some(JSON)),
            ("text/html, application/xhtml+xml, */*;q=0.8", Some(PLAIN_HTML)),
            ("application/vnd.pypi.simple.v1+json, text/html", Some(JSON)),
            ("*/*, text/html;q=0, application/vnd.pypi.simple.v1+html;q=0", Some(JSON)),
            ("application/vnd.pypi.simple.v2+json", None),
            ("application/json", None),
            ("text/html;q=0", None),
            ("text/html;q=2", None),
            ("nonsense", None),
        ] {
            assert_eq!(choose(accept), view, "{accept}");
        }
    }
}
