//! A package of each format: how it is published and where it is read.

use acceptance::http::Request;
use acceptance::server::Persona;
use acceptance::{Result, Trouble};
use bytes::Bytes;
use serde_json::json;

use super::archives::zip;
use super::ask;
use crate::site::Site;
use crate::virtuals::publishes_version;

/// The formats whose repositories are under `/repository`.
pub(super) const FORMATS: [&str; 6] = ["raw", "npm", "pypi", "cargo", "maven", "go"];

/// `tool` in a repository that is called as its format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ware(pub(super) &'static str);

impl Ware {
    pub(super) async fn shelf(self, site: &Site) -> Result<()> {
        let overwrites = json!({"allowOverwrite": self.0 == "raw"});
        let body = json!({"repoKey": self.0, "format": self.0, "settings": overwrites});
        ask(site.admin.post("/v1/repos").json(&body)).await?.expect(&[201])?;
        Ok(())
    }

    /// Publishes a version as the clients of the format do.
    pub(super) async fn publish(self, by: &Persona, version: &str) -> Result<()> {
        let request = match self.0 {
            "raw" | "maven" => by.put(&self.file("", version)).body(Bytes::from(version.to_owned())),
            "go" => {
                let file =
                    |name: &str, text: &str| (format!("example.com/tool@v{version}/{name}"), text.as_bytes().to_vec());
                let text = format!("package tool\n\nconst Version = \"{version}\"\n");
                let members = [file("go.mod", "module example.com/tool\n\ngo 1.21\n"), file("tool.go", &text)];
                by.put(&self.file("", version)).body(zip(&members)?)
            }
            format => publishes_version(by, format, format, "tool", version)?,
        };
        ask(request).await?.expect(&[200, 201])?;
        Ok(())
    }

    /// Adds a file to a version, where the format has that.
    pub(super) async fn extend(self, by: &Persona, version: &str) -> Result<()> {
        if self.0 == "maven" {
            let path = self.file("", version).replace(".jar", "-sources.jar");
            ask(by.put(&path).body("sources")).await?.expect(&[200, 201])?;
        }
        if self.0 == "raw" {
            ask(by.put(&self.file("", version)).body("overwritten")).await?.expect(&[200, 201, 204])?;
        }
        Ok(())
    }

    /// Where a file of a version is, as of `moment` (empty: now, else with its at sign).
    pub(super) fn file(self, moment: &str, version: &str) -> String {
        let at = format!("/repository/{}{moment}", self.0);
        match self.0 {
            "npm" => format!("{at}/tool/-/tool-{version}.tgz"),
            "pypi" => format!("{at}/packages/tool/{version}/tool-{version}.tar.gz"),
            "cargo" => format!("{at}/dl/tool/{version}/download"),
            "maven" => format!("{at}/org/example/tool/{version}/tool-{version}.jar"),
            "go" => format!("{at}/example.com/tool/@v/v{version}.zip"),
            _ => format!("{at}/tool/{version}.txt"),
        }
    }

    /// What lists the versions, with the media type that is asked for.
    pub(super) fn indexes(self, moment: &str) -> Vec<(String, &'static str)> {
        let at = format!("/repository/{}{moment}", self.0);
        let all: &[(&str, &str)] = match self.0 {
            "npm" => &[
                ("/tool", "application/json"),
                ("/tool", "application/vnd.npm.install-v1+json"),
                ("/tool/latest", "application/json"),
                ("/-/package/tool/dist-tags", "application/json"),
            ],
            "pypi" => &[
                ("/simple/tool/", "application/vnd.pypi.simple.v1+json"),
                ("/simple/tool/", "text/html"),
                ("/simple/", "application/vnd.pypi.simple.v1+json"),
            ],
            "cargo" => &[("/to/ol/tool", "*/*")],
            "maven" => &[
                ("/org/example/tool/maven-metadata.xml", "*/*"),
                ("/org/example/tool/maven-metadata.xml.sha1", "*/*"),
                ("/org/example/tool/?format=json", "*/*"),
            ],
            "go" => &[("/example.com/tool/@v/list", "*/*"), ("/example.com/tool/@latest", "*/*")],
            _ => &[("/tool/?format=json", "*/*"), ("/?format=json", "*/*")],
        };
        all.iter().map(|(path, accept)| (format!("{at}{path}"), *accept)).collect()
    }

    /// The version's id; for raw files their path is the package.
    pub(super) async fn id(self, site: &Site, version: &str) -> Result<String> {
        let (name, version) = match self.0 {
            "raw" => (format!("tool/{version}.txt"), "1".to_owned()),
            "go" => ("example.com/tool".to_owned(), format!("v{version}")),
            _ => ("tool".to_owned(), version.to_owned()),
        };
        let namespace = if self.0 == "maven" { "&namespace=org.example" } else { "" };
        let repo = self.0;
        let path = format!("/v1/repos/{repo}/packages/versions/resolve?name={name}&version={version}{namespace}");
        ask(site.admin.get(&path)).await?.expect(&[200])?.string("/versionId")
    }

    /// Does something to a version through the control plane.
    pub(super) async fn act(self, site: &Site, id: &str, deed: &str) -> Result<()> {
        let path = format!("/v1/repos/{}/packages/versions/{id}/{deed}", self.0);
        let request: Request = match deed {
            "tombstone" => site.admin.post(&path).json(&json!({"reason": "a test"})),
            "deprecate" => site.admin.post(&path).json(&json!({"text": "use another one"})),
            _ => site.admin.post(&path),
        };
        let answer = ask(request).await?;
        match answer.status {
            200 => Ok(()),
            status => Err(Trouble::new(format!("{deed} of {}: {status} {}", self.0, answer.text()))),
        }
    }
}
