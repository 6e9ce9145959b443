//! Whether a value is what a schema of the document says: no field more, none less.

use acceptance::{Result, Trouble};
use serde_json::Value;

use crate::site::ensure;

/// Whether `value`, at `place`, is what `schema` says.
pub(crate) fn fits(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<()> {
    let schema = &followed(document, schema)?;
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let any = choices.iter().any(|one| fits(document, one, value, place).is_ok());
        return ensure(any, format!("{place}: none of the choices fits {value}"));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => return Err(Trouble::new(format!("{place}: the schema has no type: {schema}"))),
    };
    ensure(kinds.contains(&kind), format!("{place}: {kind} where {kinds:?} is described"))?;
    if let Some(known) = schema["enum"].as_array() {
        ensure(known.contains(value), format!("{place}: {value} where one of {known:?} is described"))?;
    }
    for item in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], item, &format!("{place}[]"))?;
    }
    let (Some(fields), Some(described)) = (value.as_object(), schema["properties"].as_object()) else { return Ok(()) };
    for (name, value) in fields {
        let schema = described.get(name).ok_or_else(|| Trouble::new(format!("{place}.{name} is not described")))?;
        fits(document, schema, value, &format!("{place}.{name}"))?;
    }
    let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    needed.into_iter().try_for_each(|name| ensure(fields.contains_key(name), format!("{place}.{name} is missing")))
}

/// The schema itself: a reference followed, the parts of a whole put together.
fn followed(document: &Value, schema: &Value) -> Result<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        let target = target.ok_or_else(|| Trouble::new(format!("{reference} leads nowhere")))?;
        return followed(document, target);
    }
    let Some(parts) = schema["allOf"].as_array() else { return Ok(schema.clone()) };
    let (mut properties, mut required) = (serde_json::Map::new(), Vec::new());
    for part in parts {
        let part = followed(document, part)?;
        let fields = part["properties"].as_object();
        properties
            .extend(fields.ok_or_else(|| Trouble::new(format!("a part of a whole has no fields: {part}")))?.clone());
        required.extend(part["required"].as_array().cloned().unwrap_or_default());
    }
    Ok(serde_json::json!({"type": "object", "properties": properties, "required": required}))
}

#[test]
fn what_does_not_fit_is_told() -> Result<()> {
    let document = serde_json::json!({"components": {"schemas": {
        "Id": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        "Thing": {"allOf": [{"$ref": "#/components/schemas/Id"}, {"type": "object", "required": ["size"], "properties": {
            "size": {"type": ["integer", "null"]}, "tags": {"type": "array", "items": {"type": "string"}}
        }}]},
    }}});
    let schema = serde_json::json!({"$ref": "#/components/schemas/Thing"});
    let fit = |value: Value| fits(&document, &schema, &value, "").is_ok();
    assert!(fit(serde_json::json!({"id": "a", "size": 1})) && fit(serde_json::json!({"id": "a", "size": null})));
    for bad in [
        serde_json::json!({"size": 1}),
        serde_json::json!({"id": "a"}),
        serde_json::json!({"id": 1, "size": 1}),
        serde_json::json!({"id": "a", "size": 1.5}),
        serde_json::json!({"id": "a", "size": 1, "more": 1}),
        serde_json::json!({"id": "a", "size": 1, "tags": [1]}),
        serde_json::json!([]),
    ] {
        assert!(!fit(bad.clone()), "{bad}");
    }
    Ok(())
}
