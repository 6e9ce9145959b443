//! Snapshots whose files have one name for every build: put by Ivy and by hand, read by that name and by Maven.

use std::sync::atomic::{AtomicBool, Ordering};

use acceptance::Result;
use acceptance::http::Answer;
use acceptance::server::Backing;
use serde_json::json;

use crate::desk::{Deed, Desk};
use crate::maven::{GET, mvn, settings};
use crate::maven_wire::{Wire, pom, sums};

const GUIDE: &str = "docs/formats/maven.md";
const IVY: &str = "/usr/share/java/ivy.jar";
const LINE: &str = "com/example/demo/1.1-SNAPSHOT";
const JAR: &str = "com/example/demo/1.1-SNAPSHOT/demo-1.1-SNAPSHOT.jar";

#[tokio::test]
async fn ivy_publishes_snapshots_that_it_and_maven_resolve() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "maven").await?;
    let token = desk.admin.token();
    let shown = desk.shown(GUIDE, "xml", 2, token)?.replace("/libs/", &format!("/{}/", desk.key));
    desk.write("ivysettings.xml", &shown)?;
    desk.write("stranger.xml", shown.replace(token, "not-a-token"))?;
    desk.write("demo.pom", pom("1.1-SNAPSHOT"))?;
    let artifact = |kind: &str| format!("<artifact name=\"demo\" type=\"{kind}\" ext=\"{kind}\"/>");
    let info = "<info organisation=\"com.example\" module=\"demo\" revision=\"1.1-SNAPSHOT\"/>";
    let module = format!("<publications>{}{}</publications>", artifact("jar"), artifact("pom"));
    desk.write("ivy.xml", format!("<ivy-module version=\"2.0\">{info}{module}</ivy-module>"))?;
    let depends =
        "<dependency org=\"com.example\" name=\"demo\" rev=\"1.1-SNAPSHOT\" changing=\"true\" conf=\"default\"/>";
    let user = "<info organisation=\"x\" module=\"y\" revision=\"1\"/>";
    desk.write(
        "user.xml",
        format!("<ivy-module version=\"2.0\">{user}<dependencies>{depends}</dependencies></ivy-module>"),
    )?;

    for content in ["first", "second"] {
        desk.write("demo.jar", content)?;
        let publish = ivy(&desk, "ivysettings.xml", "ivy.xml")?.args(["-publish", "publish", "-overwrite"]);
        publish.args(["-publishpattern", "[artifact].[ext]", "-revision", "1.1-SNAPSHOT"]).works()?;
        let retrieve = ivy(&desk, "ivysettings.xml", "user.xml")?;
        retrieve.args(["-retrieve", "lib/[artifact].[ext]", "-refresh"]).works()?;
        assert_eq!(std::fs::read_to_string(desk.home.join("lib/demo.jar"))?, content);
        settings(&desk)?;
        let from = format!("-DremoteRepositories=ours::::{}", desk.url()?);
        let get = mvn(&desk, token, "clean")?.args([GET, "-U", "-Dartifact=com.example:demo:1.1-SNAPSHOT", &from]);
        get.works()?;
        let resolved = desk.home.join("clean/com/example/demo/1.1-SNAPSHOT/demo-1.1-SNAPSHOT.jar");
        assert_eq!(std::fs::read_to_string(resolved)?, content);
    }
    let index = desk.admin.get(&format!("/repository/{}/{LINE}/maven-metadata.xml", desk.key)).send().await?;
    assert!(index.expect(&[200])?.text().contains("<buildNumber>2<"));
    let stranger = ivy(&desk, "stranger.xml", "ivy.xml")?.args(["-publish", "publish", "-overwrite"]);
    let stranger = stranger.args(["-publishpattern", "[artifact].[ext]", "-revision", "1.1-SNAPSHOT"]);
    stranger.fails_saying(&["refused by the server: the token is unknown"]).map(drop)
}

