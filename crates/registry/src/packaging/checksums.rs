//! Checksums: of documents, of files (kept when they came in, else computed from their bytes), and whether
//! what a client says of a file is true.

use formats::{Algorithm, Claim};
use model::Code;
use model::digest::hex;
use model::line::Line;

use super::documents::Shown;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::hasher::Hasher;

/// The checksum of some bytes, in hex.
pub(super) fn checksum_of(bytes: &[u8], algorithm: Algorithm) -> String {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hex(&hasher.finish())
}

impl Shown {
    /// The checksum of its bytes, in hex. Computed once.
    pub fn checksum(&self, algorithm: Algorithm) -> &str {
        self.sums.get(algorithm as usize).map_or("", |sum| sum.get_or_init(|| checksum_of(self.body(), algorithm)))
    }
}

impl Found {
    /// Its checksum, in hex: from what is known of it, else from its bytes.
    pub async fn checksum(&self, algorithm: Algorithm) -> Result<String> {
        if algorithm == Algorithm::Sha256 {
            return Ok(self.digest().hex());
        }
        if let Some(known) = self.sums().hex(algorithm) {
            return Ok(known);
        }
        let mut hasher = Hasher::new(algorithm);
        let mut content = self.open(None).await?;
        while let Some(piece) = content.next().await? {
            hasher.update(&piece);
        }
        Ok(hex(&hasher.finish()))
    }
}

impl Grant<Read> {
    /// The same of a file of one of the youngest builds of a line, the caller's before others: some may have come since the
    /// file did.
    pub(super) async fn check_claim_of_build(&self, claim: Claim, line: &dyn Line) -> Result<()> {
        let repo = self.repo_id();
        let subject = self.act().actor;
        let look = async |session: &mut store::Session<'_>| store::lines::names(session, repo, line, &subject).await;
        let names = self.store().read(look).await?;
        let mut wrong = None;
        for name in &names {
            let of_build = Claim { location: line.built(name)?.location, ..claim.clone() };
            match self.check_claim(&of_build).await {
                Err(error) if error.code() == Some(Code::Unprocessable) => wrong = wrong.or(Some(error)),
                // It has no such file, or was withdrawn.
                Err(error) if matches!(error.code(), Some(Code::Conflict | Code::Gone)) => {}
                checked => return checked,
            }
        }
        match wrong {
            Some(error) => Err(error),
            None => {
                let location = claim.location;
                let why = format!("none of the youngest builds has {location}: send a file before its checksum");
                Err(Error::refuse(Code::Conflict, why))
            }
        }
    }

    /// Refuses what is said of a file that is not there (409), or that is something else (422).
    pub(super) async fn check_claim(&self, claim: &Claim) -> Result<()> {
        let Claim { location, algorithm, digest } = claim;
        let found = match self.find(location).await {
            Err(Error::Refused(refusal)) if refusal.code == Code::NotFound => {
                let why = format!("{location} is not here: send a file before its checksum");
                return Err(Error::refuse(Code::Conflict, why));
            }
            found => found?,
        };
        let here = found.checksum(*algorithm).await?;
        if here == hex(digest) {
            return Ok(());
        }
        let word = algorithm.word();
        let why = format!("the {word} of {location} is {here} here and not {}", hex(digest));
        Err(Error::refuse(Code::Unprocessable, why))
    }
}
