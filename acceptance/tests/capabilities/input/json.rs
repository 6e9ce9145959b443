//! JSON that no two readers would read alike, or that would cost the reader dearly.

use acceptance::Result;
use acceptance::http::Request;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::shape::ask;
use crate::site::{Site, ensure, resident};

/// Bodies that no endpoint takes, and the status that each gets.
fn bodies() -> Vec<(&'static str, u16, Bytes)> {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    vec![
        ("nothing", 400, Bytes::new()),
        ("arrays nested 10^5 deep", 400, "[".repeat(100_000).into()),
        ("objects nested 10^5 deep", 400, "{\"a\":".repeat(100_000).into()),
        ("a field nested 10^5 deep", 400, format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)).into()),
        ("a duplicate key", 400, text("{\"a\":1,\"a\":2}")),
        ("a duplicate key, escaped", 400, text("{\"a\":1,\"\\u0061\":2}")),
        ("a duplicate key inside", 400, text("{\"a\":{\"b\":1,\"b\":1}}")),
        ("a lone high surrogate", 400, text("{\"a\":\"\\ud800\"}")),
        ("a lone low surrogate", 400, text("{\"a\":\"\\udc00x\"}")),
        ("a lone surrogate as a key", 400, text("{\"\\udfff\":1}")),
        ("1e400", 400, text("{\"a\":1e400}")),
        ("-1e400", 400, text("{\"a\":-1e400}")),
        ("NaN", 400, text("{\"a\":NaN}")),
        ("Infinity", 400, text("{\"a\":Infinity}")),
        ("a leading zero", 400, text("{\"a\":01}")),
        ("a root array", 400, text("[]")),
        ("a root array of what is wanted", 400, text("[{\"repoKey\":\"a\"}]")),
        ("a root string", 400, text("\"a\"")),
        ("a root number", 400, text("1")),
        ("a root null", 400, text("null")),
        ("a root boolean", 400, text("true")),
        ("trailing garbage", 400, text("{} x")),
        ("two documents", 400, text("{}{}")),
        ("a NUL behind", 400, text("{}\u{0}")),
        ("a trailing comma", 400, text("{\"a\":1,}")),
        ("a comment", 400, text("{/* a */}")),
        ("single quotes", 400, text("{'a':1}")),
        ("a byte order mark", 400, text("\u{feff}{}")),
        ("UTF-16", 400, Bytes::from_static(b"\xff\xfe{\0}\0")),
        ("a byte that is no UTF-8", 400, Bytes::from_static(b"{\"a\":\"\xff\"}")),
        ("an overlong encoding", 400, Bytes::from_static(b"{\"a\":\"\xc0\xae\"}")),
        ("a surrogate in UTF-8", 400, Bytes::from_static(b"{\"a\":\"\xed\xa0\x80\"}")),
        ("a control character in a string", 400, text("{\"a\":\"\n\"}")),
        ("cut", 400, text("{\"a\":\"")),
        ("an unknown field", 400, text("{\"unknownFieldOfTheTest\":1}")),
        ("__proto__", 400, text("{\"__proto__\":{\"admin\":true}}")),
        ("more than a megabyte", 413, format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)).into()),
        ("more than a megabyte of blanks", 413, format!("{}{{}}", " ".repeat(1 << 20)).into()),
    ]
}

