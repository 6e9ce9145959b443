//! Credentials and tokens are seen by their own origins only.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Ambient, ManualClock, Secret, SystemRandom, Timestamp};

use super::{canary, fails, found, settings, upstream};
use crate::fake::{Fake, Seen, answer};
use crate::upstream::{Credentials, Failure, Upstream, UpstreamSettings};

fn basic() -> String {
    format!("Basic {}", STANDARD.encode("canary:canary"))
}

fn with_canary(base: &str) -> UpstreamSettings {
    UpstreamSettings { credentials: Some(canary()), ..settings(base) }
}

/// Neither credentials nor a token that they bought.
fn assert_nothing_secret(fake: &Fake) {
    assert!(!fake.seen().is_empty(), "nobody came");
    for seen in fake.seen() {
        let all = format!("{seen:?}");
        let none = seen.header("authorization").is_none_or(|value| value == "Bearer anonymous");
        assert!(none && !all.contains("canary") && !all.contains(&STANDARD.encode("canary:canary")), "{all}");
    }
}

fn challenge(realm: &str) -> String {
    let challenge = format!("Bearer realm=\"{realm}/token\",service=\"s\",scope=\"repository:a/b:pull\"");
    answer(401, &format!("WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: {challenge}\r\n"), "")
}

/// A token service: whoever shows credentials gets `bought`, others `anonymous`.
fn token(seen: &Seen) -> String {
    let shown = seen.header("authorization").is_some();
    answer(200, "", if shown { r#"{"token":"canary-bought"}"# } else { r#"{"access_token":"anonymous"}"# })
}

/// A registry that wants tokens from `realm`, and serves what they open. It gives tokens itself too.
async fn registry(realm: &Arc<Mutex<String>>) -> Fake {
    let realm = Arc::clone(realm);
    Fake::start(move |_, seen: &Seen| {
        let bearer = seen.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        match bearer {
            _ if seen.line.contains("/token?") => token(seen),
            Some(token) => answer(200, "", token),
            None => challenge(&realm.lock().expect("not poisoned")),
        }
    })
    .await
}

fn set(realm: &Arc<Mutex<String>>, base: &str) {
    base.clone_into(&mut realm.lock().expect("not poisoned"));
}

const BLOB: &str = "v2/a/b/blobs/x";

#[tokio::test]
async fn links_and_redirects_elsewhere_go_without_credentials() {
    let other = Fake::start(|_, _: &Seen| answer(200, "", "there")).await;
    let away = format!("Location: {}/there?X-Signature=deep\r\n", other.base);
    let own = Fake::start(move |_, seen: &Seen| match seen.line.contains("/away") {
        true => answer(302, &away, ""),
        false => answer(200, "", "own"),
    })
    .await;
    for (credentials, shown) in
        [(canary(), basic()), (Credentials::Bearer(Secret::new("canary".to_owned())), "Bearer canary".to_owned())]
    {
        let upstream = upstream(UpstreamSettings { credentials: Some(credentials), ..settings(&own.base) });
        found(&upstream, "x").await;
        found(&upstream, &format!("{}/y", own.base)).await;
        let redirected = found(&upstream, "away").await;
        assert_eq!(redirected.address(), format!("{}/there?X-Signature=deep", other.base));
        assert!(!format!("{redirected:?}").contains("deep"));
        found(&upstream, &format!("{}/link", other.base)).await;
        let last = own.seen().split_off(own.seen().len() - 3);
        assert!(last.iter().all(|seen| seen.header("authorization") == Some(&shown)), "{last:?}");
    }
    assert_nothing_secret(&other);
}

#[tokio::test]
async fn whoever_sends_us_back_to_our_upstream_does_not_use_our_credentials_there() {
    let own = Fake::start(|_, seen: &Seen| match seen.header("authorization") {
        Some(_) => answer(200, "", "secret"),
        None => answer(401, "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:9/token\"\r\n", ""),
    })
    .await;
    let back = format!("Location: {}/private\r\n", own.base);
    let other = Fake::start(move |_, _: &Seen| answer(302, &back, "")).await;
    let upstream = upstream(with_canary(&own.base));
    let failure = fails(&upstream, &format!("{}/x", other.base)).await;
    assert!(matches!(failure, Failure::Refused { status: 401, .. }), "{failure:?}");
    assert_nothing_secret(&own);
}

#[tokio::test]
async fn our_own_realm_gets_credentials_and_its_token_is_used_again() {
    let realm = Arc::default();
    let own = registry(&realm).await;
    set(&realm, &own.base);
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let ambient = Ambient::new(Arc::clone(&clock) as _, Arc::new(SystemRandom));
    let upstream = Upstream::new(with_canary(&own.base), ambient).expect("an upstream");
    assert_eq!(found(&upstream, BLOB).await.whole().await.expect("a body"), "canary-bought");
    let seen = own.seen();
    assert_eq!(seen[0].header("authorization"), Some(&*basic()));
    assert_eq!(seen[1].header("authorization"), Some(&*basic()));
    assert_eq!(seen[1].line, "GET /token?service=s&scope=repository%3Aa%2Fb%3Apull HTTP/1.1\r\n");
    assert_eq!(seen[2].header("authorization"), Some("Bearer canary-bought"));
    found(&upstream, "v2/a/b/manifests/y").await;
    assert_eq!(own.seen().len(), 4, "no challenge while the token lasts");
    clock.advance(std::time::Duration::from_secs(60));
    found(&upstream, BLOB).await;
    assert_eq!(own.seen().len(), 7, "a new token");
    assert!(!format!("{upstream:?}").contains("canary"));
}

#[tokio::test]
async fn a_foreign_realm_gets_no_credentials_unless_it_was_named() {
    let realm = Arc::default();
    let own = registry(&realm).await;
    let foreign = Fake::start(|_, seen: &Seen| token(seen)).await;
    set(&realm, &foreign.base);
    let plain = upstream(with_canary(&own.base));
    assert_eq!(found(&plain, BLOB).await.whole().await.expect("a body"), "anonymous");
    assert_nothing_secret(&foreign);
    let named = UpstreamSettings { realm: Some(foreign.base.clone()), ..with_canary(&own.base) };
    assert_eq!(found(&upstream(named), BLOB).await.whole().await.expect("a body"), "canary-bought");
    assert_eq!(foreign.seen()[1].header("authorization"), Some(&*basic()));
}

#[tokio::test]
async fn a_foreign_challenger_gets_no_token_that_our_credentials_bought() {
    let realm = Arc::default();
    let (foreign, own) = (registry(&realm).await, Fake::start(|_, seen: &Seen| token(seen)).await);
    set(&realm, &own.base);
    let upstream = upstream(UpstreamSettings { realm: Some(own.base.clone()), ..with_canary(&own.base) });
    let got = found(&upstream, &format!("{}/{BLOB}", foreign.base)).await;
    assert_eq!(got.whole().await.expect("a body"), "anonymous");
    assert_nothing_secret(&own);
    assert_nothing_secret(&foreign);
}

#[tokio::test]
async fn a_token_of_one_origin_is_not_shown_to_another() {
    let realm = Arc::default();
    let (own, other) = (registry(&realm).await, Fake::start(|_, _: &Seen| answer(200, "", "x")).await);
    set(&realm, &own.base);
    let upstream = upstream(with_canary(&own.base));
    found(&upstream, BLOB).await;
    found(&upstream, &format!("{}/{BLOB}", other.base)).await;
    assert_nothing_secret(&other);
}

#[tokio::test]
async fn a_realm_that_redirects_gets_nothing_done() {
    let realm = Arc::default();
    let own = registry(&realm).await;
    let other = Fake::start(|_, seen: &Seen| token(seen)).await;
    let away = format!("Location: {}/token?\r\n", other.base);
    let redirecting = Fake::start(move |_, _: &Seen| answer(307, &away, "")).await;
    set(&realm, &redirecting.base);
    let named = UpstreamSettings { realm: Some(redirecting.base.clone()), ..with_canary(&own.base) };
    assert!(matches!(fails(&upstream(named), BLOB).await, Failure::Broken(_)));
    assert_eq!(other.seen().len(), 0);
}

#[tokio::test]
async fn a_token_service_that_refuses_is_never_a_file_that_is_missing() {
    for status in [401, 403, 404, 410] {
        let own = Fake::start(move |_, seen: &Seen| match seen.line.contains("/token?") {
            true => answer(status, "", ""),
            false => challenge(&format!("http://{}", seen.header("host").unwrap_or_default())),
        })
        .await;
        let failure = fails(&upstream(with_canary(&own.base)), BLOB).await;
        assert!(matches!(failure, Failure::Refused { status: got, .. } if got == status), "{failure:?}");
        assert_eq!(own.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_token_that_does_not_help_is_tried_once() {
    let own = Fake::start(|_, seen: &Seen| match seen.line.contains("/token?") {
        true => token(seen),
        false => challenge(&format!("http://{}", seen.header("host").unwrap_or_default())),
    })
    .await;
    let failure = fails(&upstream(with_canary(&own.base)), BLOB).await;
    assert!(matches!(failure, Failure::Refused { status: 401, .. }), "{failure:?}");
    assert!(!failure.to_string().contains("canary"));
    assert_eq!(own.seen().len(), 3);
}

#[test]
fn what_holds_secrets_prints_none() {
    let credentials = canary();
    assert!(!format!("{credentials:?}").replace("user: \"canary\"", "").contains("canary"));
    let upstream = upstream(with_canary("http://127.0.0.1:9/path"));
    assert_eq!(format!("{upstream:?}"), "Upstream(http://127.0.0.1:9)");
    let colon = Credentials::Basic { user: "a:b".to_owned(), password: Secret::default() };
    let bad = UpstreamSettings { credentials: Some(colon), ..settings("http://127.0.0.1:9") };
    assert!(Upstream::new(bad, Ambient::system()).is_err());
}
