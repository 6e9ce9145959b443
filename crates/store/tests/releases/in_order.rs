//! Uploads whose bytes come in order and whose digest comes last.

use model::{Code, RepoId, Sha256Digest, Timestamp, UploadId};
use store::blobs::{self, NewBody, Reach};
use store::pins::LetGo;
use store::uploads::ExpireUploads;
use store::uploads::in_order::{Append, Begin, Ended, Finish, GiveUp, Grown, Mount, Received, received};

use super::engines::{Bench, LIMITS};
use super::release;

const USED: &str = "SELECT CAST(coalesce(sum(used), 0) AS BIGINT) FROM allowances";

/// The code of a refusal.
pub(super) fn code_of(error: &store::Error) -> Option<Code> {
    match error {
        store::Error::Refused(refusal) => Some(refusal.code),
        _ => None,
    }
}

pub(super) async fn begin(bench: &Bench, repo: RepoId, expires_at: Timestamp) -> UploadId {
    let (act, id) = (bench.act(), bench.ambient.id());
    bench.store.write(Begin { act, id, repo, expires_at, limits: LIMITS }).await.expect("begun");
    id
}

pub(super) async fn append(
    bench: &Bench,
    repo: RepoId,
    upload: UploadId,
    at: u64,
    length: u64,
) -> store::Result<Received> {
    let place = format!("blobs/aa/{}", bench.ambient.id::<UploadId>());
    append_to(bench, (repo, upload), at, length, (place, length)).await
}

async fn append_to(
    bench: &Bench,
    (repo, upload): (RepoId, UploadId),
    at: u64,
    length: u64,
    (place, long): (String, u64),
) -> store::Result<Received> {
    let write = Append {
        act: bench.act(),
        repo,
        upload,
        at,
        length,
        file: Grown { place, length: long, digest: Sha256Digest([3; 32]), sums: vec![0; 8] },
        expires_at: Timestamp(i64::MAX),
        longest: 100,
        limits: LIMITS,
    };
    bench.store.write(write).await
}

pub(super) fn finish(bench: &Bench, repo: RepoId, session: Option<Ended>, digest: u8, length: u64) -> Finish {
    let blob = bench.blob(NewBody::Inline(vec![digest; 3]), digest, length);
    let pin_until = Timestamp(i64::MAX);
    Finish { act: bench.act(), repo, session, blob, sha512: Some([digest; 64]), pin_until, limits: LIMITS }
}

/// A blob that was uploaded at once.
pub(super) async fn upload(bench: &Bench, repo: RepoId, digest: u8, length: u64) {
    bench.deposit(finish(bench, repo, None, digest, length)).await.expect("uploaded");
}

pub(super) async fn chunks_come_in_order_and_become_a_blob(bench: &mut Bench) {
    let (repo, other) = (bench.repository("libs").await, bench.repository("other").await);
    let id = begin(bench, repo, Timestamp(i64::MAX)).await;
    assert_eq!(append(bench, repo, id, 0, 4).await.expect("a chunk"), Received { bytes: 4, files: 1 });
    let code = |done: store::Result<Received>| code_of(&done.expect_err("refused"));
    assert_eq!(code(append(bench, repo, id, 0, 4).await), Some(Code::InvalidRange), "twice");
    assert_eq!(code(append(bench, repo, id, 5, 4).await), Some(Code::InvalidRange), "a gap");
    assert_eq!(code(append(bench, repo, id, 4, 97).await), Some(Code::PayloadTooLarge));
    assert_eq!(code(append(bench, other, id, 4, 1).await), Some(Code::NotFound), "another repository's");
    append(bench, repo, id, 4, 2).await.expect("the next chunk");
    let stale = Ended { upload: id, received: Received { bytes: 4, files: 1 }, in_place: true };
    let stale = bench.deposit(finish(bench, repo, Some(stale), 5, 6)).await.expect_err("more has come");
    assert_eq!(code_of(&stale), Some(Code::Conflict));
    let ended = Ended { received: Received { bytes: 6, files: 2 }, upload: id, in_place: false };
    bench.deposit(finish(bench, repo, Some(ended), 5, 6)).await.expect("whole");
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 2, "the chunks");
    assert_eq!(bench.count(USED).await, 6, "the pin's");
    assert_eq!(code(append(bench, repo, id, 6, 1).await), Some(Code::NotFound), "it is over");
    let named = bench.store.read(async |session| blobs::named(session, "sha512", &[5; 64]).await).await;
    assert_eq!(named.expect("a look"), Some(Sha256Digest([5; 32])));
}

