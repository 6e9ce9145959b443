//! Tokens in the model: minting and revoking.

use std::collections::BTreeSet;

use model::TokenId;
use store::tokens::{MintToken, Revoke};

use super::{Token, World, ensure};
use crate::steps::Outcome;

impl World {
    pub(super) fn mint(&mut self, write: &MintToken) -> Outcome {
        let (token, now) = (&write.token, write.act.at);
        let lives = |parent| self.tokens.get(&parent).is_some_and(|parent| !parent.revoked && parent.expires > now);
        ensure(token.parent.is_none_or(lives), "unauthorized")?;
        let minted = Token {
            hash: token.hash,
            subject: token.subject.to_string(),
            parent: token.parent,
            expires: token.expires_at,
            revoked: false,
        };
        self.tokens.insert(token.id, minted);
        self.event()
    }

    pub(super) fn revoke(&mut self, which: &Revoke) -> Outcome {
        let hit: BTreeSet<TokenId> = match which {
            Revoke::Token(id) => self.line_of(*id),
            Revoke::Subject(subject) => {
                let of = |(id, token): (&TokenId, &Token)| (token.subject == subject.as_str()).then_some(*id);
                self.tokens.iter().filter_map(of).collect()
            }
            Revoke::AllBut(own) => self.tokens.keys().copied().filter(|id| id != own).collect(),
        };
        let mut revoked = 0;
        for (_, token) in self.tokens.iter_mut().filter(|(id, token)| hit.contains(id) && !token.revoked) {
            token.revoked = true;
            revoked += 1;
        }
        ensure(revoked > 0 || !matches!(which, Revoke::Token(_)), "not_found")?;
        self.events += 1;
        Ok(revoked.to_string())
    }

    /// A token and all that were made from it.
    pub(super) fn line_of(&self, id: TokenId) -> BTreeSet<TokenId> {
        let mut line = BTreeSet::new();
        if self.tokens.contains_key(&id) {
            line.insert(id);
        }
        loop {
            let of = |(id, token): (&TokenId, &Token)| {
                (token.parent.is_some_and(|parent| line.contains(&parent)) && !line.contains(id)).then_some(*id)
            };
            let more: Vec<_> = self.tokens.iter().filter_map(of).collect();
            if more.is_empty() {
                return line;
            }
            line.extend(more);
        }
    }
}
