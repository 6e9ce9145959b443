//! JSON from strangers: a first walk, before any type sees it: depth, keys that are there twice, lone surrogates, numbers
//! out of range, trailing bytes. What passes means the same to every reader. Nothing of it is kept. Then the types, each
//! from an object.

mod objects;
mod tagged;

use std::collections::HashSet;
use std::fmt;

pub use objects::Objects;
use serde::de::{self, Deserialize, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
pub use tagged::each_an_object;

/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 64;

/// Reads a value into its type. A struct is an object, never a list.
pub fn from_slice<'t, T: Deserialize<'t>>(text: &'t [u8]) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = T::deserialize(Objects(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// Reads a value of a stream into its type. A struct is an object, never a list.
pub fn from_reader<T: DeserializeOwned>(text: impl std::io::Read) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_reader(text);
    let value = T::deserialize(Objects(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// A value as its type. A struct is an object, never a list.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> serde_json::Result<T> {
    T::deserialize(Objects(value))
}

/// What is wrong and where.
#[derive(Debug)]
pub struct Fault {
    /// A path such as `scopes[2].repo`; empty for the root.
    pub path: String,
    /// What; its place in the text stands behind.
    pub error: serde_json::Error,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.is_empty() {
            true => self.error.fmt(f),
            false => write!(f, "{}: {}", self.path.escape_debug(), self.error),
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self { path: String::new(), error }
    }
}

/// A step to a value.
#[derive(Debug)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// The value at a place in a list.
    Index(usize),
}

/// Asked of every key: the steps to its object, how many keys that had before, and the key. An error refuses it.
pub type Watch<'w> = dyn FnMut(&[Step], usize, &str) -> Result<(), String> + 'w;

/// Walks the whole document.
pub fn walk(bytes: &[u8], watch: &mut Watch<'_>) -> Result<(), Fault> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut trail = Vec::new();
    let done = Walk { trail: &mut trail, watch }.deserialize(&mut reader);
    done.map_err(|error| Fault { path: render(&trail), error })?;
    Ok(reader.end()?)
}

fn render(trail: &[Step]) -> String {
    let mut path = String::new();
    for step in trail {
        match step {
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => path.push_str(&format!(".{key}")),
        }
    }
    path.truncate(path.floor_char_boundary(200));
    path
}

/// Visits one value. The trail keeps its last step when an error passes, so it names the place.
struct Walk<'a, 'w> {
    trail: &'a mut Vec<Step>,
    watch: &'a mut Watch<'w>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Walk<'_, '_> {
    fn descend<E: de::Error>(&self) -> Result<(), E> {
        if self.trail.len() < MAX_DEPTH {
            return Ok(());
        }
        Err(E::custom(format_args!("nested deeper than {MAX_DEPTH}")))
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.descend()?;
        for index in 0.. {
            self.trail.push(Step::Index(index));
            let more = items.next_element_seed(Walk { trail: self.trail, watch: self.watch })?;
            self.trail.pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        self.descend()?;
        let mut seen = HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            let fine = (self.watch)(self.trail, seen.len(), &key);
            self.trail.push(Step::Key(key.clone()));
            fine.map_err(de::Error::custom)?;
            if !seen.insert(key) {
                return Err(de::Error::custom("this key appears twice"));
            }
            fields.next_value_seed(Walk { trail: self.trail, watch: self.watch })?;
            self.trail.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<(), Fault> {
        walk(bytes, &mut |_, _, _| Ok(()))
    }

    fn fault(text: &str) -> Fault {
        check(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn plain_json_passes() {
        for good in ["null", "[]", "{}", r#"{"a":[1,-2,3.5e3,"\ud83d\ude00",{"a":true}],"b":{"a":null}}"#, " 1 "] {
            assert!(check(good.as_bytes()).is_ok(), "{good}");
        }
    }

    #[test]
    fn duplicate_keys_are_named_also_when_escaped() {
        assert_eq!(fault(r#"{"a":{"b":1,"\u0062":2}}"#).path, "a.b");
        assert_eq!(fault(r#"[0,{"x":1,"x":1}]"#).path, "[1].x");
    }

    #[test]
    fn depth_is_bounded_long_before_the_stack() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(fault(&nested(MAX_DEPTH + 1)).error.to_string().contains("nested deeper"));
        assert!(check("[".repeat(100_000).as_bytes()).is_err());
        assert!(check(r#"{"a":"#.repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        for bad in [
            r#""\ud800""#,
            r#"{"\udc00":1}"#,
            r#""\ud800\u0041""#,
            "1e400",
            "{} {}",
            "[1,]",
            "{\"a\":1",
            "",
            "NaN",
            "'a'",
            "01",
            "\"a\nb\"",
            "\u{feff}{}",
        ] {
            assert!(check(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(check(b"\"\xff\"").is_err());
        assert!(check(b"\"\xed\xa0\x80\"").is_err());
    }
}
