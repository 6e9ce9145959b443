//! Health: names for everybody, details for operators.

use acceptance::Result;

use crate::shape::ask;
use crate::site::{Site, ensure};

#[tokio::test]
async fn everybody_sees_names_and_operators_details() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        let public = ask(site.server.http()?.get("/health/ready")).await?.expect(&[200])?;
        let inner = site.server.operations()?.get("/health/ready").send().await?.expect(&[200])?;
        for (answer, detailed) in [(&public, false), (&inner, true)] {
            let report = answer.json()?;
            ensure(report["status"] == "ready", answer.text())?;
            let names: Vec<_> = report["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| one["name"].as_str())
                .collect();
            ensure(names.contains(&"database") && names.contains(&"blobs"), format!("{names:?}"))?;
            ensure(answer.text().contains("\"detail\"") == detailed, answer.text())?;
            ensure(answer.header("cache-control") == Some("no-store"), "nobody keeps it")?;
        }
        ask(site.server.http()?.get("/health/live")).await?.expect(&[200])?;
        ask(site.server.http()?.head("/health/ready")).await?.expect(&[200])?;
        // The public listener has no metrics, the operators' one no registry.
        ask(site.server.http()?.get("/metrics")).await?.expect(&[404])?;
        for path in ["/v1/repos", "/v1/auth/whoami", "/repository/a/b", "/"] {
            ensure(site.server.operations()?.get(path).send().await?.status == 404, path)?;
        }
    }
    Ok(())
}
