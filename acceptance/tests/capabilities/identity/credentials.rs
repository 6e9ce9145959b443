//! How a token may be presented.

use acceptance::Result;
use acceptance::http::Answer;
use serde_json::json;

use crate::shape::{ask, refused};
use crate::site::{Site, ensure};

/// What differs from request to request, left out.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let id = answer.header("x-correlation-id").unwrap_or_default();
    let headers = answer.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "x-correlation-id" | "date"));
    (answer.status, headers.cloned().collect(), answer.text().replace(id, "ID"))
}

#[tokio::test]
async fn basic_is_bearer() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    ask(site.admin.put("/repository/libs/a").body("a")).await?.expect(&[201])?;
    let (http, token) = (site.server.http()?, site.admin.token());
    for path in ["/v1/auth/whoami", "/v1/repos", "/repository/libs/a", "/repository/libs/none", "/v1/repos/none"] {
        let bearer = seen(&ask(http.get(path).bearer(token)).await?);
        for user in ["admin", "", "somebody-else", "token", "ädmin"] {
            let basic = seen(&ask(http.get(path).basic(user, token)).await?);
            ensure(basic == bearer, format!("{path} as {user:?}: {basic:?} against {bearer:?}"))?;
        }
    }
    // Alone is how Cargo's registries are asked, by libraries that do not say that they are Cargo, too.
    for scheme in ["bearer ", "BEARER ", "Bearer   ", ""] {
        ask(http.get("/v1/auth/whoami").header("Authorization", format!("{scheme}{token}"))).await?.expect(&[200])?;
    }
    Ok(())
}

#[tokio::test]
async fn known_and_unknown_users_cannot_be_told_apart() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    site.person("alice", &["repo:libs:read"]).await?;
    let http = site.server.http()?;
    let mut answers = Vec::new();
    for path in ["/v1/auth/whoami", "/repository/libs/a", "/v1/repos/libs", "/v1/repos/none", "/repository/none/a"] {
        for user in ["alice", "admin", "nobody", ""] {
            for password in ["wrong", "", "alice"] {
                answers.push(seen(&ask(http.get(path).basic(user, password)).await?));
            }
        }
    }
    answers.dedup();
    ensure(answers.len() == 1 && answers[0].0 == 401, format!("{answers:#?}"))
}

#[tokio::test]
async fn a_token_given_twice_or_where_it_does_not_belong_is_refused() -> Result<()> {
    let site = Site::embedded().await?;
    let (http, token) = (site.server.http()?, site.admin.token());
    let bearer = format!("Bearer {token}");
    let whoami = || http.get("/v1/auth/whoami");
    refused(whoami().bearer(token).header("Authorization", bearer.clone()), 401).await?;
    let basic = whoami().basic("admin", token).header("Authorization", bearer.clone());
    refused(basic, 401).await?;
    let places = [
        whoami().header("Cookie", format!("token={token}")),
        whoami().header("X-Api-Key", token),
        whoami().header("Proxy-Authorization", bearer.clone()),
        http.get(&format!("/v1/auth/whoami?token={token}")),
        http.get(&format!("/v1/auth/whoami?access_token={token}")),
        http.get(&format!("/v1/auth/whoami?authorization=Bearer%20{token}")),
        whoami().basic(token, ""),
        whoami().basic(token, "x-oauth-basic"),
        whoami().header("Authorization", format!("Bearer {token},Bearer {token}")),
        whoami().header("Authorization", format!("Bearer \"{token}\"")),
        whoami().header("Authorization", format!("Bearer {token}\u{e9}")),
        whoami().header("Authorization", format!("Bearer {} {}", &token[..10], &token[10..])),
        whoami().header("Authorization", ""),
    ];
    for request in places {
        refused(request, 401).await?;
    }
    Ok(())
}
