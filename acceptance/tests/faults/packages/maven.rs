//! Jars: a PUT each; the index and the checksums are the server's.

use std::collections::BTreeMap;

use acceptance::Result;
use acceptance::http::{Answer, Http, Request};
use bytes::Bytes;

use super::archives::zip;
use super::{Format, Version, sha256};

pub(super) struct Maven;

impl Format for Maven {
    fn key(&self) -> &'static str {
        "maven"
    }

    fn pack(&self, of: &Version) -> Result<Bytes> {
        zip(&[("noise".to_owned(), of.noise())])
    }

    fn publish(&self, http: &Http, of: &Version, packed: &Bytes) -> Vec<Request> {
        vec![http.put(&path(of)).body(packed.clone())]
    }

    fn is_conflict(&self, answer: &Answer) -> bool {
        let detail = answer.string("/detail").unwrap_or_default();
        answer.status == 409 && detail.ends_with("already exists: published files never change")
    }

    fn document(&self, package: &str) -> String {
        format!("/repository/maven/com/example/{package}/maven-metadata.xml")
    }

    fn listed(&self, document: &Answer) -> Result<BTreeMap<String, Option<String>>> {
        let text = document.text();
        let versions = text.split("<version>").skip(1).filter_map(|rest| rest.split_once("</version>"));
        Ok(versions.map(|(number, _)| (number.to_owned(), None)).collect())
    }

    fn digest(&self, _: &Bytes) -> Option<String> {
        None
    }

    fn files(&self, of: &Version, packed: &Bytes) -> Vec<(String, Bytes)> {
        let path = path(of);
        let sum = (format!("{path}.sha256"), sha256(packed).into());
        vec![(path, packed.clone()), sum]
    }
}

fn path(of: &Version) -> String {
    format!("/repository/maven/com/example/{0}/{1}/{0}-{1}.jar", of.package, of.number)
}
