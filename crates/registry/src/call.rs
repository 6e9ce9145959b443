//! One request: who asks, as of which moment, under which id.

use std::sync::Arc;
use std::time::Duration;

use model::{Code, CorrelationId, RepoKey, Timestamp};
use store::Stamp;
use store::events::Act;
use store::tokens::Presented;

use crate::error::{Error, Result};
use crate::identity::{Caller, Identity};
use crate::registry::{Moment, Registry};
use crate::secret::hash_secret;

/// A request under way. Rights and repositories are those of the moment at which it began.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) registry: Registry,
    pub(crate) moment: Moment,
    pub(crate) caller: Caller,
    pub(crate) correlation: CorrelationId,
    hash: Option<[u8; 32]>,
}

impl Registry {
    /// Begins a request. A token that is unknown, expired or revoked is refused with 401, also where
    /// anonymous reading is allowed.
    pub async fn call(&self, token: Option<&str>, correlation: CorrelationId) -> Result<Call> {
        self.begin(token.map(hash_secret), correlation).await
    }

    pub(crate) async fn begin(&self, hash: Option<[u8; 32]>, correlation: CorrelationId) -> Result<Call> {
        self.begin_at(hash, correlation, self.now()).await
    }

    /// `now`: when the token must not have ended by itself.
    async fn begin_at(&self, hash: Option<[u8; 32]>, correlation: CorrelationId, now: Timestamp) -> Result<Call> {
        let moment = self.moment().await?;
        let caller = match hash {
            None => Caller::Anonymous,
            Some(hash) => Caller::Known(self.identify(moment, hash, now).await?),
        };
        if let Caller::Known(identity) = &caller {
            self.note_use(identity.token);
        }
        Ok(Call { registry: self.clone(), moment, caller, correlation, hash })
    }

    /// Whether the token was seen to be valid not long ago. Asks nothing of the database and proves nothing.
    pub fn recognises(&self, token: &str) -> bool {
        self.inner.recognised.has(&hash_secret(token))
    }

    /// The call as it would be if nothing had changed since we last looked; `None` when the caller
    /// or the repository is not remembered. Worth nothing until the counters of its moment are seen to stand still.
    pub(crate) fn remembered_call(
        &self,
        token: Option<&str>,
        repo: &RepoKey,
        correlation: CorrelationId,
    ) -> Option<Call> {
        let hash = token.map(hash_secret);
        let (config, _) = self.inner.repositories.last(repo)?;
        let (auth, caller) = match &hash {
            None => (Stamp::from_epoch(0), Caller::Anonymous),
            Some(hash) => {
                let (auth, identity) = self.inner.identities.last(hash)?;
                (auth, Caller::Known(Some(identity).filter(|identity| identity.expires_at > self.now())?))
            }
        };
        Some(Call { registry: self.clone(), moment: Moment { auth, config }, caller, correlation, hash })
    }

    async fn identify(&self, moment: Moment, hash: [u8; 32], now: Timestamp) -> Result<Arc<Identity>> {
        if let Some(known) = self.inner.identities.get(moment.auth, &hash).filter(|known| known.expires_at > now) {
            return Ok(known);
        }
        let presented =
            self.inner.store.read(async |session| store::tokens::presented(session, &hash, now).await).await?;
        self.inner.recognised.note(hash, matches!(presented, Some(Presented::Living(_))));
        let credentials = match presented {
            Some(Presented::Living(credentials)) => credentials,
            // Only who holds it learns this of it.
            Some(Presented::Expired(at)) => {
                return Err(Error::refuse(Code::Unauthorized, format!("the token expired at {at}")));
            }
            None => return Err(Error::refuse(Code::Unauthorized, "the token is unknown or revoked")),
        };
        let identity = Arc::new(Identity::new(*credentials));
        self.inner.identities.put(moment.auth, hash, Arc::clone(&identity));
        Ok(identity)
    }
}

impl Call {
    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The registry that is asked.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The id of the request.
    pub fn correlation(&self) -> CorrelationId {
        self.correlation
    }

    /// The same request as of now: rights and repositories are looked at again. That the token has ended by itself meanwhile
    /// is not looked at.
    pub(crate) async fn again(&self) -> Result<Self> {
        let now = match &self.caller {
            Caller::Known(identity) => self.registry.now().min(identity.expires_at.minus(Duration::from_micros(1))),
            Caller::Anonymous => self.registry.now(),
        };
        self.registry.begin_at(self.hash, self.correlation, now).await
    }

    /// Whether this is the token of the call.
    pub(crate) fn was_made_with(&self, token: &str) -> bool {
        self.hash == Some(hash_secret(token))
    }

    /// Whether the token has ended by itself meanwhile.
    pub(crate) fn expired(&self, now: Timestamp) -> bool {
        matches!(&self.caller, Caller::Known(identity) if identity.expires_at <= now)
    }

    /// The identity behind the call; 401 for nobody.
    pub fn identity(&self) -> Result<&Arc<Identity>> {
        match &self.caller {
            Caller::Known(identity) => Ok(identity),
            Caller::Anonymous => Err(Error::refuse(Code::Unauthorized, "this needs a token")),
        }
    }

    /// Whether it is this subject who calls.
    pub(crate) fn is_of(&self, subject: &str) -> bool {
        matches!(&self.caller, Caller::Known(identity) if identity.subject.as_str() == subject)
    }

    /// What every write of this call carries: a fresh event id, now, and who.
    pub(crate) fn act(&self) -> Act {
        let actor = match &self.caller {
            Caller::Known(identity) => identity.subject.to_string(),
            Caller::Anonymous => "anonymous".to_owned(),
        };
        let ambient = &self.registry.inner.ambient;
        Act {
            event: ambient.id(),
            tenant: self.registry.inner.tenant,
            at: ambient.now(),
            actor,
            correlation: Some(self.correlation),
        }
    }
}
