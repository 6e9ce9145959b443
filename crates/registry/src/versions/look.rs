//! Looking at versions.

use model::VersionId;
use store::entries::Entry;
use store::events::Event;
use store::manifests::Manifest;
use store::marks::Mark;
use store::refs::Ref;
use store::tombstones::Tombstone;
use store::versions::Version;

use super::expect_not_gone;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};

/// Entries, refs and events that a view holds at most.
const SHOWN: u32 = 200;

/// A version with everything around it, all of the same moment.
#[derive(Clone, Debug)]
pub struct VersionView {
    /// The version itself.
    pub version: Version,
    /// Its first 200 entries; see [`Grant::entries`] for the rest.
    pub entries: Vec<Entry>,
    /// How many entries it has.
    pub entry_count: u64,
    /// Whether it has a manifest.
    pub manifest: Option<Manifest>,
    /// The refs that point at it, 200 at most.
    pub refs: Vec<Ref>,
    /// The marks in force.
    pub marks: Vec<Mark>,
    /// Why and until when it is withdrawn.
    pub tombstone: Option<Tombstone>,
    /// What happened to it: the first 200 events.
    pub events: Vec<Event>,
}

impl Grant<Read> {
    /// A version, also a withdrawn one. 404 for a draft that the caller may not know of.
    pub async fn version(&self, id: VersionId) -> Result<VersionView> {
        let (repo, tenant) = (self.repo_id(), self.registry().tenant());
        let look = async |session: &mut store::Session<'_>| {
            let Some(version) = store::versions::find(session, repo, id).await? else { return Ok(None) };
            Ok(Some(VersionView {
                version,
                entries: store::entries::list(session, id, "", SHOWN).await?,
                entry_count: store::entries::count(session, id).await?,
                manifest: store::manifests::find(session, id).await?,
                refs: store::refs::of_version(session, id, SHOWN).await?,
                marks: store::marks::in_force(session, id).await?,
                tombstone: store::tombstones::in_force(session, id).await?,
                events: store::events::of_resource(session, tenant, &id.to_string(), SHOWN).await?,
            }))
        };
        let found = self.store().snapshot(look).await?;
        found.filter(|view| self.shows(&view.version)).ok_or_else(|| Error::not_found("the version"))
    }

    /// The entries of a version after the path `after`, in the order of their paths. 410 once it was withdrawn.
    pub async fn entries(&self, id: VersionId, after: &str, limit: u32) -> Result<Vec<Entry>> {
        expect_not_gone(&self.find_version(id).await?)?;
        Ok(self.store().read(async |session| store::entries::list(session, id, after, limit).await).await?)
    }

    /// The manifest of a version. 404 when it has none, 410 once it was withdrawn.
    pub async fn manifest(&self, id: VersionId) -> Result<(Version, Manifest)> {
        let version = self.find_version(id).await?;
        expect_not_gone(&version)?;
        let found = self.store().read(async |session| store::manifests::find(session, id).await).await?;
        Ok((version, found.ok_or_else(|| Error::not_found("the manifest"))?))
    }
}
