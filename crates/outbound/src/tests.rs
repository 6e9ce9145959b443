//! The client against a small server.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use model::{Ambient, Secret};

use crate::fake::{Fake, answer};
use crate::{Client, Error, Proxies, Retry, Settings, Source};

fn client(base: &str) -> Client {
    let mut settings = Settings::new(base);
    settings.token = Some(Secret::new("hunter2".to_owned()));
    settings.retry = Retry { first: Duration::from_millis(1), ..Retry::default() };
    Client::new(settings, Ambient::system()).expect("a client")
}

#[tokio::test]
async fn the_token_goes_to_its_origin_only() {
    let other = Fake::start(|_, _| answer(200, "", "there")).await;
    let away = format!("Location: {}/there\r\n", other.base);
    let own =
        Fake::start(move |number, _| if number == 0 { answer(302, &away, "") } else { answer(200, "", "{}") }).await;
    let client = client(&own.base);
    let bootstrap = Secret::new("first".to_owned());
    let mut got = client.get("/here").secret_header("x-bootstrap-token", &bootstrap).send().await.expect("followed");
    assert_eq!(got.next().await.expect("a body").as_deref(), Some(&b"there"[..]));
    assert_eq!(own.seen()[0].header("authorization"), Some("Bearer hunter2"));
    assert_eq!(own.seen()[0].header("x-bootstrap-token"), Some("first"));
    client
        .put(&format!("{}/part", other.base))
        .body(Source::bytes(Bytes::from_static(b"x")))
        .send()
        .await
        .expect("sent");
    for seen in other.seen() {
        assert_eq!((seen.header("authorization"), seen.header("x-bootstrap-token")), (None, None));
    }
    assert_eq!(other.seen().len(), 2);
}

/// Whoever has a proxy in the environment still asks the server beside it.
#[tokio::test]
async fn a_server_of_this_machine_is_reached_without_a_proxy() {
    let (own, proxy) =
        (Fake::start(|_, _| answer(200, "", "{}")).await, Fake::start(|_, _| answer(200, "", "{}")).await);
    for except in [None, Some("a.example".to_owned())] {
        let proxies = Proxies { http: Some(proxy.base.clone()), https: None, except };
        for base in [own.base.clone(), own.base.replace("127.0.0.1", "localhost"), "http://a.invalid".to_owned()] {
            let settings = Settings { proxies: proxies.clone(), ..Settings::new(base) };
            Client::new(settings, Ambient::system()).expect("a client").get("/x").send().await.expect("an answer");
        }
    }
    assert_eq!((own.seen().len(), proxy.seen().len()), (4, 2));
    assert!(proxy.seen().iter().all(|seen| seen.line.contains("http://a.invalid/x")));
}

#[tokio::test]
async fn a_same_origin_redirect_keeps_the_token_and_a_write_follows_none() {
    let fake = Fake::start(|_, seen| match seen.line.contains("/old") {
        true => answer(307, "Location: /new\r\n", ""),
        false => answer(200, "", "{}"),
    })
    .await;
    let client = client(&fake.base);
    client.get("/old").send().await.expect("followed");
    assert_eq!(fake.seen()[1].header("authorization"), Some("Bearer hunter2"));
    let refused = client.post("/old").send().await.expect_err("not followed");
    assert!(matches!(refused, Error::Broken(_)), "{refused:?}");
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test]
async fn endless_redirects_end() {
    let fake = Fake::start(|_, _| answer(302, "Location: /again\r\n", "")).await;
    let mut settings = Settings::new(&fake.base);
    settings.retry.attempts = 1;
    let client = Client::new(settings, Ambient::system()).expect("a client");
    assert!(client.get("/x").send().await.is_err());
    assert_eq!(fake.seen().len(), 6);
}

#[tokio::test]
async fn a_refusal_is_decoded() {
    let body = r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"taken","code":"conflict","correlationId":"c-1","explain":{"who":"admins"}}"#;
    let fake = Fake::start(move |_, _| answer(409, "Content-Type: application/problem+json\r\n", body)).await;
    let error = client(&fake.base).post("/x").json(&serde_json::json!({"a": 1})).send().await.expect_err("refused");
    let problem = error.problem().expect("a problem");
    assert_eq!((problem.status, problem.code.as_str(), problem.detail.as_str()), (409, "conflict", "taken"));
    assert_eq!(problem.correlation_id.as_deref(), Some("c-1"));
    assert_eq!(problem.explain.as_ref().expect("there")["who"], "admins");
    assert_eq!(fake.seen()[0].body, br#"{"a":1}"#);
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_bare_status_becomes_a_problem_too() {
    let fake = Fake::start(|_, _| answer(404, "X-Correlation-Id: c-2\r\n", "<html>")).await;
    let error = client(&fake.base).head("/x").send().await.expect_err("refused");
    let problem = error.problem().expect("a problem");
    assert_eq!((problem.code.as_str(), problem.correlation_id.as_deref()), ("not_found", Some("c-2")));
}

#[tokio::test]
async fn unavailable_servers_are_asked_again_with_the_whole_body() {
    let fake = Fake::start(|number, _| match number {
        0 => answer(503, "", ""),
        1 => answer(429, "Retry-After: 0\r\n", ""),
        _ => answer(200, "", "{}"),
    })
    .await;
    let pieces = || futures_util::stream::iter([Ok(Bytes::from_static(b"ab")), Ok(Bytes::from_static(b"c"))]).boxed();
    client(&fake.base).put("/x").body(Source::new(3, pieces)).send().await.expect("the third time");
    let seen = fake.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request.body == b"abc" && request.header("transfer-encoding").is_none()));
}

#[tokio::test]
async fn a_plain_post_is_not_repeated_but_a_marked_one_is() {
    let fake = Fake::start(|_, _| answer(503, "", "")).await;
    let client = client(&fake.base);
    assert_eq!(client.post("/x").send().await.expect_err("refused").status(), Some(503));
    assert_eq!(fake.seen().len(), 1);
    assert_eq!(client.post("/x").once().send().await.expect_err("refused").status(), Some(503));
    assert_eq!(fake.seen().len(), 6);
    let keys: Vec<_> = fake.seen()[1..].iter().map(|seen| seen.header("idempotency-key").map(str::to_owned)).collect();
    assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn a_pause_that_is_too_long_is_not_waited_for() {
    let fake = Fake::start(|_, _| answer(429, "Retry-After: 3600\r\n", "")).await;
    assert_eq!(client(&fake.base).get("/x").send().await.expect_err("refused").status(), Some(429));
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_body_cut_short_is_an_error() {
    let fake = Fake::start(|_, _| "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_owned()).await;
    let mut got = client(&fake.base).get("/x").send().await.expect("a head");
    assert_eq!(got.length(), Some(10));
    let end = loop {
        match got.next().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(end, Err(Error::Broken(_))), "{end:?}");
}

#[tokio::test]
async fn silence_ends_in_a_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let silent = client(&base).post("/x").patience(Duration::from_millis(20)).send().await;
    assert!(matches!(silent, Err(Error::Timeout(_))), "{silent:?}");
}

#[tokio::test]
async fn nobody_there_names_the_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let error = client(&base).get("/x").send().await.expect_err("nobody");
    assert!(matches!(&error, Error::Connect { origin, .. } if *origin == base), "{error:?}");
}

#[test]
fn nothing_secret_is_printed() {
    let printed =
        format!("{:?}", client("http://127.0.0.1:1").get("/x").secret_header("x", &Secret::new("deep".into())));
    assert!(!printed.contains("hunter2") && !printed.contains("deep"), "{printed}");
}
