//! Cargo through a remote repository: as a registry with a name, and in place of the one that crates are from by default.

use acceptance::server::Backing;
use acceptance::shelf::hex;
use acceptance::{Result, Trouble};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::goods::{Offer, tgz};
use super::mirror::{Mirror, bytes};
use super::{Chooser, Client, REFUSED, Says, through_a_mirror, through_another};
use crate::cargo::{application, cargo, library, set_up};
use crate::desk::{Deed, Desk};

/// Every crate, by its name, and what it needs.
pub(super) const CRATES: [(&str, Option<&str>); 2] = [("greeting_lib", None), ("Tool-Maker", Some("greeting_lib"))];

pub(super) struct Cargo;

#[tokio::test]
async fn cargo_of_another_artifortress() -> Result<()> {
    through_another(&Cargo, Backing::Embedded).await
}

#[tokio::test]
async fn cargo_of_another_artifortress_on_postgresql_and_s3() -> Result<()> {
    through_another(&Cargo, Backing::Scaled).await
}

#[tokio::test]
async fn cargo_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&Cargo).await
}

impl Client for Cargo {
    fn format(&self) -> &'static str {
        "cargo"
    }

    fn publish(&self, desk: &Desk, token: &str) -> Result<Vec<Deed>> {
        set_up(desk, "home")?;
        let publish = |(name, needs): (&str, Option<&str>)| -> Result<Deed> {
            source(desk, name, needs)?;
            publish(desk, "home", token, name)
        };
        CRATES.into_iter().map(publish).collect()
    }

    /// It looks first whether a version is there: it must be new.
    fn intrude(&self, desk: &Desk, token: &str) -> Result<Deed> {
        self.release(desk, token, "fresh", "1.0.0", false)
    }

    /// The configuration, an index file for each crate, and the crates.
    fn lay_out(&self, desk: &Desk, mirror: &Mirror) -> Result<()> {
        set_up(desk, "home")?;
        let template = format!("{}/crates/{{crate}}/{{crate}}-{{version}}.crate", mirror.url());
        mirror.write("config.json", json!({"dl": template}).to_string())?;
        for (name, needs) in CRATES {
            // Only its files count: what it needs is said by the index.
            source(desk, name, None)?;
            let packed = cargo(desk, "home", "")?.args(["package", "--no-verify", "--allow-dirty"]);
            packed.at(desk.home.join(name)).works()?;
            let bytes = bytes(&desk.home.join(format!("{name}/target/package/{name}-0.1.0.crate")))?;
            let digest = hex(&Sha256::digest(&bytes));
            let needs: Vec<Json> = needs.iter().map(|name| needed(name)).collect();
            let line =
                json!({"name": name, "vers": "0.1.0", "deps": needs, "cksum": digest, "features": {}, "yanked": false});
            let lower = name.to_lowercase();
            mirror.write(&format!("{}/{}/{lower}", &lower[..2], &lower[2..4]), format!("{line}\n"))?;
            mirror.write(&format!("crates/{name}/{name}-0.1.0.crate"), bytes)?;
        }
        Ok(())
    }

    fn install(&self, desk: &Desk, home: &str, token: &str, package: &str) -> Result<Deed> {
        set_up(desk, home)?;
        let app = format!("{home}/app");
        // Beside a project, as it is printed: the crates of the registry that Cargo has by default come from here.
        desk.write(&format!("{app}/.cargo/config.toml"), desk.config("cargo", "config.toml")?)?;
        // A name, and perhaps what is asked of its version.
        let (name, asked) = package.split_once(' ').unwrap_or((package, "0.1"));
        application(desk, &app, &format!("{name} = \"{asked}\""))?;
        let fetch = cargo(desk, home, token)?.args(["build"]);
        Ok(fetch.env("CARGO_TARGET_DIR", desk.home.join(&app).join("target")).at(desk.home.join(app)))
    }

    fn check(&self, desk: &Desk, home: &str) -> Result<()> {
        let tree = cargo(desk, home, "")?.args(["tree", "--offline"]).at(desk.home.join(home).join("app")).works()?;
        assert!(tree.contains("Tool-Maker v0.1.0") && tree.contains("greeting_lib v0.1.0"), "{tree}");
        Ok(())
    }

    fn says(&self) -> Says {
        Says {
            package: "Tool-Maker",
            missing: "no_such_crate",
            unasked: "unknown_crate",
            wrong: &["401", "begins with aft_"],
            not_found: &["no matching package named `no_such_crate` found"],
            away: &["503", "the upstream cannot be read"],
            refused: &["403", REFUSED],
        }
    }
}

