//! Presigned access: only in object storage, driven with nothing but a socket.

use std::time::Duration;

use model::{Ambient, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{MIB, Subject, content, digest, fetch, store};
use crate::{Error, Expect, Overrides, UploadedPart};

const TTL: Duration = Duration::from_secs(60);

/// One HTTP request as a client without credentials would send it: the head of the answer, and its body.
async fn request(url: &Secret<String>, method: &str, range: Option<&str>, body: &[u8]) -> (String, Vec<u8>) {
    let rest = url.expose().strip_prefix("http://").expect("a plain address");
    let (host, target) = rest.split_once('/').expect("a path");
    let range = range.map(|range| format!("range: bytes={range}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "{method} /{target} HTTP/1.1\r\nhost: {host}\r\n{range}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("connected");
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(body).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).expect("text").to_lowercase();
    (head, answer.split_off(end + 4))
}

fn etag(head: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an etag");
    line.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_object_storage_gives_direct_access() {
    assert!(Subject::disk().await.blobs.direct().is_none());
    assert!(Subject::memory().await.blobs.direct().is_none());
    assert!(Subject::s3().await.blobs.direct().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_presigned_address_gives_the_object_and_its_ranges() {
    let subject = Subject::s3().await;
    let bytes = content(100_000);
    let copy = store(&subject.blobs, &bytes).await;
    let overrides = Overrides {
        content_type: Some("application/x-tar".to_owned()),
        content_disposition: Some("attachment; filename=\"a b.tar\"".to_owned()),
    };
    let direct = subject.blobs.direct().expect("S3");
    let url = direct.presign_get(&copy.key, TTL, &overrides).await.expect("signed");
    let (head, body) = request(&url, "GET", None, b"").await;
    assert!(head.starts_with("http/1.1 200") && body == bytes, "{head}");
    assert!(url.expose().contains("response-content-type=application%2Fx-tar"));
    let (head, body) = request(&url, "GET", Some("10-19"), b"").await;
    assert!(head.starts_with("http/1.1 206") && body == bytes[10..20], "{head}");
    let forged = Secret::new(url.expose().replace("x-tar", "x-zip"));
    assert!(request(&forged, "GET", None, b"").await.0.starts_with("http/1.1 403"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presigned_parts_become_a_verified_copy() {
    let subject = Subject::s3().await;
    let bytes = content(7 * MIB);
    let direct = subject.blobs.direct().expect("S3");
    let (key, upload) = direct.create_multipart(&Ambient::system()).await.expect("begun");
    let mut parts = Vec::new();
    for (number, chunk) in (1..).zip(bytes.chunks(5 * MIB)) {
        let url = direct.presign_part(&key, &upload, number, TTL).await.expect("signed");
        let (head, _) = request(&url, "PUT", None, chunk).await;
        assert!(head.starts_with("http/1.1 200"), "{head}");
        parts.push(UploadedPart { number, etag: etag(&head) });
    }
    let gap = direct.complete_multipart(&key, &upload, &parts[1..]).await;
    assert!(matches!(gap, Err(Error::PartNumber { number: 2 })), "{gap:?}");
    // A failure that may pass is no refusal.
    let service = subject.service.as_ref().expect("S3");
    service.refuse(1000);
    let away = direct.complete_multipart(&key, &upload, &parts).await;
    service.refuse(0);
    assert!(matches!(away, Err(Error::Unavailable(_))), "{away:?}");
    direct.complete_multipart(&key, &upload, &parts).await.expect("complete");
    let expect = Expect::exactly(digest(&bytes), bytes.len() as u64);
    let copy = subject.blobs.adopt(&key, expect).await.expect("adopted").copy().expect("stored");
    assert!(fetch(&subject.blobs, &copy).await.expect("good") == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_the_service_does_not_put_together_are_told() {
    let subject = Subject::s3().await;
    let direct = subject.blobs.direct().expect("S3");
    let (key, upload) = direct.create_multipart(&Ambient::system()).await.expect("begun");
    let mut parts = Vec::new();
    for number in [1, 2] {
        let url = direct.presign_part(&key, &upload, number, TTL).await.expect("signed");
        parts.push(UploadedPart { number, etag: etag(&request(&url, "PUT", None, b"short").await.0) });
    }
    let short = direct.complete_multipart(&key, &upload, &parts).await;
    assert!(matches!(short, Err(Error::Parts(why)) if why.contains("5 MiB")), "{short:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aborted_direct_upload_leaves_nothing() {
    let subject = Subject::s3().await;
    let direct = subject.blobs.direct().expect("S3");
    let (key, upload) = direct.create_multipart(&Ambient::system()).await.expect("begun");
    let url = direct.presign_part(&key, &upload, 1, TTL).await.expect("signed");
    request(&url, "PUT", None, b"part").await;
    for number in [0, 10_001] {
        let outcome = direct.presign_part(&key, &upload, number, TTL).await;
        assert!(matches!(outcome, Err(Error::PartNumber { .. })), "{outcome:?}");
    }
    direct.abort_multipart(&key, &upload).await.expect("aborted");
    subject.assert_empty().await;
}
