//! Upload sessions: their life, their allowances, their bytes.

use std::time::Duration;

use model::Code;
use model::state::UploadState;
use registry::{Read, Write};

use crate::bench::{Bench, code, content, digest, put, send_part, upload};
use crate::both;

both! {
    what_was_announced_is_received_verified_and_readable;
    wrong_bytes_end_the_upload_and_are_gone;
    an_abort_frees_what_was_taken;
    uploads_expire_and_are_swept;
    knowing_a_digest_is_no_right_to_its_bytes;
    a_condemned_blob_is_revived_by_reuse;
    sessions_belong_to_their_repository;
    a_pin_holds_its_charge_until_a_version_does;
    two_uploads_of_the_same_bytes_are_paid_for_once;
    what_a_draft_needs_stays_paid_for;
}

async fn what_was_announced_is_received_verified_and_readable(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 200_000);
    assert_eq!(code(grant.create_upload(digest(&bytes), 0).await), Code::BadRequest);
    assert_eq!(code(grant.create_upload(digest(&bytes), 9 << 20).await), Code::PayloadTooLarge);
    let begun = grant.create_upload(digest(&bytes), 200_000).await.expect("begun");
    assert_eq!((begun.state, begun.deduped), (UploadState::Initiated, false));
    assert_eq!(bench.used().await, (200_000, 1));
    assert_eq!(code(grant.commit_upload(begun.id).await), Code::Conflict);
    // Out of order, and the first one twice.
    let second = send_part(&grant, begun.id, 7, &bytes.slice(150_000..)).await.expect("received");
    send_part(&grant, begun.id, 2, &bytes.slice(1..150_000)).await.expect("received");
    let first = send_part(&grant, begun.id, 2, &bytes.slice(..150_000)).await.expect("received");
    assert_eq!(first, format!("\"{}\"", digest(&bytes[..150_000])));
    let (now, parts) = grant.upload(begun.id).await.expect("found");
    assert_eq!((now.state, parts.len()), (UploadState::PartsUploading, 2));
    let list = vec![(7, second), (2, first)];
    let complete = grant.complete_upload(begun.id, list.clone()).await.expect("completed");
    assert_eq!(complete.state, UploadState::PendingCommit);
    assert_eq!(grant.complete_upload(begun.id, list).await.expect("again").state, UploadState::PendingCommit);
    let reader = bench.grant::<Read>(&repo).await;
    assert_eq!(code(reader.find_blob(digest(&bytes)).await), Code::NotFound);
    let done = grant.commit_upload(begun.id).await.expect("committed");
    assert_eq!(done.state, UploadState::Committed);
    assert_eq!(bench.used().await, (200_000, 0));
    bench.clock.advance(Duration::from_secs(7200));
    assert_eq!(grant.commit_upload(begun.id).await.expect("again").state, UploadState::Committed);
    let found = reader.find_blob(digest(&bytes)).await.expect("readable");
    let mut read = found.open(Some(149_999..150_001)).await.expect("opened");
    assert_eq!(read.next().await.expect("bytes"), Some(bytes.slice(149_999..150_001)));
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 3, "two parts and a replaced one");
    assert_eq!(bench.count("SELECT count(*) FROM upload_parts").await, 0);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'upload.committed'").await, 1);
}

async fn wrong_bytes_end_the_upload_and_are_gone(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (said, sent) = (content(1, 5000), content(2, 5000));
    for part in [sent.clone(), sent.slice(..4000)] {
        let begun = grant.create_upload(digest(&said), 5000).await.expect("begun");
        let etag = send_part(&grant, begun.id, 1, &part).await.expect("received");
        grant.complete_upload(begun.id, vec![(1, etag)]).await.expect("completed");
        let refused = grant.commit_upload(begun.id).await;
        let text = refused.as_ref().expect_err("refused").to_string();
        assert_eq!(code(refused), Code::UploadVerificationFailed);
        let names = |what: &str| assert!(text.contains(what), "{text}");
        if part.len() == 5000 {
            names(&digest(&said).hex());
            names(&digest(&sent).hex());
        } else {
            names("4000");
            names("5000");
        }
        let (over, parts) = grant.upload(begun.id).await.expect("found");
        assert_eq!((over.state, over.reason.as_deref()), (UploadState::Aborted, Some("verification_failed")));
        assert!(parts.is_empty());
        assert_eq!(code(grant.commit_upload(begun.id).await), Code::Conflict);
    }
    assert_eq!(bench.used().await, (0, 0));
    assert_eq!(bench.count("SELECT count(*) FROM blobs").await, 0);
}

