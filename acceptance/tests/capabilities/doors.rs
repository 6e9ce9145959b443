//! What is not in the table does not exist.

use std::collections::BTreeMap;

use acceptance::{Result, Trouble};
use serde_json::{Value, json};

use crate::shape::{ask, refused};
use crate::site::{Site, ensure};

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

#[tokio::test]
async fn a_method_that_is_not_in_the_table_is_405_with_those_that_are() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    let document = site.admin.get("/v1/openapi.json").send().await?.json()?;
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, methods) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        let methods = methods.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase());
        table.insert(fill(path), methods.collect());
    }
    for path in ["/health/live", "/health/ready", "/assets/page.css"] {
        table.insert(path.to_string(), vec!["GET".to_string()]);
    }
    for (path, mut offered) in table {
        if offered.iter().any(|method| method == "GET") {
            offered.push("HEAD".to_string());
        }
        offered.sort();
        for method in METHODS.into_iter().filter(|method| !offered.iter().any(|known| known == method)) {
            for client in [site.admin.request(method, &path), site.server.http()?.request(method, &path)] {
                let answer = ask(client).await?;
                let mut allow: Vec<_> =
                    answer.header("allow").unwrap_or_default().split(',').map(|name| name.trim().to_string()).collect();
                allow.sort();
                let well = answer.status == 405 && allow == offered;
                ensure(well, format!("{method} {path}: {} {allow:?}, offered {offered:?}", answer.status))?;
            }
        }
    }
    for path in ["/repository/libs/a.txt", "/repository/libs/", "/repository/libs/a/"] {
        for method in ["POST", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let answer = ask(site.admin.request(method, path)).await?;
            let allow = answer.header("allow").unwrap_or_default();
            let more = path.ends_with('/') != allow.contains("PUT");
            ensure(
                answer.status == 405 && allow.contains("GET, HEAD") && more,
                format!("{method} {path}: {answer:?}"),
            )?;
            ensure(ask(site.server.http()?.request(method, path)).await?.status == 401, "and nobody learns it")?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_path_that_is_not_in_the_table_is_404() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({"anonymousRead": true})).await?;
    let nowhere = [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/V1/repos",
        "/v1/Repos",
        "/v1//repos",
        "//v1/repos",
        "/v1/repos/",
        "/v1/repos/libs/",
        "/v1/repos/libs/nothing",
        "/v1/repos/libs/rules/",
        "/v1/auth",
        "/v1/auth/whoami/",
        "/v1/auth/whoami/x",
        "/v1/admin",
        "/v1/admin/",
        "/%761/repos",
        "/v1/%72epos",
        "/metrics",
        "/health",
        "/health/",
        "/health/live/",
        "/health/detail",
        "/repositories/libs/a",
        "/Repository/libs/a",
        "/assets",
        "/assets/",
        "/assets/..",
        "/assets/../page.css",
        "/assets/%2e%2e%2fpage.css",
        "/assets/none.css",
        "/favicon.ico",
        "/robots.txt",
        "/.well-known/security.txt",
        "/.git/config",
        "/.env",
        "/admin",
        "/index.html",
        "/debug/pprof",
        "/*",
        "/v1/docs/",
        "/v1/openapi.yaml",
        "/v1/openapi.json/",
        "/./",
        "/../",
        "/v1/../v1/docs",
        "/v1/./docs",
        "/v1;x=1/docs",
        "/v1/docs;x=1",
        "/v1/docs%00",
        "/v1/docs%20",
    ];
    for path in nowhere {
        for method in ["GET", "POST", "DELETE"] {
            // A bundled file that is missing is still at a route, which offers reading only.
            let status = if path.starts_with("/assets/") && path.len() > 8 && !path.contains("../") && method != "GET" {
                405
            } else {
                404
            };
            refused(site.admin.request(method, path), status).await?;
            refused(site.server.http()?.request(method, path), status).await?;
        }
    }
    println!("{} paths", nowhere.len());
    Ok(())
}

#[tokio::test]
async fn keys_that_no_repository_can_have_answer_as_one_that_does_not_exist() -> Result<()> {
    let site = Site::embedded().await?;
    for key in ["UPPER", "a%20b", "-a", "a..b", "%2e%2e", "a%2fb", "%00", "é", "%C3%A9", "a'b", "a;b", &"a".repeat(101)]
    {
        for path in [format!("/v1/repos/{key}"), format!("/repository/{key}/x"), format!("/v1/repos/{key}/rules")] {
            let admin = ask(site.admin.get(&path)).await?;
            ensure(admin.status == 404, format!("{path}: {}", admin.status))?;
            let nobody = ask(site.server.http()?.get(&path)).await?;
            ensure(nobody.status == 401, format!("{path} without credentials: {}", nobody.status))?;
        }
    }
    Ok(())
}

/// The client's own id where it is a UUID; a new one for each request where it is anything else.
#[tokio::test]
async fn correlation_ids_are_taken_or_made() -> Result<()> {
    let site = Site::embedded().await?;
    let own = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let answer = ask(site.admin.get("/v1/auth/whoami").header("X-Correlation-Id", own)).await?;
    ensure(answer.header("x-correlation-id") == Some(own), "the client's id is echoed")?;
    let mut seen = Vec::new();
    for id in ["", "1", "x".repeat(300).as_str(), "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5bb", "<script>"] {
        let answer = ask(site.admin.get("/nothing").header("X-Correlation-Id", id)).await?;
        seen.push(answer.header("x-correlation-id").map(str::to_string).ok_or_else(|| Trouble::new("no id"))?);
    }
    seen.sort();
    seen.dedup();
    ensure(seen.len() == 5, "each request has its own")
}

fn fill(template: &str) -> String {
    let part = |(at, part): (usize, &str)| match (at, part.split_once('}')) {
        (1.., Some((name, rest))) => format!("{}{rest}", if name == "repo" { "libs" } else { "x" }),
        _ => part.to_string(),
    };
    template.split('{').enumerate().map(part).collect()
}
