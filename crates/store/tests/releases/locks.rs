//! Who waits for whom: writes that meet at one package, one allowance or one blob take their locks in one order, so that
//! none loses and is run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use model::{EntryPath, RefName, RepoId, Sha256Digest, Timestamp};
use store::blobs::{NewBody, Reach};
use store::deposit::Deposit;
use store::packages::Coordinate;
use store::perform::{Change, Perform, Seen};
use store::publish::{PublishFile, Replace};
use store::refs::{Expected, NewRef, PutRef};
use store::releases::{Bytes, PublishRelease, Released};
use store::repositories::{UpdateRepository, UpstreamColumns};
use store::uploads::in_order::{Ended, Finish, Mount, Received};
use store::uploads::{CreateUpload, ExpireUploads};
use store::{Result, Tx, Write};
use tokio::sync::Semaphore;

use super::engines::{Bench, LIMITS, Rows};
use super::in_order::{append, begin, finish, upload};
use super::release;

const USED: &str = "SELECT CAST(sum(used) AS BIGINT) FROM allowances WHERE kind = 'bytes'";
const GENERATION: &str = "SELECT generation FROM packages";

/// A write, and how often it was applied.
struct Counted<W> {
    write: W,
    applied: Arc<AtomicU32>,
}

impl<W: Write> Write for Counted<W> {
    type Out = W::Out;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<W::Out> {
        self.applied.fetch_add(1, Ordering::SeqCst);
        self.write.apply(tx).await
    }
}

impl<W: Deposit> Deposit for Counted<W> {
    type Out = W::Out;

    fn is_stored(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<W::Out> {
        self.applied.fetch_add(1, Ordering::SeqCst);
        self.write.apply(tx).await
    }
}

/// Writes all of them at the same time. None may refuse; returns how often they were applied altogether.
async fn together<W: Deposit>(bench: &Bench, writes: Vec<W>) -> u32 {
    let applied = Arc::new(AtomicU32::new(0));
    let count = |write| bench.deposit(Counted { write, applied: Arc::clone(&applied) });
    for done in join_all(writes.into_iter().map(count).collect::<Vec<_>>()).await {
        done.map(drop).expect("written");
    }
    applied.load(Ordering::SeqCst)
}

/// Writes that take of one allowance for the same bytes.
enum Any {
    File(PublishFile),
    Release(PublishRelease),
    Finish(Finish),
    Mount(Mount),
    Create(CreateUpload),
}

impl Deposit for Any {
    type Out = ();

