//! Whoever owns the database is let in again when nobody administers it any more.

use std::time::Duration;

use model::{Code, Subject, TenantRole};
use registry::{Auditor, Call, Minted, TenantAdmin, TokenRequest};

use crate::bench::{Bench, code, request};
use crate::both;

const DAY: Duration = Duration::from_secs(86_400);

async fn recover(bench: &Bench, subject: &str) -> registry::Result<Minted> {
    bench.registry.recover(Subject::parse(subject).expect("a subject"), false).await
}

async fn call(bench: &Bench, token: &str) -> registry::Result<Call> {
    bench.registry.call(Some(token), bench.registry.ambient().id()).await
}

async fn nobody_recovers_while_an_admin_is_left(bench: &Bench) {
    assert_eq!(code(recover(bench, "admin").await), Code::Conflict);
    // A token of another admin counts, whoever's it is and however it came to be one.
    let second = bench.admin().await.mint_token(request("second", &["tenant:admin"])).await.expect("a token");
    let own = bench.admin().await.identity().expect("known").token;
    bench.admin().await.revoke_token(own).await.expect("revoked");
    assert_eq!(code(recover(bench, "admin").await), Code::Conflict);
    let second = call(bench, second.secret.text()).await.expect("a call");
    second.mint_token(request("rita", &["repo:libs:admin", "tenant:operator"])).await.expect("no admin of the tenant");
    second.revoke_token(second.identity().expect("known").token).await.expect("revoked");
    recover(bench, "admin").await.expect("nobody is left");
}

async fn the_last_token_runs_out_and_its_owner_comes_back_once(bench: &Bench) {
    bench.clock.advance(DAY);
    let minted = recover(bench, "admin").await.expect("it has run out");
    let admin = call(bench, minted.secret.text()).await.expect("a call");
    let identity = admin.identity().expect("known");
    assert!(identity.has_tenant_role(TenantRole::Admin) && identity.subject.as_str() == "admin");
    assert_eq!(minted.expires_at, minted.created_at.plus(7 * DAY), "as long as is allowed");
    assert_eq!(code(recover(bench, "mallory").await), Code::Conflict);
    // Unless nobody has that token any more: then it may be asked for again.
    let again = bench.registry.recover(Subject::parse("admin").expect("a subject"), true).await.expect("one more");
    assert!(call(bench, again.secret.text()).await.is_ok() && call(bench, minted.secret.text()).await.is_ok());
    let told = bench.count("SELECT count(*) FROM events WHERE action = 'auth.recovered' AND actor = 'database owner'");
    assert_eq!(told.await, 2);
    // What made the first admin is as dead as before.
    let correlation = bench.registry.ambient().id();
    let again = bench.registry.bootstrap("a bootstrap secret", request("mallory", &[]), correlation).await;
    assert_eq!(code(again), Code::Unauthorized);
    assert!(!bench.registry.offer_bootstrap("another bootstrap secret").await.expect("an answer"));
    let admin = admin.authorize_tenant::<TenantAdmin>().expect("an admin");
    admin.set_pat_policy(60).await.expect("set");
    bench.clock.advance(7 * DAY);
    let minted = recover(bench, "admin").await.expect("again");
    assert_eq!(minted.expires_at, minted.created_at.plus(DAY / 24), "the policy stands");
}

async fn a_binding_without_a_token_and_a_token_without_its_binding_are_no_admins(bench: &Bench) {
    let admin = bench.admin().await;
    let grant = admin.authorize_tenant::<TenantAdmin>().expect("an admin");
    let bob = || Subject::parse("bob").expect("a subject");
    grant.bind_tenant(bob(), vec![TenantRole::Admin]).await.expect("bound");
    admin.mint_token(request("bob", &[])).await.expect("by the binding");
    admin.revoke_token(admin.identity().expect("known").token).await.expect("revoked");
    assert_eq!(code(recover(bench, "admin").await), Code::Conflict);
    bench.run("DELETE FROM tenant_bindings WHERE subject = 'bob'").await.expect("unbound");
    recover(bench, "admin").await.expect("bob's token gives nothing any more");
}

async fn the_last_token_ends_soon_in_the_second_half_of_a_short_life(bench: &Bench) {
    let admin = bench.admin().await;
    let ends_soon = async || {
        let summary = admin.authorize_tenant::<Auditor>().expect("an admin").ops_summary().await.expect("a summary");
        (summary.last_admin_token_expires_at_utc.is_some(), summary.last_admin_token_ends_soon)
    };
    admin.authorize_tenant::<TenantAdmin>().expect("an admin").set_pat_policy(1440).await.expect("set");
    assert_eq!(ends_soon().await, (true, false), "a day is left, all that a fresh one has");
    bench.clock.advance(DAY / 2 + DAY / 24);
    assert_eq!(ends_soon().await, (true, true));
    admin.authorize_tenant::<TenantAdmin>().expect("an admin").set_pat_policy(10_080).await.expect("set");
    // Half of a week is longer than two days.
    let request = TokenRequest { life: Some(3 * DAY), ..request("second", &["tenant:admin"]) };
    admin.mint_token(request).await.expect("a token");
    bench.clock.advance(DAY / 3);
    assert_eq!(ends_soon().await, (true, false), "more than two days are left");
    bench.clock.advance(DAY);
    assert_eq!(ends_soon().await, (true, true));
    bench.clock.advance(2 * DAY);
    assert_eq!(ends_soon().await, (false, false));
}

/// In rounds: in the first of them most wait for a connection to the database, not for each other.
async fn of_many_at_once_one_recovers(bench: &Bench) {
    let subjects: Vec<_> = (0..8).map(|number| format!("owner-{number}")).collect();
    for _ in 0..5 {
        bench.clock.advance(7 * DAY);
        let all = futures_util::future::join_all(subjects.iter().map(|subject| recover(bench, subject))).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
        assert!(all.into_iter().filter(Result::is_err).all(|one| code(one) == Code::Conflict));
    }
}

both! {
    nobody_recovers_while_an_admin_is_left;
    the_last_token_runs_out_and_its_owner_comes_back_once;
    a_binding_without_a_token_and_a_token_without_its_binding_are_no_admins;
    the_last_token_ends_soon_in_the_second_half_of_a_short_life;
    of_many_at_once_one_recovers;
}
