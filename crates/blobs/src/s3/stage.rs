//! Content on its way into the bucket: short content in one request, long content in parts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::multipart::{MultipartStore, PartId};
use object_store::{MultipartId, PutPayload};
use tokio::task::JoinSet;

use super::Bucket;
use crate::error::{Error, Result};
use crate::key::Key;

/// The length of the first parts. Shorter content goes in one request.
const PART: usize = 8 << 20;
/// After so many parts they double, so that the 10,000 parts that S3 allows suffice for some hundred gigabytes.
const DOUBLE_EVERY: usize = 2500;
/// How long giving up an upload is waited for.
const TIDY: Duration = Duration::from_secs(1);
/// How many parts are under way at once; with the one being filled they bound the memory of a writer.
const AT_ONCE: usize = 2;

fn part_length(index: usize) -> usize {
    PART << (index / DOUBLE_EVERY).min(3)
}

/// Content on its way into the bucket.
pub(crate) struct ObjectStage {
    bucket: Arc<Bucket>,
    key: Key,
    waiting: VecDeque<Bytes>,
    waiting_length: usize,
    length: u64,
    upload: Option<Upload>,
}

impl ObjectStage {
    pub(crate) fn new(bucket: Arc<Bucket>, key: Key) -> Self {
        Self { bucket, key, waiting: VecDeque::new(), waiting_length: 0, length: 0, upload: None }
    }

    pub(crate) async fn push(&mut self, portion: &[Bytes]) -> Result<()> {
        self.gather(portion);
        loop {
            let index = self.upload.as_ref().map_or(0, |upload| upload.sent);
            if self.waiting_length <= part_length(index) {
                return Ok(());
            }
            let part = self.next_part(part_length(index));
            self.upload().await?.send(part).await?;
        }
    }

    /// Sends what is left; after this only the last request is missing that makes the object appear.
    pub(crate) async fn flush(&mut self, rest: &[Bytes]) -> Result<()> {
        self.push(rest).await?;
        if self.upload.is_some() {
            let part = self.next_part(self.waiting_length);
            let upload = self.upload().await?;
            upload.send(part).await?;
            upload.wait(0).await?;
        }
        Ok(())
    }

    /// Makes the object appear and asks the service for its length.
    pub(crate) async fn publish(mut self) -> Result<()> {
        match self.upload.take() {
            None => {
                let whole = self.next_part(self.waiting_length);
                self.bucket.create(&self.key, whole).await?;
            }
            Some(mut upload) => {
                let outcome = upload.complete().await;
                if outcome.is_err() {
                    upload.abort().await;
                }
                outcome?;
            }
        }
        let outcome = self.check_length().await;
        if outcome.is_err() {
            give_up(self.bucket, self.key, None, true).await;
        }
        outcome
    }

    async fn check_length(&self) -> Result<()> {
        let stored = self.bucket.length(&self.key).await?;
        if stored == self.length {
            return Ok(());
        }
        Err(Error::Unavailable(format!("the service kept {stored} of {} bytes", self.length)))
    }

    /// Gives up what was sent and waits until that is done.
    pub(crate) async fn abort(mut self) {
        if let Some(mut upload) = self.upload.take() {
            upload.abort().await;
        }
    }

    fn gather(&mut self, portion: &[Bytes]) {
        for piece in portion {
            self.waiting_length += piece.len();
            self.length += piece.len() as u64;
            self.waiting.push_back(piece.clone());
        }
    }

    /// The first `length` of the waiting bytes, without copying them.
    fn next_part(&mut self, length: usize) -> PutPayload {
        let mut part = Vec::new();
        let mut missing = length;
        while let Some(mut piece) = self.waiting.pop_front() {
            if piece.len() > missing {
                part.push(piece.split_to(missing));
                self.waiting.push_front(piece);
                missing = 0;
                break;
            }
            missing -= piece.len();
            part.push(piece);
        }
        self.waiting_length -= length - missing;
        part.into_iter().collect()
    }

