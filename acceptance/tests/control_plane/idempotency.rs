//! The same request sent twice, and answers that the client has already.

use std::time::Duration;

use acceptance::Result;
use acceptance::server::{Backing, Persona, Server};
use serde_json::json;

async fn a_key_gives_the_first_answer_again(backing: Backing) -> Result<()> {
    let server = Server::start(backing).await?;
    let admin = server.admin()?;
    let body = json!({"repoKey": "files", "description": "first"});
    let create = |key: &str| admin.post("/v1/repos").header("Idempotency-Key", key.to_owned()).json(&body);
    let first = create("k1").send().await?.expect(&[201])?;
    let again = create("k1").send().await?.expect(&[201])?;
    assert_eq!(first.json()?, again.json()?);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = json!({"repoKey": "other"});
    admin.post("/v1/repos").header("Idempotency-Key", "k1").json(&other).send().await?.expect(&[422])?;
    create("k2").send().await?.expect(&[409])?;
    create("k2").send().await?.expect(&[409])?;
    create(&"k".repeat(256)).send().await?.expect(&[400])?;
    let mint = json!({"subject": "bob", "scopes": ["repo:files:read"], "ttlMinutes": 60});
    let mint = || admin.post("/v1/auth/pats").header("Idempotency-Key", "k3").json(&mint);
    let (one, two) = (mint().send().await?.expect(&[200])?, mint().send().await?.expect(&[200])?);
    assert_ne!(one.string("/token")?, two.string("/token")?);
    let stranger = server.persona("stranger")?.with("repo:files:read").arrive().await?;
    stranger.post("/v1/repos").header("Idempotency-Key", "k1").json(&body).send().await?.expect(&[403])?;
    // What was answered once is not for who may not ask any more.
    let carol = server.persona("carol")?.with("repo:files:admin").arrive().await?;
    let drafted = json!({"packageType": "raw", "packageName": "a", "version": "1"});
    let drafts = "/v1/repos/files/packages/versions/drafts";
    let draft = |by: &Persona| by.post(drafts).header("Idempotency-Key", "k4").json(&drafted);
    draft(&carol).send().await?.expect(&[201])?;
    draft(&carol).send().await?.expect(&[201])?;
    let narrow = json!({"subject": "carol", "scopes": ["repo:files:read"], "ttlMinutes": 60});
    let narrow = carol.post("/v1/auth/pats").json(&narrow).send().await?.expect(&[200])?.string("/token")?;
    draft(&Persona::new("carol", narrow, server.http()?)).send().await?.expect(&[403])?;
    Ok(())
}

#[tokio::test]
async fn a_key_gives_the_first_answer_again_embedded() -> Result<()> {
    a_key_gives_the_first_answer_again(Backing::Embedded).await
}

#[tokio::test]
async fn a_key_gives_the_first_answer_again_scaled_out() -> Result<()> {
    a_key_gives_the_first_answer_again(Backing::Scaled).await
}

/// The client goes away while its request waits for the database: the request is done all the same, and its
/// answer is there for whoever asks again.
#[tokio::test]
async fn a_client_that_goes_away_finds_its_answer_later() -> Result<()> {
    let server = Server::start(Backing::Scaled).await?;
    let admin = server.admin()?;
    let lock = server.lock("repositories", "SHARE")?;
    let body = json!({"repoKey": "files"}).to_string();
    let head = format!(
        "POST /v1/repos HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nIdempotency-Key: gone\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        admin.token(),
        body.len()
    );
    let mut client = server.http()?.connect().await?;
    client.write_raw(head.as_bytes()).await?;
    until(&server, "SELECT count(*) FROM idempotency").await?;
    drop(client);
    drop(lock);
    let again = || admin.post("/v1/repos").header("Idempotency-Key", "gone").body(body.clone());
    let ask = async || again().header("Content-Type", "application/json").send().await;
    let started = std::time::Instant::now();
    let mut answer = ask().await?;
    while answer.status == 409 && started.elapsed() < Duration::from_secs(15) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = ask().await?;
    }
    let answer = answer.expect(&[201])?;
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    Ok(())
}

/// Waits until a count is not zero, half a minute at most.
async fn until(server: &Server, count: &str) -> Result<()> {
    let started = std::time::Instant::now();
    while server.sql(count)?.trim() == "0" {
        assert!(started.elapsed() < Duration::from_secs(30), "waited for {count}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again_and_lost_updates_are_refused() -> Result<()> {
    let server = Server::start(Backing::Embedded).await?;
    server.repository("files", "raw").await?;
    let admin = server.admin()?;
    for path in ["/v1/repos/files", "/v1/repos", "/v1/auth/whoami", "/v1/openapi.json"] {
        let answer = admin.get(path).send().await?.expect(&[200])?;
        let tag = answer.header("etag").expect("a tag").to_owned();
        admin.get(path).header("If-None-Match", tag).send().await?.expect(&[304])?;
        admin.get(path).header("If-None-Match", "\"other\"").send().await?.expect(&[200])?;
    }
    let tag = admin.get("/v1/repos/files").send().await?.header("etag").expect("a tag").to_owned();
    let change = |tag: &str| {
        admin.patch("/v1/repos/files").header("If-Match", tag.to_owned()).json(&json!({"description": "x"}))
    };
    change(&tag).send().await?.expect(&[200])?;
    change(&tag).send().await?.expect(&[412])?;
    Ok(())
}
