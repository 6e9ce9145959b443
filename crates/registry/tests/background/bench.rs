//! A registry over a fresh database on either engine, with bytes on disk.

use std::time::Duration;

use acceptance::postgres::Database;
use blobs::{Blobs, Expect};
use bytes::Bytes;
use model::{Ambient, EntryPath, RepoId, RepoKey, Secret, Sha256Digest, Timestamp};
use registry::{Limits, Registry, Replace, Settings};
use store::blobs::{NewBlob, NewBody};
use store::events::Act;
use store::packages::Coordinate;
use store::publish::PublishFile;
use store::repositories::CreateRepository;
use store::{Options, Store};

pub(crate) struct Bench {
    pub(crate) registry: Registry,
    pub(crate) repo: RepoId,
    pub(crate) folder: tempfile::TempDir,
    _database: Option<Database>,
}

fn settings() -> Settings {
    Settings {
        limits: Limits { storage_bytes: 1 << 40, upload_sessions: 1000, pending_jobs: 5000 },
        upload_session: Duration::from_secs(60),
        max_upload: 1 << 30,
        pin: Duration::from_secs(60),
        seal_after: Duration::from_secs(60),
        deploy_quiet: Duration::from_secs(60),
        tombstone_retention: Duration::from_secs(60),
        max_token_life: Duration::from_secs(600),
        token_life: Duration::from_secs(600),
        entry_cache: 1 << 20,
        presigned_downloads: None,
        presigned_parts: None,
        master_key: model::Secret::new([7; 32]),
        outside: registry::Outside::default(),
    }
}

impl Bench {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options::Sqlite { path: folder.path().join("truth.db") };
        Self::open(options, folder, None).await
    }

    pub(crate) async fn postgres() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = acceptance::backing::postgres().expect("PostgreSQL").database().expect("a database");
        let options = Options::Postgres { url: Secret::new(database.url()), pool: 10 };
        Self::open(options, folder, Some(database)).await
    }

    async fn open(options: Options, folder: tempfile::TempDir, database: Option<Database>) -> Self {
        let ambient = Ambient::system();
        let store = Store::open(&options, &ambient).await.expect("a store");
        store.migrate(&ambient).await.expect("migrations");
        let blobs = Blobs::disk(&folder.path().join("blobs"), blobs::Options::default()).expect("blobs");
        let registry = Registry::open(store, blobs, ambient, settings()).await.expect("a registry");
        let repo = registry.ambient().id();
        let mut bench = Self { registry, repo, folder, _database: database };
        bench.make_repository().await;
        bench
    }

    async fn make_repository(&mut self) {
        let write = CreateRepository {
            act: self.act(self.now()),
            id: self.repo,
            key: Self::key(),
            format: "raw".to_owned(),
            kind: model::state::RepoKind::Local,
            description: String::new(),
            anonymous_read: true,
            upstream_url: None,
            upstream_auth: None,
            members: Vec::new(),
            settings: "{}".to_owned(),
        };
        self.registry.store().write(write).await.expect("a repository");
    }

    pub(crate) fn key() -> RepoKey {
        RepoKey::parse("libs").expect("a key")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.registry.ambient().now()
    }

    pub(crate) fn act(&self, at: Timestamp) -> Act {
        let (event, tenant) = (self.registry.ambient().id(), self.registry.tenant());
        Act { event, tenant, at, actor: "alice".to_owned(), correlation: None }
    }

    /// Publishes `bytes` at `path`, as if at `at`. Returns their digest and where they were put.
    pub(crate) async fn publish(&self, path: &str, bytes: &[u8], at: Timestamp) -> (Sha256Digest, Option<blobs::Key>) {
        let ambient = self.registry.ambient();
        let mut writer = self.registry.blobs().writer(ambient);
        writer.write(Bytes::copy_from_slice(bytes)).await.expect("taken");
        let received = writer.finish(Expect::default()).await.expect("received");
        let (body, key) = match received.body {
            blobs::Body::Inline(bytes) => (NewBody::Inline(bytes.into()), None),
            blobs::Body::Stored { key } => {
                let (kind, place) = (self.registry.blobs().kind(), key.as_str().to_owned());
                (NewBody::Stored { kind, place }, Some(key))
            }
        };
        let sums = received.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        let (digest, length) = (received.digest, received.length);
        let (kind, name) = ("raw".to_owned(), path.to_owned());
        let write = PublishFile {
            act: self.act(at),
            repo: self.repo,
            package: Coordinate { kind, namespace: String::new(), name: name.clone(), display_name: name },
            new_package: ambient.id(),
            version: ambient.id(),
            path: EntryPath::parse(path).expect("a path"),
            media_type: None,
            blob: NewBlob { digest, length, sums, copy: ambient.id(), body },
            overwrite: false,
            replace: Replace::Anything,
            upstream: None,
            limits: settings().limits,
        };
        self.registry.store().deposit(write, &self.registry).await.expect("published");
        (digest, key)
    }

    /// What a reader gets at `path`.
    pub(crate) async fn fetch(&self, path: &str) -> registry::Result<Vec<u8>> {
        let call = self.registry.call(None, self.registry.ambient().id()).await?;
        let grant = call.authorize::<registry::Read>(&Self::key()).await?;
        let found = grant.find(&EntryPath::parse(path).expect("a path")).await?;
        let mut content = found.open(None).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = content.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    pub(crate) async fn summary(&self) -> store::ops::Summary {
        let (tenant, now) = (self.registry.tenant(), self.now());
        let look = async |s: &mut store::Session<'_>| store::ops::summary(s, tenant, now).await;
        self.registry.store().read(look).await.expect("a summary")
    }

    /// The actions of all sequenced events.
    pub(crate) async fn actions(&self) -> Vec<(String, String)> {
        let (tenant, filter) = (self.registry.tenant(), store::audit::Filter::default());
        let oldest = store::audit::Order::Oldest;
        let look = async |s: &mut store::Session<'_>| store::audit::page(s, tenant, &filter, oldest, None, 3000).await;
        let found = self.registry.store().read(look).await.expect("events");
        found.into_iter().map(|entry| (entry.event.action, entry.event.detail)).collect()
    }

    /// Waits until `done` says so; a minute at most.
    pub(crate) async fn until(&self, what: &str, done: impl AsyncFn() -> bool) {
        let wait = async {
            while !done().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("waited for: {what}"));
    }
}
