//! Many at once: one winner, and sums that hold.

use std::future::Future;

use model::Code;
use model::state::{UploadState, VersionState};
use registry::{Promote, Read, Result, Write};

use crate::bench::{Bench, LIMITS, code, content, digest, path, put, ready, send_part, upload};
use crate::both;

both! {
    sixty_four_publishers_of_one_version;
    sixty_four_uploads_to_one_path;
    sixty_four_drafts_for_one_path;
    sixty_four_movers_of_one_ref;
    sessions_never_exceed_their_allowance;
    bytes_never_exceed_their_allowance;
    two_completes_and_two_commits;
    commit_against_abort;
    tombstone_against_publish;
    reuse_against_collection;
    parts_sent_at_once;
}

/// Runs all at once and returns all outcomes.
async fn all<T: Send + 'static>(futures: Vec<impl Future<Output = Result<T>> + Send + 'static>) -> Vec<Result<T>> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.expect("no panic"));
    }
    outcomes
}

fn split<T>(outcomes: Vec<Result<T>>) -> (Vec<T>, Vec<Code>) {
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(value) => good.push(value),
            Err(registry::Error::Refused(r)) if r.code == Code::ServiceUnavailable => unreachable!("{r:?}"),
            other => refused.push(code(other)),
        }
    }
    (good, refused)
}

async fn sixty_four_publishers_of_one_version(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let id = ready(&grant, "a", "1", &content(1, 10)).await.expect("ready");
    let publish = |_| {
        let grant = grant.clone();
        async move { grant.publish_version(id).await }
    };
    let (good, refused) = split(all((0..64).map(publish).collect()).await);
    assert!(refused.is_empty());
    assert_eq!(good.iter().filter(|published| !published.idempotent).count(), 1);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'package.version.published'").await, 1);
    assert_eq!(bench.used().await, (10, 0));
}

async fn sixty_four_uploads_to_one_path(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let store = |number: u64| {
        let grant = grant.clone();
        async move { put(&grant, "the/path", &content(number, 70_000)).await }
    };
    let (good, refused) = split(all((0..64).map(store).collect()).await);
    assert_eq!((good.len(), refused), (1, vec![Code::Conflict; 63]));
    let found = bench.grant::<Read>(&repo).await.find(&path("the/path")).await.expect("found");
    assert_eq!(found.digest(), good[0].digest);
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 1);
    assert_eq!(bench.used().await, (70_000, 0));
    let stored = bench.registry.blobs().list(blobs::Area::Blobs, None, 100).await.expect("a list");
    assert_eq!(stored.len(), 1, "the bytes of those who lost are gone");
}

/// Different packages whose files would have one location.
async fn sixty_four_drafts_for_one_path(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 10);
    let mut ids = Vec::new();
    for (name, version, at) in [("a/b", "c", "d"), ("a", "b", "c/d")] {
        let id = crate::bench::draft(&grant, name, version).await.expect("a draft");
        upload(&grant, &bytes).await.expect("committed");
        grant.put_entries(id, vec![crate::bench::entry(at, &bytes)]).await.expect("entered");
        grant.put_manifest(id, "{}".to_owned(), None).await.expect("put");
        ids.push(id);
    }
    let publish = |number: usize| {
        let (grant, id) = (grant.clone(), ids[number % 2]);
        async move { grant.publish_version(id).await }
    };
    let (good, refused) = split(all((0..64).map(publish).collect()).await);
    assert_eq!((good.len(), refused), (32, vec![Code::Conflict; 32]));
    assert_eq!(bench.count("SELECT count(*) FROM versions WHERE state = 'published'").await, 1);
}

async fn sixty_four_movers_of_one_ref(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let mut ids = Vec::new();
    for version in ["1", "2"] {
        let id = ready(&grant, "a", version, &content(1, 10)).await.expect("ready");
        ids.push(grant.publish_version(id).await.expect("published").version.id);
    }
    let (one, two) = (ids[0], ids[1]);
    let name = model::RefName::parse("latest").expect("a name");
    grant.put_ref(name.clone(), one, registry::Expected::Nothing).await.expect("made");
    let go = |_| {
        let (grant, name) = (grant.clone(), name.clone());
        async move { grant.put_ref(name, two, registry::Expected::Version(one)).await }
    };
    let (good, refused) = split(all((0..64).map(go).collect()).await);
    assert_eq!((good.len(), refused), (1, vec![Code::PreconditionFailed; 63]));
}

