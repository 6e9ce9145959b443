//! How long tokens live, and that none outgrows the one it was made with.

use acceptance::Result;
use acceptance::http::Http;
use serde_json::{Value, json};

use crate::shape::{ask, refused};
use crate::site::{Site, Token, ensure, mint, minted};

#[tokio::test]
async fn lifetimes_lie_within_the_bounds_and_the_policy() -> Result<()> {
    let site = Site::embedded().await?;
    let body = |ttl: Value| json!({"subject": "a", "scopes": ["repo:x:read"], "ttlMinutes": ttl});
    let mint = |ttl: Value| site.admin.post("/v1/auth/pats").json(&body(ttl));
    for good in [5, 60, 1440, 10080] {
        ask(mint(json!(good))).await?.expect(&[200])?;
    }
    for bad in [json!(0), json!(4), json!(10081), json!(-5), json!(5.5), json!("60"), json!(4294967296u64), json!([60])]
    {
        refused(mint(bad), 400).await?;
    }
    let policy = "/v1/admin/auth/pat-policy";
    for bad in [json!({"maxTtlMinutes": 4}), json!({"maxTtlMinutes": 10081}), json!({}), json!({"maxTtlMinutes": null})]
    {
        refused(site.admin.put(policy).json(&bad), 400).await?;
    }
    ask(site.admin.put(policy).json(&json!({"maxTtlMinutes": 60}))).await?.expect(&[200])?;
    let told = ask(site.admin.get(policy)).await?.json()?;
    ensure(told["maxTtlMinutes"] == 60 && told["updatedBySubject"] == "admin", format!("{told}"))?;
    refused(mint(json!(61)), 400).await?;
    ask(mint(json!(60))).await?.expect(&[200])?;
    // Who names no time gets what is usual, cut to what is allowed.
    for absent in [json!({"subject": "a", "scopes": ["repo:x:read"]}), body(Value::Null)] {
        ask(site.admin.post("/v1/auth/pats").json(&absent)).await?.expect(&[200])?;
    }
    Ok(())
}

#[tokio::test]
async fn an_own_token_is_no_stronger_and_no_longer_lived() -> Result<()> {
    let site = Site::embedded().await?;
    let short = json!({"subject": "alice", "scopes": ["repo:libs:write", "tenant:auditor"], "ttlMinutes": 5});
    let parent = minted(site.admin.post("/v1/auth/pats").json(&short)).await?;
    let alice = site.server.http()?.with_token(&parent.secret);
    for scope in [
        "repo:libs:admin",
        "repo:libs:promote",
        "repo:other:read",
        "repo:*:read",
        "repo:*:write",
        "repo:*:admin",
        "tenant:operator",
        "tenant:admin",
    ] {
        for scopes in [json!([scope]), json!(["repo:libs:read", scope])] {
            refused(alice.post("/v1/auth/pats").json(&json!({"subject": "alice", "scopes": scopes})), 403).await?;
        }
    }
    for scopes in [json!(["repo:libs:read"]), json!(["repo:libs:write"]), json!(["tenant:auditor"]), json!([])] {
        let body = json!({"subject": "alice", "scopes": scopes, "ttlMinutes": 1440});
        let child = ask(alice.post("/v1/auth/pats").json(&body)).await?.expect(&[200])?;
        let until = alice.get("/v1/auth/whoami").send().await?.string("/expiresAtUtc")?;
        ensure(child.string("/expiresAtUtc")? <= until, "it lives no longer")?;
    }
    let silent = ask(alice.post("/v1/auth/pats").json(&json!({"subject": "Alice "}))).await?.expect(&[200])?;
    ensure(silent.string("/subject")? == "alice", "who types a name differently is the same")?;
    // For somebody else: tenant admins only.
    for subject in ["bob", "admin"] {
        let body = json!({"subject": subject, "scopes": ["repo:libs:read"]});
        refused(alice.post("/v1/auth/pats").json(&body), 403).await?;
    }
    Ok(())
}

/// A chain of three: whoever falls takes along what came after.
#[tokio::test]
async fn tokens_die_with_their_parents() -> Result<()> {
    let site = Site::embedded().await?;
    for fallen in 0..3 {
        let subject = format!("person-{fallen}");
        let first = mint(&site.admin, &subject, &["repo:libs:read"]).await?;
        let second = mint(&speaking(&site, &first)?, &subject, &["repo:libs:read"]).await?;
        let third = mint(&speaking(&site, &second)?, &subject, &["repo:libs:read"]).await?;
        let chain = [first, second, third];
        let revoke = json!({"tokenId": chain[fallen].id});
        let gone = ask(site.admin.post("/v1/auth/pats/revoke").json(&revoke)).await?.expect(&[200])?.json()?;
        ensure(gone["tokenIds"].as_array().is_some_and(|ids| ids.len() == 3 - fallen), format!("{gone}"))?;
        for (at, token) in chain.iter().enumerate() {
            let status = ask(speaking(&site, token)?.get("/v1/auth/whoami")).await?.status;
            let expected = if at < fallen { 200 } else { 401 };
            ensure(status == expected, format!("{at} after the fall of {fallen}: {status}"))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn names_and_scopes_of_tokens_are_checked() -> Result<()> {
    let site = Site::embedded().await?;
    let bad = [
        json!({"scopes": ["repo:x:read"]}),
        json!({"subject": "a b", "scopes": ["repo:x:read"]}),
        json!({"subject": "a/b", "scopes": ["repo:x:read"]}),
        json!({"subject": "a\u{0}", "scopes": ["repo:x:read"]}),
        json!({"subject": "a\r\nX: y", "scopes": ["repo:x:read"]}),
        json!({"subject": "\u{202e}a", "scopes": ["repo:x:read"]}),
        json!({"subject": "x".repeat(201), "scopes": ["repo:x:read"]}),
        json!({"subject": 7, "scopes": ["repo:x:read"]}),
        json!({"subject": "a", "scopes": "repo:x:read"}),
        json!({"subject": "a", "scopes": [null]}),
        json!({"subject": "a", "scopes": ["repo:x:own"]}),
        json!({"subject": "a", "scopes": ["repo::read"]}),
        json!({"subject": "a", "scopes": ["repo:../x:read"]}),
        json!({"subject": "a", "scopes": ["repo:x:read:more"]}),
        json!({"subject": "a", "scopes": ["tenant:read"]}),
        json!({"subject": "a", "scopes": ["*"]}),
        json!({"subject": "a", "scopes": ["repo:x:read"], "name": "x".repeat(201)}),
        json!({"subject": "a", "scopes": ["repo:x:read"], "name": "a\nb"}),
        json!({"subject": "nobody-bound", "scopes": []}),
    ];
    for body in &bad {
        refused(site.admin.post("/v1/auth/pats").json(body), 400).await?;
    }
    println!("{} cases", bad.len());
    Ok(())
}

fn speaking(site: &Site, token: &Token) -> Result<Http> {
    Ok(site.server.http()?.with_token(&token.secret))
}
