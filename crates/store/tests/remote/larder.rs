//! A hosted and two remote repositories that have the same contents, and what must be true of them whatever happens.

use model::state::{CopyKind, RepoKind};
use model::{EntryPath, RepoId, RepoKey, Sha256Digest, Timestamp, VersionName};
use store::admission::Limits;
use store::blobs::{NewBlob, NewBody, Reach};
use store::cached::{self, By, Cached, LetGo, NoteReads, Outcome, Reclaim, Refill, Released, Remove};
use store::observations::{Answer, Observe};
use store::packages::Coordinate;
use store::releases::{Bytes, NewFile, PublishRelease, Released as Published};
use store::repositories::CreateRepository;
use store::spill::{self, Inline, Packed, Spill};
use store::uploads::CreateUpload;
use store::uploads::in_order::Finish;

use crate::engines::{Bench, LIMITS};

pub(crate) const SIZE: u64 = 100;
/// What is kept in a row, and later in a pack.
pub(crate) const SMALL: u8 = 4;
const LATER: i64 = 1 << 53;

pub(crate) struct Larder<'b> {
    pub(crate) bench: &'b Bench,
    pub(crate) hosted: RepoId,
    pub(crate) one: RepoId,
    pub(crate) other: RepoId,
}

pub(crate) fn digest(byte: u8) -> Sha256Digest {
    Sha256Digest([byte; 32])
}

impl<'b> Larder<'b> {
    pub(crate) async fn new(bench: &'b Bench) -> Self {
        let hosted = bench.repository("hosted").await;
        Self { bench, hosted, one: remote(bench, "one").await, other: remote(bench, "other").await }
    }

    /// Bytes received just now: at a place of their own, those of [`SMALL`] in a row.
    pub(crate) fn blob(&self, byte: u8) -> NewBlob {
        if byte == SMALL {
            let bytes = vec![byte; usize::try_from(SIZE).expect("few")];
            return self.bench.blob(NewBody::Inline(bytes), byte, SIZE);
        }
        let place = format!("blobs/00/{}", self.bench.ambient.id::<model::CopyId>());
        self.bench.blob(NewBody::Stored { kind: CopyKind::File, place }, byte, SIZE)
    }

    /// A file comes from an upstream, at a path of its own.
    pub(crate) async fn fill(&self, repo: RepoId, byte: u8) -> store::Result<Published> {
        let path = EntryPath::parse(&self.bench.ambient.id::<model::CopyId>().to_string()).expect("a path");
        let bytes = Bytes::New(self.blob(byte));
        let file = NewFile { path: path.clone(), location: path.clone(), bytes, media_type: None, attributes: None };
        let (kind, name) = ("raw".to_owned(), path.as_str().to_owned());
        let write = PublishRelease {
            act: self.bench.act(),
            repo,
            package: Coordinate { kind, namespace: String::new(), name: name.clone(), display_name: name },
            new_package: self.bench.ambient.id(),
            exact_name: false,
            id: self.bench.ambient.id(),
            version: VersionName::parse("1").expect("a name"),
            files: vec![file],
            manifest: "{}".to_owned(),
            refs: Vec::new(),
            fixed: Vec::new(),
            subject: None,
            again: false,
            joins: true,
            twin: None,
            seal: None,
            stays_open: true,
            cached: true,
            gather: None,
            limits: LIMITS,
        };
        self.bench.deposit(write).await
    }

    pub(crate) async fn host(&self, byte: u8) {
        let path = self.bench.ambient.id::<model::CopyId>().to_string();
        self.bench.publish(self.hosted, &path, self.blob(byte)).await;
    }

    pub(crate) async fn pin(&self, repo: RepoId, byte: u8) {
        let write = Finish {
            act: self.bench.act(),
            repo,
            session: None,
            blob: self.blob(byte),
            sha512: None,
            pin_until: Timestamp(LATER),
            limits: LIMITS,
        };
        self.bench.deposit(write).await.expect("pinned");
    }

    /// An upload begins whose bytes these will be.
    pub(crate) async fn announce(&self, byte: u8) {
        let write = CreateUpload {
            act: self.bench.act(),
            id: self.bench.ambient.id(),
            repo: self.hosted,
            digest: digest(byte),
            length: SIZE,
            expires_at: Timestamp(LATER),
            reach: Reach::default(),
            pin_until: Timestamp(LATER),
            limits: LIMITS,
        };
        self.bench.deposit(write).await.expect("begun");
    }

    pub(crate) async fn unpin(&self, repo: RepoId, byte: u8) {
        let write = store::pins::LetGo { act: self.bench.act(), repo, digest: digest(byte) };
        drop(self.bench.store.write(write).await);
    }

    pub(crate) async fn observe(&self, byte: u8) {
        let write = Observe {
            act: self.bench.act(),
            repo: self.one,
            answer: Answer {
                target: format!("answer-{byte}"),
                id: self.bench.ambient.id(),
                media_type: "text/plain".to_owned(),
                address: "https://there.example".to_owned(),
                etag: None,
                changed_at: None,
            },
            blob: Some(self.blob(byte)),
            held: None,
            limits: LIMITS,
        };
        self.bench.deposit(write).await.expect("observed");
    }

    pub(crate) async fn contents(&self, repo: RepoId) -> Vec<Cached> {
        let look = async |session: &mut store::Session<'_>| cached::list(session, repo, By::Use, None, 100).await;
        self.bench.store.read(look).await.expect("a list")
    }

    pub(crate) async fn let_go_of(&self, repo: RepoId, contents: Vec<Cached>) -> Released {
        let write = LetGo { act: self.bench.act(), tenant: self.bench.tenant, repo, contents };
        self.bench.store.write(write).await.expect("let go")
    }

