//! Names of packages that have a namespace, as people write them: one name for every command.

use acceptance::Result;
use serde_json::json;

use crate::remotes::shelf::{Shelf, noise, remote, site};
use crate::remotes::upstream::Upstream;
use crate::site::{Site, ensure, program};
use crate::wares::Ware;

/// Runs a command: its exit code and all that it says.
fn run(site: &Site, words: &[&str]) -> Result<(Option<i32>, String)> {
    let done = program(&site.server, site.admin.token(), words)?;
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Ok((done.status.code(), said))
}

fn expect(site: &Site, code: i32, has: &str, words: &[&str]) -> Result<()> {
    let (ended, said) = run(site, words)?;
    ensure(ended == Some(code) && said.contains(has), format!("{words:?}: {ended:?} {said}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_with_its_namespace_is_a_name_in_every_command() -> Result<()> {
    let site = Site::here().await?;
    let maven = Ware("maven");
    maven.shelf(&site).await?;
    maven.publish(&site.admin, "1.0.0").await?;
    let name = "org.example:tool";
    let versions = |words: &[&'static str]| [&["admin", "versions"], words].concat();
    expect(&site, 0, "1.0.0", &versions(&["list", "maven", name]))?;
    expect(&site, 0, "1.0.0", &versions(&["list", "maven", "tool", "--namespace", "org.example"]))?;
    expect(&site, 0, "1.0.0", &versions(&["list", "maven", name, "--namespace", "org.example"]))?;
    expect(&site, 0, "tool-1.0.0.jar", &versions(&["get", "maven", name, "1.0.0"]))?;
    expect(&site, 0, "is yanked", &versions(&["yank", "maven", name, "1.0.0"]))?;
    expect(&site, 0, "", &["admin", "refs", "list", "maven", name])?;
    expect(&site, 0, "is withdrawn", &versions(&["tombstone", "maven", name, "1.0.0", "--reason", "r", "--yes"]))?;
    expect(&site, 0, "is published again", &versions(&["restore", "maven", name, "1.0.0"]))?;

    expect(&site, 1, "named group:artifact", &versions(&["list", "maven", "tool"]))?;
    expect(&site, 1, "named group:artifact", &versions(&["get", "maven", "org.example:tool:1", "1.0.0"]))?;
    expect(&site, 1, "another namespace", &versions(&["list", "maven", name, "--namespace", "org.other"]))?;
    expect(&site, 3, "was not found", &versions(&["list", "maven", "org.example:other"]))?;

    // Where names have none, a colon is a letter like others.
    site.repository("libs", json!({})).await?;
    site.admin.put("/repository/libs/a:b.txt").body("x").send().await?.expect(&[201])?;
    expect(&site, 0, "1", &versions(&["list", "libs", "a:b.txt"]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinate_names_a_version_of_an_upstream() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelf = Shelf::stocked(&site, &upstream, "maven", json!({}), &noise(1, 3000)).await?;
    let mirror = |name: &'static str| ["mirror", "maven-up", "--name", name];
    expect(&site, 2, "it must be group:artifact", &mirror("mtool"))?;
    expect(&site, 2, "it must be group:artifact", &mirror("mtool@1.0.0"))?;
    expect(&site, 2, "it must be group:artifact", &mirror("org.example:mtool:1.0.0:a:b:c"))?;
    for (format, name) in
        [("npm", "tool:1.0.0"), ("pypi", "tool==1.0"), ("cargo", "tool = \"1.0\""), ("go", "a.example/b:v1")]
    {
        remote(&site, &format!("{format}-up"), format, &upstream.url(), json!({})).await?;
        expect(&site, 2, "a version stands behind an @", &["mirror", &format!("{format}-up"), "--name", name])?;
    }
    expect(&site, 1, "what is no release changes", &mirror("org.example:mtool:2-SNAPSHOT"))?;
    ensure(upstream.total() == 0, "nobody was asked")?;
    let (_, said) = run(&site, &mirror("org.example:mtool:1.0.0"))?;
    ensure(said.contains("mtool-1.0.0.jar") || said.contains("1 file fetched"), said)?;
    ensure(upstream.count(&shelf.file()) == 1, "the file was asked for")?;

    let rules = json!({"rules": [{"kind": "block", "pattern": "org.example:mtool", "reason": "it bites"}]});
    site.admin.put("/v1/repos/maven-up/rules").json(&rules).send().await?.expect(&[200])?;
    expect(&site, 0, "it bites", &["explain", "maven-up", "org.example:mtool:1.0.0"])?;
    expect(&site, 0, "1.0.0", &["explain", "maven-up", "org.example:mtool:1.0.0"])?;
    expect(&site, 1, "named group:artifact", &["explain", "maven-up", "mtool"])?;
    let give = |name: &'static str| ["admin", "waivers", "give", "maven-up", name, "--reason", "r"];
    expect(&site, 1, "are such as com.example:tool", &give("mtool"))?;
    expect(&site, 1, "Was org.example:mtool meant?", &give("org.example:mtool:1.0.0"))?;
    expect(&site, 0, "is let into", &give("org.example:mtool"))
}
