//! Marks: yanked, deprecated.

use model::VersionId;
use model::state::MarkKind;
use store::marks::SetMark;

use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};

/// The longest text of a mark, in bytes.
const TEXT: usize = 2000;

impl Grant<Write> {
    /// Yanks a published version: resolvers do not choose it any more, downloads go on. Returns
    /// whether anything changed.
    pub async fn yank(&self, id: VersionId, reason: Option<String>) -> Result<bool> {
        self.mark(id, MarkKind::Yanked, Some(reason.unwrap_or_default())).await
    }

    /// Takes a yank back.
    pub async fn unyank(&self, id: VersionId) -> Result<bool> {
        self.mark(id, MarkKind::Yanked, None).await
    }

    /// Deprecates a published version with a text for its users; an empty text lifts it.
    pub async fn deprecate(&self, id: VersionId, text: String) -> Result<bool> {
        self.mark(id, MarkKind::Deprecated, Some(text).filter(|text| !text.trim().is_empty())).await
    }

    async fn mark(&self, id: VersionId, kind: MarkKind, text: Option<String>) -> Result<bool> {
        if text.as_ref().is_some_and(|text| text.len() > TEXT || text.contains('\0')) {
            return Err(Error::bad_request(format!("the text may have at most {TEXT} bytes")));
        }
        let mark = self.ambient().id();
        let write = SetMark { act: self.act(), repo: self.repo_id(), version: id, id: mark, kind, text };
        Ok(self.store().write(write).await?)
    }
}
