//! What was let go or is damaged comes from the upstream again: the bytes that are known, or none.

use std::pin::Pin;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use formats::{Ask, Named, PackageAt, Wanted};
use model::{Code, EntryPath, Sha256Digest};
use store::cached::Refill;
use store::observations::Alarm;

use super::Remote;
use super::by_digest::path_of;
use super::contents::contents;
use super::fill::{Fetch, Need, Reached};
use super::object::Object;
use super::receive::{Handed, SOON};
use super::source::Declared;
use crate::authorize::{Grant, Read};
use crate::content::lost;
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::packaging::Staged;
use crate::store_file::stored_place;

/// Places of a content that are asked for at most.
const PLACES: usize = 5;

/// What to ask for.
struct Asked {
    ask: Ask,
    /// The digest that the upstream tells of it.
    told: Option<Sha256Digest>,
    /// Whether the upstream says at all what it is, or is asked by what it is.
    vouched: bool,
}

impl Fetch {
    /// Brings the bytes of what is known. An upstream that has other ones, or none, is a failure: ours stay what they are.
    pub(super) async fn bring_again(&self, remote: &Remote, known: &Found) -> Result<(Sha256Digest, Option<Bytes>)> {
        let brought = self.bring_same(remote, known).await;
        if brought.is_err() && self.lied.load(Ordering::Relaxed) {
            return Err(self.changed(known, "other bytes").await?);
        }
        brought.map_err(|error| match error.code() {
            Some(Code::NotFound | Code::Gone) => self.grant.gone(&self.object, known),
            _ => error,
        })
    }

    async fn bring_same(&self, remote: &Remote, known: &Found) -> Result<(Sha256Digest, Option<Bytes>)> {
        let asked = self.ask_again(remote).await?;
        if let Some(told) = asked.told.filter(|told| *told != known.digest()) {
            return Err(self.changed(known, &format!("sha256:{told}")).await?);
        }
        let handed = match asked.vouched {
            true => Handed::AsTheyCome,
            false if known.size() <= SOON => Handed::Whole,
            false => Handed::Unnamed,
        };
        let declared = Declared { sha256: Some(known.digest()), size: Some(known.size()), ..Declared::default() };
        let reply = self.open(remote, &asked.ask).await?;
        let (staged, last, _) = self.take(remote, reply, &declared, Wanted::default(), None, handed).await?;
        let digest = self.refill(staged).await?;
        Ok(if handed == Handed::Whole { self.is_here(digest) } else { (digest, last) })
    }

    async fn ask_again(&self, remote: &Remote) -> Result<Asked> {
        let ask = match &self.object {
            Object::File(path) => {
                // Whatever moment is asked for: the bytes must be those that are known.
                let wanted = self.grant.clone().as_of(None).wanted(remote, path).await?;
                let (told, vouched) = (wanted.declared.sha256, wanted.declared.is_told());
                return Ok(Asked { ask: wanted.ask, told, vouched });
            }
            Object::Version(at, digest, _) => contents(remote)?.version(at, digest),
            Object::Blob(at, digest) => contents(remote)?.blob(at, digest),
        };
        Ok(Asked { ask, told: None, vouched: true })
    }

    pub(super) async fn refill(&self, staged: Staged) -> Result<Sha256Digest> {
        let (grant, digest, place) = (&self.grant, staged.received.digest, stored_place(&staged.received));
        let write = Refill {
            act: grant.act_of_ours(),
            repo: grant.repo_id(),
            blob: grant.registry().new_blob(staged.received),
            limits: grant.settings().limits,
        };
        self.written(grant.registry().deposit(write).await, digest, place).await
    }

    /// Tells that the upstream has other bytes than those that are known, where it should not.
    pub(super) async fn alarm(&self, known: &Found, theirs: &str) -> Result<()> {
        let (grant, path) = (&self.grant, self.object.key());
        if grant.follows() {
            return Ok(());
        }
        tracing::warn!(repository = %grant.repo().key, path, "an upstream has changed a file");
        let path = path.trim_start_matches('/').to_owned();
        let (act, repo, theirs) = (grant.act_of_ours(), grant.repo_id(), theirs.to_owned());
        Ok(grant.store().write(Alarm { act, repo, path, ours: known.digest(), theirs }).await?)
    }

