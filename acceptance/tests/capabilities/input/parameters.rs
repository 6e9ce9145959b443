//! A query parameter that a route does not name is refused by every route: a typo is never silently ignored.

use acceptance::Result;
use serde_json::{Value, json};

use crate::shape::ask;
use crate::site::{Site, ensure};

#[tokio::test]
async fn every_route_refuses_what_it_does_not_name() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    let reader = site.person("reader", &["repo:libs:read"]).await?;
    let stranger = site.person("stranger", &["repo:elsewhere:read"]).await?;
    let nobody = site.server.http()?;
    let document = site.admin.get("/v1/openapi.json").send().await?.json()?;
    let mut cases = 0;
    for (template, methods) in document["paths"].as_object().into_iter().flatten().filter(|(path, _)| *path != "/") {
        let path = template.replace("{repo}", "libs").replace(['{', '}'], "");
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let method = method.to_uppercase();
            let named = operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query");
            let named: Vec<_> = named.filter_map(|one| one["name"].as_str()).collect();
            for query in ["limt=5", "x", "=1", "LIMIT=5", "%6cimt=1&limit=1"] {
                let address = format!("{path}?{query}");
                let answer = ask(site.admin.request(&method, &address)).await?;
                let body = answer.json()?;
                let name = body["errors"][0]["path"].as_str().unwrap_or("nothing");
                ensure(answer.status == 400, format!("{method} {address}: {body}"))?;
                let meant = query.split(['&', '=']).next().unwrap_or_default().replace("%6c", "l");
                ensure(name == meant, format!("{method} {address} names {name}: {body}"))?;
                let detail = body["detail"].as_str().unwrap_or_default();
                let all = named.iter().all(|known| detail.contains(known));
                ensure(all, format!("{method} {address} does not say what it takes, {named:?}: {detail}"))?;
                cases += 1;
            }
            let access = operation["x-access"].as_str().unwrap_or_default();
            let address = format!("{path}?limt=5");
            if access != "open" {
                let answer = ask(nobody.request(&method, &address)).await?;
                ensure(answer.status == 401, format!("{method} {address} as nobody: {}", answer.status))?;
            }
            if access.starts_with("repo:") {
                let answer = ask(stranger.request(&method, &address)).await?;
                ensure(answer.status == 404, format!("{method} {address} as a stranger: {}", answer.status))?;
                let status = if access == "repo:read" { 400 } else { 403 };
                let answer = ask(reader.request(&method, &address)).await?;
                ensure(answer.status == status, format!("{method} {address} as a reader: {}", answer.status))?;
            }
        }
    }
    ensure(cases >= 200, format!("only {cases} cases"))?;
    let left = site.admin.get("/v1/repos").send().await?.expect(&[200])?.json()?;
    ensure(left["items"].as_array().map(Vec::len) == Some(1), "nothing was made or removed")
}

/// What is named is taken.
#[tokio::test]
async fn every_named_parameter_is_read() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    let document = site.admin.get("/v1/openapi.json").send().await?.json()?;
    let mut cases = 0;
    for (template, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            for name in parameters.iter().filter(|one| one["in"] == "query").filter_map(|one| one["name"].as_str()) {
                let path =
                    template.replace("{repo}", "libs").replace("{version}", "01890000-0000-7000-8000-000000000000");
                // Twice is refused, by whoever reads it: a name that nobody reads would be ignored.
                let answer =
                    ask(site.admin.request(&method.to_uppercase(), &format!("{path}?{name}=1&{name}=1"))).await?;
                let told = answer.json().unwrap_or(Value::Null);
                ensure(
                    answer.status == 400 && told["errors"][0]["path"] == name,
                    format!("{method} {path}: {name}: {told}"),
                )?;
                cases += 1;
            }
        }
    }
    ensure(cases >= 30, format!("only {cases} cases"))
}

/// No database knows a text with a NUL, and one of them says so late.
#[tokio::test]
async fn a_nul_finds_nothing_or_is_refused() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        site.repository("libs", json!({})).await?;
        let document = site.admin.get("/v1/openapi.json").send().await?.json()?;
        let mut cases = 0;
        for (template, methods) in document["paths"].as_object().into_iter().flatten() {
            let path = template.replace("{repo}", "libs").replace("{version}", "01890000-0000-7000-8000-000000000000");
            let parameters = methods["get"]["parameters"].as_array().cloned().unwrap_or_default();
            for name in parameters.iter().filter(|one| one["in"] == "query").filter_map(|one| one["name"].as_str()) {
                let answer = ask(site.admin.get(&format!("{path}?{name}=%00"))).await?;
                ensure(answer.status < 500, format!("{path}: {name}: {answer:?}"))?;
                cases += 1;
            }
        }
        ensure(cases >= 30, format!("only {cases} cases"))?;
    }
    Ok(())
}
