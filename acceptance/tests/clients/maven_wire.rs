//! What Gradle and others say to a Maven repository, request by request, where no current client can be had: the order of
//! their uploads, the checksums that they compare, what they ask before they fetch.

use acceptance::Result;
use acceptance::server::Backing;
use acceptance::shelf::hex;
use md5::Md5;
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::desk::Desk;

const AGENT: &str = "Gradle/8.10 (Linux;6.1;amd64) (Debian;17;17)";
const MODULE: &str = "application/vnd.org.gradle.module+json";

#[tokio::test]
async fn gradle_publishes_and_resolves() -> Result<()> {
    let wire = Wire::open().await?;
    let demo = "com/example/demo/1.0/demo-1.0";
    let module = json!({"formatVersion": "1.1", "variants": [],
        "component": {"group": "com.example", "module": "demo", "version": "1.0"}});
    // The order in which `gradle publish` uploads: each file, then its four checksums; the index last.
    wire.publish(&format!("{demo}.jar"), b"jar").await?;
    wire.publish(&format!("{demo}-sources.jar"), b"sources").await?;
    wire.publish(&format!("{demo}.module"), module.to_string().as_bytes()).await?;
    wire.publish(&format!("{demo}.pom"), pom("1.0").as_bytes()).await?;
    wire.publish(&format!("{demo}.jar.asc"), b"-----BEGIN PGP SIGNATURE-----").await?;
    wire.publish("com/example/demo/maven-metadata.xml", b"<metadata>what the client believes</metadata>").await?;

    // Each file and index has its four checksums, and they are those of what is served.
    for path in
        ["demo/1.0/demo-1.0.jar", "demo/1.0/demo-1.0.module", "demo/1.0/demo-1.0.jar.asc", "demo/maven-metadata.xml"]
    {
        let path = format!("com/example/{path}");
        let body = wire.get(&path).await?;
        for (word, sum) in sums(body.as_bytes()) {
            assert_eq!(wire.get(&format!("{path}.{word}")).await?, sum, "{path}.{word}");
        }
    }
    // A look before the fetch, as for a dynamic version.
    let index = wire.get("com/example/demo/maven-metadata.xml").await?;
    assert!(index.contains("<release>1.0</release>") && !index.contains("believes"), "{index}");
    let head = wire.desk.admin.head(&wire.at(&format!("{demo}.module"))).header("User-Agent", AGENT).send().await?;
    let head = head.expect(&[200])?;
    assert_eq!(head.header("content-type"), Some(MODULE));
    assert_eq!(head.header("content-length"), Some(module.to_string().len().to_string().as_str()));
    let sha1 = sums(module.to_string().as_bytes()).into_iter().find(|(word, _)| *word == "sha1").map(|(_, sum)| sum);
    assert_eq!(head.header("x-checksum-sha1").map(str::to_owned), sha1);
    for missing in
        ["com/example/demo/1.0/demo-1.0.war", "com/example/none/maven-metadata.xml", "com/none/x/1/x-1.pom.sha1"]
    {
        // From 3.9.11 on Maven takes a problem document for a transfer that failed, and deploys no snapshot.
        let answer = wire.desk.admin.get(&wire.at(missing)).send().await?.expect(&[404])?;
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{missing}");
        assert!(answer.text().contains("not found"), "{}", answer.text());
    }
    // Asked again: unchanged.
    for path in [format!("{demo}.jar"), format!("{demo}.jar.sha256"), "com/example/demo/maven-metadata.xml".to_owned()]
    {
        let first = wire.desk.admin.get(&wire.at(&path)).send().await?.expect(&[200])?;
        let tag = first.header("etag").unwrap_or_default().to_owned();
        wire.desk.admin.get(&wire.at(&path)).header("If-None-Match", tag).send().await?.expect(&[304])?;
    }
    Ok(())
}

/// Coursier completes names from the pages of folders, for whatever it is sent: a link is a name, a folder's ends with a
/// slash.
#[tokio::test]
async fn a_folder_is_a_page_to_whoever_does_not_ask_for_json() -> Result<()> {
    let wire = Wire::open().await?;
    wire.publish("com/example/demo/1.0/demo-1.0.jar", b"jar").await?;
    for number in 0..60 {
        wire.publish(&format!("com/example/part-{number}/1.0/part-{number}-1.0.jar"), b"jar").await?;
    }
    for (accept, kind) in [
        (Some("*/*"), "text/html; charset=utf-8"),
        (None, "text/html; charset=utf-8"),
        (Some("application/json"), "application/json"),
        (Some("application/json, */*;q=0.5"), "application/json"),
    ] {
        let request = wire.desk.admin.get(&wire.at("com/example/"));
        let request = accept.into_iter().fold(request, |request, accept| request.header("Accept", accept));
        let answer = request.send().await?.expect(&[200])?;
        assert_eq!(answer.header("content-type"), Some(kind), "{accept:?}");
        if kind.starts_with("text/html") {
            let links = answer.text().matches("<td><a href=\"").count();
            assert!(answer.text().contains("href=\"demo/\"") && links == 61, "{links}: {}", answer.text());
        }
    }
    let json = wire.desk.admin.get(&wire.at("com/?format=json")).header("Accept", "*/*").send().await?;
    assert_eq!(json.expect(&[200])?.json()?["items"][0]["name"], "example");
    Ok(())
}

