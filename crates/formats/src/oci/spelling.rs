//! How the fields of a manifest are spelled: another reader, one that does not mind upper and lower case or takes the
//! last of two, must not take a field for ours that we pass over. Nothing of the manifest is kept: its values may be many.

use std::collections::HashSet;
use std::fmt;

use model::Refusal;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::manifest::invalid;

const FIELDS: [&str; 9] =
    ["schemaVersion", "mediaType", "artifactType", "config", "layers", "blobs", "manifests", "subject", "annotations"];
/// Keys of one object at most.
const KEYS: usize = 4000;
const DESCRIPTOR_FIELDS: [&str; 4] = ["mediaType", "digest", "size", "urls"];

/// Refuses what two readers could read differently.
pub(super) fn check(manifest: &[u8]) -> Result<(), Refusal> {
    let mut text = serde_json::Deserializer::from_slice(manifest);
    Place::Manifest.deserialize(&mut text).map_err(|error| invalid(error.to_string()))
}

/// Where in a manifest a value stands.
#[derive(Clone, Copy)]
enum Place {
    Manifest,
    /// Descriptors in a list.
    Descriptors,
    Descriptor,
    Elsewhere,
}

impl Place {
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Manifest => &FIELDS,
            Self::Descriptor => &DESCRIPTOR_FIELDS,
            Self::Descriptors | Self::Elsewhere => &[],
        }
    }

    /// Where the value of this field stands.
    fn below(self, field: &str) -> Self {
        match (self, field) {
            (Self::Manifest, "config" | "subject") => Self::Descriptor,
            (Self::Manifest, "layers" | "blobs" | "manifests") => Self::Descriptors,
            _ => Self::Elsewhere,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let below = if matches!(self, Self::Descriptors) { Self::Descriptor } else { Self::Elsewhere };
        while items.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = items.next_key::<String>()? {
            if seen.len() == KEYS {
                return Err(de::Error::custom(format!("an object has more than {KEYS} keys")));
            }
            let twin = |field: &&str| *field != key && field.eq_ignore_ascii_case(&key);
            if self.fields().iter().any(twin) {
                let key = key.escape_debug();
                return Err(de::Error::custom(format!("the field {key} is spelled so that readers would differ")));
            }
            let below = self.below(&key);
            if let Some(twice) = seen.replace(key) {
                return Err(de::Error::custom(format!("the key {} is there twice", twice.escape_debug())));
            }
            items.next_value_seed(below)?;
        }
        Ok(())
    }
}
