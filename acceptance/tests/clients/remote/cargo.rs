//! Cargo through a remote repository: as a registry with a name, and in place of the one that crates are from by default.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::mirror::{Mirror, bytes};
use super::{Client, REFUSED, Says, through_a_mirror, through_another};
use crate::cargo::{application, cargo, library, set_up};
use crate::desk::{Deed, Desk};

/// Every crate, by its name, and what it needs.
const CRATES: [(&str, Option<&str>); 2] = [("greeting_lib", None), ("Tool-Maker", Some("greeting_lib"))];
/// The guide whose configuration the test runs.
const PAGE: &str = "docs/formats/cargo.md";

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
            publish(desk, token, name)
        };
        CRATES.into_iter().map(publish).collect()
    }

    /// Cargo looks first whether a version is there: it must be new.
    fn intrude(&self, desk: &Desk, token: &str) -> Result<Deed> {
        set_up(desk, "home")?;
        source(desk, "fresh", None)?;
        publish(desk, token, "fresh")
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
            let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
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
        let by_default = desk.shown(PAGE, "toml", 2, "")?.replace("/libs/", "/cargo/");
        desk.write(&format!("{app}/.cargo/config.toml"), by_default)?;
        application(desk, &app, &format!("{package} = \"0.1\""))?;
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

fn publish(desk: &Desk, token: &str, name: &str) -> Result<Deed> {
    let deed = cargo(desk, "home", token)?.args(["publish", "--registry", "ours", "--no-verify", "--allow-dirty"]);
    Ok(deed.at(desk.home.join(name)))
}

fn source(desk: &Desk, name: &str, needs: Option<&str>) -> Result<()> {
    let needs =
        needs.map(|needed| format!("[dependencies]\n{needed} = {{ version = \"0.1\", registry = \"ours\" }}\n"));
    library(desk, name, "0.1.0", &needs.unwrap_or_default())
}

/// A dependency on a crate of the same registry.
fn needed(name: &str) -> Json {
    json!({"name": name, "req": "^0.1", "features": [], "optional": false, "default_features": true, "target": null,
        "kind": "normal", "registry": null})
}
