//! The description of the API says what the API does, and the pages load nothing from elsewhere.

use std::collections::BTreeSet;

use acceptance::Result;
use acceptance::http::Request;
use serde_json::{Value, json};

use crate::shape::ask;
use crate::site::{Site, ensure};

/// OpenAPI 3.1 as far as its readers rely on it: versions, paths, parameters, ids, answers, references.
#[tokio::test]
async fn the_document_is_openapi_3_1_and_every_reference_resolves() -> Result<()> {
    let site = Site::embedded().await?;
    let answer = ask(site.server.http()?.get("/v1/openapi.json")).await?.expect(&[200])?;
    let document = answer.json()?;
    ensure(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "the version of OpenAPI")?;
    ensure(document["info"]["title"].is_string() && document["info"]["version"].is_string(), "title and version")?;
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        ensure(path.starts_with('/') && !path.contains('*'), path)?;
        let templated: BTreeSet<_> = path.split('{').skip(1).filter_map(|part| part.split('}').next()).collect();
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let what = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap_or_default().to_string();
            ensure(!id.is_empty() && ids.insert(id), format!("{what}: an id of its own"))?;
            ensure(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), format!("{what}: a summary"))?;
            let responses = operation["responses"].as_object().map_or(0, serde_json::Map::len);
            ensure(responses >= 2 || operation["x-access"] == "open", format!("{what}: answers and refusals"))?;
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let named: BTreeSet<_> =
                parameters.iter().filter(|one| one["in"] == "path").filter_map(|one| one["name"].as_str()).collect();
            ensure(named == templated, format!("{what}: {named:?} are described, {templated:?} are there"))?;
            ensure(
                parameters.iter().all(|one| one["in"] != "path" || one["required"] == true),
                format!("{what}: required"),
            )?;
            let secured = operation["security"].as_array().is_some_and(|all| !all.is_empty());
            ensure(secured == (operation["x-access"] != "open"), format!("{what}: whether a token is needed"))?;
        }
    }
    ensure(document["components"]["securitySchemes"]["token"]["scheme"] == "bearer", "how a token is sent")?;
    let mut references = Vec::new();
    gather(&document, &mut references);
    ensure(references.len() > 40, "there are references")?;
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or("/elsewhere");
        ensure(document.pointer(pointer).is_some(), format!("{reference} leads nowhere"))?;
    }
    Ok(())
}

fn gather(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_string));
            fields.values().for_each(|value| gather(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        _ => (),
    }
}

/// No page needs anything but this server, nor anything that its content policy forbids.
#[tokio::test]
async fn pages_load_everything_from_us() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({"anonymousRead": true})).await?;
    ask(site.admin.put("/repository/libs/a/b").body("x")).await?.expect(&[201])?;
    let http = site.server.http()?;
    let open = json!({"repoKey": "crates", "format": "cargo", "anonymousRead": true});
    ask(site.admin.post("/v1/repos").json(&open)).await?.expect(&[201])?;
    for page in ["/", "/v1/docs", "/repository/", "/repository/libs/", "/repository/libs/a/", "/repository/crates/"] {
        let answer = ask(http.get(page).header("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"))
            .await?
            .expect(&[200])?;
        ensure(answer.header("content-type") == Some("text/html; charset=utf-8"), format!("{page} is a page"))?;
        let html = answer.text();
        let mut loaded = 0;
        for attribute in ["src=\"", "href=\""] {
            for (at, _) in html.match_indices(attribute) {
                let target = html[at + attribute.len()..].split('"').next().unwrap_or_default();
                let ours = !target.starts_with("//") && !target.contains(':');
                ensure(ours, format!("{page} names {target}"))?;
                if target.starts_with("/assets/") {
                    let kind = ask(http.get(target))
                        .await?
                        .expect(&[200])?
                        .header("content-type")
                        .unwrap_or_default()
                        .to_string();
                    let fits = target.ends_with(".css") && kind.starts_with("text/css")
                        || target.ends_with(".js") && kind.starts_with("text/javascript")
                        || target.ends_with(".svg") && kind == "image/svg+xml";
                    ensure(fits, format!("{target} is {kind}"))?;
                    loaded += 1;
                } else if target.starts_with('/') {
                    ask(http.get(target)).await?.expect(&[200])?;
                }
            }
        }
        ensure(loaded > 0, format!("{page} has a style"))?;
        let lower = html.to_lowercase();
        for forbidden in [
            "<style",
            "style=\"",
            " onclick",
            " onload",
            "javascript:",
            "<iframe",
            "<base",
            "@import",
            "http://",
            "https://",
        ] {
            ensure(!lower.contains(forbidden), format!("{page} has {forbidden}"))?;
        }
        for (at, _) in lower.match_indices("<script") {
            ensure(lower[at..].starts_with("<script src=\"/"), format!("{page} has a script inside"))?;
        }
        let policy = answer.header("content-security-policy").unwrap_or_default();
        for part in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            ensure(policy.contains(part), format!("{page}: {policy}"))?;
        }
    }
    let script = ask(http.get("/assets/api.js")).await?.text();
    for elsewhere in ["http://", "https://", "eval(", "innerHTML", "document.write"] {
        ensure(!script.contains(elsewhere), format!("the script has {elsewhere}"))?;
    }
    Ok(())
}