    async fn changed(&self, known: &Found, theirs: &str) -> Result<Error> {
        self.alarm(known, theirs).await?;
        let why = format!(
            "the bytes of {} {}, and the upstream has other ones by now: nothing of them is served",
            self.object,
            known.absence()
        );
        Ok(Error::refuse(Code::ServiceUnavailable, why))
    }
}

/// How the bytes of something in a remote repository come again, whichever way they are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    grant: Grant<Read>,
    /// What is asked for; `None`: wherever its digest is.
    object: Option<Object>,
}

impl Again {
    pub(crate) fn new(grant: &Grant<Read>) -> Self {
        Self { grant: grant.clone(), object: None }
    }

    /// Asks for the file at a path, where files have addresses of their own at the upstream.
    pub(crate) fn for_file(self, path: &EntryPath) -> Self {
        let is_file = self.grant.remote().is_ok_and(|remote| remote.format.contents().is_none());
        if is_file { self.for_object(Object::File(path.clone())) } else { self }
    }

    pub(super) fn for_version(self, at: &PackageAt, named: &Named, path: &EntryPath) -> Self {
        self.for_object(Object::Version(at.clone(), *named, path.clone()))
    }

    pub(super) fn for_blob(self, at: &PackageAt, named: &Named) -> Self {
        self.for_object(Object::Blob(at.clone(), *named))
    }

    pub(super) fn for_object(self, object: Object) -> Self {
        Self { object: Some(object), ..self }
    }

    /// Whether the upstream may be asked.
    pub(crate) fn is_possible(&self) -> bool {
        self.grant.remote().is_ok_and(|remote| !remote.is_offline())
    }

    /// Brings them: the bytes with this digest, or an error. The future is boxed because what brings bytes may itself read
    /// some.
    pub(crate) fn bring(self, digest: Sha256Digest) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
        Box::pin(async move {
            let objects = match self.object {
                Some(object) => vec![object],
                None => self.grant.objects_of(digest).await?,
            };
            let mut refused = None;
            for object in objects.into_iter().take(PLACES) {
                match self.grant.bring_whole(object).await {
                    Ok(()) => return Ok(()),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            Err(refused.unwrap_or_else(|| lost(digest)))
        })
    }
}

impl Grant<Read> {
    async fn bring_whole(&self, object: Object) -> Result<()> {
        match self.reach_object(object, Need::Bytes).await? {
            Reached::Here(_) => Ok(()),
            Reached::Coming(coming) => coming.whole().await.map(drop),
        }
    }

    /// As what the upstream can be asked for a content that is here.
    async fn objects_of(&self, digest: Sha256Digest) -> Result<Vec<Object>> {
        let (repo, contents) = (self.repo_id(), self.remote()?.format.contents());
        let look = async |session: &mut store::Session<'_>| store::locations::of_content(session, repo, digest).await;
        let mut objects = Vec::new();
        for (location, version, _) in self.store().read(look).await? {
            let path = EntryPath::parse(&location)?;
            let Some(contents) = contents else {
                objects.push(Object::File(path));
                continue;
            };
            let (Some(at), Ok(named)) = (contents.package(&path), version.parse()) else { continue };
            objects.push(match path == path_of(&at, &named)? {
                true => Object::Version(at, named, path),
                false => Object::Blob(at, Named::Sha256(digest)),
            });
        }
        Ok(objects)
    }

    /// The upstream has it no more, or is not asked.
    pub(super) fn gone(&self, object: &Object, known: &Found) -> Error {
        let (absence, repo) = (known.absence(), &self.repo().key);
        let why = match self.remote().is_ok_and(|remote| remote.is_offline()) {
            true => format!("the bytes of {object} {absence}, and {repo} is offline: its upstream is not asked"),
            false => format!("the bytes of {object} {absence}, and the upstream has them no more"),
        };
        Error::refuse(Code::ServiceUnavailable, why)
    }
}