    async fn upload(&mut self) -> Result<&mut Upload> {
        match self.upload {
            Some(ref mut upload) => Ok(upload),
            None => Ok(self.upload.insert(Upload::begin(&self.bucket, &self.key).await?)),
        }
    }
}

/// A multipart upload. Dropping it gives it up.
struct Upload {
    bucket: Arc<Bucket>,
    key: Key,
    /// `None` before it began and after it ended.
    id: Option<MultipartId>,
    sent: usize,
    parts: Vec<Option<PartId>>,
    under_way: JoinSet<Result<(usize, PartId)>>,
    /// Whether the key's place is held by our empty object.
    claimed: bool,
}

impl Upload {
    /// Completing an upload would replace whatever has the key. So the key is claimed first, by an empty object that
    /// the service creates only if there is none.
    async fn begin(bucket: &Arc<Bucket>, key: &Key) -> Result<Self> {
        bucket.create(key, PutPayload::new()).await?;
        let mut upload = Self {
            bucket: Arc::clone(bucket),
            key: key.clone(),
            id: None,
            sent: 0,
            parts: Vec::new(),
            under_way: JoinSet::new(),
            claimed: true,
        };
        upload.id = Some(bucket.s3.create_multipart(&bucket.path_of(key)).await?);
        Ok(upload)
    }

    async fn send(&mut self, part: PutPayload) -> Result<()> {
        self.wait(AT_ONCE - 1).await?;
        let (bucket, index) = (Arc::clone(&self.bucket), self.sent);
        let (key, id) = (self.key.clone(), self.id.clone().ok_or(Error::Broken)?);
        self.parts.push(None);
        self.sent += 1;
        self.under_way.spawn(async move { Ok((index, bucket.send(&key, &id, index, part).await?)) });
        Ok(())
    }

    /// Waits until at most `most` parts are under way.
    async fn wait(&mut self, most: usize) -> Result<()> {
        while self.under_way.len() > most {
            if let Some(done) = self.under_way.join_next().await {
                let (index, part) = done??;
                self.parts[index] = Some(part);
            }
        }
        Ok(())
    }

    async fn complete(&mut self) -> Result<()> {
        self.wait(0).await?;
        let parts = self.parts.iter().cloned().collect::<Option<Vec<_>>>().ok_or(Error::Broken)?;
        let id = self.id.clone().ok_or(Error::Broken)?;
        self.bucket.assemble(&self.key, &id, parts).await?;
        (self.id, self.claimed) = (None, false);
        Ok(())
    }

    async fn abort(&mut self) {
        self.under_way.shutdown().await;
        let (bucket, key) = (Arc::clone(&self.bucket), self.key.clone());
        let work = tokio::spawn(give_up(bucket, key, self.id.take(), std::mem::take(&mut self.claimed)));
        // A service that is away must not keep the client waiting for bad news; the work goes on alone.
        drop(tokio::time::timeout(TIDY, work).await);
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.claimed {
            return;
        }
        self.under_way.abort_all();
        let work = give_up(Arc::clone(&self.bucket), self.key.clone(), self.id.take(), self.claimed);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(work)),
            Err(_) => tracing::warn!(key = %self.key, "an upload stays behind: no runtime to abort it on"),
        }
    }
}

async fn give_up(bucket: Arc<Bucket>, key: Key, id: Option<MultipartId>, claimed: bool) {
    if let Some(id) = id
        && let Err(error) = bucket.s3.abort_multipart(&bucket.path_of(&key), &id).await
    {
        tracing::warn!(%key, %error, "an upload stays behind in the bucket");
    }
    if claimed && let Err(error) = bucket.remove(&key).await {
        tracing::warn!(%key, %error, "an empty object stays behind in the bucket");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_hold_some_hundred_gigabytes_in_little_memory() {
        let all: usize = (0..10_000).map(part_length).sum();
        assert!(all >= 280 << 30);
        assert_eq!((part_length(0), part_length(2499), part_length(2500)), (PART, PART, 2 * PART));
        assert!((AT_ONCE + 1) * part_length(10_000) <= 192 << 20);
    }
}
