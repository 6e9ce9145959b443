//! Uploads and pins in the model.

use model::state::UploadState;
use model::{RepoId, Timestamp, UploadId};
use store::uploads::CreateUpload;

use super::{Repo, Upload, World, ensure, refuse};
use crate::steps::Outcome;

impl World {
    pub(super) fn create_upload(&mut self, write: &CreateUpload) -> Outcome {
        self.expect_living(write.repo)?;
        let known = self.blobs.get(&write.digest).copied();
        let reached = |repo: &Repo| !repo.retired && (write.reach.every || write.reach.keys.contains(&repo.key));
        let shown = self.repos.iter().any(|(id, repo)| reached(repo) && self.shows(*id, write.digest));
        let state = if shown {
            ensure(known == Some(write.length), "conflict")?;
            // A blob that is pinned there already is paid for.
            match self.pins.get_mut(&(write.repo, write.digest)) {
                Some((until, _)) => *until = (*until).max(write.pin_until),
                None => {
                    self.take(write.length, 0, &write.limits)?;
                    self.pins.insert((write.repo, write.digest), (write.pin_until, write.length));
                }
            }
            UploadState::Committed
        } else {
            self.take(write.length, 1, &write.limits)?;
            UploadState::Initiated
        };
        let upload = Upload { repo: write.repo, state, length: write.length, expires: write.expires_at };
        self.uploads.insert(write.id, upload);
        self.events += 1;
        Ok(state.to_string())
    }

    pub(super) fn abort(&mut self, repo: RepoId, id: UploadId) -> Outcome {
        let upload = self.uploads.get_mut(&id).filter(|upload| upload.repo == repo);
        let Some(upload) = upload else { return refuse("not_found") };
        ensure(upload.state != UploadState::Committed, "conflict")?;
        if upload.state != UploadState::Aborted {
            upload.state = UploadState::Aborted;
            self.used_bytes -= upload.length;
            self.used_sessions -= 1;
            self.events += 1;
        }
        Ok(UploadState::Aborted.to_string())
    }

    pub(super) fn expire_uploads(&mut self, now: Timestamp, limit: usize) -> Outcome {
        let mut due: Vec<_> = self.uploads.values_mut().filter(|it| it.state.is_open() && it.expires <= now).collect();
        due.sort_by_key(|upload| upload.expires);
        due.truncate(limit);
        let ended = due.len();
        for upload in due {
            upload.state = UploadState::Aborted;
            self.used_bytes -= upload.length;
            self.used_sessions -= 1;
            self.events += 1;
        }
        Ok(ended.to_string())
    }
}
