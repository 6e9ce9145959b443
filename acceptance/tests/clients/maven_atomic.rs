//! Deployments to a repository with `atomicDeploy`, request by request: others see nothing of a version, and then all,
//! also when the server is killed in between, and when nobody says that it is complete.

use std::time::{Duration, Instant};

use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble};
use serde_json::json;

use crate::desk::Desk;
use crate::maven_wire::{Wire, pom};

const DEMO: &str = "com/example/demo/1.0/demo-1.0";
const INDEX: &str = "com/example/demo/maven-metadata.xml";

/// A client at a repository with the setting, and somebody who may read and write there too.
async fn open(backing: Backing, quiet_seconds: &str) -> Result<(Wire, Persona)> {
    let plan = Server::plan(backing).variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0");
    let server = plan.variable("ARTIFORTRESS_VERSIONS_DEPLOY_QUIET_SECONDS", quiet_seconds).start().await?;
    let admin = server.admin()?.token().to_owned();
    let body =
        json!({"repoKey": "maven", "format": "maven", "anonymousRead": true, "settings": {"atomicDeploy": true}});
    server.admin()?.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
    let rita = server.persona("rita")?.with("repo:maven:write").arrive().await?;
    Ok((Wire { desk: Desk::at(server, "maven", admin)? }, rita))
}

/// Which of these paths a person is answered with; all others are 404.
async fn visible(wire: &Wire, person: &Persona, paths: &[&str]) -> Result<usize> {
    let mut visible = 0;
    for path in paths {
        visible += usize::from(person.get(&wire.at(path)).send().await?.expect(&[200, 404])?.status == 200);
    }
    Ok(visible)
}

#[tokio::test]
async fn a_version_appears_with_its_metadata_also_after_a_kill() -> Result<()> {
    let (mut wire, rita) = open(Backing::Embedded, "86400").await?;
    let (jar, the_pom) = (format!("{DEMO}.jar"), format!("{DEMO}.pom"));
    let (jar_sum, pom_sum, folder) = (format!("{jar}.sha256"), format!("{the_pom}.md5"), "com/example/demo/1.0/");
    let all = [&jar, &jar_sum, &the_pom, &pom_sum, INDEX, folder, "com/"];
    wire.publish(&jar, b"jar").await?;
    assert_eq!(visible(&wire, &rita, &all).await?, 0);
    assert_eq!(wire.get(&jar).await?, "jar", "who sent it reads it");
    for path in [&jar, &jar_sum] {
        let own = wire.desk.admin.get(&wire.at(path)).send().await?.expect(&[200])?;
        assert_eq!(own.header("cache-control"), Some("private, no-store"), "no cache hands it to others");
    }
    rita.put(&wire.at(&the_pom)).body(pom("1.0")).send().await?.expect(&[409])?;
    rita.put(&wire.at(INDEX)).body("<metadata/>").send().await?.expect(&[201])?;
    wire.refused(&jar, b"other", 409, "published files never change").await?;
    wire.refused(&format!("{jar}.sha1"), b"0123456789012345678901234567890123456789", 422, "the sha1 of").await?;

    wire.desk.server.kill9()?;
    wire.desk.server.resume().await?;
    wire.publish(&jar, b"jar").await?;
    wire.publish(&the_pom, pom("1.0").as_bytes()).await?;
    assert_eq!(visible(&wire, &rita, &all).await?, 0);
    wire.publish(INDEX, b"<metadata>what the client believes</metadata>").await?;
    assert_eq!(visible(&wire, &rita, &all).await?, all.len());
    let theirs = wire.desk.server.http()?.get(&wire.at(&jar)).send().await?.expect(&[200])?;
    assert_eq!(theirs.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let index = rita.get(&wire.at(INDEX)).send().await?.expect(&[200])?.text();
    assert!(index.contains("<release>1.0</release>") && !index.contains("believes"), "{index}");
    let published = "/v1/audit?action=package.version.published";
    let events = wire.desk.admin.get(published).send().await?.expect(&[200])?.json()?;
    assert!(events.pointer("/items/1").is_none(), "one event: {events}");
    Ok(())
}

#[tokio::test]
async fn builds_of_a_snapshot_appear_one_after_the_other() -> Result<()> {
    let (wire, rita) = open(Backing::Embedded, "86400").await?;
    let lines = "com/example/demo/1.1-SNAPSHOT/maven-metadata.xml";
    for number in 1..=2 {
        let build = format!("com/example/demo/1.1-SNAPSHOT/demo-1.1-2026010{number}.101010-{number}");
        let (jar, the_pom) = (format!("{build}.jar"), format!("{build}.pom"));
        wire.publish(&jar, b"jar").await?;
        wire.publish(&the_pom, pom("1.1-SNAPSHOT").as_bytes()).await?;
        // As Maven does: the index of the line first, that of the artifact last.
        wire.publish(lines, b"<metadata/>").await?;
        assert_eq!(visible(&wire, &rita, &[&jar, &the_pom]).await?, 0);
        let before = rita.get(&wire.at(lines)).send().await?;
        let names = |text: &str| text.contains(&format!("<buildNumber>{number}</buildNumber>"));
        assert!((before.status == 404) == (number == 1) && !names(&before.text()), "{}", before.text());
        wire.publish(INDEX, b"<metadata/>").await?;
        assert_eq!(visible(&wire, &rita, &[&jar, &the_pom]).await?, 2);
        assert!(names(&rita.get(&wire.at(lines)).send().await?.expect(&[200])?.text()));
    }
    Ok(())
}

/// Plain PUTs have no end that is announced: a worker, here in a process of its own, ends the wait.
#[tokio::test]
async fn plain_puts_appear_after_a_quiet_period() -> Result<()> {
    let (wire, rita) = open(Backing::Scaled, "2").await?;
    let (jar, sources) = (format!("{DEMO}.jar"), format!("{DEMO}-sources.jar"));
    let begun = Instant::now();
    for path in [&jar, &sources] {
        wire.desk.admin.put(&wire.at(path)).body("bytes").send().await?.expect(&[201])?;
    }
    let early = visible(&wire, &rita, &[&jar, &sources, INDEX]).await?;
    assert!(early == 0 || begun.elapsed() >= Duration::from_secs(2), "{early} are there after {:?}", begun.elapsed());
    loop {
        // The one that was sent first is asked for first: with it, the other is there.
        let first = visible(&wire, &rita, &[&jar]).await?;
        if first == 1 {
            return match visible(&wire, &rita, &[&sources, INDEX]).await? {
                2 => Ok(()),
                part => Err(Trouble::new(format!("{part} of the rest is there"))),
            };
        }
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(Trouble::new("it never appeared"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
