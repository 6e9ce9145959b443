//! Repositories as they were at a moment.

#[path = "../../faults/packages/archives.rs"]
#[expect(dead_code, reason = "images are packed elsewhere")]
mod archives;
mod hosted;
mod images;
mod members;
mod wares;

use std::time::Duration;

use acceptance::Result;
use acceptance::http::{Answer, Request};

use crate::site::Site;

/// Longer than it takes until a moment is settled.
const HOUR: Duration = Duration::from_secs(3600);
/// What was the case at a moment may be kept for good.
const FOR_GOOD: &str = "private, max-age=31536000, immutable";

/// Refusals have the shapes of their formats here.
async fn ask(request: Request) -> Result<Answer> {
    request.send().await
}

/// A moment after everything that has happened so far and before everything that comes, an hour from both.
async fn moment(site: &Site, name: &str) -> Result<String> {
    site.server.let_pass(HOUR)?;
    ask(site.admin.post("/v1/repos").json(&serde_json::json!({"repoKey": name, "format": "raw"}))).await?;
    ask(site.admin.put(&format!("/repository/{name}/now")).body("now")).await?.expect(&[201])?;
    site.server.let_pass(HOUR)?;
    let versions = ask(site.admin.get(&format!("/v1/repos/{name}/packages/versions?package=now"))).await?;
    versions.expect(&[200])?.string("/items/0/publishedAtUtc")
}

/// The moment as container clients write it.
fn compact(moment: &str) -> String {
    let digits: String = moment.chars().take(19).filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(8);
    format!("at-{day}t{time}z")
}
