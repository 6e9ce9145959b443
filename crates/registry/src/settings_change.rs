//! Changes to the settings of a repository, of which some are named.

use std::fmt;

use formats::Format;
use model::json::Objects;
use model::state::RepoKind;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::repositories::RepoSettings;

/// Some of the settings: what is not named stays as it is.
#[derive(Clone, Debug)]
pub struct SettingsChange {
    named: Map<String, Json>,
    /// What the named ones mean, the others at their defaults.
    meant: RepoSettings,
}

impl SettingsChange {
    /// The named ones; 400 where a repository of this format and kind cannot have them.
    pub(crate) fn named_for(self, format: &'static dyn Format, kind: RepoKind) -> Result<Map<String, Json>> {
        self.meant.check(format, kind)?;
        Ok(self.named)
    }

    /// What is named of a setting that has fields.
    pub(crate) fn of(&self, setting: &str) -> Option<&Json> {
        self.named.get(setting)
    }
}

/// A setting with fields, of which some are named: the others stay as they are. `null` in place of it is its default.
pub(crate) fn with_named<T: Serialize + DeserializeOwned + Default>(
    field: &'static str,
    kept: &T,
    named: &Json,
) -> Result<T> {
    let Json::Object(named) = named else { return Ok(T::default()) };
    let kept = serde_json::to_value(kept).map_err(|error| Error::Defect(error.to_string()))?;
    let mut all = kept.as_object().cloned().unwrap_or_default();
    all.extend(named.clone());
    model::json::from_value(Json::Object(all)).map_err(|why| Error::bad_field(field, format!("{field}: {why}")))
}

impl<'de> Deserialize<'de> for SettingsChange {
    fn deserialize<D: Deserializer<'de>>(source: D) -> std::result::Result<Self, D::Error> {
        let named = source.deserialize_map(Named)?;
        let meant = RepoSettings::deserialize(Objects(Json::Object(named.clone()))).map_err(D::Error::custom)?;
        Ok(Self { named, meant })
    }
}

/// Reads settings one by one, so that what is wrong with one is said at its place.
struct Named;

impl<'de> Visitor<'de> for Named {
    type Value = Map<String, Json>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> std::result::Result<Self::Value, A::Error> {
        let mut named = Map::new();
        while let Some(name) = source.next_key::<String>()? {
            let value = source.next_value_seed(Setting(&name))?;
            named.insert(name, value);
        }
        Ok(named)
    }
}

/// A setting of this name.
struct Setting<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Setting<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> std::result::Result<Json, D::Error> {
        let value = Json::deserialize(source)?;
        let alone = Map::from_iter([(self.0.to_owned(), value.clone())]);
        RepoSettings::deserialize(Objects(Json::Object(alone))).map_err(D::Error::custom)?;
        Ok(value)
    }
}
