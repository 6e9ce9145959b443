//! Bindings are read at use: what is taken away is gone on the next request, also for living tokens.

use acceptance::Result;
use acceptance::http::Http;
use serde_json::json;

use crate::shape::{ask, refused};
use crate::site::{Site, ensure, mint};

#[tokio::test]
async fn a_weakened_or_removed_binding_weakens_living_tokens() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        site.repository("libs", json!({})).await?;
        let path = "/v1/repos/libs/bindings/alice";
        let bind = |roles: &[&str]| site.admin.put(path).json(&json!({"roles": roles}));
        ask(bind(&["write"])).await?.expect(&[200])?;
        let by_binding = site.server.http()?.with_token(&mint(&site.admin, "alice", &[]).await?.secret);
        let by_name = site.server.http()?.with_token(&mint(&site.admin, "alice", &["repo:libs:write"]).await?.secret);
        let own = site.server.http()?.with_token(&mint(&by_binding, "alice", &[]).await?.secret);
        for (number, alice) in [&by_binding, &by_name, &own].into_iter().enumerate() {
            let put = |name: &str| alice.put(&format!("/repository/libs/{number}-{name}")).body("x");
            ask(bind(&["write"])).await?.expect(&[200])?;
            ask(put("a")).await?.expect(&[201])?;
            ask(bind(&["read"])).await?.expect(&[200])?;
            refused(put("b"), 403).await?;
            ask(alice.get(&format!("/repository/libs/{number}-a"))).await?.expect(&[200])?;
            ask(site.admin.delete(path)).await?.expect(&[200])?;
            refused(put("b"), 404).await?;
            refused(alice.get(&format!("/repository/libs/{number}-a")), 404).await?;
            ask(alice.get("/v1/auth/whoami")).await?.expect(&[200])?;
            // More than the token was made for never comes of a binding.
            ask(bind(&["admin"])).await?.expect(&[200])?;
            ask(put("c")).await?.expect(&[201])?;
            refused(alice.get("/v1/repos/libs/bindings"), 403).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn tenant_roles_weaken_likewise() -> Result<()> {
    let site = Site::embedded().await?;
    let path = "/v1/admin/tenant-role-bindings/olga";
    ask(site.admin.put(path).json(&json!({"roles": ["admin"]}))).await?.expect(&[200])?;
    let olga = site.server.http()?.with_token(&mint(&site.admin, "olga", &[]).await?.secret);
    ask(olga.get("/v1/admin/auth/pats")).await?.expect(&[200])?;
    ask(site.admin.put(path).json(&json!({"roles": ["auditor"]}))).await?.expect(&[200])?;
    refused(olga.get("/v1/admin/auth/pats"), 403).await?;
    ask(site.admin.delete(path)).await?.expect(&[200])?;
    refused(olga.get("/v1/admin/auth/pats"), 403).await?;
    refused(site.admin.delete(path), 404).await?;
    Ok(())
}

#[tokio::test]
async fn anonymous_reading_is_switched_on_and_off_at_once() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    ask(site.admin.put("/repository/libs/a").body("a")).await?.expect(&[201])?;
    let (nobody, stranger) = (site.server.http()?, site.person("stranger", &["repo:other:read"]).await?);
    for open in [true, false, true, false] {
        ask(site.admin.patch("/v1/repos/libs").json(&json!({"anonymousRead": open}))).await?.expect(&[200])?;
        for (client, closed) in [(&nobody, 401), (&*stranger, 404)] {
            for path in ["/repository/libs/a", "/repository/libs/", "/v1/repos/libs"] {
                let status = ask(client.get(path)).await?.status;
                ensure(status == if open { 200 } else { closed }, format!("{path} open={open}: {status}"))?;
            }
        }
        ensure(listed(&stranger).await? == open, "the list shows what may be read")?;
        refused(nobody.put("/repository/libs/b").body("b"), 401).await?;
    }
    Ok(())
}

async fn listed(client: &Http) -> Result<bool> {
    Ok(ask(client.get("/v1/repos")).await?.text().contains("\"libs\""))
}

#[tokio::test]
async fn bindings_are_checked() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    for path in ["/v1/repos/libs/bindings/bob", "/v1/admin/tenant-role-bindings/bob"] {
        for bad in [
            json!({"roles": []}),
            json!({"roles": ["owner"]}),
            json!({"roles": "read"}),
            json!({}),
            json!({"role": ["read"]}),
        ] {
            refused(site.admin.put(path).json(&bad), 400).await?;
        }
        refused(site.admin.delete(path), 404).await?;
    }
    refused(site.admin.get("/v1/repos/libs/bindings/bob"), 404).await?;
    for subject in ["a%20b", "%00", "a%2Fb", "a%0d%0aX", &"x".repeat(201)] {
        refused(site.admin.put(&format!("/v1/repos/libs/bindings/{subject}")).json(&json!({"roles": ["read"]})), 400)
            .await?;
    }
    let upper = site.admin.put("/v1/repos/libs/bindings/BOB").json(&json!({"roles": ["read"]}));
    ensure(ask(upper).await?.expect(&[200])?.string("/subject")? == "bob", "names have one spelling")
}
