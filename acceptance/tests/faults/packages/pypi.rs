//! Wheels: one upload each, and the simple index.

use std::collections::BTreeMap;

use acceptance::Result;
use acceptance::http::{Answer, Http, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::archives::zip;
use super::{Format, Version, each, sha256};

const BOUNDARY: &str = "a-boundary-that-noise-does-not-have";

pub(super) struct Pypi;

impl Format for Pypi {
    fn key(&self) -> &'static str {
        "pypi"
    }

    fn pack(&self, of: &Version) -> Result<Bytes> {
        let info = format!("{}.dist-info", stem(of));
        let wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        let mut members = vec![
            ("noise.py".to_owned(), of.noise()),
            (format!("{info}/METADATA"), metadata(of).into_bytes()),
            (format!("{info}/WHEEL"), wheel.as_bytes().to_vec()),
        ];
        let mut record = format!("{info}/RECORD,,\n");
        for (path, content) in &members {
            let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(content));
            record.push_str(&format!("{path},sha256={digest},{}\n", content.len()));
        }
        members.push((format!("{info}/RECORD"), record.into_bytes()));
        zip(&members)
    }

    fn publish(&self, http: &Http, of: &Version, packed: &Bytes) -> Vec<Request> {
        let mut form = String::new();
        for (name, value) in [
            (":action", "file_upload"),
            ("protocol_version", "1"),
            ("metadata_version", "2.1"),
            ("name", &of.package),
            ("version", &of.number),
            ("filetype", "bdist_wheel"),
            ("pyversion", "py3"),
        ] {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            form.push_str(&format!("{head}{value}\r\n"));
        }
        let head =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"content\"; filename=\"{}\"", file(of));
        form.push_str(&format!("{head}\r\n\r\n"));
        let body = [form.as_bytes(), packed, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
        let post = http.post("/repository/pypi/legacy/");
        vec![post.header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}")).body(body)]
    }

    fn is_conflict(&self, answer: &Answer) -> bool {
        let detail = answer.string("/detail").unwrap_or_default();
        answer.status == 409 && detail.ends_with("already exists: published files never change")
    }

    fn document(&self, package: &str) -> String {
        format!("/repository/pypi/simple/{package}/?format=application/vnd.pypi.simple.v1+json")
    }

    fn listed(&self, document: &Answer) -> Result<BTreeMap<String, Option<String>>> {
        let files = document.json()?["files"].take();
        let numbers = each(&files, "/filename").filter_map(|name| name.split('-').nth(1)).map(str::to_owned);
        Ok(numbers.zip(each(&files, "/hashes/sha256").map(|digest| Some(digest.to_owned()))).collect())
    }

    fn digest(&self, packed: &Bytes) -> Option<String> {
        Some(sha256(packed))
    }

    fn files(&self, of: &Version, packed: &Bytes) -> Vec<(String, Bytes)> {
        let path = format!("/repository/pypi/packages/{}/{}/{}", of.package, of.number, file(of));
        let metadata = (format!("{path}.metadata"), metadata(of).into());
        vec![(path, packed.clone()), metadata]
    }
}

fn stem(of: &Version) -> String {
    format!("{}-{}", of.package.replace('-', "_"), of.number)
}

fn file(of: &Version) -> String {
    format!("{}-py3-none-any.whl", stem(of))
}

fn metadata(of: &Version) -> String {
    format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", of.package, of.number)
}
