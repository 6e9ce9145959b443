//! The registry: the store, the bytes, time and chance, and what is remembered between requests.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use blobs::Blobs;
use model::{Ambient, Network, RepoId, RepoKey, Scope, Secret, Sha256Digest, TenantId, Timestamp, TokenId};
use store::admission::Limits;
use store::{Stamp, Store};

use crate::arrivals::Arrivals;
use crate::entries::Entries;
use crate::error::{Error, Result};
use crate::hot::Hot;
use crate::identity::{Identities, Recognised, identities};
use crate::notes::Notes;
use crate::packaging::{Documents, Pointers};
use crate::remembered::Remembered;
use crate::remote::Remotes;
use crate::repositories::KnownRepository;
use crate::rules;
use crate::seal::Seal;
use crate::shares::Shares;
use crate::tokens::Minted;
use crate::uploads::OpenFiles;
use crate::uses::Uses;
use crate::virtuals::Shapes;

/// Repositories remembered at most.
const REPOSITORIES: usize = 10_000;
/// Virtual ones that are remembered taken apart, at most.
const VIRTUALS: usize = 1000;
/// Tokens for a while remembered at most.
const FOR_A_WHILE: usize = 10_000;

/// What an operator sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Allowances where a tenant has none of its own.
    pub limits: Limits,
    /// How long an upload session stays open.
    pub upload_session: Duration,
    /// The longest upload, in bytes.
    pub max_upload: u64,
    /// How long bytes that no version has entered yet are kept.
    pub pin: Duration,
    /// When a version of a format that adds files one by one is sealed by itself.
    pub seal_after: Duration,
    /// How long nothing may come until a version that is being gathered appears by itself.
    pub deploy_quiet: Duration,
    /// How long a tombstoned version can be restored, where the request does not say.
    pub tombstone_retention: Duration,
    /// The life of a token whose maker names none.
    pub token_life: Duration,
    /// The longest life of a token, where no policy is set.
    pub max_token_life: Duration,
    /// How much memory cached entries may take, in bytes.
    pub entry_cache: u64,
    /// Whether large downloads may be redirected to the object store, and for how long such an
    /// address lives. At most 60 s.
    pub presigned_downloads: Option<Duration>,
    /// Whether parts may be sent to the object store directly, and for how long an address lives.
    pub presigned_parts: Option<Duration>,
    /// Seals credentials that must be shown to others again.
    pub master_key: Secret<[u8; 32]>,
    /// How upstreams are reached.
    pub outside: Outside,
}

/// What lies between us and upstreams.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// Networks that upstreams may be in although they are not public.
    pub private: Vec<Network>,
    /// Whom we believe.
    pub trust: outbound::Trust,
    /// Proxies on the way.
    pub proxies: outbound::Proxies,
}

/// The registry; cheap to clone.
#[derive(Clone)]
pub struct Registry {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    /// What the blob store of this database is stamped with.
    pub(crate) stamp: OnceLock<String>,
    pub(crate) ambient: Ambient,
    pub(crate) settings: Settings,
    pub(crate) seal: Seal,
    pub(crate) tenant: TenantId,
    pub(crate) identities: Identities,
    pub(crate) recognised: Recognised,
    pub(crate) entries: Entries,
    pub(crate) hot: Hot,
    pub(crate) arrivals: Arrivals,
    pub(crate) shares: Shares,
    pub(crate) documents: Documents,
    pub(crate) pointers: Pointers,
    pub(crate) notes: Notes,
    pub(crate) uses: Uses<TokenId>,
    pub(crate) reads: Uses<(RepoId, Sha256Digest)>,
    /// When it was last looked for what may be let go; microseconds.
    pub(crate) evictions_looked_at: AtomicI64,
    pub(crate) open_files: Arc<OpenFiles>,
    pub(crate) remotes: Remotes,
    pub(crate) rules: rules::Known,
    pub(crate) repositories: Remembered<RepoKey, KnownRepository>,
    pub(crate) shapes: Shapes,
    /// Tokens that clients were given to go on with.
    pub(crate) for_a_while: Remembered<(TokenId, Vec<Scope>), Minted>,
}

