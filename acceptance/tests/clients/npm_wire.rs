//! What npm's clients do not show: conditions, ranges, forms of documents, logins, hostile bodies.

use std::io::Read as _;

use acceptance::server::{Backing, Persona};
use acceptance::{Result, Trouble};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::desk::Desk;
use crate::node::{client, library, set_up};

const SHORT: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";

async fn published() -> Result<(Desk, String)> {
    let desk = Desk::open(Backing::Embedded, "npm").await?;
    let token = desk.admin.token().to_owned();
    set_up(&desk, "home", false)?;
    library(&desk, "tool", "@acme/tool", "1.0.0", json!({"scripts": {"postinstall": "node -e 0"}}))?;
    client(&desk, "home", &token, "npm")?.args(["publish"]).at(desk.home.join("tool")).works()?;
    Ok((desk, token))
}

#[tokio::test]
async fn documents_are_whole_or_short_and_sent_once() -> Result<()> {
    let (desk, _) = published().await?;
    let at = |path: &str| format!("/repository/npm/{path}");
    let full = desk.admin.get(&at("@acme%2ftool")).send().await?.expect(&[200])?;
    let short = desk.admin.get(&at("@acme%2Ftool")).header("Accept", SHORT).send().await?.expect(&[200])?;
    assert_eq!(short.header("content-type"), Some("application/vnd.npm.install-v1+json"));
    assert!(full.header("vary").unwrap_or_default().contains("Accept"));
    let (whole, brief) = (full.json()?, short.json()?);
    assert_eq!(brief["versions"]["1.0.0"]["hasInstallScript"], true);
    assert!(brief["versions"]["1.0.0"].get("scripts").is_none() && whole["_rev"].is_string());
    assert_eq!(whole["time"]["1.0.0"], brief["time"]["1.0.0"]);
    for (path, accept, answer) in [("@acme%2ftool", "*/*", &full), ("@acme/tool", SHORT, &short)] {
        let tag = answer.header("etag").unwrap_or_default();
        let again = desk.admin.get(&at(path)).header("Accept", accept).header("If-None-Match", tag).send().await?;
        again.expect(&[304])?;
    }
    for path in ["@acme%2ftool/1.0.0", "@acme/tool/latest"] {
        let one = desk.admin.get(&at(path)).send().await?.expect(&[200])?;
        assert_eq!(one.string("/dist/tarball")?, format!("{}/@acme/tool/-/tool-1.0.0.tgz", desk.url()?));
    }
    let file = at("@acme%2ftool/-/tool-1.0.0.tgz");
    let whole = desk.admin.get(&file).send().await?.expect(&[200])?;
    assert!(whole.header("cache-control").unwrap_or_default().contains("immutable"));
    let part = desk.admin.get(&file).header("Range", "bytes=1-3").send().await?.expect(&[206])?;
    assert_eq!(part.body.as_ref(), whole.body.get(1..4).unwrap_or_default());
    desk.admin.get(&at("__proto__")).send().await?.expect(&[404])?;
    desk.admin.get(&at("constructor")).send().await?.expect(&[404])?;
    Ok(())
}

