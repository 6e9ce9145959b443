//! Attestations of a file, kept and served as its provenance. What they say of the file must be true; their signatures
//! are for those who read them.
//!
//! Source: "Index hosted attestations" (PEP 740).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Refusal, Sha256Digest};
use serde_json::{Value as Json, json};

use super::form::malformed;
use crate::strict;
use crate::tarball::contradiction;

/// Attestations of one file at most.
const MOST: usize = 16;

/// The provenance of a file from its attestations.
pub(super) fn provenance(text: &[u8], file: &str, sha256: &Sha256Digest) -> Result<Vec<u8>, Refusal> {
    let sent = strict::read(text).map_err(|error| malformed(format!("the attestations are no JSON: {error}")))?;
    let Json::Array(attestations) = sent else { return Err(malformed("the attestations are no list")) };
    if attestations.is_empty() || attestations.len() > MOST {
        return Err(malformed(format!("a file has 1 to {MOST} attestations, or the field is left out")));
    }
    for attestation in &attestations {
        check(attestation, file, sha256)?;
    }
    // Whoever sent them held a token of this repository, which no attestation names.
    let bundle = json!({"publisher": {"kind": "Token", "claims": null}, "attestations": attestations});
    Ok(json!({"version": 1, "attestation_bundles": [bundle]}).to_string().into_bytes())
}

fn check(attestation: &Json, file: &str, sha256: &Sha256Digest) -> Result<(), Refusal> {
    let odd = |what: &str| malformed(format!("an attestation {what}"));
    if attestation.get("version").and_then(Json::as_u64) != Some(1) {
        return Err(odd("is not of version 1"));
    }
    let material = attestation.get("verification_material").filter(|material| material.is_object());
    material.ok_or_else(|| odd("has no verification_material"))?;
    let decoded = |key: &str| {
        let text = attestation.pointer(&format!("/envelope/{key}")).and_then(Json::as_str);
        text.and_then(|text| STANDARD.decode(text).ok()).ok_or_else(|| odd(&format!("has no envelope with a {key}")))
    };
    decoded("signature")?;
    let statement = strict::read(&decoded("statement")?).map_err(|_| odd("has a statement that is no JSON"))?;
    let subjects = statement.get("subject").and_then(Json::as_array).map(Vec::as_slice);
    let Some([subject]) = subjects else { return Err(odd("is not about one file")) };
    let text = |pointer: &str| subject.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    for (what, stated, known) in
        [("name", text("/name"), file), ("sha256", text("/digest/sha256"), sha256.hex().as_str())]
    {
        if stated != known {
            let stated = stated.escape_debug();
            return Err(contradiction(format!(
                "an attestation is about a file of {what} {stated}, the file has {known}"
            )));
        }
    }
    Ok(())
}
