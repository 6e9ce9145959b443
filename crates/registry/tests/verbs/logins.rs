//! Logins that somebody says yes to in a browser.

use std::time::Duration;

use model::Code;
use registry::{Call, LoginCode};

use crate::bench::{Bench, code, repo_key};
use crate::both;

/// What its client asks with, and the login as its page finds it.
fn begun(bench: &Bench) -> (String, LoginCode) {
    let invited = bench.registry.invite(&repo_key("js"));
    let (until, page) = invited.page.split_once('/').expect("two segments");
    (invited.name.expose().clone(), bench.registry.login_at(until, page).expect("a login"))
}

async fn redeem(bench: &Bench, name: &str) -> registry::Result<Option<String>> {
    let correlation = bench.registry.ambient().id();
    let minted = bench.registry.redeem_login(&repo_key("js"), name, "npm", correlation).await?;
    Ok(minted.map(|minted| minted.secret.text().to_owned()))
}

async fn call(bench: &Bench, token: &str) -> registry::Result<Call> {
    bench.registry.call(Some(token), bench.registry.ambient().id()).await
}

async fn a_yes_gives_one_token_that_is_as_strong_and_as_mortal(bench: &Bench) {
    let rita = bench.somebody("rita", &["repo:js:read"]).await;
    let (name, login) = begun(bench);
    assert_eq!(bench.count("SELECT count(*) FROM logins").await, 0);
    assert!(redeem(bench, &name).await.expect("open").is_none());
    rita.confirm_login(&login).await.expect("a yes");
    let token = redeem(bench, &name).await.expect("open").expect("a token");
    assert!(redeem(bench, &name).await.expect("open").is_none(), "once");
    let client = call(bench, &token).await.expect("a call");
    let (own, hers) = (client.identity().expect("known"), rita.identity().expect("known"));
    assert_eq!((own.principal, own.scopes(), own.expires_at), (hers.principal, hers.scopes(), hers.expires_at));
    rita.revoke_token(hers.token).await.expect("revoked");
    assert_eq!(code(call(bench, &token).await), Code::Unauthorized);
    // Neither what was said yes to before the end of the token is given afterwards.
    let sam = bench.somebody("sam", &["repo:js:read"]).await;
    let (name, login) = begun(bench);
    sam.confirm_login(&login).await.expect("a yes");
    sam.revoke_token(sam.identity().expect("known").token).await.expect("revoked");
    assert_eq!(code(redeem(bench, &name).await), Code::Unauthorized);
}

async fn a_token_that_ended_says_when(bench: &Bench) {
    let mut tokens = Vec::new();
    let told = async |token: &str| call(bench, token).await.map(drop).expect_err("refused");
    let unknown = told("aft_nothing").await.to_string();
    for subject in ["rita", "sam"] {
        let somebody = bench.somebody(subject, &["repo:js:read"]).await;
        let (name, login) = begun(bench);
        somebody.confirm_login(&login).await.expect("a yes");
        tokens.push((redeem(bench, &name).await.expect("open").expect("a token"), somebody));
    }
    let ((ritas, _), (sams, sam)) = (&tokens[0], &tokens[1]);
    let until = call(bench, ritas).await.expect("a call").identity().expect("known").expires_at;
    sam.revoke_token(sam.identity().expect("known").token).await.expect("revoked");
    assert_eq!(told(sams).await.to_string(), unknown);
    bench.clock.advance(Duration::from_secs(8 * 24 * 3600));
    let expired = told(ritas).await;
    assert_eq!(expired.code(), Some(Code::Unauthorized));
    assert!(expired.to_string().contains(&format!("expired at {until}")), "{expired}");
    assert_eq!(told(sams).await.to_string(), unknown, "of what was revoked nothing is said");
}

async fn a_login_is_kept_for_minutes_and_one_for_a_token(bench: &Bench) {
    let rita = bench.somebody("rita", &["repo:js:read"]).await;
    let sam = bench.somebody("sam", &["repo:js:read"]).await;
    let ((first, one), (second, two)) = (begun(bench), begun(bench));
    rita.confirm_login(&one).await.expect("a yes");
    rita.confirm_login(&one).await.expect("again");
    assert_eq!(code(sam.confirm_login(&one).await), Code::Conflict);
    rita.confirm_login(&two).await.expect("another yes");
    assert_eq!(bench.count("SELECT count(*) FROM logins").await, 1);
    assert!(redeem(bench, &first).await.expect("open").is_none(), "the yes before is forgotten");
    bench.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(code(redeem(bench, &second).await), Code::Gone);
    assert_eq!(code(bench.registry.login_at(&second[..10], &"0".repeat(64))), Code::Gone);
    let (_, three) = begun(bench);
    sam.confirm_login(&three).await.expect("a yes");
    assert_eq!(bench.count("SELECT count(*) FROM logins").await, 1, "what has ended is swept");
}

async fn nobody_invents_a_longer_login(bench: &Bench) {
    let hash = "0".repeat(64);
    for (until, hash, expected) in [
        ("1700000000", hash.as_str(), Code::Gone),
        ("1700086400", &hash, Code::Gone),
        ("9223372036854775807", &hash, Code::NotFound),
        ("-1", &hash, Code::Gone),
        ("x", &hash, Code::NotFound),
        ("1700000100", "00", Code::NotFound),
        ("1700000100", "zz", Code::NotFound),
    ] {
        assert_eq!(code(bench.registry.login_at(until, hash)), expected, "{until} {hash}");
    }
    assert_eq!(code(redeem(bench, "1700086400/x").await), Code::Gone);
}

both! {
    a_yes_gives_one_token_that_is_as_strong_and_as_mortal;
    a_token_that_ended_says_when;
    a_login_is_kept_for_minutes_and_one_for_a_token;
    nobody_invents_a_longer_login;
}
