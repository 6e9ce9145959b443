//! Modules: a PUT of the archive; the list and `go.mod` follow from it.

use std::collections::BTreeMap;

use acceptance::Result;
use acceptance::http::{Answer, Http, Request};
use bytes::Bytes;

use super::archives::zip;
use super::{Format, Version};

pub(super) struct Go;

impl Format for Go {
    fn key(&self) -> &'static str {
        "go"
    }

    fn pack(&self, of: &Version) -> Result<Bytes> {
        let folder = format!("example.com/{}@v{}", of.package, of.number);
        zip(&[(format!("{folder}/go.mod"), go_mod(of).into_bytes()), (format!("{folder}/noise"), of.noise())])
    }

    fn publish(&self, http: &Http, of: &Version, packed: &Bytes) -> Vec<Request> {
        vec![http.put(&path(of, "zip")).body(packed.clone())]
    }

    fn is_conflict(&self, answer: &Answer) -> bool {
        answer.status == 409 && answer.text().contains("already exists")
    }

    fn document(&self, package: &str) -> String {
        format!("/repository/go/example.com/{package}/@v/list")
    }

    fn listed(&self, document: &Answer) -> Result<BTreeMap<String, Option<String>>> {
        Ok(document.text().lines().map(|line| (line.trim_start_matches('v').to_owned(), None)).collect())
    }

    fn digest(&self, _: &Bytes) -> Option<String> {
        None
    }

    fn files(&self, of: &Version, packed: &Bytes) -> Vec<(String, Bytes)> {
        vec![(path(of, "zip"), packed.clone()), (path(of, "mod"), go_mod(of).into())]
    }
}

fn path(of: &Version, ending: &str) -> String {
    format!("/repository/go/example.com/{}/@v/v{}.{ending}", of.package, of.number)
}

fn go_mod(of: &Version) -> String {
    format!("module example.com/{}\n\ngo 1.21\n", of.package)
}
