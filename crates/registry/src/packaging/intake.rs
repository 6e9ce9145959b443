//! A body is taken in: decoded as it comes, its files staged, then looked at off the async workers.

use bytes::Bytes;
use formats::{Answer, Intake, Piece, Plan, StagedFile};
use model::Timestamp;
use model::line::Line;
use store::lines::Joining;

use super::bytes::reading;
use super::deployments::Pulse;
use super::staging::{StagedFiles, Staging};
use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};

/// A body under way. Dropped, it leaves nothing behind.
pub struct Receiving {
    grant: Grant<Write>,
    intake: Box<dyn Intake>,
    open: Option<Staging>,
    staged: StagedFiles,
    pulse: Option<Box<Pulse>>,
    begun_at: Timestamp,
}

/// A body that was understood, ready to be performed.
pub struct Taken {
    pub(super) grant: Grant<Write>,
    pub(super) plan: Plan,
    /// The line of which its file is a build's, whichever that is then.
    pub(super) line: Option<Joining>,
    pub(super) staged: StagedFiles,
}

impl Grant<Write> {
    /// Begins to take a body in.
    pub fn take_in(&self, intake: Box<dyn Intake>) -> Receiving {
        let staged = StagedFiles::new(self.registry().blobs());
        let pulse = Pulse::of(self, intake.as_ref()).map(Box::new);
        Receiving { grant: self.clone(), intake, open: None, staged, pulse, begun_at: self.ambient().now() }
    }
}

impl Receiving {
    /// Takes the next bytes. After an error the body is not wanted any more.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if let Some(pulse) = &mut self.pulse {
            // Seldom there: it must not make the future of every body larger.
            Box::pin(pulse.beat(&self.grant)).await?;
        }
        let mut pieces = Vec::new();
        self.intake.push(bytes, &mut pieces)?;
        self.put(pieces).await
    }

    async fn put(&mut self, pieces: Vec<Piece>) -> Result<()> {
        for piece in pieces {
            match (piece, &mut self.open) {
                (Piece::Begin(new), open @ None) => *open = Some(Staging::begin(self.grant.registry(), &new)?),
                (Piece::Bytes(bytes), Some(open)) => open.write(bytes).await?,
                (Piece::End, open @ Some(_)) => {
                    if let Some(file) = open.take() {
                        self.staged.files.push(file.finish().await?);
                    }
                }
                _ => return Err(Error::Defect("a decoder hands out pieces in the wrong order".to_owned())),
            }
        }
        Ok(())
    }

    /// The body has ended: verifies and understands it.
    pub async fn end(mut self) -> Result<Taken> {
        let line = self.intake.line();
        let plan = self.understand(line.as_deref()).await?;
        let line = line.map(|line| Joining { line, begun_at: self.begun_at });
        Ok(Taken { grant: self.grant, plan, line, staged: self.staged })
    }

    async fn understand(&mut self, line: Option<&dyn Line>) -> Result<Plan> {
        let mut pieces = Vec::new();
        self.intake.end(&mut pieces)?;
        self.put(pieces).await?;
        if self.open.is_some() {
            return Err(Error::bad_request("the body ends inside a file"));
        }
        if let Some(claim) = self.intake.claim() {
            match line {
                None => self.grant.to_read().check_claim(&claim).await?,
                Some(line) => Box::pin(self.grant.to_read().check_claim_of_build(claim, line)).await?,
            }
        }
        let intake = std::mem::replace(&mut self.intake, Box::new(Spent));
        let blobs = self.grant.registry().blobs();
        let mut files: Vec<StagedFile> = self
            .staged
            .files
            .iter()
            .map(|file| StagedFile {
                length: file.received.length,
                sha256: file.received.digest,
                sums: file.sums.clone(),
                bytes: reading(blobs, &file.received),
            })
            .collect();
        let looked = tokio::task::spawn_blocking(move || intake.plan(&mut files)).await;
        Ok(looked.map_err(|_| Error::Defect("looking into a package panicked".to_owned()))??)
    }
}

/// What stands in for an intake that has given its plan.
#[derive(Debug)]
struct Spent;

impl Intake for Spent {
    fn push(&mut self, _: Bytes, _: &mut Vec<Piece>) -> std::result::Result<(), model::Refusal> {
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> std::result::Result<(), model::Refusal> {
        Ok(())
    }

    fn plan(self: Box<Self>, _: &mut [StagedFile]) -> std::result::Result<Plan, model::Refusal> {
        Ok(Plan { answer: Answer::default(), ..Plan::default() })
    }
}
