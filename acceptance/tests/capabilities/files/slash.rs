//! A repository's address without its slash leads to the listing, for those who may know that there is one.

use acceptance::Result;
use serde_json::json;

use crate::shape::ask;
use crate::site::{Site, ensure, plan};

#[tokio::test]
async fn the_address_without_its_slash_leads_to_the_listing() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("private", json!({})).await?;
    site.repository("public", json!({"anonymousRead": true})).await?;
    let nobody = site.server.http()?;
    let reader = site.person("reader", &["repo:private:read"]).await?;
    let stranger = site.person("stranger", &["repo:elsewhere:read"]).await?;
    for (query, more) in
        [("", ""), ("?format=html", "?format=html"), ("?limit=1&cursor=a%2Fb", "?limit=1&cursor=a%2Fb")]
    {
        for method in ["GET", "HEAD"] {
            let answer = ask(reader.request(method, &format!("/repository/private{query}"))).await?.expect(&[308])?;
            ensure(answer.header("location") == Some(&format!("private/{more}")), format!("{answer:?}"))?;
            let answer = ask(nobody.request(method, &format!("/repository/public{query}"))).await?.expect(&[308])?;
            ensure(answer.header("location") == Some(&format!("public/{more}")), format!("{answer:?}"))?;
        }
    }
    ask(reader.get("/repository/private/")).await?.expect(&[200])?;
    for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
        for key in ["private", "absent", "NO-KEY", "a..b"] {
            let path = format!("/repository/{key}");
            ask(nobody.request(method, &path)).await?.expect(&[401])?;
            ask(stranger.request(method, &path)).await?.expect(&[404])?;
        }
    }
    for method in ["PUT", "POST", "DELETE", "PATCH"] {
        let answer = ask(reader.request(method, "/repository/private")).await?.expect(&[405])?;
        ensure(answer.header("allow") == Some("GET, HEAD"), format!("{answer:?}"))?;
    }
    ask(site.admin.get("/repository/absent")).await?.expect(&[404])?;
    Ok(())
}

/// Behind a prefix the way must stay below it: a relative one does.
#[tokio::test]
async fn the_way_holds_behind_a_prefix() -> Result<()> {
    let server = plan().variable("ARTIFORTRESS_EXTERNAL_URL", "https://example.test/artifacts").start().await?;
    server.repository("libs", "raw").await?;
    let answer = ask(server.admin()?.get("/repository/libs")).await?.expect(&[308])?;
    let location = answer.header("location").unwrap_or_default();
    ensure(!location.starts_with('/') && !location.contains(':') && location == "libs/", location)
}