#[tokio::test]
async fn snapshots_are_kept_by_build_and_read_by_kind() -> Result<()> {
    let wire = Wire::open().await?;
    let at = |build: &str, tail: &str| format!("com/example/demo/1.1-SNAPSHOT/demo-1.1-{build}{tail}");
    let (first, second) = ("20260101.101010-1", "20260102.101010-2");
    wire.publish(&at(first, ".jar"), b"one").await?;
    wire.publish(&at(first, "-linux.tar.gz"), b"one").await?;
    wire.publish(&at(second, ".jar"), b"two").await?;
    wire.publish(&at(second, ".pom"), pom("1.1-SNAPSHOT").as_bytes()).await?;
    // A race: an older build's file comes late and does not turn the clock back.
    wire.publish(&at(first, ".pom"), pom("1.1-SNAPSHOT").as_bytes()).await?;
    let index = wire.get("com/example/demo/1.1-SNAPSHOT/maven-metadata.xml").await?;
    for part in [
        "<timestamp>20260102.101010</timestamp>",
        "<buildNumber>2</buildNumber>",
        "<classifier>linux</classifier>\n        <extension>tar.gz</extension>\n        <value>1.1-20260101.101010-1</value>",
        "<extension>jar</extension>\n        <value>1.1-20260102.101010-2</value>",
    ] {
        assert!(index.contains(part), "{part}: {index}");
    }
    assert_eq!(wire.get("com/example/demo/maven-metadata.xml").await?.matches("1.1-SNAPSHOT").count(), 2);
    // Neither a pattern is a snapshot, nor a build a version.
    for path in [
        "com/example/demo/1.*-SNAPSHOT/demo-1.*-SNAPSHOT.jar",
        "com/example/demo/1.1-20260101.101010-1/demo-1.1-20260101.101010-1.jar",
    ] {
        wire.refused(path, b"x", 400, "").await?;
    }
    wire.desk
        .admin
        .get(&wire.at("com/example/demo/1.*-SNAPSHOT/maven-metadata.xml"))
        .send()
        .await?
        .expect(&[404])
        .map(drop)
}

#[tokio::test]
async fn contradictions_are_refused_and_leave_nothing_behind() -> Result<()> {
    let wire = Wire::open().await?;
    let jar = "com/example/demo/1.0/demo-1.0.jar";
    let sha1 = |bytes: &[u8]| {
        sums(bytes).into_iter().find(|(word, _)| *word == "sha1").map(|(_, sum)| sum).unwrap_or_default()
    };
    wire.refused(&format!("{jar}.sha1"), sha1(b"jar").as_bytes(), 409, "before its checksum").await?;
    wire.publish(jar, b"jar").await?;
    wire.publish(jar, b"jar").await?;
    wire.refused(jar, b"other", 409, "published files never change").await?;
    wire.refused(&format!("{jar}.sha1"), sha1(b"other").as_bytes(), 422, "the sha1 of").await?;
    wire.refused(&format!("{jar}.md5"), b"no digits", 400, "is no md5").await?;
    let at = "com/example/demo/1.0/demo-1.0.pom";
    wire.refused(at, pom("2.0").as_bytes(), 422, "version \"2.0\", its path says \"1.0\"").await?;
    wire.refused(at, b"<!DOCTYPE project [<!ENTITY a \"b\">]><project/>", 422, "document type").await?;
    let module = json!({"component": {"group": "com.evil", "module": "demo", "version": "1.0"}}).to_string();
    wire.refused("com/example/demo/1.0/demo-1.0.module", module.as_bytes(), 422, "group \"com.evil\"").await?;
    for path in [
        "com/example/../demo/1.0/demo-1.0.jar",
        "com/%2e%2e/demo/1.0/demo-1.0.jar",
        "com.example/demo/1.0/demo-1.0.jar",
    ] {
        wire.refused(path, b"x", 400, "").await?;
    }
    // Nothing of what was refused is there.
    let listed =
        wire.desk.admin.get(&wire.at("com/example/demo/1.0/?format=json")).send().await?.expect(&[200])?.json()?;
    assert_eq!(listed.pointer("/items").and_then(|items| items.as_array()).map(Vec::len), Some(1), "{listed}");
    // Who is nobody is asked for a token, and told so where Gradle shows it.
    let nobody =
        wire.desk.server.http()?.get(&wire.at(jar)).header("User-Agent", AGENT).send().await?.expect(&[401])?;
    assert!(nobody.all("www-authenticate").any(|challenge| challenge.starts_with("Basic")));
    Ok(())
}

