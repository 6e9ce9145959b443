//! The client says which parts there are.

use blobs::{Key, UploadedPart};
use model::state::UploadState;
use model::{Code, UploadId};
use store::uploads::{Complete, DirectUpload, ListedPart, PARTS, Upload};

use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};

const FORGOTTEN: &str = "the object store knows nothing of this upload any more: begin another";

impl Grant<Write> {
    /// Fixes the list of parts, given by (number, ETag). 400 when it is empty, has a number twice or
    /// an empty ETag; 409 when it is not exactly what was received. The same list again gets the
    /// same answer.
    pub async fn complete_upload(&self, id: UploadId, parts: Vec<(u32, String)>) -> Result<Upload> {
        let parts = listed(parts)?;
        let upload = self.find_upload(id).await?;
        if let Some(direct) = upload.direct.as_ref().filter(|_| upload.state == UploadState::PartsUploading) {
            upload.expect_open(self.ambient().now())?;
            self.complete_direct(direct, &parts).await?;
        }
        Ok(self.store().write(Complete { act: self.act(), repo: self.repo_id(), upload: id, parts }).await?)
    }

    /// Lets the object store put the parts together. It forgets an upload that is complete: then
    /// the object itself says so.
    async fn complete_direct(&self, direct: &DirectUpload, parts: &[ListedPart]) -> Result<()> {
        let store = self.registry().blobs().direct();
        let store = store.ok_or_else(|| Error::Defect("a direct upload without an object store".to_owned()))?;
        let key = Key::parse(&direct.key).map_err(|error| Error::Defect(error.to_string()))?;
        let list: Vec<_> =
            parts.iter().map(|part| UploadedPart { number: part.number, etag: format!("\"{}\"", part.etag) }).collect();
        match store.complete_multipart(&key, &direct.upload, &list).await {
            Ok(()) => Ok(()),
            Err(error @ blobs::Error::PartNumber { .. }) => Err(error.into()),
            Err(error) => {
                // A placeholder of no bytes holds the key until the parts are put together.
                let assembled = self.registry().blobs().exists(&key).await?.is_some_and(|length| length > 0);
                match error {
                    _ if assembled => Ok(()),
                    blobs::Error::Missing => Err(Error::refuse(Code::Conflict, FORGOTTEN)),
                    error => Err(error.into()),
                }
            }
        }
    }
}

fn listed(parts: Vec<(u32, String)>) -> Result<Vec<ListedPart>> {
    if parts.is_empty() {
        return Err(Error::bad_request("parts must name at least one part"));
    }
    let mut list: Vec<ListedPart> = parts
        .into_iter()
        .map(|(number, etag)| ListedPart { number, etag: etag.trim().trim_matches('"').to_owned() })
        .collect();
    list.sort_by_key(|part| part.number);
    if list.windows(2).any(|pair| pair[0].number == pair[1].number) {
        return Err(Error::bad_request("parts names a part twice"));
    }
    if list.iter().any(|part| !(1..=PARTS).contains(&part.number)) {
        return Err(Error::bad_request(format!("partNumber must be 1 to {PARTS}")));
    }
    if list.iter().any(|part| part.etag.is_empty() || part.etag.len() > 200) {
        return Err(Error::bad_request("every part needs its eTag"));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_parts_is_put_in_order_and_checked() {
        let list = |parts: &[(u32, &str)]| listed(parts.iter().map(|(n, tag)| (*n, (*tag).to_owned())).collect());
        let good = list(&[(2, "\"b\""), (1, "a")]).expect("a list");
        assert_eq!(good.iter().map(|part| (part.number, part.etag.as_str())).collect::<Vec<_>>(), [(1, "a"), (2, "b")]);
        for bad in [&[][..], &[(1, "a"), (1, "a")], &[(0, "a")], &[(10_001, "a")], &[(1, " ")], &[(1, "\"\"")]] {
            assert_eq!(list(bad).err().and_then(|error| error.code()), Some(Code::BadRequest), "{bad:?}");
        }
    }
}