fn ivy(desk: &Desk, settings: &str, module: &str) -> Result<Deed> {
    let home = format!("-Duser.home={}", desk.home.display());
    let deed = desk.command("java")?.args(["-XX:TieredStopAtLevel=1", &home, "-jar", IVY, "-settings", settings]);
    Ok(deed.args(["-cache", "cache", "-ivy", module]).at(desk.home.clone()))
}

#[tokio::test]
async fn one_name_stands_for_the_youngest_build_wherever_it_is_read() -> Result<()> {
    let wire = Wire::open().await?;
    let admin = &wire.desk.admin;
    for (key, repository) in [
        ("all", json!({"repoType": "virtual", "memberRepos": [wire.desk.key]})),
        (
            "far",
            json!({"repoType": "remote", "upstreamUrl": wire.desk.url()?, "upstreamAuth": {"kind": "basic", "user": "token", "password": admin.token()}}),
        ),
    ] {
        let mut body = repository;
        body["repoKey"] = json!(key);
        body["format"] = json!("maven");
        admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
    }
    let read = async |key: &str, path: &str| -> Result<Answer> {
        admin.get(&format!("/repository/{key}/{path}")).send().await
    };
    read(wire.desk.key, JAR).await?.expect(&[404])?;
    wire.publish(JAR, b"first").await?;
    wire.publish(&format!("{LINE}/demo-1.1-SNAPSHOT-sources.jar"), b"sources").await?;
    wire.publish(&format!("{LINE}/demo-1.1-SNAPSHOT.pom"), pom("1.1-SNAPSHOT").as_bytes()).await?;
    let first = read(wire.desk.key, JAR).await?.expect(&[200])?;
    assert_eq!((first.text().as_str(), first.header("cache-control")), ("first", Some("private, no-cache")));
    let tag = first.header("etag").unwrap_or_default().to_owned();
    let again = || admin.get(&wire.at(JAR)).header("If-None-Match", tag.clone());
    again().send().await?.expect(&[304])?;
    let part = admin.get(&wire.at(JAR)).header("Range", "bytes=1-2").send().await?.expect(&[206])?;
    assert_eq!(part.text(), "ir");
    admin.head(&wire.at(JAR)).send().await?.expect(&[200])?;

    wire.publish(JAR, b"second").await?;
    again().send().await?.expect(&[200])?;
    for key in [wire.desk.key, "all", "far"] {
        let answer = read(key, JAR).await?.expect(&[200])?;
        let cache = answer.header("cache-control").unwrap_or_default();
        assert_eq!((answer.text().as_str(), cache.ends_with("no-cache")), ("second", true), "{key}: {cache}");
        for (word, sum) in sums(b"second") {
            assert_eq!(read(key, &format!("{JAR}.{word}")).await?.expect(&[200])?.text(), sum, "{key} {word}");
        }
        // Of the build before: this one has no such file.
        let sources = read(key, &format!("{LINE}/demo-1.1-SNAPSHOT-sources.jar")).await?.expect(&[200])?;
        assert_eq!(sources.text(), "sources", "{key}");
        let missing = read(key, &format!("{LINE}/demo-1.1-SNAPSHOT.war")).await?.expect(&[404])?;
        assert!(missing.text().contains("no build of demo 1.1-SNAPSHOT has such a file"), "{}", missing.text());
    }

    wire.refused(&format!("{JAR}.sha1"), b"0000000000000000000000000000000000000000", 422, "the sha1 of").await?;
    wire.refused(&format!("{LINE}/demo-1.1-SNAPSHOT.pom"), pom("1.2-SNAPSHOT").as_bytes(), 422, "its path says")
        .await?;
    let kept = admin.delete(&wire.at(JAR)).send().await?.expect(&[400])?;
    assert!(kept.text().contains("one by one"), "{}", kept.text());
    Ok(())
}

