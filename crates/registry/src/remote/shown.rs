//! Indexes of packages that are at an upstream: made of what it tells, in our own shape and with our own addresses.

use std::sync::Arc;

use formats::{PackageAt, Site, View, Wanting};

use super::facts::render;
use super::known::{Seen, Which};
use super::overlay::{Here, Overlay};
use super::sift::Sifted;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::packaging::{DocumentKey, Of, Shown};
use crate::rules::{Denial, Subject, name_of};
use crate::versions::format_of;

/// Documents of more versions than this are made off the async workers.
const AT_ONCE: usize = 50;

/// What the upstream tells, and what of it the rules keep out; `None`: there are no rules.
pub(crate) struct Admitted {
    pub(super) seen: Arc<Seen>,
    sifted: Option<Arc<Sifted>>,
}

impl Grant<Read> {
    /// The index of a package of an upstream, or what is said of one version.
    pub(crate) async fn shown_of_upstream(
        &self,
        at: &PackageAt,
        view: View,
        wanted: Wanting<'_>,
        site: &Site<'_>,
    ) -> Result<Arc<Shown>> {
        let nothing = || {
            let word = wanted.word().map(|word| format!(" {word}")).unwrap_or_default();
            self.unknown(&format!("{}{word}", at.name))
        };
        let admitted = self.admitted(at, wanted).await?.ok_or_else(nothing)?;
        let (seen, overlay) = (&admitted.seen, self.overlay_of(at, &admitted).await?);
        let key = DocumentKey {
            of: Of::Observed(self.repo_id(), at.clone(), Arc::clone(&seen.answers)),
            state: overlay.state(),
            view,
            only: wanted.word().unwrap_or_default().into(),
            base: site.base.into(),
        };
        let make = async {
            if let Some(made) = self.make(at, view, wanted, site, seen, &overlay).await? {
                return Ok(Arc::new(made));
            }
            self.expect_pointed(at, wanted, &admitted)?;
            Err(nothing())
        };
        if self.instant().is_some() {
            return make.await;
        }
        let shown = self.registry().inner.documents.shown.get_or_insert_async(&key, make).await?;
        Ok(match seen.stale_since {
            Some(since) => Arc::new(shown.stale(since)),
            None => shown,
        })
    }

    /// What the upstream tells. Refuses where the rules keep out all of it, before it is asked where that is certain.
    pub(crate) async fn admitted(&self, at: &PackageAt, wanted: Wanting<'_>) -> Result<Option<Admitted>> {
        if self.claim_on(at).await?.is_some() {
            return self.refuse_by_name(at, None).await.map(|()| None);
        }
        let which = Which::of(wanted);
        let seen = self.told_unclaimed(self.remote()?, at, which.clone()).await?;
        let Some(seen) = seen else { return Ok(None) };
        if !self.is_ruled() {
            return Ok(Some(Admitted { seen, sifted: None }));
        }
        let seen = Box::pin(self.dated(at, &which, seen)).await?;
        let sifted = Box::pin(self.sifted(at, &seen)).await?;
        if let Some(sifted) = &sifted {
            self.expect_left(at, wanted, &seen, sifted)?;
        }
        Ok(Some(Admitted { seen, sifted }))
    }

    /// Refuses where the rules keep out all that is asked for: that is another thing than nothing.
    fn expect_left(&self, at: &PackageAt, wanted: Wanting<'_>, seen: &Seen, sifted: &Sifted) -> Result<()> {
        let known = &seen.known;
        let found = match wanted {
            Wanting::One(name) => sifted.why.get_key_value(name),
            _ if known.versions.len() > sifted.why.len() || known.around.len() > sifted.out.around.len() => None,
            _ => known.versions.last().and_then(|last| sifted.why.get_key_value(last.version.as_str())),
        };
        self.refuse(at, found)
    }

    /// Refuses where a ref points at what the rules keep out, and stands for nothing else.
    fn expect_pointed(&self, at: &PackageAt, wanted: Wanting<'_>, admitted: &Admitted) -> Result<()> {
        let (Wanting::One(name), Some(sifted)) = (wanted, &admitted.sifted) else { return Ok(()) };
        let pointed = admitted.seen.known.refs.iter().find(|(tag, _)| tag == name);
        self.refuse(at, pointed.and_then(|(_, version)| sifted.why.get_key_value(version)))
    }

    fn refuse(&self, at: &PackageAt, kept_out: Option<(&String, &Denial)>) -> Result<()> {
        let Some((version, denial)) = kept_out else { return Ok(()) };
        let name = name_of(format_of(self.repo())?, at);
        Err(self.denied(denial, &Subject { name: &name, version, path: None, published_at: None }))
    }

    /// What is here and differs, and what the rules keep out.
    pub(super) async fn overlay(&self, at: &PackageAt, seen: &Arc<Seen>) -> Result<Overlay> {
        let sifted = self.sifted(at, seen).await?;
        self.overlay_of(at, &Admitted { seen: Arc::clone(seen), sifted }).await
    }

    /// The same, of what was sifted already.
    pub(super) async fn overlay_of(&self, at: &PackageAt, admitted: &Admitted) -> Result<Overlay> {
        let here = self.known_better(at, &admitted.seen).await?;
        let kept_out = admitted.sifted.as_ref().map(|sifted| Arc::clone(&sifted.out)).unwrap_or_default();
        Ok(Overlay { here, kept_out })
    }

    /// What is here and differs; looked up once for each state of the package.
    pub(super) async fn known_better(&self, at: &PackageAt, seen: &Seen) -> Result<Arc<Here>> {
        let look = async { Ok(Arc::new(Here::of(&seen.known, self.kept(at).await?))) };
        if self.instant().is_some() {
            return look.await;
        }
        let Some((_, state)) = self.state_if_any(at).await? else { return Ok(Arc::default()) };
        let key = (self.repo_id(), at.clone(), Arc::clone(&seen.answers), state);
        self.registry().inner.remotes.here.get_or_insert_async(&key, look).await
    }

    async fn make(
        &self,
        at: &PackageAt,
        view: View,
        wanted: Wanting<'_>,
        site: &Site<'_>,
        seen: &Arc<Seen>,
        overlay: &Overlay,
    ) -> Result<Option<Shown>> {
        let format = format_of(self.repo())?;
        if seen.known.versions.len() <= AT_ONCE {
            return Ok(render(format, at, view, wanted, site, seen, overlay));
        }
        let (at, which, seen, overlay) = (at.clone(), Which::of(wanted), Arc::clone(seen), overlay.clone());
        let (base, subject, auth_required) =
            (site.base.to_owned(), site.subject.map(str::to_owned), site.auth_required);
        let work = tokio::task::spawn_blocking(move || {
            let site = Site { base: &base, auth_required, subject: subject.as_deref() };
            render(format, &at, view, which.wanting(), &site, &seen, &overlay)
        });
        work.await.map_err(|error| Error::Defect(format!("rendering: {error}")))
    }
}
