//! npm packages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::{answers, archive, request};

pub(crate) fn requests() -> Vec<Vec<u8>> {
    let mut all = super::plain(&[
        "GET tool",
        "GET @scope%2ftool",
        "GET @scope/tool/-/tool-1.0.0.tgz",
        "GET tool/1.0.0",
        "GET JSONStream/-/JSONStream-1.0.0.tgz",
        "GET -/v1/search?text=to&size=20&from=0",
        "GET -/package/tool/dist-tags",
        "DELETE -/package/tool/dist-tags/beta",
        "GET -/whoami",
        "DELETE tool/-rev/7-1",
        "POST -/v1/login",
        "GET -/v1/done/1700000000/secret",
        "GET -/npm/v1/tokens?after=01a1fee7-17ff-76c4-829b-f319fb9995e1",
        "DELETE -/npm/v1/tokens/token/01a1fee7-17ff-76c4-829b-f319fb9995e1",
    ]);
    let token = br#"{"password":"secret","name":"ci","packages_all":true,"packages_and_scopes_permission":"read-only",
        "readonly":false,"cidr_whitelist":[],"expires":7}"#;
    all.push(request::write("POST -/npm/v1/tokens", "*/*", "application/json", token));
    let login = br#"{"_id":"org.couchdb.user:alice","name":"alice","password":"secret","type":"user","roles":[]}"#;
    all.push(request::write("PUT -/user/org.couchdb.user:alice", "*/*", "application/json", login));
    all.push(request::write("PUT -/package/tool/dist-tags/beta", "*/*", "application/json", b"\"1.0.0\""));
    let update = br#"{"_id":"tool","_rev":"7-1","name":"tool","dist-tags":{"latest":"1.0.0"},
        "versions":{"1.0.0":{"name":"tool","version":"1.0.0","deprecated":"use another"}}}"#;
    for address in ["PUT tool", "PUT tool/-rev/7-1"] {
        all.push(request::write(address, "*/*", "application/json", update));
    }
    all.extend(seeds().iter().filter_map(|seed| put(seed)));
    all
}

/// A package: what is said of the version, then the files of its archive. A first file without a name is its provenance.
pub(crate) fn put(text: &[u8]) -> Option<Vec<u8>> {
    let mut parts = archive::read(text);
    let provenance = archive::unnamed(&mut parts.members).map(String::from_utf8_lossy);
    let mut version: Value = model::json::from_slice(parts.said).ok().filter(Value::is_object)?;
    let (name, number) = (version["name"].as_str()?.to_owned(), version["version"].as_str()?.to_owned());
    let packed = archive::tgz(&parts.members);
    let integrity = format!("sha512-{}", STANDARD.encode(sha2::Sha512::digest(&packed)));
    version["dist"] = json!({"integrity": integrity, "tarball": format!("https://x.example/{name}.tgz")});
    let file =
        json!({"content_type": "application/octet-stream", "data": STANDARD.encode(&packed), "length": packed.len()});
    let mut body = json!({
        "_id": name, "name": name, "dist-tags": {"latest": number}, "versions": {number.clone(): version}, "access": null,
        "_attachments": {format!("{name}-{number}.tgz"): file},
    });
    if let Some(provenance) = provenance {
        body["_attachments"][format!("{name}-{number}.sigstore")] = json!({"data": provenance});
    }
    let address = format!("PUT {}", name.replace('/', "%2f").replace(['\n', '?'], "_"));
    Some(request::write(&address, "application/json", "application/json", body.to_string().as_bytes()))
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let full = r#"{"name":"@scope/tool","version":"1.0.0-rc.1","description":"a tool","main":"index.js",
        "bin":{"tool":"bin/tool.js"},"scripts":{"postinstall":"node x"},"dependencies":{"left":"^1.0.0"},
        "peerDependencies":{"react":"*"},"peerDependenciesMeta":{"react":{"optional":true}},"engines":{"node":">=18"},
        "os":["linux"],"cpu":["x64"],"license":"MIT"}"#;
    let bare = r#"{"name":"tool","version":"1.0.0"}"#;
    vec![
        archive::write(
            full,
            &[("package/package.json", full), ("package/bin/tool.js", "x"), ("package/README.md", "# x")],
        ),
        archive::write(bare, &[("", &statement()), ("package/package.json", bare)]),
        archive::write(bare, &[("package/package.json", bare)]),
        archive::write(bare, &[("tool/package.json", bare), ("tool/binding.gyp", "{}")]),
    ]
}

/// A provenance statement in its bundle.
fn statement() -> String {
    let payload = STANDARD.encode(r#"{"_type":"x","predicateType":"https://slsa.dev/provenance/v1","predicate":{}}"#);
    format!(r#"{{"mediaType":"x","dsseEnvelope":{{"payload":"{payload}","payloadType":"y","signatures":[]}}}}"#)
}

/// Packuments.
pub(crate) fn upstreams() -> Vec<Vec<u8>> {
    let integrity = format!("sha512-{}", STANDARD.encode([7; 64]));
    let scoped = json!({
        "_id": "@acme/tool", "name": "@acme/tool", "dist-tags": {"latest": "1.0.0", "next": "2.0.0-rc.1"}, "readme": "# Tool",
        "versions": {
            "1.0.0": {"name": "@acme/tool", "version": "1.0.0", "dependencies": {"a": "^1"}, "bundledDependencies": true,
                "scripts": {"install": "x"}, "os": ["linux"], "deprecated": "use 2", "dist": {"integrity": integrity,
                "shasum": "0a".repeat(20), "fileCount": 2, "unpackedSize": 9, "signatures": [{"keyid": "k", "sig": "s"}],
                "tarball": "https://there.example/base/@acme/tool/-/tool-1.0.0.tgz"}},
            "2.0.0-rc.1": {"name": "@acme/tool", "version": "2.0.0-rc.1", "dist": {"tarball": "../t.tgz"}},
        },
        "time": {"created": "2020-01-01T00:00:00.000Z", "1.0.0": "2020-01-02T03:04:05.678Z"},
    });
    let bare = r#"{"name":"Tool","versions":{"1.0.0":{"dist":{"tarball":"//cdn.example/t","integrity":"sha1-x sha256-AAAA",
        "shasum":"0000000000000000000000000000000000000000"},"deprecated":true,"_hasShrinkwrap":true}}}"#;
    let loud = bare.replace("Tool", "JSONStream");
    vec![
        answers::write("@acme/tool", "application/json", &[&scoped.to_string()]),
        answers::write("tool", "application/json", &[bare]),
        answers::write("JSONStream", "application/json", &[&loud]),
        answers::write("-/npm/v1/attestations/@acme%2ftool@1.0.0", "", &[r#"{"attestations":[]}"#]),
    ]
}
