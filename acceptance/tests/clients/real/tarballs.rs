//! npm and two generations of Yarn, published to us as the packages that they are: with bundled dependencies, commands,
//! a scope and scripts. What is installed from us is the same, file by file, and runs.

use std::path::Path;

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::Value as Json;

use crate::desk::{Deed, Desk};
use crate::node::{CLIENTS, client, set_up};

/// Where each is installed, its name, and its command's file.
const PACKAGES: [(&str, &str, &str); 3] =
    [("npm", "npm", "bin/npm-cli.js"), ("yarn", "yarn", "bin/yarn.js"), ("berry", "@yarnpkg/cli-dist", "bin/yarn.js")];

#[tokio::test]
async fn npm_and_yarn_themselves() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "npm").await?;
    let token = desk.admin.token().to_owned();
    let reader = desk.token("rita", &["repo:npm:read"]).await?;
    set_up(&desk, "home", false)?;
    set_up(&desk, "clean", false)?;
    desk.write("app/package.json", r#"{"name":"app","version":"1.0.0","private":true}"#)?;
    let app = desk.home.join("app");
    let npm = |home: &str, token: &str, args: &[&str]| -> Result<Deed> {
        Ok(client(&desk, home, token, "npm")?.args(args.iter().copied()).at(&app))
    };
    for (folder, name, command) in PACKAGES {
        let original = Path::new(CLIENTS).join(folder).join("node_modules").join(name);
        let from = original.display().to_string();
        let package: Json = serde_json::from_str(&std::fs::read_to_string(original.join("package.json"))?)?;
        let version = package["version"].as_str().unwrap_or_default().to_owned();
        npm("home", &token, &["publish", "--ignore-scripts", &from])?.works()?;
        let document = desk.admin.get(&format!("/repository/npm/{}", name.replace('/', "%2f"))).send().await?;
        let document = document.expect(&[200])?.json()?;
        for field in ["dependencies", "bundleDependencies", "engines", "scripts", "license"] {
            assert_eq!(document["versions"][&version].get(field), package.get(field), "{name}: {field}");
        }

        npm("clean", &reader, &["install", "--ignore-scripts", &format!("{name}@{version}")])?.works()?;
        let installed = app.join("node_modules").join(name);
        // npm leaves a file of its own with what is bundled.
        let diff = desk.command("diff")?.args(["-r", "-x", ".package-lock.json"]);
        diff.args([from.as_str(), &installed.display().to_string()]).works()?;
        let said = desk.command("node")?.args([&*installed.join(command).display().to_string(), "--version"]);
        let said = said.at(&desk.home).works()?;
        if said.trim() != version {
            return Err(Trouble::new(format!("{name} {version} says it is {said}")));
        }
    }
    Ok(())
}
