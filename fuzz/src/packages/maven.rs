//! Maven artifacts.

use crate::{answers, archive, request};

pub(crate) fn requests() -> Vec<Vec<u8>> {
    let mut all = super::plain(&[
        "GET com/example/demo/maven-metadata.xml",
        "GET com/example/demo/1.0-SNAPSHOT/maven-metadata.xml.sha1",
        "GET com/example/maven-metadata.xml",
        "GET com/example/demo/1.0/demo-1.0-sources.jar.sha512",
        "GET com/example/demo/1.0-SNAPSHOT/demo-1.0-20240101.010101-1.jar",
        "GET com/example/demo/1.0-SNAPSHOT/demo-1.0-SNAPSHOT-sources.jar.sha1",
        "DELETE com/example/demo/1.0/",
        "PUT com/example/demo/maven-metadata.xml",
    ]);
    let sum = format!("{}  demo-1.0.jar\n", "ab".repeat(20));
    all.push(request::write("PUT com/example/demo/1.0/demo-1.0.jar.sha1", "*/*", "text/plain", sum.as_bytes()));
    all.extend(seeds().iter().map(|seed| put(seed)));
    all
}

/// A file: its address, then the members of an archive, or one member that is the whole file.
pub(crate) fn put(text: &[u8]) -> Vec<u8> {
    let parts = archive::read(text);
    let path = String::from_utf8_lossy(parts.said);
    let whole = parts.members.first().map_or_else(Vec::new, |(_, content)| content.to_vec());
    let body = if path.ends_with(".jar") { archive::zip(&parts.members) } else { whole };
    request::write(&format!("PUT {path}"), "*/*", "application/octet-stream", &body)
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let pom = "<?xml version='1.0' encoding='UTF-8'?>\n<!-- a project --><project xmlns='x'><modelVersion>4.0.0</modelVersion>\
        <parent><groupId>com.example</groupId><artifactId>top</artifactId><version>9</version></parent>\
        <properties><revision>1.0</revision></properties><artifactId>d&#101;mo</artifactId><version>${revision}</version>\
        <packaging>jar</packaging><name><![CDATA[Demo]]></name><dependencies><dependency><groupId>a</groupId>\
        <artifactId>b</artifactId><version>1</version></dependency></dependencies></project>";
    let module = r#"{"formatVersion":"1.1","component":{"group":"com.example","module":"demo","version":"1.0",
        "attributes":{"org.gradle.status":"release"}},"variants":[{"name":"api","files":[{"name":"demo-1.0.jar"}]}]}"#;
    let plugin = "<plugin><name>demo</name><groupId>com.example</groupId><artifactId>demo</artifactId>\
        <version>1.0</version><goalPrefix>demo</goalPrefix></plugin>";
    let snapshot = pom.replace("${revision}", "1.0-SNAPSHOT");
    vec![
        archive::write("com/example/demo/1.0/demo-1.0.pom", &[("", pom)]),
        archive::write("com/example/demo/1.0-SNAPSHOT/demo-1.0-20240101.010101-1.pom", &[("", &snapshot)]),
        archive::write("com/example/demo/1.0-SNAPSHOT/demo-1.0-SNAPSHOT.pom", &[("", &snapshot)]),
        archive::write("com/example/demo/SNAPSHOT/demo-SNAPSHOT-dist.tar.gz", &[("", "x")]),
        archive::write("com/example/demo/1.0/demo-1.0.module", &[("", module)]),
        archive::write("com/example/demo/1.0/demo-1.0.jar", &[("META-INF/maven/plugin.xml", plugin), ("a.class", "x")]),
        archive::write("com/example/demo/1.0/demo-1.0.pom.asc", &[("", "-----BEGIN PGP SIGNATURE-----\n")]),
    ]
}

/// The metadata of an artifact and of a snapshot.
pub(crate) fn upstreams() -> Vec<Vec<u8>> {
    let artifact = "<?xml version=\"1.0\"?><metadata><groupId>com.a</groupId><artifactId>demo</artifactId><versioning>\
        <versions><version>1.0</version><version>2-SNAPSHOT</version></versions></versioning><plugins><plugin><prefix>p</prefix>\
        <artifactId>a</artifactId></plugin></plugins></metadata>";
    let snapshot = "<metadata><version>1-SNAPSHOT</version><versioning><snapshot><timestamp>20260101.000000</timestamp>\
        <buildNumber>2</buildNumber></snapshot><snapshotVersions><snapshotVersion><classifier>c</classifier><extension>jar\
        </extension><value>1-20260101.000000-1</value><updated>20260101000000</updated></snapshotVersion></snapshotVersions>\
        </versioning></metadata>";
    vec![
        answers::write("com/a/demo/maven-metadata.xml", "", &[artifact]),
        answers::write("com/a/demo/1-SNAPSHOT/maven-metadata.xml", "", &[snapshot]),
    ]
}
