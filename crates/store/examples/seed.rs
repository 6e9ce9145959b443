//! `seed FILE VERSIONS`: a SQLite catalogue with that many published versions, written as the server
//! writes them, for measurements of start-up and memory. The blobs' files are not made.

use std::process::ExitCode;

use futures_util::{StreamExt, TryStreamExt, stream};
use model::{Ambient, EntryPath, RepoId, RepoKey, Sha256Digest, TenantId};
use store::admission::Limits;
use store::blobs::{NewBlob, NewBody};
use store::events::Act;
use store::packages::Coordinate;
use store::publish::{PublishFile, Replace};
use store::repositories::CreateRepository;
use store::sequence::Advance;
use store::{Error, Options, Result, Store};

/// Writes under way at once: enough to fill the groups of the writer.
const AT_ONCE: usize = 1024;
const LIMITS: Limits = Limits { storage_bytes: 1 << 50, upload_sessions: 1, pending_jobs: 1 };

struct Seed {
    store: Store,
    ambient: Ambient,
    tenant: TenantId,
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, versions] = words.as_slice() else {
        eprintln!("usage: seed FILE VERSIONS");
        return ExitCode::from(2);
    };
    match seed(file, versions.parse().unwrap_or(0)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn seed(file: &str, versions: u64) -> Result<()> {
    let ambient = Ambient::system();
    let store = Store::open(&Options::Sqlite { path: file.into() }, &ambient).await?;
    let tenant = store::tenants::EnsureTenant { id: ambient.id(), slug: "default".to_owned(), at: ambient.now() };
    let tenant = store.write(tenant).await?;
    let seed = Seed { store, ambient, tenant };
    let repo = seed.repository().await?;
    let publishes = stream::iter(0..versions).map(|number| seed.publish(repo, number));
    publishes.buffer_unordered(AT_ONCE).try_for_each(async |()| Ok(())).await?;
    seed.sequence().await
}

impl Seed {
    fn act(&self) -> Act {
        let (event, at) = (self.ambient.id(), self.ambient.now());
        Act { event, tenant: self.tenant, at, actor: "seed".to_owned(), correlation: None }
    }

    async fn repository(&self) -> Result<RepoId> {
        let id = self.ambient.id();
        let write = CreateRepository {
            act: self.act(),
            id,
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
        self.store.write(write).await?;
        Ok(id)
    }

    async fn publish(&self, repo: RepoId, number: u64) -> Result<()> {
        let name = format!("group-{}/artifact-{}/file-{number}.tar.gz", number % 1000, number % 50_000);
        let path = EntryPath::parse(&name).map_err(defect)?;
        let blob = self.blob(number);
        let package =
            Coordinate { kind: "raw".to_owned(), namespace: String::new(), name: name.clone(), display_name: name };
        let write = PublishFile {
            act: self.act(),
            repo,
            package,
            new_package: self.ambient.id(),
            version: self.ambient.id(),
            path,
            media_type: Some("application/gzip".to_owned()),
            blob,
            overwrite: false,
            replace: Replace::Anything,
            limits: LIMITS,
        };
        self.store.write(write).await.map(drop)
    }

    fn blob(&self, number: u64) -> NewBlob {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        digest[24..].copy_from_slice(&number.to_be_bytes());
        let body = NewBody::Stored { kind: model::state::CopyKind::File, place: format!("seeded/{number:016x}") };
        NewBlob { digest: Sha256Digest(digest), length: 100_000, sums: vec![0; 8], copy: self.ambient.id(), body }
    }
}

impl Seed {
    /// Gives the events their numbers, so that a server that starts finds nothing to do.
    async fn sequence(&self) -> Result<()> {
        loop {
            let step = Advance { held: None, at: self.ambient.now(), limit: 5000, follow: |_| None };
            let done = self.store.write(step).await?;
            if done.sequenced == 0 && done.dispatched == 0 {
                return Ok(());
            }
        }
    }
}

fn defect(error: impl std::fmt::Display) -> Error {
    Error::Defect(error.to_string())
}
