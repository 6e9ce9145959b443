//! What package managers do: files join and may come again, what they say of files is compared, indexes and checksums
//! are remembered.

use bytes::Bytes;
use formats::{Algorithm, Asked, Method, Operation, Site};
use model::Code;
use registry::{Error, Grant, Read, RepoSettings, Result, Write};

use crate::bench::Bench;
use crate::statements::{cost, written};

const JAR: &str = "com/example/demo/1.0/demo-1.0.jar";

/// What an address of a Maven repository means.
fn operation(method: Method, at: &str) -> Operation {
    let format = formats::by_key("maven").expect("the format");
    format.parse(&Asked::plain(method, at)).expect("an operation")
}

async fn put(grant: &Grant<Write>, at: &str, bytes: &[u8]) -> Result<()> {
    let Operation::Receive(intake) = operation(Method::Put, at) else { return Err(Error::bad_request("no body")) };
    let mut receiving = grant.take_in(intake);
    receiving.write(Bytes::copy_from_slice(bytes)).await?;
    receiving.end().await?.perform().await.map(drop)
}

async fn refused(grant: &Grant<Write>, at: &str, bytes: &[u8]) -> Option<Code> {
    put(grant, at, bytes).await.expect_err("it was taken").code()
}

/// What is read there, as text.
async fn read(grant: &Grant<Read>, at: &str) -> String {
    let site = Site { base: "http://here/repository/libs", auth_required: true, subject: None };
    match operation(Method::Get, at) {
        Operation::Index(package, view) => {
            let shown = grant.index(&package, view, &site).await.expect("an index");
            String::from_utf8_lossy(shown.body()).into_owned()
        }
        Operation::Part(package, part, view) => {
            let shown = grant.part(&package, &part, view, &site).await.expect("an index");
            String::from_utf8_lossy(shown.body()).into_owned()
        }
        Operation::Checksum(of, algorithm) => match *of {
            Operation::Index(package, view) => {
                let shown = grant.index(&package, view, &site).await.expect("an index");
                shown.checksum(algorithm).to_owned()
            }
            Operation::Fetch(path) => {
                grant.find(&path).await.expect("a file").checksum(algorithm).await.expect("a checksum")
            }
            _ => String::new(),
        },
        _ => String::new(),
    }
}

async fn both() -> [Bench; 2] {
    [Bench::sqlite().await, Bench::postgres().await]
}

#[tokio::test]
async fn the_same_again_is_fine_and_something_else_is_not() {
    for bench in both().await {
        let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
        let grant = bench.grant::<Write>(&repo).await;
        assert_eq!(refused(&grant, &format!("{JAR}.md5"), &[b'0'; 32]).await, Some(Code::Conflict));
        for _ in 0..2 {
            put(&grant, JAR, b"jar").await.expect("stored");
        }
        assert_eq!(refused(&grant, JAR, b"other").await, Some(Code::Conflict));
        assert_eq!(bench.count("SELECT count(*) FROM entries").await, 1);
        assert_eq!(refused(&grant, &format!("{JAR}.md5"), &[b'0'; 32]).await, Some(Code::Unprocessable));

        let reading = grant.to_read();
        for algorithm in [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
            let at = format!("{JAR}.{}", algorithm.word());
            let sum = read(&reading, &at).await;
            put(&grant, &at, sum.to_uppercase().as_bytes()).await.expect("the checksum of what is there");
        }
    }
}

#[tokio::test]
async fn embedded_warm_indexes_and_checksums_send_nothing() {
    let bench = Bench::sqlite().await;
    let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
    let grant = bench.grant::<Write>(&repo).await;
    put(&grant, JAR, b"jar").await.expect("stored");
    put(&grant, "com/example/demo/1.1-SNAPSHOT/demo-1.1-20260101.101010-1.jar", b"jar").await.expect("stored");
    let reading = grant.to_read();
    for at in [
        "com/example/demo/maven-metadata.xml",
        "com/example/demo/maven-metadata.xml.sha1",
        "com/example/demo/1.1-SNAPSHOT/maven-metadata.xml",
        "com/example/demo/1.0/demo-1.0.jar.sha1",
    ] {
        let first = read(&reading, at).await;
        let (statements, again) = cost(read(&reading, at)).await;
        assert_eq!((statements, again), (0, first), "{at}");
    }
}

#[tokio::test]
async fn a_file_costs_a_fixed_number_of_statements() {
    let (first, joining) = (16, 15);
    for bench in both().await {
        let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
        let grant = bench.grant::<Write>(&repo).await;
        put(&grant, JAR, b"zero").await.expect("stored");
        for (tail, most) in [(".jar", first), ("-sources.jar", joining)] {
            let mut sent = Vec::new();
            for version in ["2", "3"] {
                let before = written(&bench.registry).await;
                let at = format!("com/example/demo/{version}/demo-{version}{tail}");
                put(&grant, &at, at.as_bytes()).await.expect("stored");
                sent.push(written(&bench.registry).await - before);
            }
            assert!(sent[0] == sent[1] && sent[0] <= most, "{tail} {:?} {sent:?}", bench.registry.store().engine());
        }
    }
}

#[tokio::test]
async fn a_group_is_seen_by_the_readers_of_an_index() {
    for bench in both().await {
        let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
        let grant = bench.grant::<Write>(&repo).await;
        put(&grant, JAR, b"jar").await.expect("stored");
        let reading = grant.to_read();
        let at = "com/example/demo/maven-metadata.xml";
        assert!(!read(&reading, at).await.contains("<prefix>"));
        // A plugin of the group that has the artifact's path.
        let path = "com/example/demo/hello-plugin/1/hello-plugin-1.jar";
        put(&grant, path, PLUGIN).await.expect("stored");
        let text = read(&reading, at).await;
        assert!(text.contains("<prefix>hi</prefix>") && text.contains("<release>1.0</release>"), "{text}");
        assert!(read(&reading, "com/example/demo/hello-plugin/maven-metadata.xml").await.contains("<release>1<"));
    }
}

/// An archive with a plugin's descriptor, stored as it is.
const PLUGIN: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x2c\0\0\0\x2c\0\0\0\x19\0\0\0META-INF/maven/plugin.xml<plugin><goalPrefix>hi</goalPrefix></plugin>PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x2c\0\0\0\x2c\0\0\0\x19\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0META-INF/maven/plugin.xmlPK\x05\x06\0\0\0\0\x01\0\x01\0\x47\0\0\0\x63\0\0\0\0\0";
