//! Each file by itself: one PUT, checksum announced.

use std::num::NonZeroUsize;

use futures_util::{StreamExt, TryStreamExt, stream};
use model::{RepoKey, Sha256Digest};
use outbound::{Answer, Client, Retry};

use super::super::failure::Failure;
use super::super::hashing::hash_file;
use super::super::progress::Progress;
use super::plan::Planned;
use super::{Fate, Pushed, sending};

/// From this size on it pays to ask first whether the file is there already.
const ASK_FIRST: u64 = 1024 * 1024;

/// Pushes the files, `jobs` at once; stops at the first failure.
pub(super) async fn push(
    client: &Client,
    repo: &RepoKey,
    plan: &[Planned],
    jobs: NonZeroUsize,
    progress: &Progress,
) -> Result<Vec<Pushed>, Failure> {
    let each = |planned| async move {
        let pushed = one(client, repo, planned, progress).await;
        pushed.map_err(|failure| failure.about(planned.source.display()))
    };
    stream::iter(plan).map(each).buffered(jobs.get()).try_collect().await
}

async fn one(client: &Client, repo: &RepoKey, planned: &Planned, progress: &Progress) -> Result<Pushed, Failure> {
    let held = hash_file(planned.source.clone()).await;
    let held = held.map_err(|error| Failure::new(format!("the file cannot be read: {error}")))?;
    let (digest, size) = (held.hasher.digest(), held.length);
    let target = address(repo, planned.path.segments());
    let pushed = |fate| Pushed { path: planned.path.to_string(), digest, size, fate };
    if size >= ASK_FIRST && is_there(client, &target, digest).await {
        progress.done(size);
        return Ok(pushed(Fate::Unchanged));
    }
    let put = client.put(&target).header("X-Checksum-Sha256", &digest.hex());
    match put.body(sending::stretch(planned.source.clone(), 0, size, progress)).send().await {
        Ok(_) => Ok(pushed(Fate::Stored)),
        // Perhaps an earlier push, or an earlier attempt of this one, has stored the very same bytes.
        Err(error) if error.status() == Some(409) && is_there(client, &target, digest).await => {
            Ok(pushed(Fate::Unchanged))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether these very bytes are at an address. Asks for the last of them: a server that has lost them says so then, and
/// takes them again. Of no bytes there is no last.
pub(super) async fn is_there(client: &Client, target: &str, digest: Sha256Digest) -> bool {
    let client = client.with_retry(Retry::none());
    let ask = match digest == Sha256Digest::OF_NOTHING {
        true => client.head(target),
        false => client.get(target).header("Range", "bytes=-1"),
    };
    ask.send().await.is_ok_and(|answer| named_digest(&answer) == Some(digest))
}

/// The path of a file in the repository's own protocol.
pub(in super::super) fn address<'a>(repo: &'a RepoKey, segments: impl Iterator<Item = &'a str>) -> String {
    outbound::path(["repository", repo.as_str()].into_iter().chain(segments))
}

/// The SHA-256 that an answer names: `X-Checksum-Sha256`, else a strong ETag.
pub(in super::super) fn named_digest(answer: &Answer) -> Option<Sha256Digest> {
    let named = answer.header("x-checksum-sha256").and_then(|text| text.parse().ok());
    named.or_else(|| answer.header("etag")?.strip_prefix('"')?.strip_suffix('"')?.parse().ok())
}
