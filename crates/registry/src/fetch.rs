//! Opening what is at a path.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use formats::Sums;
use model::state::VersionState;
use model::{Code, EntryPath, PackageId, RepoId, Secret, Sha256Digest, Timestamp, VersionId};
use store::Fresh;
use store::locations::Located;

use crate::authorize::{Grant, Read};
use crate::content::{Content, lost};
use crate::copies::{CopyOf, copy_of};
use crate::error::{Error, Result};
use crate::hot;
use crate::noted::Note;
use crate::registry::Registry;
use crate::remote::{Again, is_unproven, published_upstream};

/// What is at a path, ready to be opened.
#[derive(Clone, Debug)]
pub struct Found {
    entry: Arc<Entry>,
    registry: Registry,
    /// Where its bytes come from again: it is in a remote repository.
    again: Option<Box<Again>>,
    stale_since: Option<Timestamp>,
}

/// Everything that an answer needs to know of an entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) package: PackageId,
    version: VersionId,
    version_name: Box<str>,
    published_at: Option<Timestamp>,
    digest: Sha256Digest,
    size: u64,
    media_type: Option<String>,
    modified_at: Timestamp,
    sums: Sums,
    pub(crate) copies: Vec<CopyOf>,
    gathered: bool,
    unproven: bool,
    /// Where it is cached: reads are counted.
    cached_in: Option<RepoId>,
    /// Whether its bytes were let go and come from the upstream again.
    let_go: bool,
    note: Note,
}

impl Grant<Read> {
    /// What is at `path`. 404 when nothing ever was, 410 when it was withdrawn, 423 where the rules keep it out.
    pub async fn find(&self, path: &EntryPath) -> Result<Found> {
        let found = self.find_any(path).await?;
        if self.is_ruled() {
            Box::pin(self.expect_admitted(path, &found)).await?;
        }
        Ok(found)
    }

    /// The same, whatever the rules say of it.
    pub(crate) async fn find_any(&self, path: &EntryPath) -> Result<Found> {
        if let Some(instant) = self.instant() {
            return Box::pin(self.find_then(path, instant)).await;
        }
        if let Some(entry) = self.remembered(path) {
            return Ok(Found::new(self, entry));
        }
        let repo = self.repo_id();
        let before = self.store().fresh().map(Fresh::writes);
        let located = self
            .store()
            .read(async |session| store::locations::find_or_gone(session, repo, path.as_str()).await)
            .await?;
        let located = located.ok_or_else(|| Error::not_found(&format!("the file {path}")))?;
        match located.state {
            VersionState::Published => {}
            // Its files are being gathered: who sends them can read them, and nothing of that is remembered.
            VersionState::Draft if self.call().is_of(&located.created_by) => {
                return Found::located(self, located);
            }
            VersionState::Draft => return Err(Error::not_found(&format!("the file {path}"))),
            VersionState::Tombstoned | VersionState::Collected => {
                return Err(Error::refuse(Code::Gone, format!("{path} was withdrawn")));
            }
        }
        let found = self.located(located).await?;
        self.remember(path, &found.entry, before);
        Ok(found)
    }

    /// What was located in this repository: perhaps its bytes were let go.
    pub(crate) async fn located(&self, located: Located) -> Result<Found> {
        let let_go = located.copies.is_empty() && self.has_let_go(located.digest).await?;
        let entry = Arc::new(Entry { let_go, ..Entry::new(located, self.caches())? });
        Ok(Found::new(self, entry))
    }

    /// The bytes with this digest, where the repository may serve them: published here or uploaded here.
    pub async fn find_blob(&self, digest: Sha256Digest) -> Result<Found> {
        let (repo, when) = (self.repo_id(), self.when());
        let look = async |session: &mut store::Session<'_>| store::blobs::readable(session, repo, digest, when).await;
        let found = self.store().read(look).await?;
        let found = found.ok_or_else(|| Error::not_found(&format!("sha256:{digest}")))?;
        if self.is_ruled() {
            self.expect_content_admitted(digest).await?;
        }
        let let_go = found.copies.is_empty() && self.has_let_go(digest).await?;
        Found::of_blob(self, digest, found, let_go)
    }

