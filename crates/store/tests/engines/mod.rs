//! A fresh, migrated database on either engine, and what tests say again and again.
#![expect(dead_code, reason = "each test program uses its part")]

use std::sync::OnceLock;

use acceptance::postgres::Database;
use model::{Ambient, EventId, RepoId, RepoKey, Secret, Sha256Digest, TenantId, Timestamp};
use store::admission::Limits;
use store::blobs::{NewBlob, NewBody};
use store::copy::Unseen;
use store::deposit::{Deposit, Look};
use store::events::Act;
use store::packages::Coordinate;
use store::publish::{PublishFile, Replace};
use store::repositories::CreateRepository;
use store::{Column, Options, Store, Value};

/// A database that is gone when this is.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) ambient: Ambient,
    pub(crate) tenant: TenantId,
    pub(crate) options: Options,
    _home: Home,
}

enum Home {
    Folder(tempfile::TempDir),
    Database(Database),
}

pub(crate) const LIMITS: Limits = Limits { storage_bytes: 1 << 40, upload_sessions: 1000, pending_jobs: 5000 };

/// There are no files here: a copy is there when its row says so.
pub(crate) struct Rows;

impl Look for Rows {
    async fn arrived(&self) -> store::Result<()> {
        Ok(())
    }

    async fn look(&self, _: &Unseen) -> store::Result<bool> {
        Ok(true)
    }
}

impl Bench {
    pub(crate) async fn sqlite() -> Self {
        // In memory where the system has such a place: what is tested here is what is committed, not
        // whether the disk keeps it.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
        let path = folder.path().join("truth.db");
        std::fs::copy(sqlite_template().await, &path).expect("a copy");
        let options = Options::Sqlite { path };
        Self::open(options, Home::Folder(folder)).await
    }

    pub(crate) async fn postgres() -> Self {
        let database = postgres_database().await;
        let options = Options::Postgres { url: Secret::new(database.url()), pool: 20 };
        Self::open(options, Home::Database(database)).await
    }

    async fn open(options: Options, home: Home) -> Self {
        let ambient = Ambient::system();
        let store = Store::open(&options, &ambient).await.expect("a store");
        store.migrate(&ambient).await.expect("migrations");
        let tenant = store::tenants::EnsureTenant { id: ambient.id(), slug: "default".to_owned(), at: ambient.now() };
        let tenant = store.write(tenant).await.expect("a tenant");
        Self { store, ambient, tenant, options, _home: home }
    }

    /// Closes the database and opens it again, as after a crash: only what was committed is left.
    pub(crate) async fn reopen(&mut self) {
        self.store = Store::open(&self.options, &self.ambient).await.expect("a store");
    }

    /// Ends it. Dropping a database waits for every connection that is being made to any database, so
    /// a test that has several must not do it on a thread that serves one of them.
    pub(crate) async fn close(self) {
        tokio::task::spawn_blocking(move || drop(self)).await.expect("dropped");
    }

    pub(crate) async fn deposit<D: Deposit>(&self, deposit: D) -> store::Result<D::Out> {
        self.store.deposit(deposit, &Rows).await
    }

    pub(crate) fn act(&self) -> Act {
        self.act_at(self.ambient.now())
    }

    pub(crate) fn act_at(&self, at: Timestamp) -> Act {
        Act { event: self.ambient.id(), tenant: self.tenant, at, actor: "alice".to_owned(), correlation: None }
    }

    pub(crate) async fn repository(&self, key: &str) -> RepoId {
        let id = self.ambient.id();
        let write = CreateRepository {
            act: self.act(),
            id,
            key: RepoKey::parse(key).expect("a key"),
            format: "raw".to_owned(),
            kind: model::state::RepoKind::Local,
            description: String::new(),
            anonymous_read: false,
            upstream_url: None,
            upstream_auth: None,
            members: Vec::new(),
            settings: "{}".to_owned(),
        };
        self.store.write(write).await.expect("a repository");
        id
    }

    pub(crate) fn blob(&self, body: NewBody, digest: u8, length: u64) -> NewBlob {
        NewBlob { digest: Sha256Digest([digest; 32]), length, sums: vec![digest; 8], copy: self.ambient.id(), body }
    }

    pub(crate) async fn publish(&self, repo: RepoId, path: &str, blob: NewBlob) -> EventId {
        let act = self.act();
        let event = act.event;
        let write = PublishFile {
            act,
            repo,
            package: Coordinate {
                kind: "raw".to_owned(),
                namespace: String::new(),
                name: path.to_owned(),
                display_name: path.to_owned(),
            },
            new_package: self.ambient.id(),
            version: self.ambient.id(),
            path: model::EntryPath::parse(path).expect("a path"),
            media_type: None,
            blob,
            overwrite: false,
            replace: Replace::Anything,
            upstream: None,
            limits: LIMITS,
        };
        self.deposit(write).await.expect("a publish");
        event
    }

    /// The first column of every row.
    pub(crate) async fn column<T: Column>(&self, sql: &'static str) -> Vec<T> {
        let read = async |session: &mut store::Session<'_>| {
            session.rows(sql, &[] as &[Value<'_>]).await?.iter().map(|row| row.get(0)).collect()
        };
        self.store.read(read).await.expect("rows")
    }

    pub(crate) async fn count(&self, sql: &'static str) -> u64 {
        self.column::<u64>(sql).await[0]
    }
}

/// A statement as a write, for tests that arrange or attack.
pub(crate) struct Raw(pub(crate) &'static str);

impl store::Write for Raw {
    type Out = u64;

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<u64> {
        tx.execute(self.0, &[]).await
    }
}

/// A migrated file to be copied; migrating each time would take longer than most tests.
async fn sqlite_template() -> std::path::PathBuf {
    static TEMPLATE: tokio::sync::OnceCell<std::path::PathBuf> = tokio::sync::OnceCell::const_new();
    let make = async || {
        let path = acceptance::scratch::folder("template").expect("a folder").join("truth.db");
        let options = Options::Sqlite { path: path.clone() };
        drop(Store::open(&options, &Ambient::system()).await.expect("a store"));
        path
    };
    TEMPLATE.get_or_init(make).await.clone()
}

/// A copy of one migrated template: much faster than migrating each time.
async fn postgres_database() -> Database {
    static TEMPLATE: OnceLock<Database> = OnceLock::new();
    static MAKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let admin = acceptance::backing::postgres().expect("PostgreSQL");
    let _alone = MAKING.lock().await;
    if TEMPLATE.get().is_none() {
        let database = admin.database().expect("a database");
        let options = Options::Postgres { url: Secret::new(database.url()), pool: 1 };
        let ambient = Ambient::system();
        let store = Store::open(&options, &ambient).await.expect("a store");
        store.migrate(&ambient).await.expect("migrations");
        drop(store);
        let leave = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
        database.sql(leave).expect("nobody connected");
        drop(TEMPLATE.set(database));
    }
    let clone = move || admin.clone_of(TEMPLATE.get().expect("the template")).expect("a clone");
    tokio::task::spawn_blocking(clone).await.expect("a clone")
}

/// The same test on both engines.
#[macro_export]
macro_rules! both {
    ($($(#[$meta:meta])* $name:ident;)+) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(&mut $crate::engines::Bench::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(&mut $crate::engines::Bench::postgres().await).await;
            })+
        }
    };
}
