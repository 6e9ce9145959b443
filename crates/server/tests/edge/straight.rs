//! Ways that lead past the router: what holds for every answer holds for theirs.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http_body_util::BodyExt;
use server::edge::{Context, Routes};
use server::problem::Problem;

use super::protocols::http2;
use super::rig::Rig;

fn rig() -> Rig {
    let routes = Routes::from(super::app::routes());
    Rig::serving(routes.straight("/way/{*path}", |path| path.starts_with("/way/"), handle), |_| {})
}

async fn handle(request: Request) -> Response {
    match request.uri().path() {
        "/way/panic" => panic!("the handler's own fault"),
        "/way/unchanged" => StatusCode::NOT_MODIFIED.into_response(),
        "/way/refused" => Problem::forbidden("not you").into_response(),
        "/way/who" => {
            let known = request.extensions().get::<Context>();
            known.map_or_else(String::new, |context| context.client.to_string()).into_response()
        }
        path => Body::from(format!("{} {path}", request.method())).into_response(),
    }
}

#[tokio::test]
async fn every_answer_is_dressed_and_counted_like_a_route_s() {
    let rig = rig();
    assert_eq!(rig.get("/way/a/b", "").await.text(), "GET /way/a/b");
    assert_eq!(rig.get("/way/who", "").await.text(), "127.0.0.1");
    assert_eq!(rig.get("/way", "").await.status(), 404);
    assert_eq!(rig.get("/", "").await.text(), "hello");
    rig.get("/way/a", "").await.is_secure();
    rig.get("/way/refused", "").await.is_problem(403, "forbidden");
    let id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let named = rig.get("/way/a", &format!("X-Correlation-Id: {id}\r\n")).await;
    assert_eq!(named.header("x-correlation-id"), Some(id));
    rig.ask("DELETE /way/a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let text = rig.metrics.render();
    for line in [
        r#"http_requests_total{method="GET",route="/way/{*path}",status="200"} 4"#,
        r#"http_requests_total{method="GET",route="/way/{*path}",status="403"} 1"#,
        r#"http_requests_total{method="DELETE",route="/way/{*path}",status="200"} 1"#,
        r#"http_requests_inprogress{method="GET",route="/way/{*path}"} 0"#,
        r#"http_requests_total{method="GET",route="/",status="200"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn what_no_route_should_see_does_not_get_there() {
    let rig = rig();
    let two_hosts = "GET /way/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    rig.ask(two_hosts).await.is_problem(400, "bad_request");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_request_works() {
    rig().outlives("/way/panic").await;
}

#[tokio::test]
async fn head_has_the_length_and_nothing_else() {
    let rig = rig();
    let mut client = rig.connect().await;
    client.send("HEAD /way/abc HTTP/1.1\r\nHost: a\r\n\r\nGET /way/a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!(head.header("content-length"), Some("13"));
    assert_eq!(client.reply().await.text(), "GET /way/a", "bytes of the first answer stood before it");
    client.send("HEAD /way/unchanged HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.header("content-length"), None, "GET would have another length");
    let request = http::Request::head("http://a.example/way/abc").body(String::new()).unwrap();
    let answer = http2(&rig).await.send_request(request).await.unwrap();
    assert_eq!(answer.headers()["content-length"], "13");
    assert!(answer.into_body().frame().await.is_none());
}
