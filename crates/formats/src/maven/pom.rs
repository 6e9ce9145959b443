//! What a POM says of itself, and whether that is what its path says.
//!
//! Only the project's own fields are read.

use std::collections::HashMap;

use model::{Code, Refusal};

use super::layout::Stored;
use super::xml::{self, Value};

/// The longest POM, in bytes.
pub(super) const LONGEST: u64 = 4 << 20;
/// Rounds of putting properties in, and the longest value that may come of it.
const ROUNDS: usize = 10;
const VALUE: usize = 1024;

/// What is read of a POM.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pom {
    /// By their paths below `project`, trimmed.
    fields: HashMap<&'static str, String>,
    properties: HashMap<String, String>,
}

/// The fields that are read, each at most once in a POM.
const FIELDS: [&str; 9] = [
    "groupId",
    "artifactId",
    "version",
    "packaging",
    "name",
    "description",
    "parent/groupId",
    "parent/artifactId",
    "parent/version",
];

impl Pom {
    /// Reads a POM. 422 where it is none.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut pom = Self::default();
        xml::read(bytes, "the POM", "project", &mut |path, value| pom.take(path, value)).map_err(wrong)?;
        Ok(pom)
    }

    /// An element has ended.
    fn take(&mut self, path: &[String], value: Value) -> Result<(), String> {
        let place = match path {
            [_, field] => field.clone(),
            [_, parent, field] if parent == "parent" => format!("parent/{field}"),
            [_, properties, name] if properties == "properties" => {
                self.properties.insert(name.clone(), value.trimmed());
                return Ok(());
            }
            _ => return Ok(()),
        };
        let Some(place) = FIELDS.into_iter().find(|field| *field == place) else { return Ok(()) };
        if let (Some(entity), false) = (&value.unknown, matches!(place, "name" | "description")) {
            return Err(format!("{place} in the POM has the unknown entity &{};", entity.escape_debug()));
        }
        match self.fields.insert(place, value.trimmed()) {
            None => Ok(()),
            Some(_) => Err(format!("the POM says {place} twice")),
        }
    }

    /// Refuses a POM that says something else than its path.
    pub(super) fn agrees(&self, stored: &Stored) -> Result<(), Refusal> {
        let said = |field: &'static str, parent: &'static str| {
            let value = self.fields.get(field).or_else(|| self.fields.get(parent).filter(|_| !parent.is_empty()));
            value.ok_or_else(|| wrong(format!("the POM says no {field}"))).and_then(|text| self.filled(field, text))
        };
        for (field, said, path) in [
            ("groupId", said("groupId", "parent/groupId")?, &stored.group),
            ("artifactId", said("artifactId", "")?, &stored.artifact),
            ("version", said("version", "parent/version")?, &stored.base),
        ] {
            if said != *path {
                return Err(wrong(format!("the POM says {field} {said:?}, its path says {path:?}")));
            }
        }
        Ok(())
    }

    /// Refuses a POM that is certainly another one's: what it does not say itself it may have from its parent.
    pub(super) fn may_be(&self, stored: &Stored) -> Result<(), Refusal> {
        for (field, path) in [("artifactId", &stored.artifact), ("groupId", &stored.group), ("version", &stored.base)] {
            let Some(Ok(said)) = self.fields.get(field).map(|text| self.filled(field, text)) else { continue };
            if said != *path {
                return Err(wrong(format!("the POM says {field} {said:?}, its path says {path:?}")));
            }
        }
        Ok(())
    }

    /// A value with the POM's own properties in it.
    fn filled(&self, field: &str, text: &str) -> Result<String, Refusal> {
        let mut text = text.to_owned();
        for _ in 0..ROUNDS {
            let Some((front, rest)) = text.split_once("${") else { return Ok(text) };
            let Some((name, end)) = rest.split_once('}') else { return Ok(text) };
            let Some(value) = self.property(name) else { break };
            let next = format!("{front}{value}{end}");
            if next.len() > VALUE {
                break;
            }
            text = next;
        }
        Err(wrong(format!(
            "{field} in the POM is {}, which nobody who reads it can fill in: deploy a flattened POM",
            text.chars().take(100).collect::<String>().escape_debug()
        )))
    }

    fn property(&self, name: &str) -> Option<&String> {
        if let Some(value) = self.properties.get(name) {
            return Some(value);
        }
        let field = name.strip_prefix("project.").or_else(|| name.strip_prefix("pom.")).unwrap_or(name);
        let field = field.replace('.', "/");
        let own = self.fields.get(field.as_str());
        own.or_else(|| self.fields.get(format!("parent/{field}").as_str()))
    }

    /// What lists show of it.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }
}

fn wrong(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::Unprocessable, why)
}
