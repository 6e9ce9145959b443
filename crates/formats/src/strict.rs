//! JSON as we take it from strangers: no key twice, none that some languages read as a prototype.

use model::json::{Fault, walk};
use serde::Deserialize;
use serde_json::Value as Json;

/// A key that some languages read as a prototype.
pub(crate) const PROTOTYPE: &str = "__proto__";

/// Reads a value.
pub(crate) fn read(text: &[u8]) -> Result<Json, Fault> {
    read_as(text)
}

/// Reads a value into its type, without a tree between.
pub(crate) fn read_as<'t, T: Deserialize<'t>>(text: &'t [u8]) -> Result<T, Fault> {
    walk(text, &mut |_, _, key| match key {
        PROTOTYPE => Err("this key is not taken".to_owned()),
        _ => Ok(()),
    })?;
    Ok(model::json::from_slice(text)?)
}