/// The kernel sends long ones without copying them, from a file in memory.
#[tokio::test]
async fn long_documents_arrive_as_they_are_tagged() -> Result<()> {
    let (desk, token) = published().await?;
    let words: Vec<_> = (0..40_000).map(|number| format!("word-{number}")).collect();
    library(&desk, "long", "long", "1.0.0", json!({"keywords": words}))?;
    client(&desk, "home", &token, "npm")?.args(["publish"]).at(desk.home.join("long")).works()?;
    let head = format!("Host: {}\r\nAuthorization: Bearer {token}\r\n", desk.server.address()?);
    let ask = |path: &str, more: &str| format!("GET /repository/npm/{path} HTTP/1.1\r\n{head}{more}\r\n");
    let (long, packed) = (ask("long", ""), ask("long", "Accept-Encoding: gzip\r\n"));
    let whole = desk.admin.get("/repository/npm/long").send().await?.expect(&[200])?;
    assert!(whole.body.len() > 400_000, "{}", whole.body.len());
    let asked = [long.as_str(), &ask("@acme%2ftool", ""), &long, &packed, &long, &ask("none", ""), &long].concat();
    let mut connection = desk.server.http()?.connect().await?;
    connection.write_raw(asked.as_bytes()).await?;
    for (number, status) in [200, 200, 200, 200, 200, 404, 200].into_iter().enumerate() {
        let answer = connection.read_answer(false).await?.expect(&[status])?;
        let tag = answer.header("etag").unwrap_or_default().trim_matches('"').to_owned();
        match number {
            0 | 2 | 4 | 6 => assert!(answer.body == whole.body && tag == digest(&answer.body), "number {number}"),
            3 => assert!(tag.ends_with("-gzip") && answer.body.len() < whole.body.len() / 2),
            _ => assert!(answer.body.len() < 10_000),
        }
    }
    let pid = desk.server.pid("serve").ok_or_else(|| Trouble::new("nothing serves"))?;
    let open =
        std::fs::read_dir(format!("/proc/{pid}/fd"))?.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    assert!(open.into_iter().any(|file| file.starts_with("/memfd:answer (deleted)")), "it was copied");
    // Changed meanwhile, for whoever asks then.
    client(&desk, "home", &token, "npm")?.args(["deprecate", "long@1.0.0", "too long"]).works()?;
    connection.write_raw(long.as_bytes()).await?;
    let changed = connection.read_answer(false).await?.expect(&[200])?;
    assert_eq!(changed.json()?["versions"]["1.0.0"]["deprecated"], "too long");
    assert_eq!(changed.header("etag"), Some(format!("\"{}\"", digest(&changed.body)).as_str()));
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_login_gives_a_token_that_logout_ends() -> Result<()> {
    let (desk, token) = published().await?;
    let nobody = desk.server.http()?;
    let path = "/repository/npm/-/user/org.couchdb.user:somebody";
    let log_in = |password: &str| {
        let body =
            json!({"_id": "org.couchdb.user:somebody", "name": "somebody", "password": password, "type": "user"});
        nobody.put(path).header("User-Agent", "npm/11.19.1 node/v20").json(&body).send()
    };
    let wrong = log_in("not-a-token").await?.expect(&[401])?;
    assert!(wrong.string("/error")?.contains("must be a token"));
    let given = log_in(&token).await?.expect(&[201])?.string("/token")?;
    assert_ne!(given, token);
    let session = desk.server.http()?.with_token(&given);
    assert_eq!(session.get("/repository/npm/-/whoami").send().await?.expect(&[200])?.string("/username")?, "admin");
    // Only the token itself can be logged out with.
    session.delete(&format!("/repository/npm/-/user/token/{token}")).send().await?.expect(&[404])?;
    session.delete(&format!("/repository/npm/-/user/token/{given}")).send().await?.expect(&[200])?;
    session.get("/repository/npm/-/whoami").send().await?.expect(&[401])?;
    desk.admin.get("/repository/npm/-/whoami").send().await?.expect(&[200])?;
    Ok(())
}

/// A publish from what npm published before, under another name of version and with this change.
async fn altered(desk: &Desk, change: impl Fn(&mut Json)) -> Result<(u16, Json)> {
    let archive = desk.admin.get("/repository/npm/@acme/tool/-/tool-1.0.0.tgz").send().await?.expect(&[200])?;
    let mut version = desk.admin.get("/repository/npm/@acme/tool/1.0.0").send().await?.expect(&[200])?.json()?;
    if let Some(fields) = version.as_object_mut() {
        fields.remove("dist");
    }
    let data = STANDARD.encode(&archive.body);
    let mut body = json!({
        "_id": "@acme/tool", "name": "@acme/tool", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version},
        "_attachments": {"@acme/tool-1.0.0.tgz": {"content_type": "application/octet-stream", "data": data}},
    });
    change(&mut body);
    put(&desk.admin, &body).await
}

async fn put(who: &Persona, body: &Json) -> Result<(u16, Json)> {
    let answer = who.put("/repository/npm/@acme%2ftool").json(body).send().await?;
    Ok((answer.status, answer.json()?))
}

