//! Long answers: whoever loses the right to read loses the rest of the bytes within a second.

use std::time::Duration;

use model::{Code, Timestamp};

use crate::authorize::{Grant, Read};
use crate::call::Call;
use crate::error::Error;

/// How long an answer may go on before rights are asked for again, where other processes may
/// change them.
const LOOK: Duration = Duration::from_millis(500);

/// Looks after the rights behind an answer while it is sent.
pub struct Watch {
    grant: Grant<Read>,
    looked_at: Timestamp,
}

impl Grant<Read> {
    /// Begins to look after the rights behind an answer.
    pub fn watch(&self) -> Watch {
        Watch { grant: self.clone(), looked_at: self.registry().now() }
    }
}

impl Watch {
    /// Whether the caller may still read. Costs two loads from memory when nothing has changed, and
    /// a statement twice a second where only the database knows.
    pub async fn still_allowed(&mut self) -> bool {
        let call = self.grant.call();
        let registry = &call.registry;
        let now = registry.now();
        if call.expired(now) {
            return false;
        }
        if registry.store().fresh().is_none() && now.since(self.looked_at) < LOOK {
            return true;
        }
        self.looked_at = now;
        match registry.moment().await {
            Ok(moment) if moment == call.moment => true,
            Ok(_) => self.ask_again().await,
            Err(_) => true,
        }
    }

    async fn ask_again(&mut self) -> bool {
        let key = self.grant.repo().key.clone();
        let again: Result<Call, Error> = self.grant.call().again().await;
        let granted = match again {
            Ok(call) => call.authorize::<Read>(&key).await,
            Err(error) => Err(error),
        };
        match granted {
            Ok(grant) => {
                self.grant = grant;
                true
            }
            // Not knowing is no withdrawal: the bytes were granted when the answer began.
            Err(error) => error.code() == Some(Code::ServiceUnavailable),
        }
    }
}
