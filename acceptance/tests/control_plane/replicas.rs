//! What one process does, every other knows from the next request on.

use acceptance::Result;
use acceptance::server::{Backing, Server};
use serde_json::json;

#[tokio::test]
async fn changes_are_in_force_on_the_next_request_of_every_replica() -> Result<()> {
    let server = Server::plan(Backing::Scaled).apis(2).start().await?;
    server.repository("files", "raw").await?;
    let addresses = server.addresses();
    let (one, two) = (addresses[0], addresses[1]);
    let admin = server.admin()?.at(one);
    for round in 0..20 {
        let path = format!("/repository/files/f{round}");
        let alice = server.persona("alice")?.with("repo:files:write").arrive().await?;
        let (here, there) = (alice.at(one), alice.at(two));
        here.put(&path).body("one").send().await?.expect(&[201])?;
        assert_eq!(there.get(&path).send().await?.expect(&[200])?.text(), "one");
        there.delete(&path).send().await?.expect(&[403])?;
        admin.delete(&path).send().await?.expect(&[204])?;
        there.get(&path).send().await?.expect(&[410])?;
        let revoked =
            admin.post("/v1/admin/auth/pats/revoke-subject").json(&json!({"subject": "alice"})).send().await?;
        revoked.expect(&[200])?;
        there.get(&path).send().await?.expect(&[401])?;
        here.get(&path).send().await?.expect(&[401])?;
    }
    Ok(())
}

#[tokio::test]
async fn settings_and_bindings_reach_the_other_replica_at_once() -> Result<()> {
    let server = Server::plan(Backing::Scaled).apis(2).start().await?;
    server.repository("files", "raw").await?;
    let addresses = server.addresses();
    let (one, two) = (addresses[0], addresses[1]);
    let admin = server.admin()?.at(one);
    let open = acceptance::http::Http::new(two);
    admin.put("/repository/files/a").body("a").send().await?.expect(&[201])?;
    for _ in 0..5 {
        admin.patch("/v1/repos/files").json(&json!({"anonymousRead": true})).send().await?.expect(&[200])?;
        open.get("/repository/files/a").send().await?.expect(&[200])?;
        admin.patch("/v1/repos/files").json(&json!({"anonymousRead": false})).send().await?.expect(&[200])?;
        open.get("/repository/files/a").send().await?.expect(&[401])?;
    }
    admin.put("/v1/repos/files/bindings/bob").json(&json!({"roles": ["write"]})).send().await?.expect(&[200])?;
    let mint = json!({"subject": "bob", "scopes": [], "ttlMinutes": 60});
    let token = admin.post("/v1/auth/pats").json(&mint).send().await?.expect(&[200])?.string("/token")?;
    let bob = open.with_token(&token);
    bob.put("/repository/files/b").body("b").send().await?.expect(&[201])?;
    admin.put("/v1/repos/files/bindings/bob").json(&json!({"roles": ["read"]})).send().await?.expect(&[200])?;
    bob.put("/repository/files/c").body("c").send().await?.expect(&[403])?;
    bob.get("/repository/files/b").send().await?.expect(&[200])?;
    admin.delete("/v1/repos/files/bindings/bob").send().await?.expect(&[200])?;
    bob.get("/repository/files/b").send().await?.expect(&[404])?;
    Ok(())
}