#[tokio::test]
async fn a_group_tells_of_its_plugins_and_an_artifact_of_the_same_path_of_both() -> Result<()> {
    let wire = Wire::open().await?;
    wire.publish("com/example/tools/hello-maven-plugin/1.0/hello-maven-plugin-1.0.jar", &plugin()).await?;
    let group = wire.get("com/example/tools/maven-metadata.xml").await?;
    assert!(group.contains("<prefix>hello</prefix>") && !group.contains("<versioning>"), "{group}");
    assert_eq!(wire.get("com/example/tools/maven-metadata.xml.md5").await?, hex(&Md5::digest(group.as_bytes())));
    wire.publish("com/example/tools/1.0/tools-1.0.jar", b"jar").await?;
    let both = wire.get("com/example/tools/maven-metadata.xml").await?;
    assert!(both.contains("<prefix>hello</prefix>") && both.contains("<release>1.0</release>"), "{both}");
    wire.desk.admin.delete(&wire.at("com/example/tools/hello-maven-plugin/1.0/")).send().await?.expect(&[204])?;
    let rest = wire.get("com/example/tools/maven-metadata.xml").await?;
    assert!(!rest.contains("<prefix>") && rest.contains("<release>1.0</release>"), "{rest}");
    Ok(())
}

/// A client that speaks as Gradle does.
pub(crate) struct Wire {
    pub(crate) desk: Desk,
}

impl Wire {
    pub(crate) async fn open() -> Result<Wire> {
        Ok(Wire { desk: Desk::open(Backing::Embedded, "maven").await? })
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("/repository/{}/{path}", self.desk.key)
    }

    /// A file, then its checksums in Gradle's order.
    pub(crate) async fn publish(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let token = self.desk.admin.token();
        let put = |path: &str| {
            let put = self.desk.admin.put(&self.at(path)).anonymous();
            put.basic("token", token).header("User-Agent", AGENT).header("Content-Type", "application/octet-stream")
        };
        put(path).body(bytes.to_vec()).send().await?.expect(&[201])?;
        for (word, sum) in sums(bytes) {
            put(&format!("{path}.{word}")).body(sum).send().await?.expect(&[201])?;
        }
        Ok(())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<String> {
        let get = self.desk.admin.get(&self.at(path)).header("User-Agent", AGENT);
        Ok(get.send().await?.expect(&[200])?.text())
    }

    /// It is refused, for this reason.
    pub(crate) async fn refused(&self, path: &str, bytes: &[u8], status: u16, why: &str) -> Result<()> {
        let put = self.desk.admin.put(&self.at(path)).header("User-Agent", AGENT).body(bytes.to_vec());
        let answer = put.send().await?.expect(&[status])?;
        let detail = answer.string("/detail")?;
        assert!(detail.contains(why), "{path}: {detail}");
        Ok(())
    }
}

pub(crate) fn pom(version: &str) -> String {
    format!(
        "<project><groupId>com.example</groupId><artifactId>demo</artifactId><version>{version}</version></project>"
    )
}

pub(crate) fn sums(bytes: &[u8]) -> [(&'static str, String); 4] {
    [
        ("sha1", hex(&Sha1::digest(bytes))),
        ("md5", hex(&Md5::digest(bytes))),
        ("sha256", hex(&Sha256::digest(bytes))),
        ("sha512", hex(&Sha512::digest(bytes))),
    ]
}

/// A plugin's archive: its descriptor, stored as it is.
fn plugin() -> Vec<u8> {
    let (name, content) = ("META-INF/maven/plugin.xml", "<plugin><goalPrefix>hello</goalPrefix></plugin>");
    let short = |number: usize| u16::try_from(number).unwrap_or_default().to_le_bytes();
    let long = |number: usize| u32::try_from(number).unwrap_or_default().to_le_bytes();
    let common =
        [&[20, 0, 0, 0, 0, 0][..], &[0; 8], &long(content.len()), &long(content.len()), &short(name.len()), &[0; 2]];
    let common = common.concat();
    let file = [b"PK\x03\x04".as_slice(), &common, name.as_bytes(), content.as_bytes()].concat();
    let entry = [b"PK\x01\x02\x14\0".as_slice(), &common, &[0; 10], &long(0), name.as_bytes()].concat();
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &short(1), &short(1), &long(entry.len()), &long(file.len()), &[0; 2]];
    [file, entry, end.concat()].concat()
}
