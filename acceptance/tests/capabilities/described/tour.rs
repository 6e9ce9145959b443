//! A tour of the API: each call is compared with its description, and the tour knows where it has not been.

use std::collections::BTreeSet;

use acceptance::http::Answer;
use acceptance::server::Persona;
use acceptance::{Result, Trouble};
use serde_json::Value;

use super::schema::fits;
use crate::shape::ask;
use crate::site::ensure;

/// What is sent.
pub(crate) enum Sent {
    Nothing,
    Json(Value),
    Bytes(Vec<u8>),
}

/// Somebody on a tour through everything that the document describes.
pub(crate) struct Tour<'a> {
    who: &'a Persona,
    document: Value,
    seen: BTreeSet<String>,
}

impl<'a> Tour<'a> {
    pub(crate) async fn begin(who: &'a Persona) -> Result<Tour<'a>> {
        let document = ask(who.get("/v1/openapi.json")).await?.expect(&[200])?.json()?;
        Ok(Tour { who, document, seen: BTreeSet::new() })
    }

    /// Calls `method` at `template`, its parts filled with `parts`; a query may follow the template. The answer has one
    /// of the statuses that are described and is as described; so are body and query.
    pub(crate) async fn call(&mut self, call: &str, parts: &[(&str, &str)], sent: Sent) -> Result<Answer> {
        let told = |trouble: Trouble| Trouble::new(format!("{call}: {trouble:?}"));
        let (method, address) = call.split_once(' ').ok_or_else(|| Trouble::new("METHOD /path"))?;
        let (template, query) = address.split_once('?').unwrap_or((address, ""));
        let operation = self.document["paths"][template][method.to_lowercase()].clone();
        ensure(operation.is_object(), "it is not described").map_err(told)?;
        named(&operation, query).map_err(told)?;
        let path =
            parts.iter().fold(address.to_string(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        ensure(!path.contains('{'), format!("{path} has parts to be filled"))?;
        let request = self.who.request(method, &path);
        let described = &operation["requestBody"]["content"];
        let request = match sent {
            Sent::Nothing => {
                ensure(operation["requestBody"]["required"] != true, "a body is described").map_err(told)?;
                request
            }
            Sent::Json(body) => {
                let schema = &described["application/json"]["schema"];
                fits(&self.document, schema, &body, "the body").map_err(told)?;
                request.json(&body)
            }
            Sent::Bytes(bytes) => {
                ensure(described["application/octet-stream"].is_object(), "no bytes are described").map_err(told)?;
                request.body(bytes)
            }
        };
        let answer = ask(request).await?;
        self.as_described(&operation, &answer)
            .map_err(|trouble| Trouble::new(format!("{call}: {trouble:?}\n{} {}", answer.status, answer.text())))?;
        self.seen.insert(format!("{method} {template}"));
        Ok(answer)
    }

    fn as_described(&self, operation: &Value, answer: &Answer) -> Result<()> {
        ensure(answer.status < 300, "refused")?;
        let response = &operation["responses"][answer.status.to_string()];
        ensure(response.is_object(), "this status is not described")?;
        let Some(contents) = response["content"].as_object() else {
            return ensure(answer.body.is_empty(), "a body that is not described");
        };
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let content = contents.get(kind).ok_or_else(|| Trouble::new(format!("{kind} is not described")))?;
        match kind {
            "application/json" => fits(&self.document, &content["schema"], &answer.json()?, "the answer"),
            _ => ensure(!answer.body.is_empty(), "nothing"),
        }
    }

    /// What is described and was not called.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let paths = self.document["paths"].as_object().into_iter().flatten();
        let all = paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, _)| format!("{} {path}", method.to_uppercase()))
        });
        all.filter(|call| !self.seen.contains(call)).collect()
    }

    pub(crate) fn seen(&self) -> usize {
        self.seen.len()
    }
}

/// Whether each parameter in `query` is described.
fn named(operation: &Value, query: &str) -> Result<()> {
    for name in query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty()) {
        let mut parameters = operation["parameters"].as_array().into_iter().flatten();
        let known = parameters.any(|one| one["in"] == "query" && one["name"] == name);
        ensure(known, format!("the parameter {name} is not described"))?;
    }
    Ok(())
}
