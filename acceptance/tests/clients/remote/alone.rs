//! Maven has a source built in that it asks behind those that it is told of. With the settings that our program prints it
//! asks us alone: what is refused here is fetched from nowhere else.

use std::os::unix::fs::symlink;

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::json;

use super::Chooser as _;
use super::goods::Offer;
use super::maven::Maven;
use super::mirror::Mirror;
use super::together::assemble;
use crate::desk::{Deed, Desk};
use crate::maven::{GET, PLUGINS, mvn};

/// What is refused here, each for a reason of its own, and what Maven says of it.
const REFUSED: [(&str, &str); 3] = [
    ("payroll", "Could not find artifact com.example:payroll"),
    ("banned", "a hole"),
    ("ledger", "the upstream cannot be read"),
];

#[tokio::test]
async fn maven_asks_nobody_else_for_what_is_refused() -> Result<()> {
    let (desk, plugins) = (Desk::bare(Backing::Embedded, "maven").await?, Mirror::begin()?);
    let (mut up, elsewhere) = (Mirror::begin()?, Mirror::begin()?);
    // Maven's own plugins come through the repository, like everything.
    for entry in std::fs::read_dir(PLUGINS)?.flatten() {
        symlink(entry.path(), plugins.folder.join(entry.file_name()))?;
    }
    assemble(&desk, false, &["own"]).await?;
    for (key, mirror) in [("plugins", &plugins), ("up", &up)] {
        desk.make(key, json!({"repoType": "remote", "upstreamUrl": mirror.url()})).await?;
    }
    desk.change("maven", json!({"memberRepos": ["own", "plugins", "up"]})).await?;
    let claim = json!({"rules": [{"kind": "claim", "pattern": "com.example:payroll"}]});
    desk.admin.put("/v1/repos/own/rules").json(&claim).send().await?.expect(&[200])?;
    let block = json!({"rules": [{"kind": "block", "pattern": "com.example:banned", "reason": "a hole"}]});
    desk.admin.put("/v1/repos/up/rules").json(&block).send().await?.expect(&[200])?;
    let long_ago = [Offer { version: "1.0", when: "40 days ago" }];
    for name in REFUSED.map(|(name, _)| name).iter().chain(&["tooling"]) {
        Maven.offer(&desk, &elsewhere, name, &long_ago)?;
        Maven.offer(&desk, &up, name, &long_ago)?;
    }
    let printed = desk.config("maven", "settings.xml")?;
    desk.write("settings.xml", &printed)?;
    desk.write("built-in.xml", built_in(&elsewhere.url()))?;

    let reader = desk.token("rita", &["repo:*:read"]).await?;
    let get = |home: &str, name: &str| -> Result<Deed> {
        let what = format!("-Dartifact=com.example:{name}:1.0");
        Ok(mvn(&desk, &reader, home)?.args(["-gs", "built-in.xml", GET, &what]))
    };
    get("home", "tooling")?.works()?;
    assert_eq!(Maven.installed(&desk, "home", "tooling")?, "1.0");
    up.stop()?;
    for (name, said) in REFUSED {
        get("home", name)?.fails_saying(&[said])?;
    }
    assert_eq!(elsewhere.asked(), Vec::<String>::new());

    // Without a mirror it asks there too, and believes it.
    desk.write("settings.xml", without_mirrors(&printed)?)?;
    get("trap", "payroll")?.works()?;
    assert_eq!(Maven.installed(&desk, "trap", "payroll")?, "1.0");
    Ok(())
}

/// Global settings that say where the source is that Maven has built in.
fn built_in(url: &str) -> String {
    let source = format!("<id>central</id><url>{url}</url>");
    format!(
        "<settings><profiles><profile><id>built-in</id><repositories><repository>{source}</repository></repositories>\
         <pluginRepositories><pluginRepository>{source}</pluginRepository></pluginRepositories></profile></profiles>\
         <activeProfiles><activeProfile>built-in</activeProfile></activeProfiles></settings>"
    )
}

fn without_mirrors(settings: &str) -> Result<String> {
    let parts =
        settings.split_once("<mirrors>").and_then(|(before, rest)| Some((before, rest.split_once("</mirrors>")?.1)));
    parts.map(|(before, behind)| format!("{before}{behind}")).ok_or_else(|| Trouble::new("settings without mirrors"))
}
