//! A registry over a fresh database on either engine, with a clock that only the test moves.
#![expect(clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use acceptance::postgres::Database;
use blobs::Blobs;
use bytes::Bytes;
use model::{
    Ambient, Code, EntryPath, ManualClock, PackageName, RepoKey, Scope, Secret, Sha256Digest, Subject, SystemRandom,
    Timestamp, UploadId, VersionId, VersionName,
};
use registry::{
    Call, Declared, DeclaredEntry, Error, Grant, Limits, NewDraft, NewRepository, Registry, Replace, RepoSettings,
    Result, Settings, Stored, TokenRequest, Upload, Write,
};
use sha2::Digest as _;
use store::{Options, Store};

/// A registry that is gone when this is.
pub(crate) struct Bench {
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<ManualClock>,
    admin: String,
    _home: Home,
}

#[expect(dead_code, reason = "held, not read")]
enum Home {
    Folder(tempfile::TempDir),
    Database(Database),
}

/// 10 MiB and 20 sessions: within reach of a test.
pub(crate) const LIMITS: Limits = Limits { storage_bytes: 10 << 20, upload_sessions: 20, pending_jobs: 100 };

pub(crate) fn settings() -> Settings {
    let minutes = |n: u64| Duration::from_secs(n * 60);
    Settings {
        limits: LIMITS,
        upload_session: minutes(60),
        max_upload: 8 << 20,
        pin: minutes(120),
        seal_after: minutes(60),
        deploy_quiet: Duration::from_secs(60),
        tombstone_retention: minutes(30 * 1440),
        token_life: minutes(10_080),
        max_token_life: minutes(10_080),
        entry_cache: 1 << 20,
        presigned_downloads: None,
        presigned_parts: None,
        master_key: Secret::new([7; 32]),
        // What a test stands in for an upstream is on this machine.
        outside: registry::Outside {
            private: vec!["127.0.0.0/8".parse().expect("a network")],
            ..registry::Outside::default()
        },
    }
}

impl Bench {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options::Sqlite { path: folder.path().join("truth.db") };
        let blobs = Blobs::disk(&folder.path().join("blobs"), blobs::Options::default()).expect("a blob store");
        Self::open(options, blobs, settings(), Home::Folder(folder)).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::postgres_over(Blobs::memory(blobs::Options::default()), settings()).await
    }

    pub(crate) async fn postgres_over(blobs: Blobs, settings: Settings) -> Self {
        let database = acceptance::backing::postgres().expect("PostgreSQL").database().expect("a database");
        let options = Options::Postgres { url: Secret::new(database.url()), pool: 20 };
        Self::open(options, blobs, settings, Home::Database(database)).await
    }

    async fn open(options: Options, blobs: Blobs, settings: Settings, home: Home) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000)));
        let ambient = Ambient::new(Arc::<ManualClock>::clone(&clock), Arc::new(SystemRandom));
        let store = Store::open(&options, &ambient).await.expect("a store");
        store.migrate(&ambient).await.expect("migrations");
        let registry = Registry::open(store, blobs, ambient.clone(), settings).await.expect("a registry");
        let secret = "a bootstrap secret";
        registry.offer_bootstrap(secret).await.expect("offered");
        let request = request("admin", &[]);
        let minted = registry.bootstrap(secret, request, ambient.id()).await.expect("the first token");
        let admin = minted.secret.text().to_owned();
        Self { registry, clock, admin, _home: home }
    }

    /// A call of the first admin.
    pub(crate) async fn admin(&self) -> Call {
        self.registry.call(Some(&self.admin), self.registry.ambient().id()).await.expect("a call")
    }

    /// The first admin's token.
    pub(crate) fn admin_token(&self) -> &str {
        &self.admin
    }

    /// A call of somebody with these scopes.
    pub(crate) async fn somebody(&self, subject: &str, scopes: &[&str]) -> Call {
        let minted = self.admin().await.mint_token(request(subject, scopes)).await.expect("a token");
        self.registry.call(Some(minted.secret.text()), self.registry.ambient().id()).await.expect("a call")
    }

    pub(crate) async fn repository(&self, key: &str, allow_overwrite: bool) -> RepoKey {
        self.repository_of("raw", key, RepoSettings { allow_overwrite, ..RepoSettings::default() }).await
    }

    /// A repository of this format.
    pub(crate) async fn repository_of(&self, format: &str, key: &str, settings: RepoSettings) -> RepoKey {
        let new = NewRepository {
            key: repo_key(key),
            format: format.to_owned(),
            kind: model::state::RepoKind::Local,
            description: String::new(),
            anonymous_read: false,
            members: Vec::new(),
            settings,
            upstream_url: None,
            upstream_auth: None,
        };
        let admin = self.admin().await.authorize_tenant::<registry::TenantAdmin>().expect("an admin");
        admin.create_repository(new).await.expect("a repository").key
    }

    /// The admin's grant.
    pub(crate) async fn grant<A: registry::Access>(&self, repo: &RepoKey) -> Grant<A> {
        self.admin().await.authorize(repo).await.expect("a grant")
    }

    pub(crate) async fn count(&self, sql: &'static str) -> u64 {
        let look = async |session: &mut store::Session<'_>| session.row(sql, &[]).await;
        self.registry.store().read(look).await.expect("a look").expect("a row").get(0).expect("a number")
    }

    /// (bytes, sessions) taken of the allowances.
    pub(crate) async fn used(&self) -> (u64, u64) {
        let tenant = self.registry.tenant();
        let look = async |session: &mut store::Session<'_>| store::admission::usage(session, tenant).await;
        let usage = self.registry.store().read(look).await.expect("usage");
        (usage.storage_bytes, usage.upload_sessions)
    }

    pub(crate) async fn run(&self, sql: &'static str) -> store::Result<u64> {
        self.registry.store().write(Raw(sql)).await
    }
}