/// The state of the two counters that decide whether remembered rights and repositories still hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) auth: Stamp,
    pub(crate) config: Stamp,
}

impl Registry {
    /// A registry over a migrated store. Makes the tenant when it is missing.
    pub async fn open(store: Store, blobs: Blobs, ambient: Ambient, settings: Settings) -> Result<Self> {
        let seal = Seal::new(&settings.master_key);
        let seal = seal.ok_or_else(|| Error::Defect("the master key cannot be used".to_owned()))?;
        let tenant = store::tenants::EnsureTenant { id: ambient.id(), slug: "default".to_owned(), at: ambient.now() };
        let tenant = store.write(tenant).await?;
        // Bytes that could not be synced must not be acknowledged by a row.
        let rows = store.clone();
        blobs.on_poison(move |why| rows.stop(why));
        let entries = Entries::new(settings.entry_cache / 2);
        let hot = Hot::new(settings.entry_cache / 2);
        let shares = Shares::of(&blobs);
        let documents = Documents::new(settings.entry_cache);
        let remotes = Remotes::new(settings.entry_cache);
        let identities = identities();
        let (repositories, shapes) = (Remembered::new(REPOSITORIES), Remembered::new(VIRTUALS));
        let (notes, uses, reads) = (Notes::default(), Uses::of_tokens(), Uses::of_files());
        let recognised = Recognised::default();
        let inner = Inner {
            store,
            blobs,
            stamp: OnceLock::new(),
            arrivals: Arrivals::default(),
            ambient,
            settings,
            seal,
            tenant,
            identities,
            recognised,
            entries,
            hot,
            shares,
            documents,
            pointers: Pointers::default(),
            notes,
            uses,
            reads,
            evictions_looked_at: AtomicI64::new(i64::MIN),
            open_files: Arc::default(),
            remotes,
            rules: quick_cache::sync::Cache::new(1000),
            repositories,
            shapes,
            for_a_while: Remembered::new(FOR_A_WHILE),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The store, for those who build and watch the registry.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The bytes, for those who build and watch the registry.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// Names the stamp of the blob store that belongs to this database. Before a copy is taken for lost, the
    /// store is asked whether it still bears it. The first name counts.
    pub fn expect_stamp(&self, stamp: String) {
        drop(self.inner.stamp.set(stamp));
    }

    /// Time and chance.
    pub fn ambient(&self) -> &Ambient {
        &self.inner.ambient
    }

    /// What the operator set.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The tenant that this process serves.
    pub fn tenant(&self) -> TenantId {
        self.inner.tenant
    }

    /// Whether other processes may change the database, so that only it knows what holds now.
    pub fn shares_its_database(&self) -> bool {
        self.inner.store.fresh().is_none()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.ambient.now()
    }

    /// Embedded: two loads from memory. Scaled out: one statement.
    pub(crate) async fn moment(&self) -> Result<Moment> {
        if let Some(fresh) = self.inner.store.fresh() {
            return Ok(Moment { auth: fresh.auth(), config: fresh.config() });
        }
        let (auth, config) = self.inner.store.read(store::tenants::epochs).await?;
        Ok(Moment { auth: Stamp::from_epoch(auth), config: Stamp::from_epoch(config) })
    }

    /// The living repository with this key as of `moment`.
    pub(crate) async fn repository(&self, moment: Moment, key: &RepoKey) -> Result<Option<Arc<KnownRepository>>> {
        if let Some(found) = self.inner.repositories.get(moment.config, key) {
            return Ok(Some(found));
        }
        let tenant = self.inner.tenant;
        let found =
            self.inner.store.read(async |session| store::repositories::by_key(session, tenant, key).await).await?;
        let Some(found) = found.map(KnownRepository::new).map(Arc::new) else { return Ok(None) };
        self.inner.repositories.put(moment.config, key.clone(), Arc::clone(&found));
        Ok(Some(found))
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({:?})", self.inner.store)
    }
}
