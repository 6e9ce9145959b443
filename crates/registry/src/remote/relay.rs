//! Answers that are passed on as they come, for clients prove them by signatures.

use std::sync::Arc;

use formats::{Document, Relay};
use model::Code;
use store::observations::Observation;

use super::Remote;
use super::look::Heard;
use super::turn::PAUSE;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::packaging::Shown;

impl Grant<Read> {
    /// What the upstream of this repository answers. 404: it has no such thing, or the package that is named is not its.
    pub async fn relayed(&self, relay: &Relay) -> Result<Arc<Shown>> {
        if let Some(at) = &relay.package {
            let unasked = self.instant().is_some() || self.remote()?.is_offline();
            let missing = || if unasked { self.unknown(&relay.ask.target) } else { nothing(relay) };
            self.expect_name_admitted(at, None, missing).await?;
        }
        if let Some(instant) = self.instant() {
            let known = self.answer_then(&relay.ask.target, instant).await?;
            let known = Arc::new(known.ok_or_else(|| self.unknown(&relay.ask.target))?);
            let shown = self.passed_on(relay, &known, false).await;
            return match shown {
                Err(error) => {
                    self.bring_answers(
                        &*self.remote()?,
                        std::slice::from_ref(&relay.ask),
                        &[Some(known.clone())],
                        error,
                    )
                    .await?;
                    self.passed_on(relay, &known, false).await
                }
                shown => shown,
            };
        }
        if let Some(shown) = self.passed_on_before(relay).await? {
            return Ok(shown);
        }
        let key = (self.revision(), relay.ask.target.clone());
        let (grant, relay) = (self.clone(), relay.clone());
        let work = async move { grant.hear_in_turn(&relay).await };
        Box::pin(self.registry().inner.remotes.relays.join(key, work)).await
    }

    /// What needs no question.
    async fn passed_on_before(&self, relay: &Relay) -> Result<Option<Arc<Shown>>> {
        let Some(known) = self.outlook(&relay.ask.target).await? else { return Ok(None) };
        let forever = relay.forever && known.digest.is_some();
        if !forever && !self.remote()?.believes(&known, self.ambient().now()) {
            return Ok(None);
        }
        match self.passed_on(relay, &known, false).await {
            Err(_) if self.is_damaged(&known).await? => Ok(None),
            shown => shown.map(Some),
        }
    }

    async fn hear_in_turn(&self, relay: &Relay) -> Result<Arc<Shown>> {
        let turn = loop {
            if let Some(turn) = self.turn(&relay.ask.target).await? {
                break turn;
            }
            tokio::time::sleep(PAUSE).await;
        };
        let heard = match self.passed_on_before(relay).await {
            Ok(Some(shown)) => Ok(shown),
            Ok(None) => self.hear_and_keep(&*self.remote()?, relay).await,
            Err(error) => Err(error),
        };
        turn.end().await;
        heard
    }

    async fn hear_and_keep(&self, remote: &Remote, relay: &Relay) -> Result<Arc<Shown>> {
        let heard = self.hear(remote, &relay.ask).await?;
        let (known, stale) = self.keep_sound(remote, relay, heard).await?;
        match self.passed_on(relay, &known, stale).await {
            Err(_) if self.is_damaged(&known).await? => {
                let heard = self.hear_anew(remote, &relay.ask, &known).await?;
                let (known, stale) = self.keep_sound(remote, relay, heard).await?;
                self.passed_on(relay, &known, stale).await
            }
            shown => shown,
        }
    }

    /// What holds from now on, and whether it should have been asked for again and that failed.
    async fn keep_sound(&self, remote: &Remote, relay: &Relay, mut heard: Heard) -> Result<(Arc<Observation>, bool)> {
        if let Heard::New { news, .. } = &heard
            && !(relay.sound)(&news.body)
        {
            tracing::warn!(repository = %self.repo().key, asked = relay.ask.target, "an upstream is not understood");
            let why = Error::refuse(Code::ServiceUnavailable, "the upstream's answer is not understood");
            heard = self.still_known(remote, heard, &why)?;
        }
        let stale = heard.stale().is_some();
        if matches!(heard, Heard::Missing { before: None }) {
            return Err(if remote.is_offline() { self.unknown(&relay.ask.target) } else { nothing(relay) });
        }
        Ok((self.keep(&relay.ask, heard).await?, stale))
    }

    async fn passed_on(&self, relay: &Relay, known: &Observation, stale: bool) -> Result<Arc<Shown>> {
        let body = self.body_of(known).await?.ok_or_else(|| nothing(relay))?;
        let shown = Shown::new(Document { media_type: relay.media_type, body: body.into() }, Some(known.seen_at));
        Ok(Arc::new(if stale { shown.stale(known.checked_at) } else { shown }))
    }
}

fn nothing(relay: &Relay) -> Error {
    Error::refuse(Code::NotFound, format!("the upstream has no {}", relay.ask.target))
}
