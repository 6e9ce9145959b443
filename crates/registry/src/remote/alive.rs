//! Whether an upstream can be asked: before anything is let go that only it has.

use formats::{Ask, Named, Origin, PackageAt, Wanting};
use model::{EntryPath, Sha256Digest};
use outbound::Question;
use store::cached;
use store::repositories::Repository;

use super::Remote;
use crate::error::Result;
use crate::registry::Registry;

impl Registry {
    /// Whether the upstream of a remote repository answers when it is asked for this content there, or for what tells
    /// of it. What it answers does not count: that it has something no more says that it is there.
    pub(crate) async fn is_alive(&self, repo: &Repository, digest: Sha256Digest) -> Result<bool> {
        let remote = self.remote(repo)?;
        if remote.is_offline() {
            return Ok(false);
        }
        let look = async |session: &mut store::Session<'_>| cached::place(session, repo.id, digest).await;
        let Some((namespace, name, location)) = self.store().read(look).await? else { return Ok(false) };
        let at = PackageAt { namespace, name };
        let Some(ask) = question(&remote, &at, &location, digest) else { return Ok(false) };
        let question = Question { accept: ask.accept, ..Question::file(&ask.target, remote.longest) };
        match remote.upstream.ask(question).await {
            Ok(_) => Ok(true),
            Err(failure) => {
                tracing::warn!(repository = %repo.key, %failure, "nothing is evicted: the upstream cannot be read");
                Ok(false)
            }
        }
    }
}

fn question(remote: &Remote, at: &PackageAt, location: &str, digest: Sha256Digest) -> Option<Ask> {
    match remote.format.origin(&EntryPath::parse(location).ok()?) {
        Some(Origin::Direct(direct)) => Some(direct.ask),
        Some(Origin::Listed(at)) => remote.format.asks(&at, Wanting::All).into_iter().next(),
        None => Some(remote.format.contents()?.blob(at, &Named::Sha256(digest))),
    }
}