#[tokio::test]
async fn a_build_of_one_name_in_two_members_has_the_files_of_both() -> Result<()> {
    let wire = Wire::open().await?;
    let admin = &wire.desk.admin;
    for body in [
        json!({"repoKey": "more", "format": "maven", "repoType": "local"}),
        json!({"repoKey": "all", "format": "maven", "repoType": "virtual", "memberRepos": [wire.desk.key, "more"]}),
    ] {
        admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
    }
    let build = format!("{LINE}/demo-1.1-20260101.101010-1");
    for (key, tail, content) in [
        (wire.desk.key, ".jar", "of the first"),
        ("more", ".jar", "of the second"),
        ("more", "-sources.jar", "of the second alone"),
    ] {
        let put = admin.put(&format!("/repository/{key}/{build}{tail}")).body(content);
        put.send().await?.expect(&[201])?;
    }
    let read = async |path: &str| -> Result<String> {
        Ok(admin.get(&format!("/repository/all/{LINE}/{path}")).send().await?.expect(&[200])?.text())
    };
    let index = read("maven-metadata.xml").await?;
    assert_eq!(index.matches("<value>1.1-20260101.101010-1</value>").count(), 2, "{index}");
    assert_eq!(read("demo-1.1-SNAPSHOT.jar").await?, "of the first");
    assert_eq!(read("demo-1.1-SNAPSHOT-sources.jar").await?, "of the second alone");
    Ok(())
}

#[tokio::test]
async fn a_time_says_nothing_of_a_name_that_moves() -> Result<()> {
    let wire = Wire::open().await?;
    let admin = &wire.desk.admin;
    let all = json!({"repoKey": "all", "format": "maven", "repoType": "virtual", "memberRepos": [wire.desk.key]});
    admin.post("/v1/repos").json(&all).send().await?.expect(&[201])?;
    for content in ["first", "second"] {
        wire.publish(JAR, content.as_bytes()).await?;
    }
    let second = admin.get(&wire.at(JAR)).send().await?.expect(&[200])?;
    let time = second.header("last-modified").unwrap_or_default().to_owned();
    let build = newest(&wire).await?;
    admin.delete(&wire.at(&format!("{LINE}/demo-{build}.jar"))).send().await?.expect(&[204])?;
    for key in [wire.desk.key, "all"] {
        let ask = || admin.get(&format!("/repository/{key}/{JAR}"));
        for answer in [
            ask().header("If-Modified-Since", &time),
            ask().header("If-Unmodified-Since", "Mon, 01 Jan 2024 00:00:00 GMT"),
            ask().header("If-Range", &time).header("Range", "bytes=2-3"),
        ] {
            assert_eq!(answer.send().await?.expect(&[200])?.text(), "first", "{key}");
        }
    }
    Ok(())
}

/// The youngest build, as the index names it.
async fn newest(wire: &Wire) -> Result<String> {
    let index =
        wire.desk.admin.get(&wire.at(&format!("{LINE}/maven-metadata.xml"))).send().await?.expect(&[200])?.text();
    let value = index.split("<value>").nth(1).and_then(|rest| rest.split('<').next());
    Ok(value.unwrap_or_default().to_owned())
}

#[tokio::test]
async fn whoever_reads_while_a_build_is_withdrawn_gets_another() -> Result<()> {
    let wire = Wire::open().await?;
    let admin = &wire.desk.admin;
    wire.publish(JAR, b"kept").await?;
    let over = AtomicBool::new(false);
    let reads = async || -> Result<()> {
        while !over.load(Ordering::Relaxed) {
            admin.get(&wire.at(JAR)).send().await?.expect(&[200])?;
        }
        Ok(())
    };
    let writes = async || -> Result<()> {
        for number in 0..40 {
            wire.publish(JAR, format!("build {number}").as_bytes()).await?;
            let build = newest(&wire).await?;
            admin.delete(&wire.at(&format!("{LINE}/demo-{build}.jar"))).send().await?.expect(&[204])?;
        }
        Ok(())
    };
    let writes = async || {
        let done = writes().await;
        over.store(true, Ordering::Relaxed);
        done
    };
    let (writes, one, other) = tokio::join!(writes(), reads(), reads());
    writes.and(one).and(other)
}
