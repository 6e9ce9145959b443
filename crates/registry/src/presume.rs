//! Scaled out, a hot read is one statement. Who asks and what the repository allows is presumed from
//! memory; the statement that finds the bytes also returns the counters that prove it, as of the
//! same moment. Whatever is not remembered, or has changed, takes the ordinary way.

use formats::PackageAt;
use model::state::{RepoKind, VersionState};
use model::{CorrelationId, EntryPath, RefName, RepoKey, Sha256Digest};
use store::Stamp;

use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::fetch::Found;
use crate::identity::Caller;
use crate::registry::{Moment, Registry};

/// A read whose rights are presumed. It gives nothing away before it is proven.
#[derive(Debug)]
pub struct Presumed {
    grant: Grant<Read>,
}

impl Registry {
    /// Presumes a read of `key` by the holder of `token`. `None` where memory does not suffice, where
    /// it says no, or where this process owns the database and knows without asking.
    pub async fn presume(&self, token: Option<&str>, key: &RepoKey, correlation: CorrelationId) -> Option<Presumed> {
        if !self.shares_its_database() {
            return None;
        }
        let call = self.remembered_call(token, key, correlation)?;
        let grant = call.authorize(key).await.ok()?;
        Some(Presumed { grant })
    }
}

impl Presumed {
    /// The word of the repository's format: how its addresses are read.
    pub fn format(&self) -> &str {
        &self.grant.repo().format
    }

    /// Its kind: whose names its addresses hold.
    pub fn kind(&self) -> RepoKind {
        self.grant.repo().kind
    }

    /// What is at `path`, with the grant that is proven by now. `None`: ask the ordinary way.
    pub async fn find(self, path: &EntryPath) -> Result<Option<(Grant<Read>, Found)>> {
        if self.grant.follows() {
            return Ok(None);
        }
        let repo = self.grant.repo_id();
        let look =
            async |session: &mut store::Session<'_>| store::locations::find_as_of(session, repo, path.as_str()).await;
        let Some((located, epochs)) = self.grant.store().read(look).await? else { return Ok(None) };
        let Some(grant) = self.proven(epochs).filter(|_| located.state == VersionState::Published) else {
            return Ok(None);
        };
        let found = Found::located(&grant, located)?;
        if !found.has_copies() {
            return Ok(None);
        }
        // Who is refused is told why on the ordinary way.
        let admitted = !grant.is_ruled() || grant.is_surely_admitted(path, &found);
        Ok(admitted.then_some((grant, found)))
    }

    /// The file at `entry` of the published version that a ref points at, and that version's name, with
    /// the grant that is proven by now. `None`: ask the ordinary way.
    pub async fn find_pointed(
        self,
        at: &PackageAt,
        name: &RefName,
        entry: &EntryPath,
    ) -> Result<Option<(Grant<Read>, String, Found)>> {
        let repo = self.grant.repo_id();
        let look = async |session: &mut store::Session<'_>| {
            let package = (at.namespace.as_str(), at.name.as_str());
            store::locations::find_pointed_as_of(session, repo, package, name.as_str(), entry.as_str()).await
        };
        let Some((version, located, epochs)) = self.grant.store().read(look).await? else { return Ok(None) };
        let Some(grant) = self.proven(epochs).filter(|grant| !grant.is_ruled()) else { return Ok(None) };
        let found = Found::located(&grant, located)?;
        Ok(found.has_copies().then_some((grant, version, found)))
    }

    /// The bytes with this digest, where the repository may serve them, with the grant that is proven by
    /// now. `None`: ask the ordinary way.
    pub async fn find_blob(self, digest: Sha256Digest) -> Result<Option<(Grant<Read>, Found)>> {
        let repo = self.grant.repo_id();
        let look = async |session: &mut store::Session<'_>| store::blobs::readable_as_of(session, repo, digest).await;
        let Some((blob, epochs)) = self.grant.store().read(look).await? else { return Ok(None) };
        let Some(grant) = self.proven(epochs).filter(|grant| !grant.is_ruled()) else { return Ok(None) };
        let found = Found::of_blob(&grant, digest, blob, false)?;
        Ok(found.has_copies().then_some((grant, found)))
    }

    /// The grant, where what was presumed holds at the moment of these counters.
    fn proven(self, (auth, config): (u64, u64)) -> Option<Grant<Read>> {
        let grant = self.grant;
        let moment = Moment { auth: Stamp::from_epoch(auth), config: Stamp::from_epoch(config) };
        let presumed = grant.call().moment;
        // Nobody has no rights that could have changed; those of everybody are the repository's.
        let same_caller = presumed.auth == moment.auth || matches!(grant.call().caller(), Caller::Anonymous);
        if !same_caller || presumed.config != moment.config {
            return None;
        }
        if let Caller::Known(identity) = grant.call().caller() {
            grant.registry().note_use(identity.token);
        }
        Some(grant.at(moment))
    }
}
