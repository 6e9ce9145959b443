//! What every answer carries.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::rig::Rig;

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let rig = Rig::start(|_| {});
    for path in ["/", "/items/1", "/nowhere", "/panic", "/stream"] {
        rig.get(path, "").await.is_secure();
    }
    let page = rig.get("/page.html", "").await;
    assert_eq!(page.header("content-security-policy"), Some("default-src 'self'"));
    let other = rig.get("/", "").await;
    assert_eq!(other.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
    assert_eq!(other.header("strict-transport-security"), None);
}

#[tokio::test]
async fn not_found_and_wrong_method_are_problems() {
    let rig = Rig::start(|_| {});
    rig.get("/nowhere", "").await.is_problem(404, "not_found");
    let reply = rig.ask("DELETE /echo HTTP/1.1\r\nHost: a\r\n\r\n").await;
    reply.is_problem(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("POST"));
    rig.ask("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").await.is_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_request_works() {
    Rig::start(|_| {}).outlives("/panic").await;
}

#[tokio::test]
async fn the_correlation_id_is_taken_or_made() {
    let rig = Rig::start(|_| {});
    let id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let given = rig.get("/nowhere", &format!("X-Correlation-Id: {id}\r\n")).await;
    assert_eq!(given.header("x-correlation-id"), Some(id));
    let made = rig.get("/", "X-Correlation-Id: <script>\r\n").await;
    assert!(made.header("x-correlation-id").is_some_and(|made| made.len() == 36));
}

#[tokio::test]
async fn forwarded_headers_count_only_from_trusted_peers() {
    let lies = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n\
                Forwarded: for=7.7.7.7;proto=https;host=evil.example\r\n";
    let open = Rig::start(|config| config.hsts = Some(http::HeaderValue::from_static("max-age=60")));
    let reply = open.get("/who", lies).await;
    assert_eq!(reply.text(), "127.0.0.1 http://a.example");
    assert_eq!(reply.header("strict-transport-security"), None);
    let behind = Rig::start(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.hsts = Some(http::HeaderValue::from_static("max-age=60"));
    });
    let reply = behind.get("/who", lies).await;
    assert_eq!(reply.text(), "6.6.6.6 https://evil.example");
    assert_eq!(reply.header("strict-transport-security"), Some("max-age=60"));
    let fixed = Rig::start(|config| config.external_url = Some("https://repo.example/base/".to_owned()));
    assert_eq!(fixed.get("/who", lies).await.text(), "127.0.0.1 https://repo.example/base");
}

#[tokio::test]
async fn cross_origin_access_is_for_listed_origins_only() {
    let rig = Rig::start(|config| config.cors_origins = vec!["https://ui.example".to_owned()]);
    let mine = "Origin: https://ui.example\r\n";
    let reply = rig.get("/", mine).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://ui.example"));
    assert_eq!(reply.header("vary"), Some("origin"));
    let other = rig.get("/", "Origin: https://ui.example.evil\r\n").await;
    assert_eq!((other.status(), other.header("access-control-allow-origin")), (200, None));
    assert_eq!(other.header("vary"), Some("origin"));
    let preflight = |origin: &str| {
        format!("OPTIONS /json HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\r\n")
    };
    let reply = rig.ask(preflight("https://ui.example")).await;
    assert_eq!(reply.status(), 204);
    assert!(reply.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    reply.is_secure();
    rig.ask(preflight("https://evil.example")).await.is_problem(405, "method_not_allowed");
    let none = Rig::start(|_| {});
    assert_eq!(none.get("/", mine).await.header("access-control-allow-origin"), None);
    assert_eq!(none.ask(preflight("https://ui.example")).await.status(), 405);
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_access_log_has_one_line_without_query_or_credentials() {
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let rig = Rig::start(|_| {});
    rig.get("/named/a%0Ab?token=canary-query", "Authorization: Bearer canary-token\r\n").await;
    rig.get("/nowhere", "").await;
    drop(guard);
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["target"] == "access")
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    let fields = &lines[0]["fields"];
    assert_eq!((fields["method"].as_str(), fields["status"].as_u64()), (Some("GET"), Some(200)));
    assert_eq!((fields["route"].as_str(), fields["path"].as_str()), (Some("/named/file"), Some("/named/a%0Ab")));
    assert_eq!((fields["bytes"].as_u64(), fields["subject"].as_str()), (Some(5), Some("ann")));
    assert!(fields["micros"].is_u64() && fields["correlation_id"].is_string() && fields["client"] == "127.0.0.1");
    assert_eq!(lines[1]["fields"]["route"], "unmatched");
    assert!(!text.contains("canary"), "{text}");
}
