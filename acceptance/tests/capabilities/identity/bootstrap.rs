//! The first admin.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use acceptance::http::Request;
use acceptance::server::Server;
use acceptance::{Result, environment};
use serde_json::{Value, json};

use crate::shape::{ask, refused};
use crate::site::{ensure, plan};

fn exchange(server: &Server, secret: &str, body: &Value) -> Result<Request> {
    Ok(server.http()?.post("/v1/auth/pats").header("X-Bootstrap-Token", secret).json(body))
}

fn written(server: &Server) -> Result<String> {
    Ok(fs::read_to_string(server.data().join("bootstrap-token"))?.trim().to_string())
}

#[tokio::test]
async fn it_is_exchanged_once_and_dead_afterwards() -> Result<()> {
    let mut server = plan().without_admin().start().await?;
    let secret = written(&server)?;
    let body = json!({"subject": "root", "scopes": ["repo:*:admin"]});
    let http = server.http()?;
    // Before: nothing mints, and the bootstrap token is no token.
    refused(http.post("/v1/auth/pats").json(&body), 401).await?;
    for path in ["/v1/auth/whoami", "/v1/repos", "/v1/admin/auth/pats"] {
        refused(http.get(path).bearer(&secret), 401).await?;
        refused(http.get(path).header("X-Bootstrap-Token", secret.clone()), 401).await?;
    }
    let (head, _) = secret.split_at(secret.len() - 1);
    for wrong in ["", " ", "x", "wrong-wrong-wrong-wrong", head, &format!("{secret}x"), &secret.to_uppercase()] {
        refused(exchange(&server, wrong, &body)?, 401).await?;
    }
    // A request that could not be fulfilled does not use it up.
    for bad in [
        json!({"subject": "", "scopes": ["repo:*:admin"]}),
        json!({"subject": "root", "scopes": ["everything"]}),
        json!({"subject": "root", "scopes": ["repo:*:admin"], "ttlMinutes": 1}),
        json!({"subject": "root", "nonsense": 1}),
    ] {
        refused(exchange(&server, &secret, &bad)?, 400).await?;
    }
    let token = ask(exchange(&server, &secret, &body)?).await?.expect(&[200])?.string("/token")?;
    let whoami = ask(http.get("/v1/auth/whoami").bearer(&token)).await?.expect(&[200])?;
    ensure(whoami.string("/subject")? == "root", "it is the one who was named")?;
    refused(exchange(&server, &secret, &body)?, 401).await?;
    server.restart().await?;
    refused(exchange(&server, &secret, &body)?, 401).await?;
    ensure(!server.data().join("bootstrap-token").exists(), "a dead token need not lie around")?;
    ensure(ask(server.http()?.get("/v1/auth/whoami").bearer(&token)).await?.status == 200, "the admin stays")?;
    // Also when the admin's token is gone: nobody becomes admin a second time.
    let admin = server.http()?.with_token(&token);
    let id = admin.get("/v1/auth/whoami").send().await?.string("/tokenId")?;
    ask(admin.post("/v1/auth/pats/revoke").json(&json!({"tokenId": id}))).await?.expect(&[200])?;
    server.restart().await?;
    refused(exchange(&server, &secret, &body)?, 401).await?;
    ensure(!server.data().join("bootstrap-token").exists(), "and no new one is made")
}

#[tokio::test]
async fn of_many_who_exchange_it_at_once_one_wins() -> Result<()> {
    let server = plan().without_admin().start().await?;
    let secret = written(&server)?;
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            exchange(&server, &secret, &json!({"subject": format!("root-{number}")})).map(|one| tokio::spawn(ask(one)))
        })
        .collect::<Result<_>>()?;
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await??.status);
    }
    statuses.sort_unstable();
    ensure(statuses[0] == 200 && statuses[1..].iter().all(|status| *status == 401), format!("{statuses:?}"))
}

#[tokio::test]
async fn it_comes_from_the_environment_and_stays_out_of_logs_and_folders() -> Result<()> {
    let secret = ["chosen", "by", "an", "operator", "0123456789"].join("-");
    let secret = secret.as_str();
    let plan =
        plan().without_admin().variable("ARTIFORTRESS_BOOTSTRAP_TOKEN", secret).variable("ARTIFORTRESS_LOG", "trace");
    let server = plan.start().await?;
    ensure(!server.data().join("bootstrap-token").exists(), "it is not written down")?;
    let token = ask(exchange(&server, secret, &json!({"subject": "root"}))?).await?.expect(&[200])?.string("/token")?;
    ensure(!server.log().contains(secret) && !server.log().contains(&token), "it is not logged")
}

/// Each fresh start makes another one, readable by its owner alone.
#[tokio::test]
async fn fresh_starts_make_distinct_tokens_with_mode_0600() -> Result<()> {
    let rounds = environment::rounds(10)?.min(100);
    let mut seen = BTreeSet::new();
    for _ in 0..rounds {
        let server = plan().without_admin().start().await?;
        let file = server.data().join("bootstrap-token");
        let mode = fs::metadata(&file)?.permissions().mode() & 0o777;
        ensure(mode == 0o600, format!("mode {mode:o}"))?;
        let folder = fs::metadata(server.data())?.permissions().mode() & 0o777;
        ensure(folder & 0o077 == 0, format!("the folder has mode {folder:o}"))?;
        let secret = written(&server)?;
        ensure(secret.len() >= 32 && !server.log().contains(&secret), "long, and named but not printed")?;
        ensure(server.log().contains("bootstrap-token"), "the log names the file")?;
        seen.insert(secret);
    }
    ensure(seen.len() == usize::try_from(rounds)?, "each is another")
}
