//! Whether bytes that nothing vouches for can be a file of an artifact at all.

use std::io::Read as _;

use model::{Code, Refusal};

use super::layout::Stored;
use super::pom::{self, Pom};
use crate::StagedFile;
use crate::zip::{self, ZipError};

/// Extensions of files that are ZIP archives.
const ARCHIVES: [&str; 6] = ["jar", "war", "ear", "aar", "zip", "klib"];

/// Refuses what is not what its extension says.
pub(super) fn expect(stored: &Stored, file: &mut StagedFile) -> Result<(), Refusal> {
    match stored.extension.as_str() {
        "pom" => Pom::parse(&whole(file)?)?.may_be(stored),
        "module" => match model::json::from_slice::<serde_json::Map<String, serde_json::Value>>(&whole(file)?) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refusal::new(Code::Unprocessable, format!("it is not the JSON of a module: {error}"))),
        },
        archive if ARCHIVES.contains(&archive) => Ok(zip::expect_end(&mut file.bytes, file.length)?),
        _ => Ok(()),
    }
}

/// The bytes of a short file.
fn whole(file: &mut StagedFile) -> Result<Vec<u8>, Refusal> {
    let mut text = Vec::new();
    (&mut file.bytes).take(pom::LONGEST + 1).read_to_end(&mut text).map_err(ZipError::Read)?;
    match text.len() as u64 > pom::LONGEST {
        false => Ok(text),
        true => Err(Refusal::new(Code::Unprocessable, "it is longer than any such file")),
    }
}
