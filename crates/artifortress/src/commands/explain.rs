//! `explain`: why something is kept out of a repository, or let in.

use clap::Args;
use model::RepoKey;
use serde_json::Value;

use super::connection::Connection;
use super::failure::Failure;
use super::push::repo_key;
use super::table;
use crate::Context;

/// Show what the rules of a repository say of a package, and who can waive what keeps it out
#[derive(Args, Debug)]
pub struct Explain {
    #[command(flatten)]
    connection: Connection,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// The repository
    #[arg(value_parser = repo_key)]
    repo: RepoKey,

    /// A package, as in `tool`, `@scope/tool` or `group:artifact`, perhaps with `@VERSION` (an image also with `:TAG`, of Maven `group:artifact:VERSION`); or a path after a slash
    name: String,
}

const RULES: [(&str, &str); 3] = [("RULE", "rule"), ("SAYS", "says"), ("DECIDES", "decides")];
const KEPT_OUT: [(&str, &str); 2] = [("KEPT OUT", "version"), ("WHY", "detail")];

impl Explain {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.connection.client(context)?;
        let call = client.get(&outbound::path(["v1", "repos", self.repo.as_str(), "explain"]));
        let call = match (self.name.strip_prefix('/'), named(&self.name)) {
            (Some(path), _) => call.query("path", path),
            (None, (name, Some(version))) => call.query("name", name).query("version", version),
            (None, (name, None)) => call.query("name", name),
        };
        let mut found: Value = call.send().await?.json().await?;
        if self.json {
            table::json(&context.console, &found);
            return Ok(());
        }
        let lists = ["rules", "keptOut", "waivers"].map(|field| found[field].take());
        let [rules, kept_out, _] = lists.map(|list| list.as_array().cloned().unwrap_or_default());
        if let Some(fields) = found.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        table::fields(&context.console, &found);
        for (items, columns) in [(rules, &RULES[..]), (kept_out, &KEPT_OUT[..])] {
            if !items.is_empty() {
                table::list(&context.console, &items, columns);
            }
        }
        Ok(())
    }
}

/// A name and a version: the `@` of a scope begins no version.
pub(super) fn named(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() => (name, Some(version)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn the_at_of_a_scope_begins_no_version() {
        assert_eq!(named("@scope/tool"), ("@scope/tool", None));
        assert_eq!(named("@scope/tool@1.0"), ("@scope/tool", Some("1.0")));
        assert_eq!(named("org.acme:tool@1.0"), ("org.acme:tool", Some("1.0")));
    }
}
