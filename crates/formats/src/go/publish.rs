//! Publishing: the body is the archive; the address says which version it must be.

use bytes::Bytes;
use model::{Code, EntryPath, PackageName, Refusal, VersionName};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::archive::{LARGEST, check, too_large};
use super::version::Version;
use super::{MOD, ZIP, location};
use crate::{Answer, Intake, NewFile, PackageAt, Piece, Plan, Release, ReleaseFile, Source, StagedFile};

/// What is kept of a version.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    /// The module's path.
    pub(super) module: String,
    /// The version.
    pub(super) version: String,
    /// Whether the archive has a `go.mod`; taken for granted where an upstream does not tell.
    pub(super) has_go_mod: bool,
    /// The version of the language that it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) go: Option<String>,
    /// What `go.sum` says of the archive; `None`: an upstream does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sum: Option<String>,
    /// What `go.sum` says of the `go.mod`; `None`: as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) go_mod_sum: Option<String>,
}

/// An archive on its way in.
#[derive(Debug)]
pub(super) struct Publish {
    module: String,
    version: String,
    received: u64,
}

impl Publish {
    /// For a module and a version that were checked.
    pub(super) fn new(module: String, version: String) -> Self {
        Self { module, version, received: 0 }
    }
}

impl Intake for Publish {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.received == 0 {
            out.push(Piece::Begin(NewFile::default()));
        }
        self.received += bytes.len() as u64;
        if self.received > LARGEST {
            return Err(too_large());
        }
        out.push(Piece::Bytes(bytes));
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        if self.received == 0 {
            return Err(malformed("the request has no body: it must be the archive of the module"));
        }
        out.push(Piece::End);
        Ok(())
    }

    fn plan(self: Box<Self>, files: &mut [StagedFile]) -> Result<Plan, Refusal> {
        let [archive] = files else { return Err(malformed("there must be one archive")) };
        let Self { module: path, version: text, .. } = *self;
        let version = Version::parse(&text).ok_or_else(|| malformed("the version is not canonical"))?;
        let module = check(&path, &text, &version, archive)?;
        let manifest = Manifest {
            module: path.clone(),
            version: text.clone(),
            has_go_mod: module.has_go_mod,
            go: module.go,
            sum: Some(module.sum),
            go_mod_sum: Some(module.go_mod_sum),
        };
        let answer = json!({
            "module": path, "version": text, "sizeBytes": archive.length, "sha256": archive.sha256,
            "sum": manifest.sum, "goModSum": manifest.go_mod_sum,
        });
        let file = |kind: &str, source, media_type: &str| {
            let named = |error: model::NameError| malformed(error.to_string());
            Ok::<_, Refusal>(ReleaseFile {
                path: EntryPath::parse(&format!("{text}{kind}")).map_err(named)?,
                location: location(&path, &text, kind).map_err(named)?,
                source,
                media_type: Some(media_type.to_owned()),
                attributes: None,
            })
        };
        let release = Release {
            files: vec![
                file(ZIP, Source::Staged(0), "application/zip")?,
                file(MOD, Source::Derived(module.go_mod), "text/plain; charset=utf-8")?,
            ],
            package: PackageAt::named(&path),
            display: PackageName::parse(&path).map_err(|error| malformed(error.to_string()))?.as_str().to_owned(),
            exact_name: true,
            version: VersionName::parse(&text).map_err(|error| malformed(error.to_string()))?,
            manifest: serde_json::to_string(&manifest).map_err(|error| malformed(error.to_string()))?,
            refs: Vec::new(),
            subject: None,
            again: false,
            joins: false,
        };
        let answer = Answer { status: 201, ..Answer::json(&answer) };
        Ok(Plan { release: Some(release), answer, ..Plan::default() })
    }
}

fn malformed(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, why.into())
}