/// A browser gets the page, a program the document.
#[tokio::test]
async fn the_root_answers_browsers_and_programs() -> Result<()> {
    let site = Site::embedded().await?;
    let http = site.server.http()?;
    for accept in [None, Some("application/json"), Some("*/*")] {
        let request = accept.iter().fold(http.get("/"), |request, accept| request.header("Accept", *accept));
        let root = ask(request).await?.expect(&[200])?.json()?;
        ensure(root["service"] == "artifortress" && root["environment"] == "development", format!("{root}"))?;
        ensure(root["timestampUtc"].as_str().is_some_and(|time| time.ends_with('Z')), format!("{root}"))?;
    }
    Ok(())
}

/// The way to the repositories begins at `/`. Whoever has no token sees those that need none; where there are none, and where
/// he wants to, he is asked for one.
#[tokio::test]
async fn a_browser_finds_the_repositories() -> Result<()> {
    let site = Site::embedded().await?;
    let (http, accept) = (site.server.http()?, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    let welcome = ask(http.get("/").header("Accept", accept)).await?.expect(&[200])?.text();
    ensure(welcome.contains("href=\"/repository/\""), "the welcome leads there")?;
    let slash = ask(http.get("/repository?format=html")).await?.expect(&[308])?;
    ensure(slash.header("location") == Some("repository/?format=html"), "and so does the address without its slash")?;
    let stranger = site.person("stranger", &["repo:elsewhere:read"]).await?;
    for at in ["/repository/", "/repository/?login=yes"] {
        let refused = ask(http.get(at).header("Accept", accept)).await?.expect(&[401])?;
        ensure(refused.header("www-authenticate").is_some_and(|asked| asked.contains("Basic")), "browsers ask then")?;
        let empty = ask(stranger.get(at).header("Accept", accept)).await?.expect(&[200])?.text();
        ensure(empty.contains("no repository that your token may read"), empty)?;
        let empty = ask(stranger.get(at)).await?.expect(&[200])?.json()?;
        ensure(empty == json!({"items": []}), empty.to_string())?;
    }
    site.repository("inner", json!({})).await?;
    site.repository("open", json!({"anonymousRead": true, "description": "<b>for all</b>"})).await?;
    let shown = ask(http.get("/repository/").header("Accept", accept)).await?.expect(&[200])?;
    ensure(shown.header("vary").is_some_and(|vary| vary.contains("Accept")), "caches know")?;
    let shown = shown.text();
    ensure(shown.contains("&lt;b&gt;for all") && !shown.contains("<b>"), format!("descriptions are text: {shown}"))?;
    ensure(shown.contains("href=\"?login=yes\"") && !shown.contains("inner"), shown)?;
    ask(http.get("/repository/?login=yes").header("Accept", accept)).await?.expect(&[401])?;
    let all = ask(site.admin.get("/repository/?login=yes").header("Accept", accept)).await?.expect(&[200])?.text();
    ensure(all.contains("href=\"./inner/\"") && all.contains("href=\"./open/\""), all)?;
    let told = ask(site.admin.get("/repository/")).await?.expect(&[200])?.json()?;
    let open = json!({"name": "open", "path": "open", "kind": "repository", "format": "raw", "repoType": "local",
        "description": "<b>for all</b>"});
    ensure(told["items"][1] == open, told.to_string())?;
    for method in ["PUT", "POST", "DELETE", "PATCH"] {
        ask(site.admin.request(method, "/repository/")).await?.expect(&[405])?;
    }
    ask(site.admin.get("/repository/?format=xml")).await?.expect(&[400])?;
    ask(site.admin.get("/repository/?typo=1")).await?.expect(&[400]).map(drop)
}

/// Whoever opens a repository with a browser sees what is in it; programs see what the format has there: nothing.
#[tokio::test]
async fn a_browser_sees_the_packages_of_every_repository() -> Result<()> {
    let site = Site::embedded().await?;
    let page = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
    for format in ["npm", "pypi", "cargo", "maven", "go", "oci"] {
        let body = json!({"repoKey": format, "format": format});
        ask(site.admin.post("/v1/repos").json(&body)).await?.expect(&[201])?;
        // PyPI has a page of its own, to which its root leads.
        let at = format!("/repository/{format}/{}", if format == "pypi" { "simple/" } else { "" });
        let shown = ask(site.admin.get(&at).header("Accept", page)).await?.expect(&[200])?;
        ensure(shown.header("content-type") == Some("text/html; charset=utf-8"), format!("{format} has a page"))?;
        ensure(shown.header("vary").is_some_and(|vary| vary.contains("Accept")), format!("{format}: caches know"))?;
        // Refusals have the shape of the format's own clients.
        let status = |request: Request| async { Ok::<_, acceptance::Trouble>(request.send().await?.status) };
        ensure(status(site.admin.put(&at).header("Accept", page).body("")).await? >= 400, "only reading")?;
        ensure(status(site.server.http()?.get(&at).header("Accept", page)).await? == 401, "whoever may read it")?;
        let rita = site.person(&format!("rita-{format}"), &["repo:other:read"]).await?;
        ensure(status(rita.get(&at).header("Accept", page)).await? == 404, "and nobody else")?;
    }
    let program = site.admin.get("/repository/go/").header("Accept", "*/*").send().await?;
    ensure(program.status == 404, "a program is told that there is nothing")?;
    for number in 0..3 {
        let digest = push(&site, &format!("team/app-{number}")).await?;
        ensure(digest.starts_with("sha256:"), "an image")?;
    }
    let first = ask(site.admin.get("/repository/oci/?limit=2").header("Accept", page)).await?.expect(&[200])?.text();
    ensure(first.contains("team/app-0") && first.contains("team/app-1") && !first.contains("team/app-2"), &first)?;
    let next = first.split("href=\"?cursor=").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let second = ask(site.admin.get(&format!("/repository/oci/?limit=2&cursor={next}")).header("Accept", page)).await?;
    let second = second.expect(&[200])?.text();
    ensure(second.contains("team/app-2") && !second.contains("team/app-1"), &second)
}

/// The smallest image there is, with a tag.
pub(crate) async fn push(site: &Site, name: &str) -> Result<String> {
    let config = "{}";
    let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let at = format!("/v2/oci/{name}");
    let upload = format!("{at}/blobs/uploads/?digest={digest}");
    ask(site.admin.post(&upload).header("Content-Type", "application/octet-stream").body(config))
        .await?
        .expect(&[201])?;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let descriptor = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest, "size": 2});
    let manifest = json!({"schemaVersion": 2, "mediaType": kind, "config": descriptor, "layers": [descriptor]});
    let put = site.admin.put(&format!("{at}/manifests/v1")).header("Content-Type", kind).body(manifest.to_string());
    Ok(ask(put).await?.expect(&[201])?.header("docker-content-digest").unwrap_or_default().to_owned())
}
