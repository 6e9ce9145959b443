//! Gradle's module metadata: which component it says it is of.
//!
//! Source: the Gradle Module Metadata specification, 1.1.

use std::io::{BufReader, Read};

use model::{Code, Refusal};
use serde::Deserialize;

use super::layout::Stored;

/// The longest module metadata, in bytes.
pub(super) const LONGEST: u64 = 16 << 20;

#[derive(Deserialize)]
struct Module {
    component: Component,
}

#[derive(Deserialize)]
struct Component {
    /// Only in a file that stands in for a part of another component: then the rest names that one.
    #[serde(default)]
    url: Option<String>,
    group: String,
    module: String,
    version: String,
}

/// Refuses module metadata that is none, or that says something else than its path.
pub(super) fn check(bytes: &mut dyn Read, stored: &Stored) -> Result<(), Refusal> {
    let wrong = |why: String| Refusal::new(Code::Unprocessable, why);
    let Module { component } = model::json::from_reader(BufReader::new(bytes))
        .map_err(|error| wrong(format!("the module metadata is not as Gradle writes it: {error}")))?;
    let foreign = component.url.is_some();
    for (field, said, path) in [
        ("group", &component.group, &stored.group),
        ("module", &component.module, &stored.artifact),
        ("version", &component.version, &stored.base),
    ] {
        if !foreign && said != path {
            return Err(wrong(format!("the module metadata says {field} {said:?}, its path says {path:?}")));
        }
    }
    Ok(())
}
