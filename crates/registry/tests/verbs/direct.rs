//! Parts that go straight to the object store.

use std::time::Duration;

use acceptance::http::Http;
use blobs::{Blobs, S3Config, S3Credentials};
use bytes::Bytes;
use model::state::UploadState;
use model::{Code, Secret};
use registry::{Grant, PartOffer, Read, Settings, Write};

use crate::bench::{Bench, code, content, digest, send_part, settings};

async fn bench() -> Bench {
    drop(rustls::crypto::ring::default_provider().install_default());
    let s3 = acceptance::backing::s3().expect("an S3 server");
    let config = S3Config {
        bucket: s3.bucket("direct").expect("a bucket"),
        prefix: "here".to_owned(),
        endpoint: Some(s3.endpoint.clone()),
        region: "us-east-1".to_owned(),
        credentials: Some(S3Credentials {
            access_key_id: s3.access_key.clone(),
            secret_access_key: Secret::new(s3.secret_key.clone()),
            session_token: None,
        }),
        virtual_hosted: false,
        patience: Duration::from_secs(20),
    };
    let blobs = Blobs::s3(&config, blobs::Options::default()).expect("a blob store");
    let settings = Settings {
        presigned_parts: Some(Duration::from_secs(60)),
        max_upload: 20 << 20,
        limits: registry::Limits { storage_bytes: 100 << 20, ..crate::bench::LIMITS },
        ..settings()
    };
    Bench::postgres_over(blobs, settings).await
}

/// Sends a part as a client would. Returns its ETag.
async fn send(offer: &PartOffer, bytes: &Bytes) -> String {
    let url = offer.url.as_ref().expect("an address").expose();
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
    let http = Http::new(host.parse().expect("a socket address"));
    let answer = http.put(&format!("/{path}")).body(bytes.clone()).send().await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("etag").expect("an ETag").to_owned()
}

async fn sent(grant: &Grant<Write>, said: &Bytes, sent: &Bytes) -> (model::UploadId, Vec<(u32, String)>) {
    let id = grant.create_upload(digest(said), said.len() as u64).await.expect("begun").id;
    let mut list = Vec::new();
    for (number, part) in (1..).zip([sent.slice(..5 << 20), sent.slice(5 << 20..)]) {
        let offer = grant.offer_part(id, number, Some(part.len() as u64)).await.expect("offered");
        list.push((number, send(&offer, &part).await));
    }
    (id, list)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn direct_parts_are_verified_before_anybody_sees_them() {
    let bench = bench().await;
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let read = bench.grant::<Read>(&repo).await;
    let bytes = content(1, (5 << 20) + 1000);
    let (id, list) = sent(&grant, &bytes, &bytes).await;
    assert_eq!(code(send_part(&grant, id, 3, &bytes.slice(..5)).await), Code::Conflict);
    let wrong = list.iter().map(|(number, _)| (*number, "0123456789abcdef0123456789abcdef".to_owned())).collect();
    drop(grant.complete_upload(id, wrong).await.map(|_| ()));
    let complete = match grant.complete_upload(id, list.clone()).await {
        Ok(upload) => upload,
        // A server that does not look at ETags has accepted the first list.
        Err(_) => grant.upload(id).await.expect("found").0,
    };
    assert_eq!(complete.state, UploadState::PendingCommit);
    assert_eq!(code(read.find_blob(digest(&bytes)).await), Code::NotFound);
    assert_eq!(grant.commit_upload(id).await.expect("committed").state, UploadState::Committed);
    let mut found = read.find_blob(digest(&bytes)).await.expect("readable").open(None).await.expect("opened");
    let mut whole = Vec::new();
    while let Some(piece) = found.next().await.expect("good bytes") {
        whole.extend_from_slice(&piece);
    }
    assert!(whole == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn direct_parts_with_other_bytes_end_the_upload() {
    let bench = bench().await;
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (said, other) = (content(1, (5 << 20) + 1000), content(2, (5 << 20) + 1000));
    let (id, list) = sent(&grant, &said, &other).await;
    grant.complete_upload(id, list).await.expect("completed");
    assert_eq!(code(grant.commit_upload(id).await), Code::UploadVerificationFailed);
    assert_eq!((bench.used().await, bench.count("SELECT count(*) FROM blobs").await), ((0, 0), 0));
    let left = bench.registry.blobs().list(blobs::Area::Blobs, None, 10).await.expect("a list");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_aborted_direct_upload_leaves_nothing() {
    let bench = bench().await;
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 1000);
    let id = grant.create_upload(digest(&bytes), 1000).await.expect("begun").id;
    // Two at once begin it twice at the object store; one of them is given up.
    let offers = tokio::join!(grant.offer_part(id, 1, None), grant.offer_part(id, 2, None));
    let (one, two) = (offers.0.expect("offered"), offers.1.expect("offered"));
    assert_eq!(one.upload.direct, two.upload.direct);
    let stored = bench.registry.blobs().list(blobs::Area::Blobs, None, 10).await.expect("a list");
    assert_eq!(stored.len(), 1);
    grant.abort_upload(id, None).await.expect("aborted");
    let left = bench.registry.blobs().list(blobs::Area::Blobs, None, 10).await.expect("a list");
    assert!(left.is_empty(), "{left:?}");
}
