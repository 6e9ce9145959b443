//! A package of each format: how it is published and where it is read.

use acceptance::http::Request;
use acceptance::server::Persona;
use acceptance::{Result, Trouble};
use bytes::Bytes;
use serde_json::json;

use crate::site::Site;
use crate::virtuals::publishes_version;
use archives::zip;

#[path = "../faults/packages/archives.rs"]
#[expect(dead_code, reason = "images are packed elsewhere")]
mod archives;

/// The formats whose repositories are under `/repository`.
pub(crate) const FORMATS: [&str; 6] = ["raw", "npm", "pypi", "cargo", "maven", "go"];

/// `tool` in a repository that is called as its format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ware(pub(crate) &'static str);

impl Ware {
    pub(crate) async fn shelf(self, site: &Site) -> Result<()> {
        let overwrites = json!({"allowOverwrite": self.0 == "raw"});
        let body = json!({"repoKey": self.0, "format": self.0, "settings": overwrites});
        site.admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
        Ok(())
    }

    /// Publishes a version as the clients of the format do.
    pub(crate) async fn publish(self, by: &Persona, version: &str) -> Result<()> {
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
        request.send().await?.expect(&[200, 201])?;
        Ok(())
    }

    /// Adds a file to a version, where the format has that.
    pub(crate) async fn extend(self, by: &Persona, version: &str) -> Result<()> {
        if self.0 == "maven" {
            let path = self.file("", version).replace(".jar", "-sources.jar");
            by.put(&path).body("sources").send().await?.expect(&[200, 201])?;
        }
        if self.0 == "raw" {
            by.put(&self.file("", version)).body("overwritten").send().await?.expect(&[200, 201, 204])?;
        }
        Ok(())
    }

    /// Where a file of a version is, as of `moment` (empty: now, else with its at sign).
    pub(crate) fn file(self, moment: &str, version: &str) -> String {
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
    pub(crate) fn indexes(self, moment: &str) -> Vec<(String, &'static str)> {
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
    pub(crate) async fn id(self, by: &Persona, version: &str) -> Result<String> {
        let (name, version) = match self.0 {
            "raw" => (format!("tool/{version}.txt"), "1".to_owned()),
            "go" => ("example.com/tool".to_owned(), format!("v{version}")),
            _ => ("tool".to_owned(), version.to_owned()),
        };
        let namespace = if self.0 == "maven" { "&namespace=org.example" } else { "" };
        let repo = self.0;
        let path = format!("/v1/repos/{repo}/packages/versions/resolve?name={name}&version={version}{namespace}");
        by.get(&path).send().await?.expect(&[200])?.string("/versionId")
    }

    /// Does something to a version through the control plane.
    pub(crate) async fn act(self, by: &Persona, id: &str, deed: &str) -> Result<()> {
        let path = format!("/v1/repos/{}/packages/versions/{id}/{deed}", self.0);
        let request: Request = match deed {
            "tombstone" => by.post(&path).json(&json!({"reason": "a test"})),
            "deprecate" => by.post(&path).json(&json!({"text": "use another one"})),
            _ => by.post(&path),
        };
        let answer = request.send().await?;
        match answer.status {
            200 => Ok(()),
            status => Err(Trouble::new(format!("{deed} of {}: {status} {}", self.0, answer.text()))),
        }
    }
}
