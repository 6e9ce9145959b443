//! Fixing the list of parts.

use std::collections::BTreeMap;

use model::state::UploadState;
use model::{RepoId, UploadId};
use serde_json::json;

use super::{ListedPart, Upload, lock, parts};
use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::Tx;
use crate::store::Write;

/// Fixes the list of parts. The same list again is answered again; another one is refused.
#[derive(Clone, Debug)]
pub struct Complete {
    /// Who and when.
    pub act: Act,
    /// The repository of the upload.
    pub repo: RepoId,
    /// The upload.
    pub upload: UploadId,
    /// The parts by number, each once, without quotes around the tags.
    pub parts: Vec<ListedPart>,
}

impl Write for Complete {
    type Out = Upload;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Upload> {
        let upload = lock(tx, self.repo, self.upload).await?;
        upload.announced()?;
        if upload.completion.is_some() && upload.state != UploadState::Aborted {
            return match upload.completion.as_ref() == Some(&self.parts) {
                true => Ok(upload),
                false => Err(Error::conflict("the upload was completed with another list of parts")),
            };
        }
        upload.expect_taking_parts(self.act.at)?;
        if upload.state == UploadState::Initiated {
            return Err(Error::conflict("no part of the upload was received yet"));
        }
        if upload.direct.is_none() {
            self.check_against_received(tx).await?;
        }
        let list = serde_json::to_string(&self.parts).map_err(|error| Error::Defect(error.to_string()))?;
        let sql = "UPDATE uploads SET state = 'pending_commit', completion = $2 WHERE id = $1";
        tx.execute(sql, args![self.upload, list]).await?;
        let id = self.upload.to_string();
        let on = On { repo: Some(self.repo), kind: "upload", id: &id };
        record(tx, &self.act, "upload.completed", on, &json!({"parts": self.parts.len()})).await?;
        lock(tx, self.repo, self.upload).await
    }
}

impl Complete {
    async fn check_against_received(&self, tx: &mut Tx<'_>) -> Result<()> {
        let received = parts(tx, self.upload).await?;
        let mut received: BTreeMap<u32, String> =
            received.into_iter().map(|part| (part.number, part.digest.hex())).collect();
        for part in &self.parts {
            match received.remove(&part.number) {
                None => return Err(Error::conflict(format!("part {} was not received", part.number))),
                Some(etag) if etag != part.etag => {
                    return Err(Error::conflict(format!(
                        "part {} was received with the ETag \"{etag}\", not \"{}\"",
                        part.number, part.etag
                    )));
                }
                Some(_) => {}
            }
        }
        match received.first_key_value() {
            None => Ok(()),
            Some((number, _)) => Err(Error::conflict(format!("part {number} was received but is not in the list"))),
        }
    }
}