/// Every endpoint that takes JSON, as the server describes them.
async fn endpoints(site: &Site, with_body: bool) -> Result<Vec<(String, String)>> {
    let document = site.admin.get("/v1/openapi.json").send().await?.json()?;
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let body = &operation["requestBody"];
            if body["content"]["application/json"].is_object() == with_body && (with_body || method == "post") {
                let path = path.replace("{repo}", "libs").replace("{subject}", "somebody");
                let unknown = |part: &str| match part.split_once('}') {
                    Some(("n" | "number" | "part", rest)) => format!("1{rest}"),
                    Some((_, rest)) => format!("01890000-0000-7000-8000-000000000000{rest}"),
                    None => part.to_string(),
                };
                let path = path.split('{').map(unknown);
                found.push((method.to_uppercase(), path.collect()));
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn no_endpoint_takes_bad_json() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    let endpoints = endpoints(&site, true).await?;
    ensure(endpoints.len() >= 12, format!("only {} endpoints take JSON", endpoints.len()))?;
    let before = state(&site).await?;
    let memory = resident(&site.server)?;
    let mut cases = 0;
    for (method, path) in &endpoints {
        let request = || site.admin.request(method, path).header("Content-Type", "application/json");
        for (what, status, body) in bodies() {
            expect(request().body(body.clone()), status, what).await?;
            expect(request().chunks(body.chunks(8192).map(Bytes::copy_from_slice).collect()), status, what).await?;
            cases += 2;
        }
        for kind in [
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application",
            "application/json; charset=latin1",
            "application/jsonx",
            "application/xml",
            "",
        ] {
            expect(site.admin.request(method, path).header("Content-Type", kind).body("{}"), 415, kind).await?;
            cases += 1;
        }
        expect(site.admin.request(method, path).body("{}"), 415, "no type").await?;
        expect(request().header("Content-Type", "text/plain").body("{}"), 415, "two types").await?;
        expect(request().header("Content-Encoding", "gzip").body("{}"), 415, "a coding").await?;
        cases += 3;
    }
    ensure(state(&site).await? == before, "something was left behind")?;
    let growth = resident(&site.server)?.saturating_sub(memory);
    ensure(growth < 64 << 20, format!("memory grew by {} KiB", growth >> 10))?;
    ask(site.admin.post("/v1/repos").json(&json!({"repoKey": "next"}))).await?.expect(&[201])?;
    println!("{} endpoints, {cases} cases", endpoints.len());
    Ok(())
}

/// A list of an object's values, in the order in which we happen to keep them, is no such object.
#[tokio::test]
async fn lists_are_no_objects() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({"format": "oci"})).await?;
    let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let config = json!({"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": empty});
    let upload = format!("/v2/libs/app/blobs/uploads/?digest={empty}");
    ask(site.admin.post(&upload).body("{}")).await?.expect(&[201])?;
    let before = state(&site).await?;
    for (path, body) in [
        ("/v1/auth/pats", json!(["zoe", ["repo:libs:read"], 60, "n"])),
        ("/v1/repos", json!(["next", "raw", "local"])),
        ("/v1/repos", json!({"repoKey": "next", "settings": [false]})),
        ("/v1/repos/libs/rules", json!({"rules": [["claim", "y*"]]})),
    ] {
        let method = if path.ends_with("rules") { "PUT" } else { "POST" };
        let request = site.admin.request(method, path).json(&body);
        expect(request, 400, &body.to_string()).await?;
    }
    let image = |config: Value| {
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
            "layers": []})
    };
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let listed = json!([config["mediaType"], config["digest"], config["size"], null]);
    for manifest in [
        json!([2, kind, null, listed, [], null, null, null, null]),
        json!([2, kind, null, config, [], null, null, null, null]),
        image(listed),
    ] {
        let request = site.admin.put("/v2/libs/app/manifests/1").header("Content-Type", kind);
        let answer = request.body(manifest.to_string()).send().await?.expect(&[400])?;
        ensure(answer.string("/errors/0/code")? == "MANIFEST_INVALID", answer.text())?;
    }
    ensure(state(&site).await? == before, "something was left behind")?;
    let request = site.admin.put("/v2/libs/app/manifests/1").header("Content-Type", kind);
    ask(request.body(image(config).to_string())).await?.expect(&[201])?;
    let rules = json!({"rules": [{"kind": "claim", "pattern": "y*"}]});
    ask(site.admin.put("/v1/repos/libs/rules").json(&rules)).await?.expect(&[200])?;
    Ok(())
}

/// Where nothing needs to be said, what is said is refused rather than ignored.
#[tokio::test]
async fn endpoints_without_a_body_take_none() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    let endpoints = endpoints(&site, false).await?;
    ensure(!endpoints.is_empty(), "every POST takes a body")?;
    for (method, path) in &endpoints {
        let said = site.admin.request(method, path).json(&json!({"nope": 1}));
        expect(said, 400, "an unknown field").await?;
    }
    Ok(())
}

async fn expect(request: Request, status: u16, what: &str) -> Result<()> {
    let told: String = format!("{request:?}").chars().take(200).collect();
    let answer = ask(request).await?;
    ensure(answer.status == status, format!("{what}: {} {} to {told}", answer.status, answer.text()))
}

/// What an admin sees of everything that the endpoints can change.
async fn state(site: &Site) -> Result<Vec<String>> {
    let mut seen = Vec::new();
    for path in [
        "/v1/repos",
        "/v1/admin/auth/pats",
        "/v1/admin/auth/pat-policy",
        "/v1/admin/service-accounts",
        "/v1/repos/libs/rules",
        "/v1/admin/tenant-role-bindings",
        "/v1/admin/tenant-admission-policy",
        "/v1/repos/libs/bindings",
    ] {
        let mut value = ask(site.admin.get(path)).await?.expect(&[200])?.json()?;
        for item in value["items"].as_array_mut().into_iter().flatten() {
            item["lastUsedAtUtc"] = Value::Null;
        }
        // Jobs come and go by themselves.
        value["usage"]["pendingSearchJobs"] = Value::Null;
        seen.push(value.to_string());
    }
    Ok(seen)
}

/// The place of a fault is named, so that a person finds it.
#[tokio::test]
async fn faults_name_their_place() -> Result<()> {
    let site = Site::embedded().await?;
    let cases = [
        ("{\"repoKey\":\"a\",\"repoKey\":\"b\"}", "repoKey"),
        ("{\"repoKey\":\"a\",\"anonymousRed\":true}", "anonymousRed"),
        ("{\"repoKey\":7}", "repoKey"),
        ("{\"repoKey\":\"a\",\"settings\":{\"allowOverwrite\":\"yes\"}}", "settings.allowOverwrite"),
        ("{\"repoKey\":\"NOT A KEY\"}", "repoKey"),
    ];
    for (body, place) in cases {
        let request = site.admin.post("/v1/repos").header("Content-Type", "application/json").body(body);
        let answer = ask(request).await?.expect(&[400])?;
        let named = answer.json()?["errors"].as_array().is_some_and(|all| all.iter().any(|one| one["path"] == place));
        ensure(named, format!("{body}: {}", answer.text()))?;
    }
    Ok(())
}
