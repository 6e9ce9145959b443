//! What is refused of parts and of their lists.

use model::Code;
use registry::Write;

use crate::bench::{Bench, code, content, digest, send_part};
use crate::both;

both! {
    parts_are_bounded;
    a_list_must_be_exactly_what_was_received;
    a_complete_upload_takes_no_more_parts;
    a_damaged_part_ends_the_upload;
}

async fn parts_are_bounded(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 1000);
    let id = grant.create_upload(digest(&bytes), 1000).await.expect("begun").id;
    for number in [0, 10_001] {
        assert_eq!(code(grant.offer_part(id, number, None).await), Code::BadRequest);
        assert_eq!(code(send_part(&grant, id, number, &bytes).await), Code::BadRequest);
    }
    assert_eq!(code(grant.offer_part(id, 1, Some(1001)).await), Code::PayloadTooLarge);
    let offer = grant.offer_part(id, 10_000, Some(1000)).await.expect("offered");
    assert!(offer.url.is_none(), "our own address");
    send_part(&grant, id, 1, &bytes.slice(..600)).await.expect("received");
    assert_eq!(code(send_part(&grant, id, 2, &bytes.slice(..401)).await), Code::PayloadTooLarge);
    send_part(&grant, id, 10_000, &bytes.slice(600..)).await.expect("received");
    let mut part = grant.receive_part(id, 1, Some(5)).await.expect("begun");
    part.write(bytes.slice(..6)).await.expect("taken");
    assert_eq!(code(part.finish().await), Code::BadRequest);
    let mut part = grant.receive_part(id, 1, None).await.expect("begun");
    part.write(bytes.clone()).await.expect("taken");
    assert_eq!(code(part.write(bytes.slice(..1)).await), Code::PayloadTooLarge);
}

async fn a_list_must_be_exactly_what_was_received(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 20);
    let id = grant.create_upload(digest(&bytes), 20).await.expect("begun").id;
    assert_eq!(code(grant.complete_upload(id, vec![(1, "x".to_owned())]).await), Code::Conflict);
    let one = send_part(&grant, id, 1, &bytes.slice(..10)).await.expect("received");
    let two = send_part(&grant, id, 2, &bytes.slice(10..)).await.expect("received");
    let part = |number: u32, etag: &String| (number, etag.clone());
    for (list, expected) in [
        (vec![], Code::BadRequest),
        (vec![part(1, &one), part(1, &one)], Code::BadRequest),
        (vec![part(1, &one), (2, "\"\"".to_owned())], Code::BadRequest),
        (vec![part(1, &one), part(2, &one)], Code::Conflict),
        (vec![part(1, &one)], Code::Conflict),
        (vec![part(1, &one), part(2, &two), part(3, &two)], Code::Conflict),
    ] {
        assert_eq!(code(grant.complete_upload(id, list.clone()).await), expected, "{list:?}");
    }
    grant.complete_upload(id, vec![part(1, &one), part(2, &two)]).await.expect("completed");
    assert_eq!(code(grant.complete_upload(id, vec![part(1, &one)]).await), Code::Conflict);
}

async fn a_complete_upload_takes_no_more_parts(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 20);
    let id = grant.create_upload(digest(&bytes), 20).await.expect("begun").id;
    let mut late = grant.receive_part(id, 1, None).await.expect("begun");
    late.write(bytes.clone()).await.expect("taken");
    let etag = send_part(&grant, id, 1, &bytes).await.expect("received");
    grant.complete_upload(id, vec![(1, etag)]).await.expect("completed");
    assert_eq!(code(grant.offer_part(id, 2, None).await), Code::Conflict);
    assert_eq!(code(send_part(&grant, id, 2, &bytes).await), Code::Conflict);
    assert_eq!(code(late.finish().await), Code::Conflict, "it began before and came late");
    grant.commit_upload(id).await.expect("committed");
    let parts = bench.registry.blobs().list(blobs::Area::Parts, None, 10).await.expect("a list");
    assert_eq!(parts.len(), 1, "what came late left nothing; the other one waits in the trash");
}

async fn a_damaged_part_ends_the_upload(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 20);
    let id = grant.create_upload(digest(&bytes), 20).await.expect("begun").id;
    let etag = send_part(&grant, id, 1, &bytes).await.expect("received");
    grant.complete_upload(id, vec![(1, etag)]).await.expect("completed");
    let place = grant.upload(id).await.expect("found").1[0].place.clone();
    bench.registry.blobs().remove(&blobs::Key::parse(&place).expect("a key")).await.expect("removed");
    assert_eq!(code(grant.commit_upload(id).await), Code::UploadVerificationFailed);
    assert_eq!(bench.used().await, (0, 0));
}