    fn is_stored(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        match self {
            Self::File(write) => write.apply(tx).await.map(drop),
            Self::Release(write) => write.apply(tx).await.map(drop),
            Self::Finish(write) => write.apply(tx).await,
            Self::Mount(write) => write.apply(tx).await.map(drop),
            Self::Create(write) => write.apply(tx).await.map(drop),
        }
    }
}

fn latest(bench: &Bench, mut release: PublishRelease) -> PublishRelease {
    let name = RefName::parse("latest").expect("a name");
    release.refs = vec![NewRef { id: bench.ambient.id(), name, fixed: false }];
    release
}

pub(super) async fn versions_that_move_one_ref_do_not_stop_each_other(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    bench.deposit(release(bench, repo, "1.0", &[("0", 0)])).await.expect("a release");
    let before = bench.count(GENERATION).await;
    let next = |number: u8| {
        let name = number.to_string();
        latest(bench, release(bench, repo, &format!("2.{number}"), &[(&name, number)]))
    };
    assert_eq!(together(bench, (1..=16).map(next).collect()).await, 16, "none was run again");
    assert_eq!(bench.count("SELECT count(*) FROM refs WHERE to_at IS NULL").await, 1);
    assert_eq!(bench.count(GENERATION).await, before + 16);
}

pub(super) async fn uploads_of_the_same_bytes_do_not_stop_each_other(bench: &mut Bench) {
    let (repo, source) = (bench.repository("libs").await, bench.repository("source").await);
    upload(bench, source, 7, 4).await;
    let fresh = (0..16).map(|_| finish(bench, repo, None, 8, 4)).collect();
    assert_eq!(together(bench, fresh).await, 16, "the pin is new for the first of them");
    assert_eq!(bench.count(USED).await, 8);
    upload(bench, repo, 7, 4).await;
    bench.deposit(release(bench, repo, "0", &[("0", 0)])).await.expect("a release");
    let before = bench.count(USED).await;
    let mut writes = Vec::new();
    for number in 0..24 {
        writes.push(match number % 6 {
            0 => Any::Finish(finish(bench, repo, None, 7, 4)),
            1 => Any::Finish(finish(bench, repo, Some(in_order(bench, repo).await), 7, 4)),
            2 => Any::Mount(mount(bench, repo, 7)),
            3 => Any::Create(announcement(bench, repo, 7)),
            4 => Any::File(file(bench, repo, &format!("file-{number}"), 7)),
            _ => Any::Release(holding(bench, repo, number)),
        });
    }
    assert_eq!(together(bench, writes).await, 24, "none was run again");
    assert_eq!(bench.count(USED).await, before + 4 * 7 + 4 * 4, "what is published, and nothing more for the pin");
}

fn announcement(bench: &Bench, repo: RepoId, digest: u8) -> CreateUpload {
    CreateUpload {
        act: bench.act(),
        id: bench.ambient.id(),
        repo,
        digest: Sha256Digest([digest; 32]),
        length: 4,
        expires_at: Timestamp(i64::MAX),
        reach: Reach { every: true, ..Reach::default() },
        pin_until: Timestamp(i64::MAX),
        limits: LIMITS,
    }
}

fn file(bench: &Bench, repo: RepoId, path: &str, digest: u8) -> PublishFile {
    PublishFile {
        act: bench.act(),
        repo,
        package: Coordinate {
            kind: "raw".to_owned(),
            namespace: String::new(),
            name: path.to_owned(),
            display_name: path.to_owned(),
        },
        new_package: bench.ambient.id(),
        version: bench.ambient.id(),
        path: EntryPath::parse(path).expect("a path"),
        media_type: None,
        blob: bench.blob(NewBody::Inline(vec![digest; 4]), digest, 4),
        overwrite: true,
        replace: Replace::Nothing,
        upstream: None,
        limits: LIMITS,
    }
}

fn mount(bench: &Bench, repo: RepoId, digest: u8) -> Mount {
    let reach = Reach { every: true, ..Reach::default() };
    let (act, pin_until, digest) = (bench.act(), Timestamp(i64::MAX), Sha256Digest([digest; 32]));
    Mount { act, repo, digest, reach, pin_until, limits: LIMITS }
}

/// A version with a file of its own and one that others upload at the same time.
fn holding(bench: &Bench, repo: RepoId, number: u8) -> PublishRelease {
    let mut holding = release(bench, repo, &number.to_string(), &[(&format!("{number}-shared"), 7)]);
    for file in &mut holding.files {
        file.bytes = Bytes::New(bench.blob(NewBody::Inline(vec![7; 4]), 7, 4));
    }
    let own = release(bench, repo, &number.to_string(), &[(&format!("{number}-own"), number + 100)]);
    holding.files.extend(own.files);
    holding
}

/// A session in which all has come.
async fn in_order(bench: &Bench, repo: RepoId) -> Ended {
    let upload = begin(bench, repo, Timestamp(i64::MAX)).await;
    append(bench, repo, upload, 0, 4).await.expect("a chunk");
    Ended { upload, received: Received { bytes: 4, files: 1 }, in_place: false }
}

/// Runs `first`, says so, and runs `then` when it may.
struct Meeting {
    first: &'static str,
    then: &'static str,
    held: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Write for Meeting {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        tx.row(self.first, &[]).await?;
        self.held.add_permits(1);
        drop(self.go.acquire().await);
        tx.row(self.then, &[]).await.map(drop)
    }
}

/// Another transaction that holds what `first` locks while the test goes on, and then does `then`.
struct Other {
    go: Arc<Semaphore>,
    applied: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Other {
    async fn holding(bench: &Bench, first: &'static str, then: &'static str) -> Self {
        let (held, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let applied = Arc::new(AtomicU32::new(0));
        let write = Meeting { first, then, held: Arc::clone(&held), go: Arc::clone(&go) };
        let (store, write) = (bench.store.clone(), Counted { write, applied: Arc::clone(&applied) });
        let task = tokio::spawn(async move { store.write(write).await });
        drop(held.acquire().await);
        Self { go, applied, task }
    }

    /// Lets it end. Returns how often it was run.
    async fn end(self) -> u32 {
        self.go.add_permits(1);
        self.task.await.expect("no panic").expect("written");
        self.applied.load(Ordering::SeqCst)
    }
}

/// Points a ref in the state that is there now.
async fn seen(bench: &Bench, repo: RepoId, change: PutRef) -> Perform {
    let state = bench.count(GENERATION).await;
    let seen = Seen { repo, namespace: String::new(), name: "tool".to_owned(), state };
    Perform { seen: Some(seen), release: None, line: None, changes: vec![Change::Point(change)] }
}

fn point(bench: &Bench, repo: RepoId, released: &Released, name: &str) -> PutRef {
    let (act, id, name) = (bench.act(), bench.ambient.id(), RefName::parse(name).expect("a name"));
    PutRef { act, repo, id, name, version: released.version, expected: Expected::Anything, fixed: false }
}

/// What a version that is on its way into a package holds keeps nobody from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_on_its_way_stops_nobody() {
    let bench = Bench::postgres().await;
    let repo = bench.repository("libs").await;
    let first = bench.deposit(release(&bench, repo, "1.0", &[("a", 1)])).await.expect("a release");
    // What the foreign key of a version locks.
    let other = Other::holding(&bench, "SELECT 1 FROM packages FOR KEY SHARE", "SELECT 1").await;
    let next = latest(&bench, release(&bench, repo, "2.0", &[("b", 2)]));
    bench.deposit(next).await.expect("a ref moves");
    let seen = seen(&bench, repo, point(&bench, repo, &first, "old")).await;
    bench.deposit(seen).await.expect("what was seen is still so");
    let mut file = file(&bench, repo, "new", 3);
    file.package.name = "tool".to_owned();
    bench.deposit(file).await.expect("a path is decided about");
    assert_eq!(other.end().await, 1);
    // Nor does it keep anybody from changing the repository.
    let other = Other::holding(&bench, "SELECT 1 FROM repositories FOR KEY SHARE", "SELECT 1").await;
    let settings = serde_json::from_str(r#"{"allowOverwrite": true}"#).expect("settings");
    let (act, expected_revision) = (bench.act(), None);
    let change = UpdateRepository {
        act,
        id: repo,
        expected_revision,
        description: None,
        anonymous_read: None,
        settings: Some(settings),
        rules: None,
        members: None,
        upstream: UpstreamColumns::default(),
    };
    bench.store.write(change).await.expect("changed");
    assert_eq!(other.end().await, 1);
}

/// Versions are locked before their package also by those who say which state they have seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_seen_a_state_locks_versions_first() {
    let bench = Bench::postgres().await;
    let repo = bench.repository("libs").await;
    let first = bench.deposit(release(&bench, repo, "1.0", &[("a", 1)])).await.expect("a release");
    let packages = "SELECT 1 FROM packages FOR NO KEY UPDATE";
    let other = Other::holding(&bench, "SELECT 1 FROM versions FOR UPDATE", packages).await;
    let applied = Arc::new(AtomicU32::new(0));
    let write = seen(&bench, repo, point(&bench, repo, &first, "old")).await;
    let write = Counted { write, applied: Arc::clone(&applied) };
    let store = bench.store.clone();
    let waits = tokio::spawn(async move { store.deposit(write, &Rows).await });
    somebody_waits(&bench).await;
    assert_eq!(other.end().await, 1);
    waits.await.expect("no panic").expect("a ref");
    assert_eq!(applied.load(Ordering::SeqCst), 1);
}

async fn somebody_waits(bench: &Bench) {
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while bench.count(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// Of many uploads that end together, all bytes are given back before the first session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_expire_give_back_bytes_first() {
    let bench = Bench::postgres().await;
    let repo = bench.repository("libs").await;
    let empty = begin(&bench, repo, Timestamp(1)).await;
    let other = begin(&bench, repo, Timestamp(1)).await;
    append(&bench, repo, other, 0, 4).await.expect("a chunk");
    bench
        .store
        .write(super::engines::Raw("UPDATE uploads SET expires_at = 2 WHERE expires_at > 2"))
        .await
        .expect("late");
    let bytes = "SELECT 1 FROM allowances WHERE kind = 'bytes' FOR UPDATE";
    let sessions = "SELECT 1 FROM allowances WHERE kind = 'sessions' FOR UPDATE";
    let holder = Other::holding(&bench, bytes, sessions).await;
    let applied = Arc::new(AtomicU32::new(0));
    let write = ExpireUploads { act: bench.act(), events: vec![bench.ambient.id(), bench.ambient.id()] };
    let write = Counted { write, applied: Arc::clone(&applied) };
    let store = bench.store.clone();
    let waits = tokio::spawn(async move { store.write(write).await });
    somebody_waits(&bench).await;
    assert_eq!(holder.end().await, 1);
    let ended: Vec<_> = waits.await.expect("no panic").expect("expired").iter().map(|upload| upload.id).collect();
    assert_eq!((ended, applied.load(Ordering::SeqCst)), (vec![empty, other], 1));
    assert_eq!(bench.count("SELECT CAST(sum(used) AS BIGINT) FROM allowances").await, 0);
}
