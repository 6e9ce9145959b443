//! Reading and printing, the same for every noun.

use outbound::Request;
use serde_json::{Value, json};

use super::Desk;
use crate::commands::failure::Failure;
use crate::commands::table;

impl Desk<'_> {
    /// Sends `call` and prints its answer; `done` is the sentence for people.
    pub(super) async fn perform(&self, call: Request, done: &str) -> Result<(), Failure> {
        let answer = call.send().await?;
        if self.json {
            let value = if answer.status() == 204 { json!({ "status": "ok" }) } else { answer.json().await? };
            table::json(&self.context.console, &value);
        } else {
            self.context.console.line(done);
        }
        Ok(())
    }

    /// Prints one thing.
    pub(super) async fn show(&self, target: &str) -> Result<(), Failure> {
        let value: Value = self.client.get(target).send().await?.json().await?;
        let print = if self.json { table::json } else { table::fields };
        print(&self.context.console, &value);
        Ok(())
    }

    /// Prints a list: every page of it, or up to `limit` items.
    pub(super) async fn list(
        &self,
        target: &str,
        filters: &[(&str, Option<&str>)],
        limit: Option<usize>,
        columns: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let items = self.pages(target, filters, limit).await?;
        if self.json {
            table::json(&self.context.console, &json!({ "items": items }));
        } else {
            table::list(&self.context.console, &items, columns);
        }
        Ok(())
    }

    /// The items of a list: of every page of it, or up to `limit`.
    pub(super) async fn pages(
        &self,
        target: &str,
        filters: &[(&str, Option<&str>)],
        limit: Option<usize>,
    ) -> Result<Vec<Value>, Failure> {
        let wanted = limit.unwrap_or(usize::MAX);
        let mut items: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = (wanted - items.len()).min(200).to_string();
            let mut call = self.client.get(target).query("limit", &page);
            for (name, value) in filters.iter().chain([&("cursor", cursor.as_deref())]) {
                call = value.iter().fold(call, |call, value| call.query(name, value));
            }
            let mut answer: Value = call.send().await?.json().await?;
            let Value::Array(more) = answer["items"].take() else {
                return Err(Failure::new("the server's answer holds no list"));
            };
            items.extend(more);
            items.truncate(wanted);
            let next = answer["nextCursor"].as_str().map(str::to_owned);
            if next.is_none() || next == cursor || items.len() >= wanted {
                return Ok(items);
            }
            cursor = next;
        }
    }
}
