//! Uploads in chunks: one file that grows where it can, several put together where not, and the same blob in the end.

use blobs::Area;
use bytes::Bytes;
use formats::Named;
use model::{Code, RepoKey, UploadId};
use registry::{Read, RepoSettings, Result, Write};

use crate::bench::{Bench, code, content, digest, repo_key};
use crate::both;

both! {
    chunks_become_one_blob;
    what_is_refused_between_chunks_spoils_nothing;
    of_two_at_the_same_byte_one_is_kept;
    bytes_that_are_not_what_they_are_called_go;
    the_file_of_an_upload_that_expired_is_closed;
}

const CHUNK: usize = 700_000;

async fn images(bench: &Bench) -> RepoKey {
    bench.repository_of("oci", "images", RepoSettings::default()).await
}

async fn send(bench: &Bench, id: UploadId, at: u64, bytes: &Bytes, length: Option<u64>) -> Result<u64> {
    let grant = bench.grant::<Write>(&repo_key("images")).await;
    let mut chunk = grant.receive_chunk(id, Some(at), length).await?;
    for piece in bytes.chunks(100_000) {
        chunk.write(bytes.slice_ref(piece)).await?;
    }
    chunk.finish().await
}

async fn send_all(bench: &Bench, id: UploadId, bytes: &Bytes) {
    for start in (0..bytes.len()).step_by(CHUNK) {
        let end = bytes.len().min(start + CHUNK);
        let now = send(bench, id, start as u64, &bytes.slice(start..end), None).await.expect("a chunk");
        assert_eq!(now, end as u64);
    }
}

async fn fetched(bench: &Bench, named: &Named) -> Bytes {
    let grant = bench.grant::<Read>(&repo_key("images")).await;
    let mut content = grant.find_named(named).await.expect("found").open(None).await.expect("opened");
    let mut all = Vec::new();
    while let Some(piece) = content.next().await.expect("good") {
        all.extend_from_slice(&piece);
    }
    all.into()
}

/// How many files there are, those that wait for their removal not counted.
async fn files(bench: &Bench) -> u64 {
    let all = bench.registry.blobs().list(Area::Blobs, None, 100).await.expect("a list").len() as u64;
    all - bench.count("SELECT count(*) FROM trash").await
}

async fn chunks_become_one_blob(bench: &Bench) {
    let grant = bench.grant::<Write>(&images(bench).await).await;
    let bytes = content(1, 5 * CHUNK + 13);
    let (id, named) = (grant.begin_in_order().await.expect("begun"), Named::Sha256(digest(&bytes)));
    send_all(bench, id, &bytes).await;
    let grows = !bench.registry.shares_its_database();
    assert_eq!(files(bench).await, if grows { 1 } else { 6 });
    grant.end_in_order(id, &named).await.expect("whole");
    assert_eq!(files(bench).await, 1);
    if grows {
        assert_eq!(bench.count("SELECT count(*) FROM trash").await, 0, "nothing is written twice");
    }
    assert!(fetched(bench, &named).await == bytes);
    assert_eq!(bench.used().await, (bytes.len() as u64, 0));
    assert_eq!(code(grant.received(id).await), Code::NotFound);
}

async fn what_is_refused_between_chunks_spoils_nothing(bench: &Bench) {
    let grant = bench.grant::<Write>(&images(bench).await).await;
    let bytes = content(2, 4 * CHUNK);
    let (id, named) = (grant.begin_in_order().await.expect("begun"), Named::Sha256(digest(&bytes)));
    for number in 0..4 {
        let at = number * CHUNK;
        let chunk = bytes.slice(at..at + CHUNK);
        let at = at as u64;
        // Not the length it has; broken off; at another byte; more than an upload may have.
        assert_eq!(code(send(bench, id, at, &chunk, Some(7)).await), Code::BadRequest);
        let mut broken = grant.receive_chunk(id, None, None).await.expect("begun");
        broken.write(content(3, 2 * CHUNK)).await.expect("taken");
        drop(broken);
        assert_eq!(code(send(bench, id, at + 1, &chunk, None).await), Code::InvalidRange);
        let limit = bench.registry.settings().max_upload;
        assert_eq!(code(send(bench, id, at, &chunk, Some(limit + 1)).await), Code::PayloadTooLarge);
        assert_eq!(send(bench, id, at, &chunk, Some(CHUNK as u64)).await.expect("a chunk"), at + CHUNK as u64);
    }
    grant.end_in_order(id, &named).await.expect("whole");
    assert!(fetched(bench, &named).await == bytes);
    assert_eq!(files(bench).await, 1);
    assert_eq!(bench.used().await, (bytes.len() as u64, 0));
}

async fn of_two_at_the_same_byte_one_is_kept(bench: &Bench) {
    let grant = bench.grant::<Write>(&images(bench).await).await;
    let bytes = content(4, 6 * CHUNK);
    let (id, named) = (grant.begin_in_order().await.expect("begun"), Named::Sha256(digest(&bytes)));
    for at in (0..bytes.len()).step_by(CHUNK) {
        let chunk = bytes.slice(at..at + CHUNK);
        let (one, two) =
            tokio::join!(send(bench, id, at as u64, &chunk, None), send(bench, id, at as u64, &chunk, None));
        let kept = [&one, &two].into_iter().filter(|sent| sent.is_ok()).count();
        assert_eq!(kept, 1, "{one:?} {two:?}");
        assert_eq!(code(one.and(two)), Code::InvalidRange);
    }
    grant.end_in_order(id, &named).await.expect("whole");
    assert!(fetched(bench, &named).await == bytes);
    assert_eq!(files(bench).await, 1);
}

async fn bytes_that_are_not_what_they_are_called_go(bench: &Bench) {
    let grant = bench.grant::<Write>(&images(bench).await).await;
    let bytes = content(5, 3 * CHUNK);
    let id = grant.begin_in_order().await.expect("begun");
    send_all(bench, id, &bytes).await;
    let other = Named::Sha256(digest(b"other"));
    assert_eq!(code(grant.end_in_order(id, &other).await), Code::UploadVerificationFailed);
    assert_eq!(code(grant.received(id).await), Code::NotFound, "it is over");
    assert_eq!((files(bench).await, bench.used().await), (0, (0, 0)));
}

/// A file that is open takes its space although it was removed.
async fn the_file_of_an_upload_that_expired_is_closed(bench: &Bench) {
    let grant = bench.grant::<Write>(&images(bench).await).await;
    let id = grant.begin_in_order().await.expect("begun");
    send_all(bench, id, &content(6, CHUNK)).await;
    let file = bench.registry.blobs().list(Area::Blobs, None, 2).await.expect("a list").remove(0).key.to_string();
    let is_open = || {
        let open = std::fs::read_dir("/proc/self/fd").expect("a list").flatten();
        open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|at| at.ends_with(&file))
    };
    assert_eq!(is_open(), !bench.registry.shares_its_database());
    bench.clock.advance(bench.registry.settings().upload_session);
    assert_eq!(bench.registry.expire_uploads(10).await.expect("swept"), 1);
    while is_open() {
        tokio::task::yield_now().await;
    }
    assert_eq!(files(bench).await, 0);
}