    /// The repository, where it has its files from an upstream.
    fn caches(&self) -> Option<RepoId> {
        self.is_remote().then(|| self.repo_id())
    }

    async fn has_let_go(&self, digest: Sha256Digest) -> Result<bool> {
        let Some(repo) = self.caches() else { return Ok(false) };
        Ok(self.store().read(async |session| store::cached::is_let_go(session, repo, digest).await).await?)
    }
}

impl Entry {
    /// `cached_in`: the remote repository that it is in.
    fn new(located: Located, cached_in: Option<RepoId>) -> Result<Self> {
        let size = located.size;
        let copies: Vec<CopyOf> = located.copies.into_iter().map(|copy| copy_of(copy, size)).collect::<Result<_>>()?;
        let unproven = cached_in.is_some() && located.attributes.as_deref().is_some_and(is_unproven);
        let cached_in = cached_in.filter(|_| size > 0);
        Ok(Self {
            package: located.package,
            version: located.version,
            version_name: located.version_name.into(),
            published_at: located.attributes.as_deref().and_then(published_upstream),
            digest: located.digest,
            size,
            media_type: located.media_type,
            modified_at: located.modified_at,
            sums: located.attributes.as_deref().map(Sums::of_attributes).unwrap_or_default(),
            copies,
            gathered: located.state == VersionState::Draft,
            unproven,
            cached_in,
            let_go: false,
            note: Note::default(),
        })
    }
}

impl Found {
    fn new(grant: &Grant<Read>, entry: Arc<Entry>) -> Self {
        Self {
            entry,
            registry: grant.registry().clone(),
            again: grant.is_remote().then(|| Box::new(Again::new(grant))),
            stale_since: None,
        }
    }

    /// What was located in the repository of `grant`, without a look at why there are no copies.
    pub(crate) fn located(grant: &Grant<Read>, located: Located) -> Result<Self> {
        Ok(Self::new(grant, Arc::new(Entry::new(located, grant.caches())?)))
    }

    /// The same, with the question that brings its bytes again.
    pub(crate) fn asked_as(self, ask: impl FnOnce(Again) -> Again) -> Self {
        Self { again: self.again.map(|again| Box::new(ask(*again))), ..self }
    }

    /// The same, although the upstream that should have confirmed it since failed to.
    pub(crate) fn stale(self, since: Timestamp) -> Self {
        Self { stale_since: Some(since), ..self }
    }

