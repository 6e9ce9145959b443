//! An upstream that nobody asks, because an administrator says so.

use acceptance::Result;
use serde_json::{Value, json};

use super::shelf::{FORMATS, INDEXED, Shelf, noise, of, site};
use super::upstream::Upstream;
use crate::engines::both;
use crate::site::{Site, ensure};

async fn set(site: &Site, shelf: &Shelf, upstream: Value) -> Result<()> {
    let change = json!({"settings": {"upstream": upstream}});
    site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&change).send().await?.expect(&[200]).map(drop)
}

async fn offline_what_is_known_is_served_and_nobody_is_asked() -> Result<()> {
    let site = site().await?;
    for format in FORMATS {
        let (upstream, bytes) = (Upstream::start().await?, noise(1, 3000));
        let settings = json!({"indexSeconds": 0, "missingSeconds": 0, "staleHours": 0});
        let shelf = Shelf::stocked(&site, &upstream, format, settings, &bytes).await?;
        of(format, shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
        if INDEXED.contains(&format) {
            of(format, shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
        }
        set(&site, &shelf, json!({"offline": true})).await?;
        let total = upstream.total();
        of(format, shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
        if INDEXED.contains(&format) {
            let index = of(format, shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
            ensure(index.text().contains("1.0.0"), format!("{format}: {}", index.text()))?;
            ensure(index.header("x-artifortress-stale-since").is_none(), format!("{format}: it is not marked"))?;
        }
        let unknown = shelf.our_file().replace("tool", "fool");
        for _ in 0..2 {
            let missing = of(format, site.admin.get(&unknown).send().await?.expect(&[404]))?;
            ensure(missing.text().contains("offline"), format!("{format}: {}", missing.text()))?;
        }
        ensure(upstream.total() == total, format!("{format}: it was asked: {:?}", upstream.asked()))?;

        // That it was unknown is forgotten with the setting.
        set(&site, &shelf, json!({"offline": null})).await?;
        let other = site.admin.get(&unknown).send().await?;
        ensure(!other.text().contains("offline") && upstream.total() > total, format!("{format}: it is asked again"))?;
    }
    Ok(())
}

both! {
    offline_what_is_known_is_served_and_nobody_is_asked;
}
