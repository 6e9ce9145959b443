//! The description of the API says what the API does, and the pages load nothing from elsewhere.

use std::collections::BTreeSet;

use acceptance::Result;
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
    for page in ["/", "/v1/docs", "/repository/libs/", "/repository/libs/a/"] {
        let answer = ask(http.get(page).header("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"))
            .await?
            .expect(&[200])?;
        ensure(answer.header("content-type") == Some("text/html; charset=utf-8"), format!("{page} is a page"))?;
        let html = answer.text();
        let mut loaded = 0;
        for attribute in ["src=\"", "href=\""] {
            for (at, _) in html.match_indices(attribute) {
                let target = html[at + attribute.len()..].split('"').next().unwrap_or_default();
                let ours = target.starts_with('/') && !target.starts_with("//") || target.starts_with('.');
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
