//! Addresses, bodies in any cut, contradictions and hostile input by name.

mod addresses;
mod archives;
mod bodies;
mod documents;
mod logins;
mod remote;

use std::io::{Cursor, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};
use sha1::Digest as _;

use super::publish::Put;
use super::*;
use crate::{Intake, Piece, Plan, StagedFile, Sums};

/// A gzip file of a tar archive with these members.
fn packed(members: &[(&str, &[u8])]) -> Vec<u8> {
    gzip(&tarred(members))
}

fn tarred(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in members {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *content).expect("in memory");
    }
    tar.into_inner().expect("in memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("in memory");
    gzip.finish().expect("in memory")
}

/// An archive with this `package.json` alone.
fn package(json: &Json) -> Vec<u8> {
    packed(&[("package/package.json", json.to_string().as_bytes())])
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn integrity(bytes: &[u8]) -> String {
    format!("sha512-{}", base64(&sha2::Sha512::digest(bytes)))
}

/// What npm sends to publish an archive, with this said of the version.
fn publishing(version: &Json, archive: &[u8]) -> Json {
    let (name, number) = (version["name"].as_str().expect("text"), version["version"].as_str().expect("text"));
    let mut version = version.clone();
    version["dist"] = json!({"integrity": integrity(archive), "tarball": "http://elsewhere.example/evil.tgz"});
    json!({
        "_id": name, "name": name, "dist-tags": {"latest": number}, "versions": {number: version}, "access": null,
        "_attachments": {format!("{name}-{number}.tgz"): {
            "content_type": "application/octet-stream", "data": base64(archive), "length": archive.len(),
        }},
    })
}

/// Takes a body in, in these pieces, and says what is to be done.
fn take<'b>(
    name: &str,
    replaces: bool,
    pieces: impl Iterator<Item = &'b [u8]>,
) -> Result<(Plan, Vec<u8>), model::Refusal> {
    let (mut intake, mut out) = (Box::new(Put::new(name, replaces)), Vec::new());
    for piece in pieces {
        intake.push(Bytes::copy_from_slice(piece), &mut out)?;
    }
    intake.end(&mut out)?;
    let begun = out.iter().filter(|piece| matches!(piece, Piece::Begin(_))).count();
    assert_eq!(begun, out.iter().filter(|piece| matches!(piece, Piece::End)).count());
    let bytes: Vec<u8> = out
        .iter()
        .flat_map(|piece| if let Piece::Bytes(bytes) = piece { bytes.to_vec() } else { Vec::new() })
        .collect();
    let sums = Sums {
        md5: None,
        sha1: Some(sha1::Sha1::digest(&bytes).into()),
        sha512: Some(sha2::Sha512::digest(&bytes).into()),
        ..Sums::default()
    };
    let staged = StagedFile {
        length: bytes.len() as u64,
        sha256: model::Sha256Digest(sha2::Sha256::digest(&bytes).into()),
        sums,
        bytes: Box::new(Cursor::new(bytes.clone())),
    };
    let mut files = if begun == 0 { Vec::new() } else { vec![staged] };
    Ok((intake.plan(&mut files)?, bytes))
}

fn publish(body: &Json) -> Result<Plan, model::Refusal> {
    let name = body["name"].as_str().expect("text").to_owned();
    take(&name, false, std::iter::once(body.to_string().as_bytes())).map(|(plan, _)| plan)
}

/// The status and the words of a refusal.
fn refused<T: std::fmt::Debug>(result: Result<T, model::Refusal>) -> (u16, String) {
    let refusal = result.expect_err("refused");
    (refusal.code.status(), refusal.detail.to_string())
}
