//! Objects of a large JSON text, of which most is never looked into.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Unreadable, strict};

/// An object in its own order; no key is there twice.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The object that a whole body is.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Unreadable> {
        model::json::from_slice(body).map_err(|error| unreadable(&error))
    }

    /// The object that a value is; `None`: it is something else.
    pub(super) fn of(value: &'a RawValue) -> Result<Option<Self>, Unreadable> {
        if !value.get().starts_with('{') {
            return Ok(None);
        }
        serde_json::from_str(value.get()).map(Some).map_err(|error| unreadable(&error))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// The text at a key.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(text)
    }

    /// The object at a key; `None`: there is none.
    pub(super) fn object(&self, key: &str) -> Result<Option<Object<'a>>, Unreadable> {
        self.get(key).map_or(Ok(None), Object::of)
    }
}

/// The text that a value is.
pub(super) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// What the parser says may repeat what was said: its place alone does not.
fn unreadable(error: &serde_json::Error) -> Unreadable {
    let what = if error.is_data() { "is no object with each key once" } else { "is no JSON" };
    Unreadable(format!("the answer, or a part of it, {what} (line {}, column {})", error.line(), error.column()))
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Object<'de>, A::Error> {
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        while let Some((key, value)) = fields.next_entry::<String, &RawValue>()? {
            if key == strict::PROTOTYPE || !seen.insert(key.clone()) {
                return Err(de::Error::custom("a key that is not taken"));
            }
            found.push((key, value));
        }
        Ok(Object(found))
    }
}