    /// Everything that the repository has.
    pub(crate) async fn let_go(&self, repo: RepoId) -> Released {
        self.let_go_of(repo, self.contents(repo).await).await
    }

    /// What is condemned goes, without any grace.
    pub(crate) async fn remove(&self, although_read: bool) -> Outcome {
        let before = Timestamp(LATER);
        let look = async |session: &mut store::Session<'_>| cached::condemned(session, before, 100).await;
        let digests = self.bench.store.read(look).await.expect("a list");
        let write = Remove { act: self.bench.act(), digests, before, although_read };
        self.bench.store.write(write).await.expect("removed")
    }

    pub(crate) async fn refill(&self, repo: RepoId, byte: u8, limits: Limits) -> store::Result<()> {
        self.bench.deposit(Refill { act: self.bench.act(), repo, blob: self.blob(byte), limits }).await
    }

    /// What lies in rows goes into a pack, which something of other repositories may share.
    pub(crate) async fn pack(&self) {
        let look =
            async |session: &mut store::Session<'_>| spill::inline_copies(session, None, Timestamp(LATER), 9).await;
        let found = self.bench.store.read(look).await.expect("rows");
        let packed = |(one, start): (Inline, u64)| Packed {
            from: one.copy,
            to: self.bench.ambient.id(),
            digest: one.digest,
            start: start * SIZE,
        };
        let place = format!("packs/{}", self.bench.ambient.id::<model::CopyId>());
        let write = Spill { act: self.bench.act(), place, items: found.into_iter().zip(0..).map(packed).collect() };
        self.bench.store.write(write).await.expect("packed");
    }

    pub(crate) async fn reclaim(&self, repo: RepoId, byte: u8, limits: Limits) -> store::Result<bool> {
        let (act, tenant, digest) = (self.bench.act(), self.bench.tenant, digest(byte));
        self.bench.store.write(Reclaim { act, tenant, repo, digest, limits }).await
    }

    pub(crate) async fn read(&self, repo: RepoId, byte: u8, at: Timestamp) {
        self.bench.store.write(NoteReads { reads: vec![((repo, digest(byte)), at)] }).await.expect("noted");
    }

    pub(crate) async fn is_let_go(&self, repo: RepoId, byte: u8) -> bool {
        let look = async |session: &mut store::Session<'_>| cached::is_let_go(session, repo, digest(byte)).await;
        self.bench.store.read(look).await.expect("a look")
    }

    /// Good copies of the blob.
    pub(crate) async fn copies(&self, byte: u8) -> usize {
        let look = async |session: &mut store::Session<'_>| store::blobs::copies(session, digest(byte)).await;
        self.bench.store.read(look).await.expect("copies").len()
    }

    /// Bytes taken of the allowance.
    pub(crate) async fn used(&self) -> u64 {
        self.bench.count("SELECT CAST(coalesce(sum(used), 0) AS BIGINT) FROM allowances WHERE kind = 'bytes'").await
    }

    /// What holds whatever happened: nothing that is needed is without bytes, nothing lies in the trash and elsewhere,
    /// and what is held is charged once.
    pub(crate) async fn check(&self, after: &str) {
        let bare =
            "SELECT count(*) FROM blobs b WHERE NOT EXISTS (SELECT 1 FROM copies c WHERE c.digest = b.digest) AND (
             EXISTS (SELECT 1 FROM entries e WHERE e.digest = b.digest AND NOT EXISTS (SELECT 1 FROM cached k
                WHERE k.repo_id = e.repo_id AND k.digest = e.digest AND k.evicted_at IS NOT NULL))
             OR EXISTS (SELECT 1 FROM pins p WHERE p.digest = b.digest)
             OR EXISTS (SELECT 1 FROM observations o WHERE o.digest = b.digest))";
        assert_eq!(self.bench.count(bare).await, 0, "needed and without bytes after {after}");
        let both = "SELECT count(*) FROM copies c JOIN trash t ON t.place = c.place";
        assert_eq!(self.bench.count(both).await, 0, "in the trash and in use after {after}");
        let left = "SELECT count(*) FROM events e WHERE e.action = 'blob.copies.packed'
             AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.place = e.resource_id)
             AND NOT EXISTS (SELECT 1 FROM trash t WHERE t.place = e.resource_id)";
        assert_eq!(self.bench.count(left).await, 0, "an empty pack stays after {after}");
        let rows =
            "SELECT count(*) FROM inline_bytes i WHERE NOT EXISTS (SELECT 1 FROM copies c WHERE c.id = i.copy_id)";
        assert_eq!(self.bench.count(rows).await, 0, "bytes of no copy after {after}");
        let held = "SELECT CAST((SELECT coalesce(sum(e.size), 0) FROM entries e WHERE NOT EXISTS (SELECT 1 FROM cached k
                WHERE k.repo_id = e.repo_id AND k.digest = e.digest AND k.evicted_at IS NOT NULL))
             + (SELECT coalesce(sum(charged), 0) FROM pins) + (SELECT coalesce(sum(length), 0) FROM observations) AS BIGINT)";
        assert_eq!(self.used().await, self.bench.count(held).await, "what is charged after {after}");
    }
}

async fn remote(bench: &Bench, key: &str) -> RepoId {
    let id = bench.ambient.id();
    let write = CreateRepository {
        act: bench.act(),
        id,
        key: RepoKey::parse(key).expect("a key"),
        format: "raw".to_owned(),
        kind: RepoKind::Remote,
        description: String::new(),
        anonymous_read: false,
        upstream_url: Some("https://there.example".to_owned()),
        upstream_auth: None,
        members: Vec::new(),
        settings: "{}".to_owned(),
    };
    bench.store.write(write).await.expect("a repository");
    id
}
