//! What parsers say, in words for people who do not read Rust.

use std::borrow::Cow;

/// Names of Rust's types and what a client calls them.
const TYPES: [(&str, &str); 8] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number of at most 64 bits"),
    ("usize", "a whole number of at most 64 bits"),
    ("a sequence", "a list"),
    ("a map", "an object"),
    ("bool", "true or false"),
];

/// The sentences of number parsers, which quote no type.
const NUMBERS: [&str; 4] = [
    "invalid digit found in string",
    "cannot parse integer from empty string",
    "number too large to fit in target type",
    "number too small to fit in target type",
];

/// A parser's sentence without the names of Rust's types; what it says of fields stays.
pub(super) fn plainly(said: &str) -> Cow<'_, str> {
    if NUMBERS.contains(&said) {
        return "not a whole number in range".into();
    }
    let (before, wanted) = match said.rsplit_once("expected ") {
        Some((before, wanted)) => (before, wanted),
        None => ("", said),
    };
    let named = TYPES.iter().find(|(rust, _)| *rust == wanted).map(|(_, plain)| *plain);
    let object = wanted.starts_with("struct ") || wanted.starts_with("internally tagged enum ");
    let told = match (named.or(object.then_some("an object")), before) {
        (Some(plain), "") => plain.into(),
        (Some(plain), before) => format!("{before}expected {plain}").into(),
        (None, _) => Cow::Borrowed(said),
    };
    match told.strip_prefix("invalid type: sequence").or_else(|| told.strip_prefix("invalid type: map")) {
        Some(rest) => {
            let found = if said.starts_with("invalid type: map") { "object" } else { "list" };
            format!("invalid type: {found}{rest}").into()
        }
        None => told,
    }
}

/// What a JSON parser says. Of broken JSON the line and column are the only trace; of a value that does not fit, the
/// path of the field says more.
pub(super) fn of_json(error: &serde_json::Error) -> String {
    let said = error.to_string();
    if !error.is_data() {
        return said;
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    plainly(said.strip_suffix(&place).unwrap_or(&said)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_clients_name_them() {
        for (said, told) in [
            (
                "invalid type: string \"x\", expected u32",
                "invalid type: string \"x\", expected a whole number from 0 to 4294967295",
            ),
            ("invalid type: integer `7`, expected struct RepoBody", "invalid type: integer `7`, expected an object"),
            ("invalid type: map, expected a sequence", "invalid type: object, expected a list"),
            ("invalid type: sequence, expected a string", "invalid type: list, expected a string"),
            ("unknown field `nmae`, expected `name` or `parts`", "unknown field `nmae`, expected `name` or `parts`"),
            ("missing field `name`", "missing field `name`"),
            ("invalid digit found in string", "not a whole number in range"),
            ("u32", "a whole number from 0 to 4294967295"),
        ] {
            assert_eq!(plainly(said), told);
        }
    }

    #[test]
    fn the_place_in_the_text_is_told_of_broken_json_alone() {
        let said = |text: &str| of_json(&serde_json::from_str::<Vec<u32>>(text).unwrap_err());
        assert_eq!(said("[-1]"), "invalid value: integer `-1`, expected a whole number from 0 to 4294967295");
        assert!(said("[1,]").contains("line 1 column"), "{}", said("[1,]"));
    }
}
