//! Images of several repositories under one address, as they were.

use acceptance::Result;
use serde_json::json;

use super::images::{digest, manifest, push_to};
use super::{ask, compact};
use crate::site::{Site, ensure};
use crate::virtuals::{hosted, put_together};

async fn images_of_members_are_pulled_as_they_were(site: Site) -> Result<()> {
    hosted(&site, "images", "oci").await?;
    put_together(&site, "all", "oci", &["images"], json!({})).await?;
    let old = push_to(&site.admin, "images/app", "v1", "old", None).await?;
    let gone = push_to(&site.admin, "images/app", "gone", "gone", None).await?;
    push_to(&site.admin, "images/app", "untagged", "untagged", None).await?;
    let moment = compact(&site.server.moment("clock").await?);
    let repo = format!("all/{moment}/app");
    let new = push_to(&site.admin, "images/app", "v1", "new", None).await?;
    ask(site.admin.delete(&format!("/v2/images/app/manifests/{gone}"))).await?.expect(&[202])?;
    ask(site.admin.delete("/v2/images/app/manifests/untagged")).await?.expect(&[202])?;
    // A member that comes later has nothing then, also under a name that is another's today.
    hosted(&site, "later", "oci").await?;
    push_to(&site.admin, "later/app", "v1", "later", None).await?;
    push_to(&site.admin, "later/fresh", "v1", "later", None).await?;
    let members = json!({"memberRepos": ["later", "images"]});
    ask(site.admin.patch("/v1/repos/all").json(&members)).await?.expect(&[200])?;

    let then = ask(manifest(&site, &repo, "v1")).await?.expect(&[200])?;
    ensure(digest(&then) == old, format!("the tag that moved: {:?}", then.headers))?;
    for reference in ["gone", gone.as_str(), "untagged"] {
        ask(manifest(&site, &repo, reference)).await?.expect(&[200])?;
    }
    ask(manifest(&site, &repo, &new)).await?.expect(&[404])?;
    ask(manifest(&site, &format!("all/{moment}/fresh"), "v1")).await?.expect(&[404])?;
    let tags = ask(site.admin.get(&format!("/v2/{repo}/tags/list"))).await?.expect(&[200])?;
    ensure(tags.json()?["tags"] == json!(["gone", "untagged", "v1"]), tags.text())?;
    // Today the name is the later one's, as it comes first.
    let now = ask(manifest(&site, "all/app", "v1")).await?.expect(&[200])?;
    ensure(digest(&now) != old && digest(&now) != new, format!("{:?}", now.headers))?;
    ask(manifest(&site, "all/app", "gone")).await?.expect(&[404])?;
    ask(manifest(&site, "all/fresh", "v1")).await?.expect(&[200])?;
    Ok(())
}

#[tokio::test]
async fn embedded_images_of_members_are_pulled_as_they_were() -> Result<()> {
    images_of_members_are_pulled_as_they_were(Site::embedded().await?).await
}

#[tokio::test]
async fn scaled_images_of_members_are_pulled_as_they_were() -> Result<()> {
    images_of_members_are_pulled_as_they_were(Site::scaled().await?).await
}
