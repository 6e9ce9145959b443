//! `bun.lock`, of lockfile versions 0 to 2: JSON with comments and with commas before closing brackets.

use serde_json::Value as Json;

use super::add;
use crate::{Lockfile, Unreadable, strict};

pub(super) fn read(text: &str) -> Result<Lockfile, Unreadable> {
    let whole = strict::read(plain(text).as_bytes()).map_err(|why| Unreadable(format!("it cannot be read: {why}")))?;
    if !matches!(whole.get("lockfileVersion").and_then(Json::as_u64), Some(0..=2)) {
        return Err(Unreadable("it is no lockfile of Bun of version 0, 1 or 2".to_owned()));
    }
    let mut file = Lockfile::default();
    for (place, one) in whole.get("packages").and_then(Json::as_object).into_iter().flatten() {
        entry(&mut file, place, one)?;
    }
    Ok(file)
}

/// `["name@version", "address of the archive, or nothing", {…}, "sha512-…"]`; what is from no registry has something else
/// behind the `@`, or something shorter.
fn entry(file: &mut Lockfile, place: &str, one: &Json) -> Result<(), Unreadable> {
    let word = |at: usize| one.get(at).and_then(Json::as_str);
    let Some((name, version)) = word(0).and_then(split) else {
        return file.lack(place, "it has no name and version of a package");
    };
    // A bundled one comes with what it is in.
    if one.get(2).and_then(|more| more.get("bundled")).and_then(Json::as_bool) == Some(true) {
        return Ok(());
    }
    match (version, word(1)) {
        // Of the project itself.
        (version, _) if version.starts_with("workspace:") => Ok(()),
        (version, Some(address)) if !version.contains([':', '/']) => {
            let address = Some(address).filter(|address| !address.is_empty());
            add(file, name, version, address, word(3).unwrap_or_default())
        }
        _ => file.pass(name, "it is from no registry"),
    }
}

/// A name and what follows its `@`, which is not the one of a scope.
fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.char_indices().skip(1).find(|(_, c)| *c == '@')?.0;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The same without comments and without commas that nothing follows.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    // A comma, and the blanks behind it, of which it is not known yet what follows.
    let mut comma: Option<usize> = None;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string(rest),
            '/' if rest.starts_with("//") => {
                rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest.find("*/").and_then(|end| rest.get(end + 2..)).unwrap_or_default();
                continue;
            }
            _ => first.len_utf8(),
        };
        match (first, comma) {
            (']' | '}', Some(at)) => {
                out.replace_range(at..=at, " ");
                comma = None;
            }
            (',', _) => comma = Some(out.len()),
            (first, _) if !first.is_ascii_whitespace() => comma = None,
            _ => {}
        }
        let (taken, left) = rest.split_at(length);
        out.push_str(taken);
        rest = left;
    }
    out
}

/// The length of the string at the beginning, in bytes, with its quotes; one without an end is all that is left.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comments_and_last_commas_are_no_part_of_it() {
        let text = r#"{ // one
            "a": ["x, ] // no comment", "\" /* none */ ,]", ], /* two, ] */
            "b": {"c": 1, } , }"#;
        let read: Json = serde_json::from_str(&plain(text)).expect("JSON");
        assert_eq!(read, serde_json::json!({"a": ["x, ] // no comment", "\" /* none */ ,]"], "b": {"c": 1}}));
        for bad in ["[1,,]", "[,]x", "{\"a\":,}"] {
            assert!(serde_json::from_str::<Json>(&plain(bad)).is_err(), "{bad}");
        }
    }

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![Just(Json::Null), any::<i64>().prop_map(Json::from), "\\PC{0,12}".prop_map(Json::from)];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::hash_map("[a-z,/*\\]\"]{0,4}", inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_json_stays_what_it_is(value in json()) {
            let text = value.to_string();
            prop_assert_eq!(plain(&text), text);
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{},:\"\\\\/* \n1aä]{0,60}") {
            let _ = read(&plain(&text));
        }
    }
}
