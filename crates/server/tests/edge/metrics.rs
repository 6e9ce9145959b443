//! Counting without letting clients add to what is counted.

use std::sync::Arc;

use model::Ambient;
use server::ops::{Readiness, health_routes, ops_routes};

use super::rig::Rig;

fn series(rig: &Rig) -> usize {
    rig.metrics.render().lines().filter(|line| line.starts_with("http_request")).count()
}

#[tokio::test]
async fn a_thousand_paths_and_methods_add_no_series() {
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    let mut ask = async |method: &str, path: &str| {
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        client.reply().await.status()
    };
    assert_eq!(ask("GET", "/items/0").await, 200);
    assert_eq!(ask("GET", "/x").await, 404);
    assert_eq!(ask("BREW", "/x").await, 404);
    let before = series(&rig);
    for number in 0..1000 {
        ask("GET", &format!("/items/{number}")).await;
        ask("GET", &format!("/random-{number}?q={number}")).await;
        if number < 50 {
            ask(&format!("M{number}"), &format!("/random-{number}")).await;
        }
    }
    assert_eq!(series(&rig), before);
    let text = rig.metrics.render();
    assert!(text.contains(r#"http_requests_total{method="GET",route="/items/{id}",status="200"} 1001"#), "{text}");
    assert!(text.contains(r#"http_requests_total{method="OTHER",route="unmatched",status="404"} 51"#));
    assert!(text.contains(r#"http_requests_inprogress{method="GET",route="/items/{id}"} 0"#));
}

#[tokio::test]
async fn a_handler_may_name_its_route_more_finely() {
    let rig = Rig::start(|_| {});
    rig.get("/named/a", "").await;
    rig.ask("nonsense\r\n\r\n").await.is_problem(400, "bad_request");
    let text = rig.metrics.render();
    assert!(text.contains(r#"http_requests_total{method="GET",route="/named/file",status="200"} 1"#), "{text}");
    assert!(text.contains(r#"http_requests_total{method="OTHER",route="unmatched",status="400"} 1"#), "{text}");
}

#[tokio::test]
async fn a_client_that_goes_away_is_counted_and_no_longer_in_progress() {
    let rig = Rig::start(|_| {});
    let mut client = rig.connect().await;
    client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(rig.metrics.render().contains(r#"http_requests_inprogress{method="GET",route="/later"} 1"#));
    drop(client);
    let gone = r#"http_requests_total{method="GET",route="/later",status="499"} 1"#;
    for _ in 0..400 {
        if rig.metrics.render().contains(gone) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let text = rig.metrics.render();
    assert!(
        text.contains(gone) && text.contains(r#"http_requests_inprogress{method="GET",route="/later"} 0"#),
        "{text}"
    );
}

#[tokio::test]
async fn the_operations_listener_tells_metrics_and_health() {
    let readiness = Arc::new(Readiness::new(Ambient::system(), Vec::new()));
    let public = Rig::serving(health_routes(readiness.clone()), |_| {});
    let ops = Rig::serving(ops_routes(public.metrics.clone(), readiness.clone()), |_| {});
    assert_eq!(public.get("/health/live", "").await.text(), r#"{"status":"ok"}"#);
    assert!(public.get("/health/ready", "").await.text().starts_with(r#"{"status":"ready","checkedAtUtc":"#));
    public.get("/metrics", "").await.is_problem(404, "not_found");
    let metrics = ops.get("/metrics", "").await;
    assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
    assert!(metrics.text().contains(r#"route="/health/live""#) && metrics.text().ends_with("# EOF\n"));
    readiness.leave();
    let leaving = public.get("/health/ready", "").await;
    assert_eq!(leaving.status(), 503);
    assert!(leaving.text().contains("not_ready"));
}
