//! A copy is gone, and nobody has read it since: the same bytes that are brought are kept, whichever way they come.

use bytes::Bytes;
use formats::Named;
use model::RepoKey;
use registry::{Read, Write};

use crate::bench::{Bench, content, digest, draft, entry, path, put, upload};
use crate::both;

both! {
    bytes_that_are_put_again_take_the_place_of_lost_ones;
    bytes_that_are_put_again_at_their_path_take_the_place_of_lost_ones;
    bytes_that_are_uploaded_again_take_the_place_of_lost_ones;
    what_is_there_is_kept_once;
}

const GOOD: &str = "SELECT count(*) FROM copies WHERE state = 'good'";
const DAMAGED: &str = "SELECT count(*) FROM events WHERE action = 'blob.copy.damaged'";

/// Where the only good copy is.
async fn place(bench: &Bench, bytes: &Bytes) -> blobs::Key {
    let digest = digest(bytes);
    let copies = bench.registry.store().read(async |s| store::blobs::copies(s, digest).await).await.expect("copies");
    assert_eq!(copies.len(), 1);
    blobs::Key::parse(&copies[0].place).expect("a key")
}

async fn lose(bench: &Bench, bytes: &Bytes) {
    let key = place(bench, bytes).await;
    bench.registry.blobs().remove(&key).await.expect("removed");
}

async fn reads(bench: &Bench, repo: &RepoKey, at: &str, bytes: &Bytes) {
    let found = bench.grant::<Read>(repo).await.find(&path(at)).await.expect("found");
    let (mut content, mut read) = (found.open(None).await.expect("opened"), Vec::new());
    while let Some(block) = content.next().await.expect("bytes") {
        read.extend_from_slice(&block);
    }
    assert!(read == *bytes, "{at} has other bytes");
}

async fn bytes_that_are_put_again_take_the_place_of_lost_ones(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 2_500_000);
    put(&grant, "first", &bytes).await.expect("stored");
    lose(bench, &bytes).await;
    put(&grant, "second", &bytes).await.expect("stored");
    for at in ["first", "second"] {
        reads(bench, &repo, at, &bytes).await;
    }
    assert_eq!((bench.count(GOOD).await, bench.count(DAMAGED).await), (1, 1));
}

async fn bytes_that_are_put_again_at_their_path_take_the_place_of_lost_ones(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(3, 200_000);
    put(&grant, "first", &bytes).await.expect("stored");
    let taken = put(&grant, "first", &bytes).await.expect_err("it is there").to_string();
    assert!(taken.contains("exists already"), "{taken}");
    lose(bench, &bytes).await;
    put(&grant, "first", &bytes).await.expect("healed");
    reads(bench, &repo, "first", &bytes).await;
    assert_eq!((bench.count(GOOD).await, bench.count(DAMAGED).await), (1, 1));
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'blob.healed'").await, 1);
}

async fn bytes_that_are_uploaded_again_take_the_place_of_lost_ones(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(2, 200_000);
    put(&grant, "first", &bytes).await.expect("stored");
    for whole in [true, false] {
        lose(bench, &bytes).await;
        if whole {
            let named = Named::Sha256(digest(&bytes));
            let mut incoming = grant.receive_blob(&named, Some(bytes.len() as u64), None).expect("begun");
            incoming.write(bytes.clone()).await.expect("taken");
            incoming.finish().await.expect("kept");
        } else {
            upload(&grant, &bytes).await.expect("committed");
        }
        reads(bench, &repo, "first", &bytes).await;
    }
    let version = draft(&grant, "tools", "1").await.expect("a draft");
    grant.put_entries(version, vec![entry("second", &bytes)]).await.expect("entered");
    grant.put_manifest(version, "{}".to_owned(), None).await.expect("put");
    grant.publish_version(version).await.expect("published");
    reads(bench, &repo, "tools/1/second", &bytes).await;
    assert_eq!((bench.count(GOOD).await, bench.count(DAMAGED).await), (1, 2));
}

async fn what_is_there_is_kept_once(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(4, 200_000);
    for at in ["first", "second", "third"] {
        put(&grant, at, &bytes).await.expect("stored");
    }
    assert!(grant.create_upload(digest(&bytes), bytes.len() as u64).await.expect("an upload").deduped);
    assert_eq!((bench.count(GOOD).await, bench.count(DAMAGED).await), (1, 0));
    assert_eq!(bench.count("SELECT count(*) FROM trash WHERE place LIKE 'blobs/%'").await, 2);
}