async fn sessions_never_exceed_their_allowance(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let begin = |number: u64| {
        let grant = grant.clone();
        async move { grant.create_upload(digest(&number.to_le_bytes()), 8).await }
    };
    let (good, refused) = split(all((0..200).map(begin).collect()).await);
    assert_eq!((good.len() as u64, refused), (LIMITS.upload_sessions, vec![Code::TooManyRequests; 180]));
    assert_eq!(bench.used().await, (160, 20), "the bytes of those refused were not taken");
    for upload in &good[..5] {
        grant.abort_upload(upload.id, None).await.expect("aborted");
    }
    let (good, _) = split(all((200..300).map(begin).collect()).await);
    assert_eq!(good.len(), 5);
}

async fn bytes_never_exceed_their_allowance(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let limits = registry::Limits { upload_sessions: 1000, ..LIMITS };
    let admin = bench.admin().await.authorize_tenant::<registry::TenantAdmin>().expect("an admin");
    admin.set_admission(limits).await.expect("set");
    let grant = bench.grant::<Write>(&repo).await;
    let length = 300_000;
    let begin = |number: u64| {
        let grant = grant.clone();
        async move { grant.create_upload(digest(&number.to_le_bytes()), length).await }
    };
    let (good, refused) = split(all((0..200).map(begin).collect()).await);
    let fitting = LIMITS.storage_bytes / length;
    assert_eq!(refused, vec![Code::TooManyRequests; 200 - usize::try_from(fitting).expect("small")]);
    assert_eq!(good.len() as u64, fitting);
    assert_eq!(bench.used().await, (fitting * length, fitting));
}

async fn two_completes_and_two_commits(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    for round in 0..10 {
        let bytes = content(round, 100_000);
        let id = grant.create_upload(digest(&bytes), 100_000).await.expect("begun").id;
        let etag = send_part(&grant, id, 1, &bytes).await.expect("received");
        let complete = |etag: String| {
            let grant = grant.clone();
            async move { grant.complete_upload(id, vec![(1, etag)]).await }
        };
        let lists = vec![etag.clone(), etag, "wrong".to_owned()];
        let (good, refused) = split(all(lists.into_iter().map(complete).collect()).await);
        assert_eq!((good.len(), refused), (2, vec![Code::Conflict]));
        let commit = |_| {
            let grant = grant.clone();
            async move { grant.commit_upload(id).await }
        };
        let (good, refused) = split(all((0..4).map(commit).collect()).await);
        assert!(!good.is_empty() && good.iter().all(|upload| upload.state == UploadState::Committed));
        assert!(refused.iter().all(|code| *code == Code::Conflict));
    }
    assert_eq!(bench.count("SELECT count(*) FROM copies").await, 10);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'upload.committed'").await, 10);
    assert_eq!(bench.used().await, (1_000_000, 0));
    let stored = bench.registry.blobs().list(blobs::Area::Blobs, None, 100).await.expect("a list");
    assert_eq!(stored.len(), 10, "nobody put the parts together twice and left it there");
}

async fn commit_against_abort(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let mut committed = 0;
    for round in 0..20 {
        let bytes = content(round, 70_000);
        let id = grant.create_upload(digest(&bytes), 70_000).await.expect("begun").id;
        let etag = send_part(&grant, id, 1, &bytes).await.expect("received");
        grant.complete_upload(id, vec![(1, etag)]).await.expect("completed");
        let end = |commit: bool| {
            let grant = grant.clone();
            async move { if commit { grant.commit_upload(id).await } else { grant.abort_upload(id, None).await } }
        };
        let (good, refused) = split(all(vec![end(true), end(false)]).await);
        assert_eq!((good.len(), refused), (1, vec![Code::Conflict]));
        committed += u64::from(good[0].state == UploadState::Committed);
        assert_eq!(grant.upload(id).await.expect("found").0.state, good[0].state);
    }
    assert_eq!(bench.used().await, (committed * 70_000, 0));
    assert_eq!(bench.count("SELECT count(*) FROM copies").await, committed);
    let stored = bench.registry.blobs().list(blobs::Area::Blobs, None, 100).await.expect("a list");
    assert_eq!(stored.len() as u64, committed);
}

