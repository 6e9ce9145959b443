//! A catalogue to measure with: a SQLite database with a repository into which versions are published as the server
//! publishes them.

use model::{Ambient, EntryPath, RepoId, RepoKey, Sha256Digest, TenantId};
use store::admission::Limits;
use store::blobs::{NewBlob, NewBody};
use store::copy::Unseen;
use store::deposit::Look;
use store::events::Act;
use store::packages::Coordinate;
use store::publish::{PublishFile, Replace};
use store::repositories::CreateRepository;
use store::{Error, Options, Result, Store};

const LIMITS: Limits = Limits { storage_bytes: 1 << 50, upload_sessions: 1, pending_jobs: 1 };

/// There are no files here: a copy is there when its row says so.
struct Rows;

impl Look for Rows {
    async fn arrived(&self) -> store::Result<()> {
        Ok(())
    }

    async fn look(&self, _: &Unseen) -> Result<bool> {
        Ok(true)
    }
}

/// A database and the repository in it.
pub(crate) struct Catalogue {
    pub(crate) store: Store,
    pub(crate) ambient: Ambient,
    tenant: TenantId,
    repo: RepoId,
}

impl Catalogue {
    pub(crate) async fn make(file: &str) -> Result<Self> {
        let ambient = Ambient::system();
        let store = Store::open(&Options::Sqlite { path: file.into() }, &ambient).await?;
        let tenant = store::tenants::EnsureTenant { id: ambient.id(), slug: "default".to_owned(), at: ambient.now() };
        let tenant = store.write(tenant).await?;
        let repo = ambient.id();
        let catalogue = Self { store, ambient, tenant, repo };
        catalogue.repository().await?;
        Ok(catalogue)
    }

    fn act(&self) -> Act {
        let (event, at) = (self.ambient.id(), self.ambient.now());
        Act { event, tenant: self.tenant, at, actor: "seed".to_owned(), correlation: None }
    }

    async fn repository(&self) -> Result<()> {
        let write = CreateRepository {
            act: self.act(),
            id: self.repo,
            key: RepoKey::parse("seeded").map_err(defect)?,
            format: "raw".to_owned(),
            kind: model::state::RepoKind::Local,
            description: String::new(),
            anonymous_read: false,
            upstream_url: None,
            upstream_auth: None,
            members: Vec::new(),
            settings: "{}".to_owned(),
        };
        self.store.write(write).await.map(drop)
    }

    /// Publishes file number `number`, whose bytes are here.
    pub(crate) async fn publish(&self, number: u64, body: NewBody, length: u64) -> Result<()> {
        let name = format!("group-{}/artifact-{}/file-{number}.tar.gz", number % 1000, number % 50_000);
        let path = EntryPath::parse(&name).map_err(defect)?;
        let blob = self.blob(number, body, length);
        let package =
            Coordinate { kind: "raw".to_owned(), namespace: String::new(), name: name.clone(), display_name: name };
        let write = PublishFile {
            act: self.act(),
            repo: self.repo,
            package,
            new_package: self.ambient.id(),
            version: self.ambient.id(),
            path,
            media_type: Some("application/gzip".to_owned()),
            blob,
            overwrite: false,
            replace: Replace::Anything,
            upstream: None,
            limits: LIMITS,
        };
        self.store.deposit(write, &Rows).await.map(drop)
    }

    fn blob(&self, number: u64, body: NewBody, length: u64) -> NewBlob {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        digest[24..].copy_from_slice(&number.to_be_bytes());
        NewBlob { digest: Sha256Digest(digest), length, sums: vec![0; 8], copy: self.ambient.id(), body }
    }
}

fn defect(error: impl std::fmt::Display) -> Error {
    Error::Defect(error.to_string())
}
