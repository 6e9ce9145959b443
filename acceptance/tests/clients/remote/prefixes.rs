//! An upstream claims the prefix of the goals of an internal plugin, and has a newer plugin of its name. Maven runs ours.

use std::path::Path;

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::goods::zip;
use super::mirror::{Mirror, bytes};
use super::together::{assemble, join};
use crate::desk::{Deed, Desk};
use crate::maven::{DEPLOY, mvn, settings};

#[tokio::test]
async fn maven_runs_the_plugin_that_is_ours() -> Result<()> {
    let (desk, mirror) = (Desk::bare(Backing::Embedded, "maven").await?, Mirror::begin()?);
    assemble(&desk, false, &["own"]).await?;
    settings(&desk)?;
    let token = desk.admin.token();
    let (jar, pom) = (plugin(&desk, "billing", "1.0.0")?, pom(&desk, "billing", "1.0.0")?);
    let there = [format!("-Durl={}/", desk.url()?), format!("-Dfile={jar}"), format!("-DpomFile={pom}")];
    let deploy = mvn(&desk, token, "home")?.args([DEPLOY, "-DrepositoryId=ours"]);
    deploy.args(there.iter().map(String::as_str)).works()?;

    let mut group = String::new();
    for (prefix, artifact) in [("billing", "stolen"), ("bills", "billing"), ("tooling", "tooling")] {
        offer(&desk, &mirror, artifact, "99.9.9")?;
        group += &format!(
            "<plugin><name>x</name><prefix>{prefix}</prefix><artifactId>{artifact}-maven-plugin</artifactId></plugin>"
        );
    }
    let group = format!("<metadata><plugins>{group}</plugins></metadata>");
    mirror.write("com/example/maven-metadata.xml", group)?;
    join(&desk, false, json!({"repoType": "remote", "upstreamUrl": mirror.url()})).await?;

    let text = std::fs::read_to_string(desk.home.join("settings.xml"))?;
    let groups = "<pluginGroups><pluginGroup>com.example</pluginGroup></pluginGroups>\n<profiles>";
    desk.write("settings.xml", text.replacen("<profiles>", groups, 1))?;
    // It says of which plugin it was asked for a goal that none has.
    let run = |home: &str, goal: &str| -> Result<Deed> { Ok(mvn(&desk, token, home)?.args([goal])) };
    let taken = |name: &str, version: &str| {
        format!(
            "Could not find goal 'none' in plugin com.example:{name}-maven-plugin:{version} among available goals greet"
        )
    };
    run("first", "billing:none")?.fails_saying(&[&taken("billing", "1.0.0")])?;
    run("second", "com.example:billing-maven-plugin:none")?.fails_saying(&[&taken("billing", "1.0.0")])?;
    run("third", "bills:none")?.fails_saying(&["No plugin found for prefix 'bills'"])?;
    let heard = mirror.asked();
    let names = ["stolen-maven-plugin", "billing-maven-plugin"];
    let told: Vec<_> = heard.iter().filter(|path| names.iter().any(|name| path.contains(name))).collect();
    assert!(told.is_empty(), "the upstream was asked: {told:?}");
    // It would have answered, and been believed.
    run("theirs", "tooling:none")?.fails_saying(&[&taken("tooling", "99.9.9")]).map(drop)
}

/// The archive of a plugin with one goal.
fn plugin(desk: &Desk, name: &str, version: &str) -> Result<String> {
    let goal =
        "<mojo><goal>greet</goal><implementation>com.example.Greet</implementation><language>java</language></mojo>";
    let said = format!(
        "<plugin><name>{name}</name><groupId>com.example</groupId><artifactId>{name}-maven-plugin</artifactId>\
         <version>{version}</version><goalPrefix>{name}</goalPrefix><mojos>{goal}</mojos></plugin>"
    );
    let path = desk.home.join(format!("{name}.jar"));
    zip(desk, &path, &[("META-INF/maven/plugin.xml".to_owned(), said)])?;
    Ok(path.display().to_string())
}

fn pom(desk: &Desk, name: &str, version: &str) -> Result<String> {
    let text = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>com.example</groupId>\
         <artifactId>{name}-maven-plugin</artifactId><version>{version}</version><packaging>maven-plugin</packaging></project>"
    );
    Ok(desk.write(&format!("{name}.xml"), text)?.display().to_string())
}

/// Lays out a plugin as a static mirror has it.
fn offer(desk: &Desk, mirror: &Mirror, name: &str, version: &str) -> Result<()> {
    let tree = format!("com/example/{name}-maven-plugin");
    let file = format!("{tree}/{version}/{name}-maven-plugin-{version}");
    mirror.write(&format!("{file}.jar"), bytes(Path::new(&plugin(desk, name, version)?))?)?;
    mirror.write(&format!("{file}.pom"), bytes(Path::new(&pom(desk, name, version)?))?)?;
    let said = format!("<release>{version}</release><versions><version>{version}</version></versions>");
    let metadata = format!(
        "<metadata><groupId>com.example</groupId><artifactId>{name}-maven-plugin</artifactId><versioning>{said}</versioning></metadata>"
    );
    mirror.write(&format!("{tree}/maven-metadata.xml"), metadata)
}