struct Raw(&'static str);

impl store::Write for Raw {
    type Out = u64;

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<u64> {
        tx.execute(self.0, &[]).await
    }
}

pub(crate) fn request(subject: &str, scopes: &[&str]) -> TokenRequest {
    let scopes = scopes.iter().map(|scope| scope.parse::<Scope>().expect("a scope")).collect();
    let subject = Subject::parse(subject).expect("a subject");
    TokenRequest { subject, scopes, life: Some(Duration::from_secs(86_400)), name: "test".to_owned() }
}

pub(crate) fn repo_key(text: &str) -> RepoKey {
    RepoKey::parse(text).expect("a key")
}

pub(crate) fn path(text: &str) -> EntryPath {
    EntryPath::parse(text).expect("a path")
}

pub(crate) fn package(text: &str) -> PackageName {
    PackageName::parse(text).expect("a name")
}

pub(crate) fn version_name(text: &str) -> VersionName {
    VersionName::parse(text).expect("a version")
}

pub(crate) fn digest(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest(sha2::Sha256::digest(bytes).into())
}

/// Bytes that differ from seed to seed.
pub(crate) fn content(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn code<T>(outcome: Result<T>) -> Code {
    match outcome {
        Ok(_) => panic!("this should have been refused"),
        Err(Error::Refused(refusal)) => refusal.code,
        Err(error @ Error::Defect(_)) => panic!("{error}"),
    }
}

pub(crate) async fn send_part(grant: &Grant<Write>, upload: UploadId, number: u32, bytes: &Bytes) -> Result<String> {
    let mut part = grant.receive_part(upload, number, Some(bytes.len() as u64)).await?;
    part.write(bytes.clone()).await?;
    Ok(part.finish().await?.etag())
}

/// A whole upload, in one part.
pub(crate) async fn upload(grant: &Grant<Write>, bytes: &Bytes) -> Result<Upload> {
    let begun = grant.create_upload(digest(bytes), bytes.len() as u64).await?;
    if begun.deduped {
        return Ok(begun);
    }
    let etag = send_part(grant, begun.id, 1, bytes).await?;
    grant.complete_upload(begun.id, vec![(1, etag)]).await?;
    grant.commit_upload(begun.id).await
}

pub(crate) async fn put(grant: &Grant<Write>, at: &str, bytes: &Bytes) -> Result<Stored> {
    let mut incoming = grant.receive(path(at), Declared::default(), Replace::Anything).await?;
    incoming.write(bytes.clone()).await?;
    incoming.publish().await
}

pub(crate) fn entry(at: &str, bytes: &[u8]) -> DeclaredEntry {
    DeclaredEntry {
        path: path(at),
        digest: digest(bytes),
        size: bytes.len() as u64,
        sha1: None,
        sha256: None,
        media_type: None,
    }
}

pub(crate) async fn draft(grant: &Grant<Write>, name: &str, version: &str) -> Result<VersionId> {
    let new = NewDraft {
        package_type: "raw".to_owned(),
        namespace: String::new(),
        name: package(name),
        version: version_name(version),
    };
    Ok(grant.create_draft(new).await?.version.id)
}

/// A draft with one uploaded entry `file` and a manifest.
pub(crate) async fn ready(grant: &Grant<Write>, name: &str, version: &str, bytes: &Bytes) -> Result<VersionId> {
    let id = draft(grant, name, version).await?;
    upload(grant, bytes).await?;
    grant.put_entries(id, vec![entry("file", bytes)]).await?;
    grant.put_manifest(id, "{}".to_owned(), None).await?;
    Ok(id)
}

/// The same test on both engines.
#[macro_export]
macro_rules! both {
    ($($name:ident;)+) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(&$crate::bench::Bench::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(&$crate::bench::Bench::postgres().await).await;
            })+
        }
    };
}