#[tokio::test]
async fn a_package_that_contradicts_itself_is_refused() -> Result<()> {
    let (desk, _) = published().await?;
    let one = |body: &mut Json, field: &str, value: Json| body["versions"]["1.0.0"][field] = value;
    let hidden = altered(&desk, |body| one(body, "scripts", json!({}))).await?;
    assert!(hidden.0 == 422 && hidden.1["error"].as_str().is_some_and(|why| why.contains("scripts.postinstall")));
    let added = altered(&desk, |body| one(body, "dependencies", json!({"evil": "1"}))).await?;
    assert_eq!(added.0, 422);
    let wrong = altered(&desk, |body| one(body, "dist", json!({"integrity": "sha512-AAAA"}))).await?;
    assert_eq!(wrong.0, 422);
    let same = altered(&desk, |_| ()).await?;
    assert!(same.0 == 403 && same.1["error"].as_str().is_some_and(|why| why.contains("previously published")));
    // Owners alone must not be read as "no version remains".
    let owners =
        desk.admin.put("/repository/npm/@acme%2ftool/-rev/1-1").json(&json!({"_id": "@acme/tool", "_rev": "1-1",
        "maintainers": []}));
    owners.send().await?.expect(&[400])?;
    // What was made from a state that has changed is not done.
    let stale = json!({"name": "@acme/tool", "_rev": "999-1", "versions": {}});
    desk.admin.put("/repository/npm/@acme%2ftool/-rev/999-1").json(&stale).send().await?.expect(&[409])?;
    desk.admin.get("/repository/npm/@acme%2ftool").send().await?.expect(&[200])?;
    Ok(())
}

/// What npm packs of a package, as base64.
fn packed(desk: &Desk, folder: &str, name: &str, version: &str) -> Result<(Json, String)> {
    library(desk, folder, name, version, json!({}))?;
    client(desk, "home", "none", "npm")?.args(["pack", "--silent"]).at(desk.home.join(folder)).works()?;
    let file = desk.home.join(format!("{folder}/{}-{version}.tgz", name.replace('@', "").replace('/', "-")));
    let package: Json = serde_json::from_str(&std::fs::read_to_string(desk.home.join(folder).join("package.json"))?)?;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.read_to_end(&mut bytes)?;
    Ok((package, STANDARD.encode(bytes)))
}

#[tokio::test]
async fn provenance_is_kept_and_served() -> Result<()> {
    let (desk, _) = published().await?;
    let (package, data) = packed(&desk, "proven", "@acme/tool", "1.1.0")?;
    let statement = STANDARD.encode(r#"{"predicateType":"https://slsa.dev/provenance/v1","subject":[]}"#);
    let bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "dsseEnvelope": {"payload": statement, "signatures": []}});
    let body = json!({
        "_id": "@acme/tool", "name": "@acme/tool", "dist-tags": {"latest": "1.1.0"}, "versions": {"1.1.0": package},
        "_attachments": {
            "@acme/tool-1.1.0.tgz": {"content_type": "application/octet-stream", "data": data},
            "@acme/tool-1.1.0.sigstore": {"content_type": bundle["mediaType"], "data": bundle.to_string()},
        },
    });
    assert_eq!(put(&desk.admin, &body).await?.0, 201);
    let one = desk.admin.get("/repository/npm/@acme%2ftool/1.1.0").send().await?.expect(&[200])?;
    assert_eq!(one.string("/dist/attestations/provenance/predicateType")?, "https://slsa.dev/provenance/v1");
    let address = one.string("/dist/attestations/url")?;
    let path = address.strip_prefix(&format!("http://{}", desk.server.address()?)).unwrap_or_default();
    let kept = desk.admin.get(path).send().await?.expect(&[200])?.json()?;
    assert_eq!(kept["attestations"][0]["bundle"], bundle);
    desk.admin.get("/repository/npm/-/npm/v1/attestations/@acme%2ftool@1.0.0").send().await?.expect(&[404]).map(drop)
}

#[tokio::test]
async fn twins_by_case_are_one_package() -> Result<()> {
    let (desk, _) = published().await?;
    let (package, data) = packed(&desk, "twin", "@acme/Tool", "1.1.0")?;
    let body = json!({
        "_id": "@acme/Tool", "name": "@acme/Tool", "dist-tags": {"latest": "1.1.0"}, "versions": {"1.1.0": package},
        "_attachments": {"@acme/Tool-1.1.0.tgz": {"data": data}},
    });
    let answer = desk.admin.put("/repository/npm/@acme%2fTool").json(&body).send().await?.expect(&[403])?;
    assert!(answer.string("/error")?.contains("publish as @acme/tool"));
    Ok(())
}
