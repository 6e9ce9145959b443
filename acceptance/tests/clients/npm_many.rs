//! A package with many versions, as npm sees it.

use std::io::Write as _;

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value as Json, json};
use sha2::Digest as _;

use crate::desk::{Deed, Desk};
use crate::node::{client, set_up};

const NAME: &str = "@acme/many";
const SHORT: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";
const COUNT: usize = 500;

/// 1.0.0 to 1.24.19: in the order of texts 1.9.19 would be the last.
fn number(of: usize) -> String {
    format!("1.{}.{}", of / 20, of % 20)
}

fn package(of: usize) -> Json {
    let needs = json!({"base-lib": format!("^1.{of}.0")});
    json!({"name": NAME, "version": number(of), "license": "MIT", "main": "index.js", "dependencies": needs,
        "scripts": {"test": "node -e 0"}, "keywords": ["many"]})
}

fn archive(package: &Json) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in [("package/package.json", package.to_string()), ("package/index.js", "1".to_owned())] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_bytes())?;
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&tar.into_inner()?)?;
    Ok(packed.finish()?)
}

fn integrity(archive: &[u8]) -> String {
    format!("sha512-{}", STANDARD.encode(sha2::Sha512::digest(archive)))
}

/// Publishes one version as npm does.
async fn publish(desk: &Desk, of: usize) -> Result<String> {
    let (package, number) = (package(of), number(of));
    let archive = archive(&package)?;
    let (integrity, length) = (integrity(&archive), archive.len());
    let mut version = package;
    version["dist"] = json!({"integrity": integrity});
    let body = json!({
        "_id": NAME, "name": NAME, "dist-tags": {"history": number}, "versions": {&number: version},
        "_attachments": {format!("{NAME}-{number}.tgz"): {"content_type": "application/octet-stream",
            "data": STANDARD.encode(archive), "length": length}},
    });
    desk.admin.put("/repository/npm/@acme%2fmany").json(&body).send().await?.expect(&[201])?;
    Ok(integrity)
}

#[tokio::test]
async fn a_scoped_package_with_500_versions() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "npm").await?;
    let published: Vec<_> = stream::iter(0..COUNT).map(|of| publish(&desk, of)).buffered(8).try_collect().await?;
    let full = desk.admin.get("/repository/npm/@acme%2fmany").send().await?.expect(&[200])?;
    let short = desk.admin.get("/repository/npm/@acme%2fmany").header("Accept", SHORT).send().await?.expect(&[200])?;
    assert!(short.body.len() < full.body.len(), "{} and {} bytes", short.body.len(), full.body.len());
    let url = desk.url()?;
    for (document, is_full) in [(full.json()?, true), (short.json()?, false)] {
        assert_eq!(document["dist-tags"]["latest"], number(COUNT - 1));
        assert_eq!(document["versions"].as_object().map(serde_json::Map::len), Some(COUNT));
        assert_eq!(document["time"].as_object().map(serde_json::Map::len), Some(COUNT + 2));
        for (of, integrity) in published.iter().enumerate() {
            let number = number(of);
            let one = &document["versions"][&number];
            assert_eq!((&one["name"], &one["version"]), (&json!(NAME), &json!(number)));
            assert_eq!(one["dist"]["integrity"], *integrity);
            assert_eq!(one["dist"]["tarball"], format!("{url}/{NAME}/-/many-{number}.tgz"));
            assert_eq!(one["dependencies"], package(of)["dependencies"]);
            assert_eq!((one.get("scripts").is_some(), one.get("keywords").is_some()), (is_full, is_full));
        }
    }
    as_npm_sees_it(&desk)
}

fn as_npm_sees_it(desk: &Desk) -> Result<()> {
    let token = desk.admin.token().to_owned();
    set_up(desk, "home", false)?;
    crate::node::library(desk, "base", "base-lib", "1.501.0", json!({}))?;
    client(desk, "home", &token, "npm")?.args(["publish"]).at(desk.home.join("base")).works()?;
    desk.write("app/package.json", r#"{"name":"app","version":"1.0.0","private":true}"#)?;
    let run = |args: &[&str]| -> Result<Deed> {
        Ok(client(desk, "home", &token, "npm")?.args(args.iter().copied()).at(desk.home.join("app")))
    };
    let versions: Vec<String> = serde_json::from_str(&run(&["view", NAME, "versions", "--json"])?.works()?)?;
    assert_eq!(versions, (0..COUNT).map(number).collect::<Vec<_>>());
    run(&["dist-tag", "add", &format!("{NAME}@1.3.3"), "old"])?.works()?;
    for (wanted, found) in [
        ("1.9.7", "1.9.7"),
        ("~1.10.0", "1.10.19"),
        ("1.2 || 1.4.x", "1.4.19"),
        ("old", "1.3.3"),
        ("latest", "1.24.19"),
    ] {
        run(&["install", &format!("{NAME}@{wanted}")])?.works()?;
        let text = std::fs::read_to_string(desk.home.join("app/node_modules").join(NAME).join("package.json"))?;
        let installed: Json = serde_json::from_str(&text)?;
        if installed["version"] != found {
            return Err(Trouble::new(format!("{wanted}: {}", installed["version"])));
        }
    }
    Ok(())
}