impl Chooser for Cargo {
    fn release(&self, desk: &Desk, token: &str, name: &str, version: &str, needy: bool) -> Result<Deed> {
        set_up(desk, "home")?;
        let needs = if needy { needs("Tool-Maker") } else { String::new() };
        library(desk, name, version, &needs)?;
        publish(desk, "home", token, name)
    }

    fn offer(&self, desk: &Desk, mirror: &Mirror, name: &str, offers: &[Offer]) -> Result<()> {
        let template = format!("{}/crates/{{crate}}/{{crate}}-{{version}}.crate", mirror.url());
        mirror.write("config.json", json!({"dl": template}).to_string())?;
        let mut lines = String::new();
        for offer in offers {
            let version = offer.version;
            let manifest = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n");
            let files = [("Cargo.toml", manifest), ("src/lib.rs", "pub fn greet() -> u8 { 42 }\n".to_owned())];
            let packed = tgz(&files.map(|(path, text)| (format!("{name}-{version}/{path}"), text)))?;
            let line = json!({"name": name, "vers": version, "deps": [], "cksum": hex(&Sha256::digest(&packed)),
                "features": {}, "yanked": false, "pubtime": offer.time(desk)?});
            lines += &format!("{line}\n");
            mirror.write(&format!("crates/{name}/{name}-{version}.crate"), packed)?;
        }
        mirror.write(&format!("{}/{}/{name}", &name[..2], &name[2..4]), lines)
    }

    fn any(&self, name: &str) -> String {
        format!("{name} 1")
    }

    fn exactly(&self, name: &str, version: &str) -> String {
        format!("{name} ={version}")
    }

    fn installed(&self, desk: &Desk, home: &str, name: &str) -> Result<String> {
        let lock: toml::Table = std::fs::read_to_string(desk.home.join(home).join("app/Cargo.lock"))?.parse()?;
        let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
        let found = packages.filter(|package| package.get("name").and_then(toml::Value::as_str) == Some(name));
        let found = found.filter_map(|package| package.get("version").and_then(toml::Value::as_str)).next();
        found.map(str::to_owned).ok_or_else(|| Trouble::new(format!("{name} is not there")))
    }
}

/// Publishes the crate in this folder, from this home.
pub(super) fn publish(desk: &Desk, home: &str, token: &str, name: &str) -> Result<Deed> {
    let deed = cargo(desk, home, token)?.args(["publish", "--registry", "ours", "--no-verify", "--allow-dirty"]);
    Ok(deed.at(desk.home.join(name)))
}

/// Writes a crate into the folder of its name.
pub(super) fn source(desk: &Desk, name: &str, needed: Option<&str>) -> Result<()> {
    library(desk, name, "0.1.0", &needed.map(needs).unwrap_or_default())
}

fn needs(name: &str) -> String {
    format!("[dependencies]\n{name} = {{ version = \"0.1\", registry = \"ours\" }}\n")
}

/// A dependency on a crate of the same registry.
fn needed(name: &str) -> Json {
    json!({"name": name, "req": "^0.1", "features": [], "optional": false, "default_features": true, "target": null,
        "kind": "normal", "registry": null})
}
