//! npm, pnpm, Yarn and Bun through a remote repository.

use std::path::Path;

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha512};

use super::goods::{Offer, tgz};
use super::mirror::{Mirror, bytes};
use super::{Chooser, Client, REFUSED, Says, through_a_mirror, through_another};
use crate::desk::{Deed, Desk};
use crate::node::{client, library, set_up};

/// What is published, in this order: its folder, its name and what it needs.
const PACKAGES: [(&str, &str, &[&str]); 2] = [("base", "base-lib", &[]), ("tool", "@acme/tool", &["base-lib"])];

/// One of them, and how it is told things.
pub(super) struct Node {
    name: &'static str,
    /// Run in a package before it is published.
    prepare: Option<&'static [&'static str]>,
    publish: &'static [&'static str],
    add: &'static str,
    wrong: &'static [&'static str],
    not_found: &'static [&'static str],
    away: &'static [&'static str],
    refused: &'static [&'static str],
}

pub(super) const NPM: Node = Node {
    name: "npm",
    prepare: None,
    publish: &["publish"],
    add: "install",
    wrong: &["E401"],
    not_found: &["E404", "was not found"],
    away: &["E503", "the upstream cannot be read"],
    refused: &["E403", REFUSED],
};

#[tokio::test]
async fn npm_of_another_artifortress() -> Result<()> {
    through_another(&NPM, Backing::Embedded).await
}

#[tokio::test]
async fn npm_of_another_on_postgresql_and_s3() -> Result<()> {
    through_another(&NPM, Backing::Scaled).await
}

#[tokio::test]
async fn npm_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&NPM).await
}

pub(super) const PNPM: Node = Node {
    name: "pnpm",
    prepare: None,
    publish: &["publish", "--no-git-checks"],
    add: "add",
    wrong: &["401"],
    not_found: &["404"],
    away: &["503"],
    // Its lines are short: it breaks the sentence.
    refused: &["403 Forbidden", "comes from elsewhere"],
};

#[tokio::test]
async fn pnpm_of_another_artifortress() -> Result<()> {
    through_another(&PNPM, Backing::Embedded).await
}

#[tokio::test]
async fn pnpm_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&PNPM).await
}

pub(super) const YARN_1: Node = Node {
    name: "yarn",
    prepare: None,
    publish: &["publish", "--non-interactive"],
    add: "add",
    wrong: &["the token is unknown"],
    not_found: &["was not found"],
    away: &["503 Service Unavailable"],
    refused: &[REFUSED],
};

#[tokio::test]
async fn yarn_1_of_another_artifortress() -> Result<()> {
    through_another(&YARN_1, Backing::Embedded).await
}

#[tokio::test]
async fn yarn_1_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&YARN_1).await
}

pub(super) const BERRY: Node = Node {
    name: "berry",
    prepare: Some(&["install"]),
    publish: &["npm", "publish"],
    add: "add",
    wrong: &["Invalid authentication"],
    not_found: &["Package not found", "404"],
    away: &["503"],
    refused: &[REFUSED],
};

#[tokio::test]
async fn yarn_berry_of_another_artifortress() -> Result<()> {
    through_another(&BERRY, Backing::Embedded).await
}

#[tokio::test]
async fn yarn_berry_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&BERRY).await
}

pub(super) const BUN: Node = Node {
    name: "bun",
    prepare: None,
    publish: &["publish"],
    add: "add",
    wrong: &["401"],
    not_found: &["404"],
    away: &["503"],
    refused: &[REFUSED],
};

#[tokio::test]
async fn bun_of_another_artifortress() -> Result<()> {
    through_another(&BUN, Backing::Embedded).await
}

#[tokio::test]
async fn bun_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&BUN).await
}