    /// When the upstream last said that it holds, where it should have said so again and failed.
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.stale_since
    }

    /// The content's name.
    pub fn digest(&self) -> Sha256Digest {
        self.entry.digest
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.entry.size
    }

    /// The media type given at upload.
    pub fn media_type(&self) -> Option<&str> {
        self.entry.media_type.as_deref()
    }

    /// Its checksums, those that its format keeps.
    pub fn sums(&self) -> &Sums {
        &self.entry.sums
    }

    /// Whether its version is still being gathered: the answer is for the uploader alone, and nobody may keep it.
    pub fn is_gathered(&self) -> bool {
        self.entry.gathered
    }

    /// Whether it came from an upstream that says nothing by which its bytes could be told from others.
    pub fn is_unproven(&self) -> bool {
        self.entry.unproven
    }

    /// When it was published here.
    pub fn modified_at(&self) -> Timestamp {
        self.entry.modified_at
    }

    /// The name of the version that it belongs to.
    pub(crate) fn version_name(&self) -> &str {
        &self.entry.version_name
    }

    /// When it was published where it comes from, as far as that is told; else since when it is here.
    pub fn dated(&self) -> Timestamp {
        self.published_upstream().map_or(self.modified_at(), |told| told.min(self.modified_at()))
    }

    /// When an upstream says that it was published.
    pub(crate) fn published_upstream(&self) -> Option<Timestamp> {
        self.entry.published_at
    }

    /// The version that it belongs to.
    pub fn version(&self) -> VersionId {
        self.entry.version
    }

    /// What `make` makes of this file, made once for as long as its entry is remembered. Meant for one caller: another
    /// type than the first one's is made each time. At most a few hundred bytes.
    pub fn noted<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        self.entry.note.get_or_make(make)
    }

    /// An address of the object store that serves these bytes for a short while, where an operator
    /// allows it and the bytes are an object of their own. What is read there is not checked block
    /// by block, and a block of ours does not end it.
    pub async fn presigned(&self) -> Result<Option<Secret<String>>> {
        let settings = self.registry.settings();
        let (Some(ttl), Some(direct)) = (settings.presigned_downloads, self.registry.blobs().direct()) else {
            return Ok(None);
        };
        let Some(key) = self.entry.copies.iter().find_map(|copy| copy.own_place().cloned()) else { return Ok(None) };
        self.note_read();
        // Whoever uploaded must not run scripts on the object store's origin.
        let overrides = blobs::Overrides {
            content_type: Some("application/octet-stream".to_owned()),
            content_disposition: Some("attachment".to_owned()),
        };
        Ok(Some(direct.presign_get(&key, ttl, &overrides).await?))
    }

    /// Refuses as [`Found::open`] would where no good copy is known: for answers that promise the bytes
    /// without reading them.
    pub fn expect_copies(&self) -> Result<()> {
        if self.has_copies() || self.comes_again() { Ok(()) } else { Err(lost(self.entry.digest)) }
    }

    /// Whether its bytes are there, as far as a look says without reading all of them, or come again from an upstream: for
    /// whoever has them and would push them otherwise.
    pub async fn is_there(&self) -> Result<bool> {
        if self.comes_again() {
            return Ok(true);
        }
        for copy in &self.entry.copies {
            if self.registry.is_there(self.entry.digest, copy).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn comes_again(&self) -> bool {
        self.again.as_ref().is_some_and(|again| self.entry.let_go || again.is_possible())
    }

    /// Whether a good copy is known.
    pub(crate) fn has_copies(&self) -> bool {
        !self.entry.copies.is_empty()
    }

    /// Whether its bytes are not here any more, let go or damaged, and come from the upstream again.
    pub fn is_absent(&self) -> bool {
        self.again.is_some() && !self.has_copies()
    }

    /// What became of the bytes that are absent.
    pub(crate) fn absence(&self) -> &'static str {
        if self.entry.let_go { "were let go here" } else { "are damaged here" }
    }

    fn note_read(&self) {
        if let Some(repo) = self.entry.cached_in {
            self.registry.note_read(repo, self.entry.digest);
        }
    }

    /// Opens `range` of the bytes (`None`: all). The first block is checked before this returns.
    pub async fn open(&self, range: Option<Range<u64>>) -> Result<Content> {
        let entry = &*self.entry;
        self.note_read();
        let hot = &self.registry.inner.hot.0;
        if !entry.copies.is_empty()
            && let Some(bytes) = hot.get(&entry.digest)
        {
            return Ok(Content::in_memory(&self.registry, entry.digest, bytes, range));
        }
        let whole = range.is_none();
        let (copies, again) = (entry.copies.clone(), self.again.clone());
        let mut content = Content::open(&self.registry, entry.digest, entry.size, copies, range, again).await?;
        if whole && entry.size <= hot::LONGEST && content.is_read() {
            let bytes = content.next().await?.unwrap_or_default();
            // A copy of exactly this length: what is sent now is lent, and longer.
            hot.insert(entry.digest, Bytes::from(bytes.to_vec()));
            return Ok(Content::in_memory(&self.registry, entry.digest, bytes, None));
        }
        Ok(content)
    }

    /// Opens any blob that the repository may serve.
    pub(crate) fn of_blob(
        grant: &Grant<Read>,
        digest: Sha256Digest,
        found: store::blobs::Readable,
        let_go: bool,
    ) -> Result<Self> {
        let (size, at) = (found.length, found.created_at);
        let copies: Vec<CopyOf> = found.copies.into_iter().map(|copy| copy_of(copy, size)).collect::<Result<_>>()?;
        let cached_in = grant.caches().filter(|_| size > 0);
        let entry = Entry {
            package: PackageId(Default::default()),
            version: VersionId(Default::default()),
            version_name: Box::default(),
            published_at: None,
            digest,
            size,
            media_type: None,
            modified_at: at,
            sums: Sums::default(),
            copies,
            gathered: false,
            unproven: false,
            cached_in,
            let_go,
            note: Note::default(),
        };
        Ok(Self::new(grant, Arc::new(entry)))
    }
}
