//! What is revoked is dead on the next request.

use acceptance::http::Http;
use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::json;

use crate::shape::{ask, refused};
use crate::site::{Site, ensure, mint};

async fn lives(site: &Site, secret: &str) -> Result<bool> {
    let addresses = site.server.addresses();
    let mut statuses = Vec::new();
    for address in addresses {
        statuses.push(ask(Http::new(address).get("/v1/auth/whoami").bearer(secret)).await?.status);
    }
    match statuses.as_slice() {
        all if all.iter().all(|status| *status == 200) => Ok(true),
        all if all.iter().all(|status| *status == 401) => Ok(false),
        other => Err(Trouble::new(format!("processes differ: {other:?}"))),
    }
}

#[tokio::test]
async fn one_a_subject_and_all() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        let (alice, other) =
            (mint(&site.admin, "alice", &["repo:a:read"]).await?, mint(&site.admin, "alice", &["repo:a:read"]).await?);
        let bob = mint(&site.admin, "bob", &["repo:a:read"]).await?;
        let revoke = |client: &Http, id: &str| client.post("/v1/auth/pats/revoke").json(&json!({"tokenId": id}));
        ensure(lives(&site, &alice.secret).await? && lives(&site, &other.secret).await?, "at first they live")?;
        // Somebody else's token is as unknown as one that never was.
        let speaking = site.server.http()?.with_token(&bob.secret);
        let foreign = ask(revoke(&speaking, &alice.id)).await?.expect(&[404])?.string("/detail")?;
        let never =
            ask(revoke(&speaking, "01890000-0000-7000-8000-000000000000")).await?.expect(&[404])?.string("/detail")?;
        ensure(foreign == never, "nobody learns which ids exist")?;
        refused(revoke(&speaking, "not-an-id"), 400).await?;
        ask(revoke(&site.admin, &alice.id)).await?.expect(&[200])?;
        ensure(
            !lives(&site, &alice.secret).await? && lives(&site, &other.secret).await?,
            "one is dead, the other lives",
        )?;
        let by_subject = site.admin.post("/v1/admin/auth/pats/revoke-subject").json(&json!({"subject": "ALICE"}));
        ensure(ask(by_subject).await?.expect(&[200])?.json()?["revokedCount"] == 1, "the rest of hers")?;
        ensure(!lives(&site, &other.secret).await? && lives(&site, &bob.secret).await?, "hers and nobody else's")?;
        ask(revoke(&speaking, &bob.id)).await?.expect(&[200])?;
        ensure(!lives(&site, &bob.secret).await?, "one's own, with itself")?;
        let last = mint(&site.admin, "carol", &["repo:*:admin"]).await?;
        ask(site.admin.post("/v1/admin/auth/pats/revoke-all")).await?.expect(&[200])?;
        ensure(!lives(&site, &last.secret).await? && lives(&site, site.admin.token()).await?, "all but the one used")?;
        if site.server.backing() == Backing::Embedded {
            let mut site = site;
            site.server.restart().await?;
            ensure(
                !lives(&site, &last.secret).await? && lives(&site, site.admin.token()).await?,
                "also after a restart",
            )?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_service_account_is_disabled_and_enabled_again_in_every_process() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        let account = "/v1/admin/service-accounts/ci";
        let set = |disabled: bool| site.admin.patch(account).json(&json!({"disabled": disabled}));
        refused(set(true), 404).await?;
        refused(site.admin.patch("/v1/admin/service-accounts/admin").json(&json!({"disabled": true})), 404).await?;
        ask(site.admin.post("/v1/admin/service-accounts").json(&json!({"subject": "ci"}))).await?.expect(&[201])?;
        let token = mint(&site.admin, "ci", &["repo:libs:write"]).await?;
        for _ in 0..2 {
            ensure(lives(&site, &token.secret).await?, "its token works")?;
            for _ in 0..2 {
                let told = ask(set(true)).await?.expect(&[200])?.json()?;
                ensure(told["disabledAtUtc"].is_string() && told["deletedAtUtc"].is_null(), format!("{told}"))?;
            }
            ensure(!lives(&site, &token.secret).await?, "its token is refused")?;
            let more = json!({"subject": "ci", "scopes": ["repo:libs:write"]});
            refused(site.admin.post("/v1/auth/pats").json(&more), 409).await?;
            let told = ask(set(false)).await?.expect(&[200])?.json()?;
            ensure(told["disabledAtUtc"].is_null(), format!("{told}"))?;
        }
        ensure(lives(&site, &token.secret).await?, "and works again")?;
        ask(set(true)).await?.expect(&[200])?;
        ask(site.admin.delete(account)).await?.expect(&[200])?;
        refused(set(false), 404).await?;
        ensure(!lives(&site, &token.secret).await?, "what was deleted stays dead")?;
    }
    Ok(())
}

#[tokio::test]
async fn service_accounts_are_made_once_and_deleted_for_ever() -> Result<()> {
    let site = Site::embedded().await?;
    let path = "/v1/admin/service-accounts";
    let make = |subject: &str| site.admin.post(path).json(&json!({"subject": subject, "description": "builds"}));
    ask(make("ci")).await?.expect(&[201])?;
    refused(make("ci"), 409).await?;
    refused(make("CI"), 409).await?;
    refused(make("a b"), 400).await?;
    let token = mint(&site.admin, "ci", &["repo:libs:write"]).await?;
    ensure(lives(&site, &token.secret).await?, "its token works")?;
    ask(site.admin.delete(&format!("{path}/ci"))).await?.expect(&[200])?;
    ensure(!lives(&site, &token.secret).await?, "its token is dead")?;
    let again = json!({"subject": "ci", "scopes": ["repo:libs:write"]});
    let status = ask(site.admin.post("/v1/auth/pats").json(&again)).await?.status;
    ensure(matches!(status, 403 | 409), format!("a disabled account gets no token: {status}"))?;
    refused(make("ci"), 409).await?;
    refused(site.admin.delete(&format!("{path}/ci")), 404).await?;
    refused(site.admin.delete(&format!("{path}/never")), 404).await?;
    refused(site.admin.delete(&format!("{path}/admin")), 404).await?;
    let listed = ask(site.admin.get(path)).await?.json()?;
    ensure(listed["items"][0]["subject"] == "ci" && listed["items"][0]["deletedAtUtc"].is_string(), format!("{listed}"))
}

#[tokio::test]
async fn lists_of_tokens_show_no_secret_and_only_ones_own() -> Result<()> {
    let site = Site::embedded().await?;
    let alice = mint(&site.admin, "alice", &["repo:a:read"]).await?;
    let bob = mint(&site.admin, "bob", &["repo:a:read"]).await?;
    let own = ask(site.server.http()?.get("/v1/auth/pats").bearer(&alice.secret)).await?.expect(&[200])?.text();
    ensure(own.contains(&alice.id) && !own.contains(&bob.id), "one's own")?;
    let all = ask(site.admin.get("/v1/admin/auth/pats")).await?.text();
    ensure(all.contains(&alice.id) && all.contains(&bob.id), "all")?;
    for text in [own, all] {
        ensure(!text.contains(&alice.secret) && !text.contains(&bob.secret), "no secret")?;
    }
    Ok(())
}