impl Client for Node {
    fn format(&self) -> &'static str {
        "npm"
    }

    fn publish(&self, desk: &Desk, token: &str) -> Result<Vec<Deed>> {
        set_up(desk, "home", self.name == "yarn")?;
        let mut deeds = Vec::new();
        for (folder, _, _) in sources(desk)? {
            // What it needs is there when this one's turn has come.
            for words in self.prepare.into_iter().chain([self.publish]) {
                deeds.push(self.run(desk, "home", token, words)?.at(desk.home.join(folder)));
            }
        }
        Ok(deeds)
    }

    /// It looks first whether a version is there: it must be new.
    fn intrude(&self, desk: &Desk, token: &str) -> Result<Deed> {
        self.release(desk, token, "fresh", "1.0.0", false)
    }

    /// A folder for each package, with its document and its archive.
    fn lay_out(&self, desk: &Desk, mirror: &Mirror) -> Result<()> {
        set_up(desk, "home", false)?;
        for (folder, name, needs) in sources(desk)? {
            let packed = client(desk, "home", "", "npm")?.args(["pack", "--json", "--silent"]);
            let packed: Json = serde_json::from_str(&packed.at(desk.home.join(folder)).works()?)?;
            let text = |field: &str| packed[0][field].as_str().unwrap_or_default().to_owned();
            let archive = format!("{name}/-/{}", text("filename"));
            mirror.write(&archive, bytes(&desk.home.join(folder).join(text("filename")))?)?;
            let dist = json!({"tarball": format!("{}/{archive}", mirror.url()), "shasum": text("shasum"),
                "integrity": text("integrity")});
            let needs: Json =
                needs.iter().map(|name| (name.to_string(), json!("^1.0.0"))).collect::<serde_json::Map<_, _>>().into();
            let version = json!({"name": name, "version": "1.0.0", "dependencies": needs, "dist": dist});
            let document = json!({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}});
            mirror.write(&format!("{name}/index.json"), document.to_string())?;
        }
        Ok(())
    }

    fn install(&self, desk: &Desk, home: &str, token: &str, package: &str) -> Result<Deed> {
        set_up(desk, home, self.name == "yarn")?;
        desk.write(
            &format!("{home}/app/package.json"),
            r#"{"name":"app","version":"1.0.0","private":true,"license":"MIT"}"#,
        )?;
        desk.write(&format!("{home}/app/yarn.lock"), "")?;
        let deed = self.run(desk, home, token, &[self.add])?.args([package]);
        Ok(deed.at(desk.home.join(home).join("app")))
    }

    fn check(&self, desk: &Desk, home: &str) -> Result<()> {
        let modules = desk.home.join(home).join("app/node_modules");
        let program = "require(process.argv[1]); console.log(require(process.argv[2]))";
        // What another package needs lies beside that one, where it is not to be seen by all.
        let other =
            std::fs::canonicalize(modules.join("fresh")).ok().and_then(|fresh| Some(fresh.parent()?.to_owned()));
        let tool = [Some(modules.clone()), other].into_iter().flatten().map(|folder| folder.join("@acme/tool"));
        let tool = tool.filter_map(|folder| std::fs::canonicalize(folder).ok()).next();
        let tool = tool.ok_or_else(|| Trouble::new("@acme/tool is not there"))?;
        let base = [&modules, Path::new(tool.parent().and_then(Path::parent).unwrap_or(&modules))];
        let base = base.iter().map(|folder| folder.join("base-lib")).find(|folder| folder.exists());
        let base = base.ok_or_else(|| Trouble::new("what it needs is not there"))?;
        let paths = [tool.display().to_string(), base.display().to_string()];
        let said = desk.command("node")?.args(["-e", program, &paths[0], &paths[1]]).works()?;
        if said.trim() == "42" { Ok(()) } else { Err(Trouble::new(said)) }
    }

    fn says(&self) -> Says {
        Says {
            package: "@acme/tool",
            missing: "@acme/no-such-tool",
            unasked: "@acme/unknown-tool",
            wrong: self.wrong,
            not_found: self.not_found,
            away: self.away,
            refused: self.refused,
        }
    }
}

impl Chooser for Node {
    fn release(&self, desk: &Desk, token: &str, name: &str, version: &str, needy: bool) -> Result<Deed> {
        set_up(desk, "home", self.name == "yarn")?;
        let needs = if needy { json!({"@acme/tool": "^1.0.0"}) } else { json!({}) };
        library(desk, name, name, version, json!({"dependencies": needs}))?;
        desk.write(&format!("{name}/yarn.lock"), "")?;
        let folder = desk.home.join(name);
        if let Some(prepare) = self.prepare {
            self.run(desk, "home", token, prepare)?.at(&folder).works()?;
        }
        Ok(self.run(desk, "home", token, self.publish)?.at(folder))
    }

    fn offer(&self, desk: &Desk, mirror: &Mirror, name: &str, offers: &[Offer]) -> Result<()> {
        let mut document = json!({"name": name});
        for offer in offers {
            let version = offer.version;
            let manifest = json!({"name": name, "version": version, "license": "MIT", "main": "index.js"});
            let files = [("package.json", manifest.to_string()), ("index.js", "module.exports = 42\n".to_owned())];
            let archive = tgz(&files.map(|(path, text)| (format!("package/{path}"), text)))?;
            let mut manifest = manifest;
            let file = format!("{name}/-/{name}-{version}.tgz");
            let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(&archive)));
            manifest["dist"] = json!({"tarball": format!("{}/{file}", mirror.url()), "integrity": integrity});
            mirror.write(&file, archive)?;
            (document["versions"][version], document["time"][version]) = (manifest, json!(offer.time(desk)?));
            document["dist-tags"]["latest"] = json!(version);
        }
        mirror.write(&format!("{name}/index.json"), document.to_string())
    }

    fn exactly(&self, name: &str, version: &str) -> String {
        format!("{name}@{version}")
    }

    fn installed(&self, desk: &Desk, home: &str, name: &str) -> Result<String> {
        let file = desk.home.join(home).join("app/node_modules").join(name).join("package.json");
        let package: Json = serde_json::from_str(&std::fs::read_to_string(file)?)?;
        Ok(package["version"].as_str().unwrap_or_default().to_owned())
    }
}

impl Node {
    fn run(&self, desk: &Desk, home: &str, token: &str, words: &[&'static str]) -> Result<Deed> {
        let deed = client(desk, home, token, self.name)?.args(words.iter().copied());
        // pnpm reads its patience from here alone, and leaves out by itself what is younger than a day.
        Ok(deed.env("pnpm_config_fetch_retries", "0").env("pnpm_config_minimum_release_age", "0"))
    }
}

/// Writes the packages below the home.
pub(super) fn sources(desk: &Desk) -> Result<[(&'static str, &'static str, &'static [&'static str]); 2]> {
    for (folder, name, needs) in PACKAGES {
        let needs: serde_json::Map<_, _> = needs.iter().map(|name| (name.to_string(), json!("^1.0.0"))).collect();
        library(desk, folder, name, "1.0.0", json!({"dependencies": needs}))?;
        desk.write(&format!("{folder}/yarn.lock"), "")?;
    }
    Ok(PACKAGES)
}
