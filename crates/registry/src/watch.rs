//! Long bodies: whoever loses the right to read loses the rest of an answer within a second, and what somebody sends who
//! loses the right to write is refused.

use std::time::Duration;

use model::{Code, Timestamp};

use crate::authorize::{Access, Grant, Read};
use crate::call::Call;
use crate::error::{Error, Result};

/// How long a body may go on before rights are asked for again, where other processes may
/// change them.
const LOOK: Duration = Duration::from_millis(500);

/// Looks after the rights behind a body while it is sent.
pub struct Watch<A> {
    grant: Grant<A>,
    looked_at: Timestamp,
}

impl<A: Access + Clone> Grant<A> {
    /// Begins to look after the rights behind a body.
    pub fn watch(&self) -> Watch<A> {
        Watch { grant: self.clone(), looked_at: self.registry().now() }
    }
}

impl Watch<Read> {
    /// Whether the caller may still read. Costs two loads from memory when nothing has changed, and
    /// a statement twice a second where only the database knows.
    pub async fn still_allowed(&mut self) -> bool {
        !self.grant.call().expired(self.grant.registry().now()) && self.expect().await.is_ok()
    }
}

impl<A: Access> Watch<A> {
    /// Refuses when the right was withdrawn. It costs what [`Watch::still_allowed`] does. A token that ended by itself
    /// meanwhile withdraws nothing: whoever began in time may send the rest, as clients of images do, whose tokens are
    /// for an hour.
    pub async fn expect(&mut self) -> Result<()> {
        let call = self.grant.call();
        let registry = &call.registry;
        let now = registry.now();
        if registry.store().fresh().is_none() && now.since(self.looked_at) < LOOK {
            return Ok(());
        }
        self.looked_at = now;
        match registry.moment().await {
            Ok(moment) if moment != call.moment => self.ask_again().await,
            _ => Ok(()),
        }
    }

    async fn ask_again(&mut self) -> Result<()> {
        let key = self.grant.repo().key.clone();
        let again: Result<Call> = self.grant.call().again().await;
        let granted = match again {
            Ok(call) => call.authorize::<A>(&key).await,
            Err(error) => Err(error),
        };
        match granted {
            Ok(grant) => self.grant = grant,
            // Not knowing is no withdrawal: it was granted when the body began.
            Err(error) if error.code() == Some(Code::ServiceUnavailable) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Call {
    /// Refuses when the caller may not do any more what they might when the call began: for who waited meanwhile.
    pub async fn expect_unchanged(&self) -> Result<()> {
        if self.registry.moment().await? == self.moment {
            return Ok(());
        }
        if self.again().await?.caller == self.caller {
            return Ok(());
        }
        Err(Error::refuse(Code::Forbidden, "what this token may do changed while the request was sent: send it again"))
    }
}
