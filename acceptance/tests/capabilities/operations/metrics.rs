//! Numbers by route template: no client can make a series.

use std::collections::BTreeMap;

use acceptance::{Result, random};
use serde_json::json;

use crate::shape::ask;
use crate::site::{Site, ensure};

/// Each series and its value.
pub(super) async fn series(site: &Site) -> Result<BTreeMap<String, f64>> {
    let text = site.server.operations()?.get("/metrics").send().await?.expect(&[200])?.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            line.rsplit_once(' ')
                .map_or(Ok((line.to_string(), 0.0)), |(name, value)| Ok((name.to_string(), value.parse()?)))
        })
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_template() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    ask(site.admin.get("/v1/repos/libs")).await?.expect(&[200])?;
    let before = series(&site).await?;
    for _ in 0..7 {
        ask(site.admin.get("/v1/repos/libs")).await?.expect(&[200])?;
    }
    ask(site.admin.get("/v1/repos/none")).await?.expect(&[404])?;
    let after = series(&site).await?;
    let grew = |name: &str| after.get(name).copied().unwrap_or(0.0) - before.get(name).copied().unwrap_or(0.0);
    let labels = "method=\"GET\",route=\"/v1/repos/{repo}\"";
    ensure((grew(&format!("http_requests_total{{{labels},status=\"200\"}}")) - 7.0).abs() < 0.1, "seven more")?;
    ensure((grew(&format!("http_requests_total{{{labels},status=\"404\"}}")) - 1.0).abs() < 0.1, "one not found")?;
    ensure((grew(&format!("http_request_duration_seconds_count{{{labels}}}")) - 8.0).abs() < 0.1, "eight timed")?;
    ensure(after.get(&format!("http_requests_inprogress{{{labels}}}")).is_some_and(|now| *now == 0.0), "none under way")
}

#[tokio::test]
async fn no_path_method_or_header_makes_a_series() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({"anonymousRead": true})).await?;
    let all = |name: String| {
        let methods = ["GET", "PUT", "DELETE", "POST", "BREW"];
        let paths = [
            format!("/{name}"),
            format!("/v1/{name}"),
            format!("/v1/repos/{name}"),
            format!("/repository/libs/{name}"),
            format!("/repository/{name}/x"),
            format!("/v1/repos/{name}/bindings/{name}"),
            format!("/v1/repos?{name}=1"),
        ];
        paths
            .into_iter()
            .flat_map(move |path| methods.map(|method| (method.to_string(), path.clone())))
            .collect::<Vec<_>>()
    };
    for (method, path) in all(random::text()?) {
        ask(site.admin.request(&method, &path)).await?;
    }
    // Asking for the numbers is counted, too: the second answer has all that there is.
    series(&site).await?;
    let before = series(&site).await?;
    for _ in 0..20 {
        let name = random::text()?;
        for (method, path) in all(name.clone()) {
            ask(site.admin.request(&method, &path).header("Host", format!("{name}.example"))).await?;
        }
        let unknown: String = name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_uppercase();
        ask(site.admin.request(&unknown, "/v1/repos")).await?;
    }
    let after = series(&site).await?;
    let new: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).collect();
    ensure(new.is_empty(), format!("{new:?}"))?;
    for name in ["process_resident_memory_bytes", "process_open_fds", "http_connections"] {
        ensure(after.contains_key(name), format!("{name} is missing"))?;
    }
    Ok(())
}