async fn an_abort_frees_what_was_taken(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 1000);
    let begun = grant.create_upload(digest(&bytes), 1000).await.expect("begun");
    send_part(&grant, begun.id, 1, &bytes).await.expect("received");
    let over = grant.abort_upload(begun.id, Some("changed my mind".to_owned())).await.expect("aborted");
    assert_eq!((over.state, over.reason.as_deref()), (UploadState::Aborted, Some("changed my mind")));
    let again = grant.abort_upload(begun.id, Some("again".to_owned())).await.expect("aborted");
    assert_eq!(again.reason.as_deref(), Some("changed my mind"));
    assert_eq!(bench.used().await, (0, 0));
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 1);
    assert_eq!(code(send_part(&grant, begun.id, 1, &bytes).await), Code::Conflict);
    let done = upload(&grant, &bytes).await.expect("committed");
    assert_eq!(code(grant.abort_upload(done.id, None).await), Code::Conflict);
}

async fn uploads_expire_and_are_swept(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 1000);
    let old = grant.create_upload(digest(&bytes), 1000).await.expect("begun");
    send_part(&grant, old.id, 1, &bytes).await.expect("received");
    bench.clock.advance(Duration::from_secs(1800));
    let young = grant.create_upload(digest(&content(2, 9)), 9).await.expect("begun");
    assert_eq!(bench.registry.expire_uploads(10).await.expect("swept"), 0);
    bench.clock.advance(Duration::from_secs(1800));
    assert_eq!(code(send_part(&grant, old.id, 2, &content(3, 1)).await), Code::Conflict);
    assert_eq!(code(grant.complete_upload(old.id, vec![(1, digest(&bytes).hex())]).await), Code::Conflict);
    assert_eq!(bench.registry.expire_uploads(10).await.expect("swept"), 1);
    assert_eq!(bench.registry.expire_uploads(10).await.expect("swept"), 0);
    assert_eq!(grant.upload(old.id).await.expect("found").0.reason.as_deref(), Some("expired"));
    assert_eq!(grant.upload(young.id).await.expect("found").0.state, UploadState::Initiated);
    assert_eq!(bench.used().await, (9, 1));
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 1);
}

async fn knowing_a_digest_is_no_right_to_its_bytes(bench: &Bench) {
    let (secret, public) = (bench.repository("secret", false).await, bench.repository("public", false).await);
    let bytes = content(1, 3000);
    put(&bench.grant::<Write>(&secret).await, "plan.txt", &bytes).await.expect("stored");
    let outsider = bench.somebody("mallory", &["repo:public:write"]).await;
    let grant = outsider.authorize::<Write>(&public).await.expect("a grant");
    let begun = grant.create_upload(digest(&bytes), 3000).await.expect("begun");
    assert_eq!((begun.state, begun.deduped), (UploadState::Initiated, false));
    // Not even that a length is wrong is told.
    assert!(grant.create_upload(digest(&bytes), 2999).await.is_ok());
    let reader = outsider.authorize::<Read>(&public).await.expect("a grant");
    assert_eq!(code(reader.find_blob(digest(&bytes)).await), Code::NotFound);

    let insider = bench.somebody("alice", &["repo:public:write", "repo:secret:read"]).await;
    let grant = insider.authorize::<Write>(&public).await.expect("a grant");
    assert_eq!(code(grant.create_upload(digest(&bytes), 2999).await), Code::Conflict);
    let shared = grant.create_upload(digest(&bytes), 3000).await.expect("begun");
    assert_eq!((shared.state, shared.deduped), (UploadState::Committed, true));
    assert!(reader.find_blob(digest(&bytes)).await.is_ok(), "now it is in the public repository");
    assert_eq!(bench.count("SELECT count(*) FROM copies").await, 1);
}

