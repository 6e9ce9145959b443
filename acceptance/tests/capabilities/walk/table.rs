//! The server's own table of routes, and the native ones.

use acceptance::http::{Http, Request};
use acceptance::{Result, Trouble};
use serde_json::Value;

use super::model::{Access, Role, Target};

/// Where the repositories are listed.
pub(crate) const LIST: &str = "/repository/";

/// A route and a method.
pub(crate) struct Row {
    pub(crate) method: String,
    pub(crate) template: String,
    pub(crate) access: Access,
    /// Whether it answers 200 to everybody who may.
    pub(crate) succeeds: bool,
}

/// What is sent with a request: the door must not look at it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sent {
    Nothing,
    UnknownField,
    BrokenJson,
    WrongChecksum,
}

impl Sent {
    pub(crate) fn give(self, request: Request) -> Request {
        match self {
            Sent::Nothing => request,
            Sent::UnknownField => request.json(&serde_json::json!({"unknownFieldOfTheWalk": true})),
            Sent::BrokenJson => request.header("Content-Type", "application/json").body("{\"a\":"),
            Sent::WrongChecksum => request.header("X-Checksum-Sha256", "none").body("never stored"),
        }
    }
}

impl Row {
    fn new(method: &str, template: &str, access: Access, succeeds: bool) -> Row {
        Row { method: method.to_uppercase(), template: template.to_string(), access, succeeds }
    }

    /// The repositories that make a difference. The list of them is read by whoever may read one, as that one is.
    pub(crate) fn targets(&self) -> Vec<Target> {
        match self.template.as_str() {
            LIST => vec![Target::Public],
            template if template.contains("{repo}") => Target::ALL.to_vec(),
            _ => vec![Target::Private],
        }
    }

    /// A path of this route: about `target`, and otherwise about what does not exist. The query keeps a `DELETE` of a
    /// repository from working.
    pub(crate) fn path(&self, target: Target) -> String {
        let mut path = String::new();
        for (at, part) in self.template.split('{').enumerate() {
            let (name, rest) = if at == 0 { ("", part) } else { part.split_once('}').unwrap_or((part, "")) };
            path.push_str(match name.trim_start_matches('*') {
                "" => "",
                "repo" => target.key(),
                "subject" => "somebody",
                "n" | "number" | "part" => "1",
                "path" => "x",
                "digest" => "0000000000000000000000000000000000000000000000000000000000000000",
                _ => "01890000-0000-7000-8000-000000000000",
            });
            path.push_str(rest);
        }
        if self.method == "DELETE" && path.starts_with("/v1/repos/") { path + "?mode=walk" } else { path }
    }

    pub(crate) fn bodies(&self) -> &'static [Sent] {
        match self.method.as_str() {
            "PUT" if self.template.starts_with("/repository") => &[Sent::WrongChecksum],
            "POST" | "PUT" | "PATCH" => &[Sent::Nothing, Sent::UnknownField, Sent::BrokenJson],
            _ => &[Sent::Nothing],
        }
    }
}

/// Every row: those that the server describes, each GET also as HEAD, and the native routes.
pub(crate) async fn rows(http: &Http) -> Result<Vec<Row>> {
    let document = http.get("/v1/openapi.json").send().await?.expect(&[200])?.json()?;
    let paths = document.get("paths").and_then(Value::as_object).ok_or_else(|| Trouble::new("no paths"))?;
    let mut rows = Vec::new();
    for (template, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let word = operation.get("x-access").and_then(Value::as_str);
            let word = word.ok_or_else(|| Trouble::new(format!("{method} {template} has no x-access")))?;
            let access = Access::read(word)?;
            rows.push(Row::new(method, template, access, access == Access::Open));
            if method == "get" {
                rows.push(Row::new("HEAD", template, access, access == Access::Open));
            }
        }
    }
    for path in ["/health/live", "/health/ready", "/assets/page.css", "/assets/api.js", "/assets/icon.svg"] {
        rows.push(Row::new("GET", path, Access::Open, true));
    }
    let (read, write, promote) = (Access::Repo(Role::Read), Access::Repo(Role::Write), Access::Repo(Role::Promote));
    rows.extend([
        Row::new("GET", LIST, read, true),
        Row::new("HEAD", LIST, read, true),
        Row::new("GET", "/repository/{repo}/kept.txt", read, true),
        Row::new("HEAD", "/repository/{repo}/kept.txt", read, true),
        Row::new("GET", "/repository/{repo}/missing.txt", read, false),
        Row::new("GET", "/repository/{repo}", read, false),
        Row::new("HEAD", "/repository/{repo}", read, false),
        Row::new("GET", "/repository/{repo}/", read, true),
        Row::new("GET", "/repository/{repo}/?format=html", read, true),
        Row::new("HEAD", "/repository/{repo}/", read, true),
        Row::new("PUT", "/repository/{repo}/new.txt", write, false),
        Row::new("PUT", "/repository/{repo}/kept.txt", write, false),
        Row::new("DELETE", "/repository/{repo}/missing.txt", promote, false),
    ]);
    Ok(rows)
}
