//! The system's Maven packages, plugins and all: published to us, they build a project of several modules, and another
//! one that needs it, without any other repository.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::desk::{Deed, Desk};
use crate::maven::{PLUGINS, mvn};

#[tokio::test]
async fn a_build_of_several_modules_with_the_systems_jars() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "maven").await?;
    let mut files = Vec::new();
    walk(Path::new(PLUGINS), &mut files)?;
    let sent = stream::iter(&files).map(|file| publish(&desk, file)).buffer_unordered(4);
    sent.try_collect::<Vec<()>>().await?;
    assert!(files.len() >= 200, "only {} files", files.len());
    let settings = desk.config("maven", "settings.xml")?;
    let mirror = format!("<mirror><id>ours</id><mirrorOf>central</mirrorOf><url>{}/</url></mirror>", desk.url()?);
    desk.write("settings.xml", settings.replace("<profiles>", &format!("<mirrors>{mirror}</mirrors>\n<profiles>")))?;
    project(&desk)?;

    let token = desk.admin.token().to_owned();
    let reader = desk.token("rita", &["repo:maven:read"]).await?;
    // Checksums that are missing or wrong are failures.
    let run = |who: &str, local: &str, goal: &str, folder: &str| -> Result<Deed> {
        Ok(mvn(&desk, who, local)?.args(["-C", goal]).at(desk.home.join(folder)))
    };
    run(&token, "builder", "deploy", "build")?.works()?;
    for module in ["parent", "core", "app"] {
        let index = format!("/repository/maven/com/example/{module}/maven-metadata.xml");
        let index = desk.admin.get(&index).send().await?.expect(&[200])?.text();
        assert!(index.contains("<release>1.0</release>"), "{index}");
    }
    run(&reader, "clean", "package", "consumer")?.works()?;
    let jar = |path: &str| desk.home.join("clean").join(path).display().to_string();
    let classes = [
        desk.home.join("consumer/target/classes").display().to_string(),
        jar("com/example/app/1.0/app-1.0.jar"),
        jar("com/example/core/1.0/core-1.0.jar"),
        jar("commons-lang/commons-lang/2.6/commons-lang-2.6.jar"),
    ];
    let said = desk.command("java")?.args(["-cp", &classes.join(":"), "Consumer"]).works()?;
    assert_eq!(said.trim(), "Hello from app");
    Ok(())
}

/// The files of releases below a folder, but for one that the system's packages misspell: its name ends with a dot, and
/// no name does here. Builds of snapshots go by other names than these have.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !["-SNAPSHOT", "."].iter().any(|end| path.to_string_lossy().ends_with(end)) {
                walk(&path, files)?;
            }
        } else if matches!(ending, "jar" | "pom") && path.exists() {
            files.push(path);
        }
    }
    Ok(())
}

async fn publish(desk: &Desk, file: &Path) -> Result<()> {
    let path = file.strip_prefix(PLUGINS).map_err(|_| Trouble::new("a file elsewhere"))?.display().to_string();
    let mut bytes = Vec::new();
    fs::File::open(file)?.read_to_end(&mut bytes)?;
    let answer = desk.admin.put(&format!("/repository/maven/{path}")).body(bytes).send().await?.expect(&[201]);
    answer.map(drop).map_err(|trouble| Trouble::new(format!("{path}: {trouble:?}")))
}

/// A parent with two modules, and a program elsewhere that needs one of them: it gets the other, and what that one
/// needs of somebody else's.
fn project(desk: &Desk) -> Result<()> {
    let home = desk.config("maven", "pom.xml")?;
    let named = |group: &str, artifact: &str, version: &str| {
        format!("<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>")
    };
    let needs = |what: String| format!("<dependencies><dependency>{what}</dependency></dependencies>");
    let pom = |head: String, rest: &str| format!("<project><modelVersion>4.0.0</modelVersion>{head}{rest}</project>");
    let java = "<properties><maven.compiler.source>8</maven.compiler.source><maven.compiler.target>8\
                </maven.compiler.target><project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>";
    let modules = "<packaging>pom</packaging><modules><module>core</module><module>app</module></modules>";
    let parent = named("com.example", "parent", "1.0");
    desk.write("build/pom.xml", pom(parent.clone(), &format!("{modules}{java}{home}")))?;
    let module = |name: &str| format!("<parent>{parent}</parent><artifactId>{name}</artifactId>");
    desk.write("build/core/pom.xml", pom(module("core"), &needs(named("commons-lang", "commons-lang", "2.6"))))?;
    desk.write("build/app/pom.xml", pom(module("app"), &needs(named("com.example", "core", "${project.version}"))))?;
    let consumer = format!("{java}{}", needs(named("com.example", "app", "[1.0,2.0)")));
    desk.write("consumer/pom.xml", pom(named("org.example", "consumer", "1"), &consumer))?;

    let greet = "return org.apache.commons.lang.StringUtils.capitalize(\"hello\");";
    let main = "public static void main(String[] args) { System.out.println(com.example.App.greet()); }";
    for (path, package, class) in [
        ("build/core", "package com.example;", format!("Core {{ public static String greet() {{ {greet} }} }}")),
        (
            "build/app",
            "package com.example;",
            "App { public static String greet() { return Core.greet() + \" from app\"; } }".to_owned(),
        ),
        ("consumer", "", format!("Consumer {{ {main} }}")),
    ] {
        let name = class.split(' ').next().unwrap_or_default();
        desk.write(&format!("{path}/src/main/java/{name}.java"), format!("{package}\npublic class {class}\n"))?;
    }
    Ok(())
}
