//! What npm, pnpm, Yarn and Bun have in common.

use std::path::PathBuf;

use acceptance::{Result, environment};
use serde_json::{Value as Json, json};

use crate::desk::{Deed, Desk};

/// Where `kit/install-tools` puts them, each in a folder of its own.
pub(crate) const CLIENTS: &str = "/opt/clients/npm";

/// Writes the configuration that our program prints into a home, without patience for a network.
pub(crate) fn set_up(desk: &Desk, home: &str, yarn_1: bool) -> Result<()> {
    let quiet = "fetch-retries=0\nupdate-notifier=false\naudit=false\nfund=false\n";
    let npmrc = desk.config(if yarn_1 { "yarn1" } else { "npm" }, ".npmrc")?;
    desk.write(&format!("{home}/.npmrc"), npmrc + quiet)?;
    desk.write(&format!("{home}/.yarnrc"), desk.config("yarn1", ".yarnrc")?)?;
    let quiet = "enableTelemetry: false\nhttpRetry: 0\nnodeLinker: node-modules\nenableImmutableInstalls: false\n";
    desk.write(&format!("{home}/.yarnrc.yml"), desk.config("yarn", ".yarnrc.yml")? + quiet).map(drop)
}

/// A client with a home of its own and this token. `berry` is Yarn since version 2; `npm-8` is npm of that version.
pub(crate) fn client(desk: &Desk, home: &str, token: &str, name: &str) -> Result<Deed> {
    let program = match name {
        "berry" => "yarn",
        name => name.split('-').next().unwrap_or(name),
    };
    // Older ones have a Node of their own beside them.
    let folder = format!("{CLIENTS}/{name}/node_modules/.bin");
    let path = format!("{folder}:{}", environment::require("PATH")?);
    let deed = desk.command(PathBuf::from(folder).join(program))?.env("PATH", path);
    let deed = deed.env("HOME", desk.home.join(home)).env("NPM_TOKEN", token);
    // Run by root, Yarn 1 has its cache beside the homes of all.
    Ok(if name == "yarn" { deed.env("YARN_CACHE_FOLDER", desk.home.join(home).join("cache")) } else { deed })
}

/// A package with a module and a command in this folder.
pub(crate) fn library(desk: &Desk, folder: &str, name: &str, version: &str, more: Json) -> Result<()> {
    let mut package = json!({
        "name": name, "version": version, "description": "greets", "license": "MIT", "main": "index.js",
        "bin": {"greet": "index.js"}, "keywords": ["greeting"], "engines": {"node": ">=10"},
    });
    if let (Some(package), Json::Object(more)) = (package.as_object_mut(), more) {
        package.extend(more);
    }
    desk.write(&format!("{folder}/package.json"), package.to_string())?;
    desk.write(&format!("{folder}/README.md"), "# Greeting\n")?;
    desk.write(&format!("{folder}/index.js"), "#!/usr/bin/env node\nmodule.exports = 42\n").map(drop)
}
