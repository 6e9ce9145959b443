//! Addresses, bodies in any cut, contradictions and hostile input by name.

mod archives;
mod documents;
mod forms;
mod names;
mod remote;

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::{Refusal, Sha256Digest};
use sha2::{Digest as _, Sha256};

use super::upload::Upload;
use crate::zipping::Zipping;
use crate::{Intake as _, Piece, Plan, StagedFile, Sums};

pub(super) const METADATA: &str = "Metadata-Version: 2.1\nName: Demo.Lib\nVersion: 1.0\nRequires-Python: >=3.8\n";
pub(super) const WHEEL: &str = "Wheel-Version: 1.0\nTag: py3-none-any\n";
pub(super) const FILE: &str = "demo_lib-1.0-py3-none-any.whl";
pub(super) const FOLDER: &str = "demo_lib-1.0.dist-info";

/// The archive with these members, in their order.
pub(super) fn zipped(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zipping = Zipping::new(Vec::new());
    for (name, content) in members {
        zipping.file(name, &mut content.as_slice()).expect("added");
    }
    zipping.finish().expect("finished")
}

/// The line of a file in `RECORD`.
pub(super) fn line(name: &str, content: &[u8]) -> String {
    format!("{name},sha256={},{}\n", URL_SAFE_NO_PAD.encode(Sha256::digest(content)), content.len())
}

/// The members of a wheel, with a `RECORD` that is true.
pub(super) fn wheel_of(metadata: &str, more: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let own = [("demo_lib/__init__.py".to_owned(), b"x = 1\n".to_vec())];
    let more = more.iter().map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec()));
    let info = [("METADATA", metadata), ("WHEEL", WHEEL)];
    let info = info.map(|(name, content)| (format!("{FOLDER}/{name}"), content.as_bytes().to_vec()));
    let mut members: Vec<(String, Vec<u8>)> = own.into_iter().chain(more).chain(info).collect();
    let mut record: String = members.iter().map(|(name, content)| line(name, content)).collect();
    record.push_str(&format!("{FOLDER}/RECORD,,\n"));
    members.push((format!("{FOLDER}/RECORD"), record.into_bytes()));
    members
}

pub(super) fn sound_wheel() -> Vec<u8> {
    zipped(&wheel_of(METADATA, &[]))
}

pub(super) type Entry<'a> = (&'a str, tar::EntryType, &'a [u8]);

/// The archive with these members; names are written as they are, and links lead where their content says.
pub(super) fn tarred(members: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, kind, content) in members {
        let link = kind.is_symlink() || kind.is_hard_link();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if link {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content);
        }
        let content: &[u8] = if link { &[] } else { content };
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content).expect("added");
    }
    builder.into_inner().expect("ended").finish().expect("packed")
}

pub(super) const BOUNDARY: &str = "xYz-1";

/// A form with these fields and this file.
pub(super) fn form(fields: &[(&str, &str)], file: &str, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"content\"; filename=\"{file}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// What clients send of a wheel.
pub(super) const FIELDS: [(&str, &str); 6] = [
    (":action", "file_upload"),
    ("protocol_version", "1"),
    ("name", "demo-lib"),
    ("version", "1.0"),
    ("filetype", "bdist_wheel"),
    ("pyversion", "py3"),
];

/// The fields with others in place of some of them.
pub(super) fn fields<'a>(other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = FIELDS.into_iter().filter(|(name, _)| !other.iter().any(|(known, _)| known == name));
    kept.chain(other.iter().copied()).collect()
}

/// Decodes the body in these pieces; returns the bytes of its file.
pub(super) fn take(upload: &mut Upload, pieces: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    for piece in pieces {
        upload.push(Bytes::copy_from_slice(piece), &mut out)?;
    }
    upload.end(&mut out)?;
    assert!(matches!(out.first(), Some(Piece::Begin(_))) && matches!(out.last(), Some(Piece::End)));
    Ok(out.iter().flat_map(|piece| if let Piece::Bytes(bytes) = piece { bytes.to_vec() } else { Vec::new() }).collect())
}

/// Uploads a file.
pub(super) fn publish(fields: &[(&str, &str)], file: &str, content: &[u8]) -> Result<Plan, Refusal> {
    let mut upload = Upload::new(BOUNDARY);
    let taken = take(&mut upload, &[&form(fields, file, content)])?;
    assert_eq!(taken, content);
    let sums = Sums { md5: Some([1; 16]), blake2: Some([2; 32]), ..Sums::default() };
    let sha256 = Sha256Digest(Sha256::digest(&taken).into());
    let mut files = [StagedFile { length: taken.len() as u64, sha256, sums, bytes: Box::new(Cursor::new(taken)) }];
    Box::new(upload).plan(&mut files)
}
