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
            self.expect_name_admitted(at, None).await?;
        }
        if let Some(instant) = self.instant() {
            let known = self.answer_then(&relay.ask.target, instant).await?;
            let known = known.ok_or_else(|| self.unknown(&relay.ask.target))?;
            return self.passed_on(relay, &known, false).await;
        }
        if let Some(shown) = self.passed_on_before(relay).await? {
            return Ok(shown);
        }
        let key = (self.revision(), relay.ask.target.clone());
        let (grant, relay) = (self.clone(), relay.clone());
        let work = async move { grant.hear_in_turn(&relay).await };
        self.registry().inner.remotes.relays.join(key, work).await
    }

    /// What needs no question.
    async fn passed_on_before(&self, relay: &Relay) -> Result<Option<Arc<Shown>>> {
        let Some(known) = self.outlook(&relay.ask.target).await? else { return Ok(None) };
        let forever = relay.forever && known.digest.is_some();
        match forever || self.remote()?.believes(&known, self.ambient().now()) {
            true => self.passed_on(relay, &known, false).await.map(Some),
            false => Ok(None),
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
        let mut heard = self.hear(remote, &relay.ask).await?;
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
        let known = self.keep(&relay.ask, heard).await?;
        self.passed_on(relay, &known, stale).await
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
