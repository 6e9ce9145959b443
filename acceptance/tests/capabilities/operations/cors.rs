//! Scripts of other origins.

use acceptance::Result;

use crate::shape::ask;
use crate::site::{Site, ensure, plan};

#[tokio::test]
async fn only_listed_origins_may_read_us() -> Result<()> {
    let server =
        plan().variable("ARTIFORTRESS_CORS_ORIGINS", "https://app.example,http://localhost:3000").start().await?;
    let admin = server.admin()?;
    let site = Site { server, admin };
    for origin in ["https://app.example", "http://localhost:3000"] {
        let answer = ask(site.admin.get("/v1/repos").header("Origin", origin)).await?.expect(&[200])?;
        ensure(answer.header("access-control-allow-origin") == Some(origin), format!("{answer:?}"))?;
        ensure(answer.header("access-control-allow-credentials").is_none(), "never with cookies")?;
        let refused = ask(site.server.http()?.get("/v1/repos").header("Origin", origin)).await?.expect(&[401])?;
        ensure(refused.header("access-control-allow-origin") == Some(origin), "it may read refusals, too")?;
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            let ask_first = site.server.http()?.request("OPTIONS", "/v1/repos/libs").header("Origin", origin);
            let answer = ask(ask_first
                .header("Access-Control-Request-Method", method)
                .header("Access-Control-Request-Headers", "authorization"))
            .await?;
            ensure(answer.status == 204, format!("{answer:?}"))?;
            ensure(answer.header("access-control-allow-methods").is_some_and(|all| all.contains(method)), method)?;
            ensure(
                answer.header("access-control-allow-headers").is_some_and(|all| all.contains("authorization")),
                "tokens",
            )?;
        }
    }
    let strangers = [
        "https://evil.example",
        "https://app.example.evil.example",
        "https://evilapp.example",
        "http://app.example",
        "https://app.example:8443",
        "https://APP.example",
        "https://app.example/",
        "null",
        "*",
        "",
        "https://app.example,https://evil.example",
        "http://localhost",
        "file://",
    ];
    for origin in strangers {
        let answer = ask(site.admin.get("/v1/repos").header("Origin", origin)).await?.expect(&[200])?;
        ensure(answer.header("access-control-allow-origin").is_none(), format!("{origin:?}: {answer:?}"))?;
        ensure(
            answer.header("vary").is_some_and(|all| all.to_lowercase().contains("origin")),
            "caches tell them apart",
        )?;
        let first = site
            .server
            .http()?
            .request("OPTIONS", "/v1/repos")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "GET");
        let answer = ask(first).await?;
        ensure(
            answer.header("access-control-allow-origin").is_none() && answer.status == 405,
            format!("{origin:?}: {answer:?}"),
        )?;
    }
    Ok(())
}

#[tokio::test]
async fn without_a_list_nobody_may() -> Result<()> {
    let site = Site::embedded().await?;
    let answer = ask(site.admin.get("/v1/repos").header("Origin", "https://app.example")).await?.expect(&[200])?;
    ensure(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control")), format!("{answer:?}"))
}
