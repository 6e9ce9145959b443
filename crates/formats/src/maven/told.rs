//! What a `maven-metadata.xml` of somebody else says.
//!
//! Source: the Maven repository metadata model, 1.1.0, and what older clients wrote.

use super::xml::{self, Value};
use crate::{PackageAt, Unreadable};

/// Versions, files and plugins in one index, each at most.
const MOST: usize = 50_000;

/// An index at any of its three levels.
#[derive(Debug, Default)]
pub(super) struct Told {
    group: Option<String>,
    artifact: Option<String>,
    pub(super) version: Option<String>,
    pub(super) versions: Vec<String>,
    pub(super) plugins: Vec<Plugin>,
    pub(super) files: Vec<File>,
    stamp: Option<String>,
    number: Option<String>,
    plugin: Plugin,
    file: File,
}

/// A plugin of a group.
#[derive(Debug, Default)]
pub(super) struct Plugin {
    pub(super) artifact: String,
    pub(super) prefix: String,
}

/// A file of a build.
#[derive(Debug, Default)]
pub(super) struct File {
    /// The build's version.
    pub(super) build: String,
    pub(super) classifier: Option<String>,
    /// `None`: nothing but the build is told.
    pub(super) extension: Option<String>,
    /// `yyyyMMddHHmmss`.
    pub(super) updated: Option<String>,
}

impl File {
    /// A build of which nothing more is told.
    pub(super) fn only(build: String) -> Self {
        Self { build, ..Self::default() }
    }
}

impl Told {
    /// Reads the index of an artifact, of the group at its path, or of one of its lines of snapshots.
    pub(super) fn read(text: &[u8], at: &PackageAt) -> Result<Self, Unreadable> {
        let mut told = Self::default();
        xml::read(text, "the index", "metadata", &mut |path, value| told.take(path, value))
            .map_err(|_| Unreadable(format!("the index of {} is no metadata in XML", at.name)))?;
        if !told.is_of(at) && !told.is_empty() {
            return Err(Unreadable(format!("the index of {} is that of another artifact", at.name)));
        }
        Ok(told)
    }

    /// The newest build, as its time and number.
    pub(super) fn newest(&self) -> Option<String> {
        Some(format!("{}-{}", self.stamp.as_ref()?, self.number.as_ref()?))
    }

    /// Of what they do not have, some repositories make up an index that lists nothing, and name it wrongly.
    fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.plugins.is_empty() && self.files.is_empty() && self.newest().is_none()
    }

    /// An index of plugins may name its group alone.
    fn is_of(&self, at: &PackageAt) -> bool {
        let group = self.group.as_deref();
        match self.artifact.as_deref() {
            Some(artifact) => artifact == at.name && group.is_none_or(|group| group == at.namespace),
            None => {
                let whole = [at.namespace.as_str(), at.name.as_str()].join(".");
                group.is_none_or(|group| group == at.namespace || group == whole.trim_start_matches('.'))
            }
        }
    }

    /// An element has ended.
    fn take(&mut self, path: &[String], value: Value) -> Result<(), String> {
        let [_, rest @ ..] = path else { return Ok(()) };
        let path: Vec<&str> = rest.iter().map(String::as_str).collect();
        let (file, plugin) = (&mut self.file, &mut self.plugin);
        match path.as_slice() {
            ["groupId"] => once(&mut self.group, text(value)?),
            ["artifactId"] => once(&mut self.artifact, text(value)?),
            ["version"] => once(&mut self.version, text(value)?),
            ["versioning", "versions", "version"] => add(&mut self.versions, text(value)?),
            ["versioning", "snapshot", "timestamp"] => once(&mut self.stamp, text(value)?),
            ["versioning", "snapshot", "buildNumber"] => once(&mut self.number, text(value)?),
            ["versioning", "snapshotVersions", "snapshotVersion"] => add(&mut self.files, std::mem::take(file)),
            ["versioning", "snapshotVersions", "snapshotVersion", field] => match *field {
                "classifier" => once(&mut file.classifier, text(value)?),
                "extension" => once(&mut file.extension, text(value)?),
                "updated" => once(&mut file.updated, text(value)?),
                "value" => {
                    file.build = text(value)?;
                    Ok(())
                }
                _ => Ok(()),
            },
            ["plugins", "plugin"] => add(&mut self.plugins, std::mem::take(plugin)),
            ["plugins", "plugin", "artifactId"] => {
                plugin.artifact = text(value)?;
                Ok(())
            }
            ["plugins", "plugin", "prefix"] => {
                plugin.prefix = text(value)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn text(value: Value) -> Result<String, String> {
    if value.unknown.is_some() { Err("the index has an unknown entity".to_owned()) } else { Ok(value.trimmed()) }
}

/// An empty element says nothing.
fn once(slot: &mut Option<String>, text: String) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    match slot.replace(text) {
        None => Ok(()),
        Some(_) => Err("the index says one thing twice".to_owned()),
    }
}

fn add<T>(list: &mut Vec<T>, item: T) -> Result<(), String> {
    list.push(item);
    if list.len() > MOST { Err(format!("the index has more than {MOST} lines")) } else { Ok(()) }
}
