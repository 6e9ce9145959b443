//! `publish FILE COUNT`: that many small publishes into a SQLite database by writers who each wait for
//! their own commit, for measurements of what one costs. Take the CPU time of the process, not the
//! clock: `perf stat target/release/examples/publish /tmp/new.db 30000`.

use std::process::ExitCode;

use futures_util::{StreamExt, TryStreamExt, stream};
use model::{Ambient, EntryPath, RepoId, RepoKey, Sha256Digest, TenantId};
use store::admission::Limits;
use store::blobs::{NewBlob, NewBody};
use store::events::Act;
use store::packages::Coordinate;
use store::publish::{PublishFile, Replace};
use store::repositories::CreateRepository;
use store::{Error, Options, Result, Store};

/// Writers at once.
const AT_ONCE: usize = 16;
const LIMITS: Limits = Limits { storage_bytes: 1 << 50, upload_sessions: 1, pending_jobs: 1 };

struct Bench {
    store: Store,
    ambient: Ambient,
    tenant: TenantId,
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, versions] = words.as_slice() else {
        eprintln!("usage: publish FILE COUNT");
        return ExitCode::from(2);
    };
    match run(file, versions.parse().unwrap_or(0)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("publish: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(file: &str, count: u64) -> Result<()> {
    let ambient = Ambient::system();
    let store = Store::open(&Options::Sqlite { path: file.into() }, &ambient).await?;
    let tenant = store::tenants::EnsureTenant { id: ambient.id(), slug: "default".to_owned(), at: ambient.now() };
    let tenant = store.write(tenant).await?;
    let bench = Bench { store, ambient, tenant };
    let repo = bench.repository().await?;
    let publishes = stream::iter(0..count).map(|number| bench.publish(repo, number));
    publishes.buffer_unordered(AT_ONCE).try_for_each(async |()| Ok(())).await?;
    Ok(())
}

impl Bench {
    fn act(&self) -> Act {
        let (event, at) = (self.ambient.id(), self.ambient.now());
        Act { event, tenant: self.tenant, at, actor: "bench".to_owned(), correlation: None }
    }

    async fn repository(&self) -> Result<RepoId> {
        let id = self.ambient.id();
        let write = CreateRepository {
            act: self.act(),
            id,
            key: RepoKey::parse("bench").map_err(defect)?,
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
        let body = NewBody::Inline(vec![7; 256]);
        NewBlob { digest: Sha256Digest(digest), length: 256, sums: vec![0; 8], copy: self.ambient.id(), body }
    }
}

fn defect(error: impl std::fmt::Display) -> Error {
    Error::Defect(error.to_string())
}
