//! Enums whose variants a field tells apart. Such a type asks for anything, and takes a list that begins with the name of
//! a variant, too.

use serde::de::{Deserialize, Deserializer, Visitor};

/// Reads a list of values of such a type, each from an object: for `#[serde(deserialize_with)]`.
pub fn each_an_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Vec<T>, D::Error> {
    let read: Vec<Tagged<T>> = Vec::deserialize(reader)?;
    Ok(read.into_iter().map(|Tagged(value)| value).collect())
}

struct Tagged<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Tagged<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        T::deserialize(Object(reader)).map(Self)
    }
}

/// A reader of an object, whatever is asked for.
struct Object<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(tag = "kind", rename_all = "camelCase")]
    enum Choice {
        One { a: u8 },
        Two { b: Option<String> },
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Choices {
        #[serde(deserialize_with = "each_an_object")]
        all: Vec<Choice>,
    }

    #[test]
    fn each_is_an_object() {
        let read = |text: &str| super::super::from_slice::<Choices>(text.as_bytes());
        let both = read(r#"{"all": [{"kind": "one", "a": 1}, {"b": "x", "kind": "two"}]}"#).expect("it is read");
        assert_eq!(both.all, [Choice::One { a: 1 }, Choice::Two { b: Some("x".to_owned()) }]);
        assert_eq!(read(r#"{"all": []}"#).expect("it is read").all, []);
        for bad in
            [r#"{"all": [["one", 1]]}"#, r#"{"all": ["one"]}"#, r#"{"all": {"kind": "one"}}"#, r#"{"all": [null]}"#]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
