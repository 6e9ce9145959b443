//! Setting a dist-tag: the body is the version, a JSON text.

use bytes::Bytes;
use model::Refusal;

use super::done;
use super::names::tag;
use super::scan::malformed;
use crate::strict;
use crate::{Change, Intake, PackageAt, Piece, Plan, StagedFile, What};

/// The longest body, in bytes.
const BODY: usize = 1024;

/// A dist-tag that is being set.
#[derive(Debug)]
pub(super) struct PutTag {
    package: PackageAt,
    tag: String,
    body: Vec<u8>,
}

impl PutTag {
    pub(super) fn new(package: PackageAt, tag: &str) -> Self {
        Self { package, tag: tag.to_owned(), body: Vec::new() }
    }
}

impl Intake for PutTag {
    fn push(&mut self, bytes: Bytes, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        if self.body.len() + bytes.len() > BODY {
            return Err(malformed(format!("the body is a version in quotation marks, of at most {BODY} bytes")));
        }
        self.body.extend_from_slice(&bytes);
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        Ok(())
    }

    fn plan(self: Box<Self>, _: &mut [StagedFile]) -> Result<Plan, Refusal> {
        let version = strict::read(&self.body).ok().and_then(|value| value.as_str().map(str::to_owned));
        let version = version.ok_or_else(|| malformed("the body must be a version in quotation marks"))?;
        let what = What::Point { name: tag(&self.tag)?, version };
        Ok(Plan { changes: vec![Change { package: self.package, what }], answer: done(200), ..Plan::default() })
    }
}
