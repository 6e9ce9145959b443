//! What a repository was is the same whoever of several processes is asked.

use acceptance::Result;
use serde_json::json;

use super::images::{IMAGE, digest, push_to};
use super::{FOR_GOOD, ask, compact};
use crate::site::{Site, ensure};
use crate::virtuals::{hosted, put_together};
use crate::wares::{FORMATS, Ware};

#[tokio::test]
async fn a_moment_is_the_same_bytes_through_every_process() -> Result<()> {
    let (site, processes) = Site::twins().await?;
    for ware in FORMATS.map(Ware) {
        ware.shelf(&site).await?;
        ware.publish(&site.admin, "1.0.0").await?;
    }
    hosted(&site, "images", "oci").await?;
    put_together(&site, "all", "oci", &["images"], json!({})).await?;
    let old = push_to(&site.admin, "images/app", "v1", "old", None).await?;
    let then = site.server.moment("clock").await?;
    // Each is asked before and after what changes now, by one of them each.
    let (moment, of_then) = (compact(&then), format!("@{then}"));
    let mut paths: Vec<(String, &str)> = Vec::new();
    for ware in FORMATS.map(Ware) {
        paths.extend(ware.indexes(&of_then));
        paths.push((ware.file(&of_then, "1.0.0"), "*/*"));
    }
    for key in ["images", "all"] {
        paths.push((format!("/v2/{key}/{moment}/app/manifests/v1"), IMAGE));
        paths.push((format!("/v2/{key}/{moment}/app/tags/list"), "*/*"));
    }
    let mut before = Vec::new();
    for (path, accept) in &paths {
        before.push(ask(processes[0].get(path).header("Accept", *accept)).await?.expect(&[200])?);
    }
    for (ware, by) in FORMATS.map(Ware).into_iter().zip(processes.iter().cycle()) {
        ware.publish(by, "1.1.0").await?;
        ware.act(&site.admin, &ware.id(&site.admin, "1.0.0").await?, "tombstone").await?;
    }
    push_to(&site.admin, "images/app", "v1", "new", None).await?;
    for ((path, accept), before) in paths.iter().zip(before) {
        for by in &processes {
            let now = ask(by.get(path).header("Accept", *accept)).await?.expect(&[200])?;
            ensure(now.body == before.body, format!("{path}: {} and not {}", now.text(), before.text()))?;
            ensure(now.header("etag") == before.header("etag"), format!("{path}: {:?}", now.headers))?;
            let kept = now.header("cache-control") == before.header("cache-control");
            ensure(
                kept && (path.contains("/all/") || now.header("cache-control") == Some(FOR_GOOD)),
                format!("{path}: {:?}", now.headers),
            )?;
            if path.ends_with("manifests/v1") {
                ensure(digest(&now) == old, format!("{path}: {:?}", now.headers))?;
            }
        }
    }
    Ok(())
}