pub(super) async fn a_file_grows_with_its_upload(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let (id, other) = (begin(bench, repo, Timestamp(i64::MAX)).await, begin(bench, repo, Timestamp(i64::MAX)).await);
    let grow = async |upload: UploadId, at: u64, length: u64, place: &str, long: u64| {
        append_to(bench, (repo, upload), at, length, (place.to_owned(), long)).await
    };
    assert_eq!(grow(id, 0, 4, "blobs/aa/1", 4).await.expect("a chunk"), Received { bytes: 4, files: 1 });
    assert_eq!(grow(id, 4, 3, "blobs/aa/1", 7).await.expect("goes on"), Received { bytes: 7, files: 1 });
    assert_eq!(grow(id, 7, 2, "blobs/aa/2", 2).await.expect("elsewhere"), Received { bytes: 9, files: 2 });
    assert_eq!(grow(id, 9, 1, "blobs/aa/2", 3).await.expect("goes on"), Received { bytes: 10, files: 2 });
    let parts = bench.store.read(async |session| store::uploads::parts(session, id).await).await.expect("parts");
    let lengths: Vec<_> = parts.iter().map(|part| (part.number, part.place.as_str(), part.length)).collect();
    assert_eq!(lengths, [(1, "blobs/aa/1", 7), (2, "blobs/aa/2", 3)]);
    // Nobody writes to another upload's file, and no file has other bytes than those that came.
    for (upload, at, place, long) in [(other, 0, "blobs/aa/1", 8), (id, 10, "blobs/aa/2", 5), (id, 10, "blobs/aa/1", 8)]
    {
        let refused = grow(upload, at, 1, place, long).await.expect_err("a defect");
        assert!(matches!(refused, store::Error::Defect(_)), "{refused:?}");
    }
    assert_eq!(bench.count(USED).await, 12, "ten bytes and two sessions");
    let give_up = GiveUp { act: bench.act(), repo, upload: id, reason: "why".to_owned() };
    bench.store.write(give_up).await.expect("given up");
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 2, "the files");
}

pub(super) async fn what_an_upload_took_is_given_back(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    for expire in [true, false] {
        let id = begin(bench, repo, Timestamp(1)).await;
        append(bench, repo, id, 0, 4).await.expect("a chunk");
        assert_eq!(bench.count(USED).await, 5);
        if expire {
            // A chunk prolonged it.
            let none = ExpireUploads { act: bench.act(), events: vec![bench.ambient.id()] };
            assert!(bench.store.write(none).await.expect("looked").is_empty());
            bench.store.write(super::engines::Raw("UPDATE uploads SET expires_at = 1")).await.expect("late");
            let all = ExpireUploads { act: bench.act(), events: vec![bench.ambient.id()] };
            assert_eq!(bench.store.write(all).await.expect("expired").len(), 1);
        } else {
            let reason = "why".to_owned();
            let give_up = || GiveUp { act: bench.act(), repo, upload: id, reason: reason.clone() };
            bench.store.write(give_up()).await.expect("given up");
            assert_eq!(code_of(&bench.store.write(give_up()).await.expect_err("it is over")), Some(Code::NotFound));
        }
        assert_eq!(bench.count(USED).await, 0);
        assert_eq!(bench.count("SELECT count(*) FROM upload_parts").await, 0);
        let look = async |session: &mut store::Session<'_>| received(session, id).await;
        assert_eq!(bench.store.read(look).await.expect("a look"), Received::default());
    }
}

pub(super) async fn only_readers_of_a_holder_can_mount(bench: &mut Bench) {
    let (repo, source) = (bench.repository("libs").await, bench.repository("source").await);
    upload(bench, source, 7, 3).await;
    let key = |key: &&str| model::RepoKey::parse(key).expect("a key");
    let mount = |readable: &[&str]| Mount {
        act: bench.act(),
        repo,
        digest: Sha256Digest([7; 32]),
        reach: Reach { keys: readable.iter().map(key).collect(), ..Reach::default() },
        pin_until: Timestamp(i64::MAX),
        limits: LIMITS,
    };
    assert!(!bench.deposit(mount(&[])).await.expect("looked"));
    assert!(!bench.deposit(mount(&["libs"])).await.expect("looked"), "it is not there");
    assert_eq!(bench.count("SELECT count(*) FROM pins").await, 1);
    assert!(bench.deposit(mount(&["source"])).await.expect("mounted"));
    assert_eq!(bench.count(USED).await, 6);
}

pub(super) async fn a_published_blob_is_not_let_go(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let let_go = |digest: u8| LetGo { act: bench.act(), repo, digest: Sha256Digest([digest; 32]) };
    let code = |done: store::Result<()>| code_of(&done.expect_err("refused"));
    assert_eq!(code(bench.store.write(let_go(9)).await), Some(Code::NotFound));
    upload(bench, repo, 7, 3).await;
    bench.store.write(let_go(7)).await.expect("let go");
    assert_eq!(bench.count(USED).await, 0);
    assert_eq!(code(bench.store.write(let_go(7)).await), Some(Code::NotFound));
    bench.deposit(release(bench, repo, "1", &[("a", 1)])).await.expect("a release");
    assert_eq!(code(bench.store.write(let_go(1)).await), Some(Code::Conflict));
}