async fn a_condemned_blob_is_revived_by_reuse(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 3000);
    upload(&grant, &bytes).await.expect("committed");
    bench.run("UPDATE blobs SET condemned_at = 1").await.expect("condemned");
    assert!(upload(&grant, &bytes).await.expect("committed").deduped);
    assert_eq!(bench.count("SELECT count(*) FROM blobs WHERE condemned_at IS NULL").await, 1);
    // Without a good copy the bytes are needed again.
    bench.run("UPDATE copies SET state = 'damaged'").await.expect("damaged");
    assert!(!upload(&grant, &bytes).await.expect("committed").deduped);
    assert_eq!(bench.count("SELECT count(*) FROM copies WHERE state = 'good'").await, 1);
}

async fn sessions_belong_to_their_repository(bench: &Bench) {
    let (one, two) = (bench.repository("one", false).await, bench.repository("two", false).await);
    let bytes = content(1, 10);
    let begun = bench.grant::<Write>(&one).await.create_upload(digest(&bytes), 10).await.expect("begun");
    let other = bench.grant::<Write>(&two).await;
    assert_eq!(code(other.upload(begun.id).await), Code::NotFound);
    assert_eq!(code(send_part(&other, begun.id, 1, &bytes).await), Code::NotFound);
    assert_eq!(code(other.complete_upload(begun.id, vec![(1, "x".to_owned())]).await), Code::NotFound);
    assert_eq!(code(other.commit_upload(begun.id).await), Code::NotFound);
    assert_eq!(code(other.abort_upload(begun.id, None).await), Code::NotFound);
}

/// Both begin before either has come to its end.
async fn two_uploads_of_the_same_bytes_are_paid_for_once(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 1000);
    let mut begun = Vec::new();
    for _ in 0..2 {
        begun.push(grant.create_upload(digest(&bytes), 1000).await.expect("begun").id);
    }
    assert_eq!(bench.used().await, (2000, 2));
    for id in begun {
        let etag = send_part(&grant, id, 1, &bytes).await.expect("a part");
        grant.complete_upload(id, vec![(1, etag)]).await.expect("completed");
        grant.commit_upload(id).await.expect("committed");
    }
    assert_eq!(bench.used().await, (1000, 0));
}

async fn what_a_draft_needs_stays_paid_for(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (one, two) = (content(1, 1000), content(2, 500));
    let withdrawn = crate::bench::ready(&grant, "tool", "1", &one).await.expect("a draft");
    crate::bench::ready(&grant, "tool", "2", &two).await.expect("a draft");
    let promote = bench.grant::<registry::Promote>(&repo).await;
    promote.tombstone(withdrawn, "no use".to_owned(), None).await.expect("withdrawn");
    for _ in 0..3 {
        bench.clock.advance(Duration::from_secs(7200));
        expire_pins(bench).await;
        assert_eq!(bench.used().await, (1500, 0));
    }
}

async fn a_pin_holds_its_charge_until_a_version_does(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (one, two) = (content(1, 1000), content(2, 500));
    upload(&grant, &one).await.expect("committed");
    assert!(upload(&grant, &one).await.expect("committed").deduped);
    upload(&grant, &two).await.expect("committed");
    assert_eq!(bench.used().await, (1500, 0), "what is pinned is paid for once");
    let id = crate::bench::ready(&grant, "tool", "1", &one).await.expect("a draft");
    assert_eq!(bench.used().await, (1500, 0));
    grant.publish_version(id).await.expect("published");
    assert_eq!(bench.used().await, (1500, 0), "the version holds 1000, the other pin 500");
    bench.clock.advance(Duration::from_secs(7200));
    expire_pins(bench).await;
    assert_eq!(bench.used().await, (1000, 0));
}

async fn expire_pins(bench: &Bench) {
    let act = store::events::Act {
        event: bench.registry.ambient().id(),
        tenant: bench.registry.tenant(),
        at: bench.registry.ambient().now(),
        actor: "system".to_owned(),
        correlation: None,
    };
    let keep_until = act.at.plus(Duration::from_secs(7200));
    let write = store::pins::Expire { act, limit: 10, keep_until };
    bench.registry.store().write(write).await.expect("expired");
}