async fn tombstone_against_publish(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let (grant, promote) = (bench.grant::<Write>(&repo).await, bench.grant::<Promote>(&repo).await);
    for round in 0..20 {
        let id = ready(&grant, &format!("a{round}"), "1", &content(round, 10)).await.expect("ready");
        let go = |publish: bool| {
            let (grant, promote) = (grant.clone(), promote.clone());
            async move {
                if publish {
                    grant.publish_version(id).await.map(|_| true)
                } else {
                    promote.tombstone(id, "bad".to_owned(), None).await.map(|_| false)
                }
            }
        };
        let (good, refused) = split(all(vec![go(true), go(false)]).await);
        assert!(good.contains(&false), "a tombstone always succeeds");
        assert!(refused.iter().all(|code| *code == Code::Conflict));
        let view = bench.grant::<Read>(&repo).await.version(id).await.expect("a view");
        assert_eq!(view.version.state, VersionState::Tombstoned);
        assert_eq!(view.version.published_at.is_some(), good.contains(&true));
    }
}

/// The second step of a collection, as it will be: it locks, looks again and only then removes.
struct Remove(model::Sha256Digest);

impl store::Write for Remove {
    type Out = bool;

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<bool> {
        let digest = self.0;
        let sql = "SELECT 1 FROM blobs WHERE digest = $1 AND condemned_at IS NOT NULL FOR UPDATE";
        if tx.row(sql, store::args![digest]).await?.is_none() {
            return Ok(false);
        }
        if tx.row("SELECT 1 FROM pins WHERE digest = $1", store::args![digest]).await?.is_some() {
            return Ok(false);
        }
        tx.execute("DELETE FROM inline_bytes", &[]).await?;
        tx.execute("DELETE FROM copies WHERE digest = $1", store::args![digest]).await?;
        Ok(tx.execute("DELETE FROM blobs WHERE digest = $1", store::args![digest]).await? == 1)
    }
}

async fn reuse_against_collection(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (mut removed, mut reused) = (0, 0);
    for round in 0..20 {
        let bytes = content(round, 1000);
        upload(&grant, &bytes).await.expect("committed");
        bench.run("UPDATE blobs SET condemned_at = 1").await.expect("condemned");
        // Whoever holds it still could read it: let a pin of another repository stand for that.
        let store = bench.registry.store().clone();
        let digest = digest(&bytes);
        let collect = tokio::spawn(async move {
            store.write(Unpin(digest)).await.expect("unpinned");
            store.write(Remove(digest)).await.expect("removed")
        });
        let begun = grant.create_upload(digest, 1000).await.expect("begun");
        let gone = collect.await.expect("no panic");
        let there = bench.grant::<Read>(&repo).await.find_blob(digest).await.is_ok();
        assert_eq!(begun.deduped && !gone, there, "what was promised is there");
        assert!(!(begun.deduped && gone && there));
        removed += u32::from(gone);
        reused += u32::from(begun.deduped);
        if !begun.deduped {
            grant.abort_upload(begun.id, None).await.expect("aborted");
        }
        bench.run("DELETE FROM pins").await.expect("clean");
        bench.run("DELETE FROM inline_bytes").await.expect("clean");
        bench.run("DELETE FROM copies").await.expect("clean");
        bench.run("DELETE FROM blobs").await.expect("clean");
    }
    assert_eq!(removed + reused, 20, "one or the other, never both, never neither");
}

struct Unpin(model::Sha256Digest);

impl store::Write for Unpin {
    type Out = u64;

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<u64> {
        let held = "SELECT 1 FROM blobs WHERE digest = $1 FOR UPDATE";
        tx.row(held, store::args![self.0]).await?;
        let sql = "DELETE FROM pins WHERE digest = $1 AND EXISTS (SELECT 1 FROM blobs WHERE digest = $1 AND condemned_at IS NOT NULL)";
        tx.execute(sql, store::args![self.0]).await
    }
}

async fn parts_sent_at_once(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 64_000);
    let id = grant.create_upload(digest(&bytes), 64_000).await.expect("begun").id;
    let send = |number: usize| {
        let (grant, part) = (grant.clone(), bytes.slice(number % 32 * 2000..(number % 32 + 1) * 2000));
        async move { send_part(&grant, id, u32::try_from(number % 32 + 1).expect("small"), &part).await }
    };
    let (etags, refused) = split(all((0..64).map(send).collect()).await);
    assert!(refused.is_empty());
    let list = (1..).zip(etags.into_iter().take(32)).collect();
    grant.complete_upload(id, list).await.expect("completed");
    grant.commit_upload(id).await.expect("committed");
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 64);
}
