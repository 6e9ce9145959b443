//! The files of a release: their bytes, their entries, their places and what they cost of the allowance.

use std::collections::HashSet;

use model::{Code, PackageId, Timestamp, VersionId};

use super::{Bytes, NewFile, PublishRelease};
use crate::admission::{self, Allowance};
use crate::error::{Error, Result};
use crate::session::Tx;
use crate::{args, blobs, cached, deployments, entries, locations, subjects};

impl PublishRelease {
    /// Makes new bytes known and locks those that are here already, in the order of their digests.
    /// Returns the files that there will be, and what older entries of them hold of the allowance again.
    pub(super) async fn keep(&self, tx: &mut Tx<'_>) -> Result<(Vec<&NewFile>, u64)> {
        let (mut files, mut regained) = (Vec::with_capacity(self.files.len()), 0);
        for file in &self.files {
            match &file.bytes {
                Bytes::New(blob) => {
                    blobs::keep(tx, blob, self.act.at).await?;
                }
                Bytes::Held { digest, size, required } => match entries::held(tx, self.repo, *digest).await? {
                    Some(length) if length == *size => {}
                    Some(length) => {
                        let why = format!("sha256:{digest} has {length} bytes here, not {size}");
                        return Err(Error::refuse(Code::Unprocessable, why));
                    }
                    None if *required => return Err(Error::not_found(&format!("sha256:{digest}"))),
                    None => continue,
                },
            }
            if self.cached {
                let (digest, size) = file.bytes.named();
                regained += cached::enter(tx, self.repo, digest, size, self.act.at).await?;
            }
            files.push(file);
        }
        Ok((files, regained))
    }

    /// Puts the files into a new version and publishes it, or begins to gather more.
    pub(super) async fn put<'f>(
        &self,
        tx: &mut Tx<'_>,
        package: PackageId,
        files: &[&'f NewFile],
    ) -> Result<Vec<&'f NewFile>> {
        self.enter(tx, self.id, files, self.act.at).await?;
        self.charge(tx, self.id, files).await?;
        match self.gather {
            Some(gather) => deployments::begin(tx, &self.act, self.repo, self.id, gather).await?,
            None => self.publish(tx, files.len() == self.files.len()).await?,
        }
        self.expect_no_twin(tx, package, self.id).await?;
        if let Some(subject) = &self.subject {
            subjects::put(tx, package, subject, self.id).await?;
        }
        locations::occupy_all(tx, self.id, files.len() as u64, false).await?;
        Ok(files.to_vec())
    }

    /// Puts more files into a version that is published or gathers them.
    pub(super) async fn join<'f>(
        &self,
        tx: &mut Tx<'_>,
        package: PackageId,
        version: VersionId,
        files: Vec<&'f NewFile>,
    ) -> Result<Vec<&'f NewFile>> {
        let at = if files.is_empty() { self.act.at } else { self.after_all(tx, version).await? };
        self.enter(tx, version, &files, at).await?;
        self.charge(tx, version, &files).await?;
        for file in &files {
            let location = file.location.as_str();
            locations::occupy(tx, self.repo, location, package, version, &file.path, false).await?;
        }
        Ok(files)
    }

    /// Now, but later than all that is there, whatever clocks say: what is made of a version's files is known by their
    /// youngest.
    async fn after_all(&self, tx: &mut Tx<'_>, version: VersionId) -> Result<Timestamp> {
        let youngest = tx.row("SELECT max(added_at) FROM entries WHERE version_id = $1", args![version]).await?;
        let youngest = youngest.map(|row| row.get::<Option<Timestamp>>(0)).transpose()?.flatten();
        Ok(youngest.map_or(self.act.at, |youngest| Timestamp(youngest.0 + 1).max(self.act.at)))
    }

    /// What was not here when the version was published and is here now joins it, until nothing is
    /// missing: then it is sealed. Returns what joined.
    pub(super) async fn complete<'f>(
        &self,
        tx: &mut Tx<'_>,
        package: PackageId,
        version: VersionId,
        mut files: Vec<&'f NewFile>,
    ) -> Result<Vec<&'f NewFile>> {
        let sql = "SELECT e.path FROM versions v JOIN entries e ON e.version_id = v.id
             WHERE v.id = $1 AND v.sealed_at IS NULL";
        let known = tx.rows(sql, args![version]).await?;
        let known: HashSet<String> = known.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        let (open, whole) = (!known.is_empty(), files.len() == self.files.len() && !self.stays_open);
        files.retain(|file| open && !known.contains(file.path.as_str()));
        let joined = self.join(tx, package, version, files).await?;
        if open && whole {
            let sql = "UPDATE versions SET sealed_at = $2 WHERE id = $1";
            tx.execute(sql, args![version, self.act.at]).await?;
        }
        Ok(joined)
    }

    /// From now on the version holds what its files need of the bytes allowance, not the pins.
    async fn charge(&self, tx: &mut Tx<'_>, version: VersionId, files: &[&NewFile]) -> Result<()> {
        let needed: u64 = files.iter().map(|file| file.bytes.named().1).sum();
        let (held, tenant) = (self.release_pins(tx, version).await?, self.act.tenant);
        if held > needed {
            return admission::give_back(tx, tenant, Allowance::Bytes, held - needed).await;
        }
        let spread = self.act.event.0.as_u128();
        admission::take(tx, tenant, Allowance::Bytes, needed - held, &self.limits, spread).await
    }

    /// Removes the pins of what the version has. Returns what they held of the bytes allowance.
    async fn release_pins(&self, tx: &mut Tx<'_>, version: VersionId) -> Result<u64> {
        if !self.files.iter().any(|file| matches!(file.bytes, Bytes::Held { .. })) {
            return Ok(0);
        }
        let sql = "DELETE FROM pins WHERE repo_id = $1
             AND digest IN (SELECT digest FROM entries WHERE version_id = $2) RETURNING charged";
        let rows = tx.rows(sql, args![self.repo, version]).await?;
        rows.iter().map(|row| row.get::<u64>(0)).sum()
    }

    async fn enter(&self, tx: &mut Tx<'_>, version: VersionId, files: &[&NewFile], at: Timestamp) -> Result<()> {
        let sql = "INSERT INTO entries (version_id, path, repo_id, location, digest, size, media_type, attributes,
             added_at, added_event) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
        for file in files {
            let (digest, size) = file.bytes.named();
            let (path, location) = (&file.path, &file.location);
            let args = args![
                version,
                *path,
                self.repo,
                *location,
                digest,
                size,
                file.media_type,
                file.attributes,
                at,
                self.act.event
            ];
            if tx.execute(sql, args).await? == 0 {
                return Err(Error::taken(format!("{path} already exists: published files never change")));
            }
        }
        Ok(())
    }
}
