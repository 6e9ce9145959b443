//! What `Cargo.toml` says of dependencies and features: the index tells the same, or the crate is refused.
//!
//! Sources: the Cargo Book, "Specifying Dependencies", "Features", "The Manifest Format"; "Registry Web API", "Publish".

use std::collections::{BTreeMap, BTreeSet};

use semver::VersionReq;
use serde::Deserialize;

/// A whole `Cargo.toml`, as far as it is compared.
#[derive(Deserialize)]
pub(super) struct CargoToml {
    pub(super) package: Package,
    #[serde(flatten)]
    tables: Tables,
    #[serde(default)]
    target: BTreeMap<String, Tables>,
    #[serde(default)]
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    #[serde(default)]
    pub(super) links: Option<String>,
}

/// The tables of dependencies, of all platforms or of one. Old spellings have an underscore.
#[derive(Deserialize)]
struct Tables {
    #[serde(default)]
    dependencies: BTreeMap<String, Stated>,
    #[serde(default, rename = "dev-dependencies", alias = "dev_dependencies")]
    dev: BTreeMap<String, Stated>,
    #[serde(default, rename = "build-dependencies", alias = "build_dependencies")]
    build: BTreeMap<String, Stated>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stated {
    Version(String),
    Table(Table),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Table {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    package: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default, alias = "default_features")]
    default_features: Option<bool>,
    #[serde(default)]
    features: BTreeSet<String>,
}

/// A dependency, in the terms of both sides. From which registry it comes is said in other terms on each: relative to
/// the one that is published to, and by address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dependency {
    /// The name by which the crate calls it.
    pub(super) name: String,
    /// The name of the crate that it is.
    pub(super) package: String,
    /// `normal`, `dev` or `build`.
    pub(super) kind: String,
    /// The platform; empty: all.
    pub(super) target: String,
    /// The requirement; what is none stands as it is written.
    pub(super) requirement: String,
    pub(super) optional: bool,
    pub(super) default_features: bool,
    pub(super) features: BTreeSet<String>,
}

impl Dependency {
    /// The same, written in one way: spaces in the platform and carets mean nothing.
    pub(super) fn plain(mut self) -> Self {
        self.target.retain(|c| !c.is_whitespace());
        self.target = self.target.replace(",)", ")");
        if let Ok(requirement) = VersionReq::parse(&self.requirement) {
            self.requirement = requirement.to_string();
        }
        self
    }
}

impl std::fmt::Display for Dependency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, package, kind, target, requirement, optional, default_features, features } = self;
        write!(f, "{kind} dependency {} {requirement}", name.escape_debug())?;
        if name != package {
            write!(f, " of {}", package.escape_debug())?;
        }
        if !target.is_empty() {
            write!(f, " for {}", target.escape_debug())?;
        }
        let words = [(*optional, "optional"), (!default_features, "without default features")];
        words.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| write!(f, ", {word}"))?;
        if features.is_empty() { Ok(()) } else { write!(f, ", features {features:?}") }
    }
}

impl CargoToml {
    /// What it says otherwise than the request, for people; `None`: they say the same.
    pub(super) fn contradicts(
        &self,
        dependencies: BTreeSet<Dependency>,
        features: &BTreeMap<String, Vec<String>>,
    ) -> Option<String> {
        let stated = self.dependencies();
        if let Some(only) = dependencies.difference(&stated).next() {
            return Some(format!("the request has the {only}, Cargo.toml in the archive has not"));
        }
        if let Some(only) = stated.difference(&dependencies).next() {
            return Some(format!("Cargo.toml in the archive has the {only}, the request has not"));
        }
        let names = features.keys().chain(self.features.keys());
        let mut other = names.filter(|name| features.get(*name) != self.features.get(*name));
        other.next().map(|name| format!("request and Cargo.toml in the archive differ in the feature {name:?}"))
    }

    fn dependencies(&self) -> BTreeSet<Dependency> {
        let everywhere = [("", &self.tables)];
        let tables = everywhere.into_iter().chain(self.target.iter().map(|(target, tables)| (target.as_str(), tables)));
        tables.flat_map(|(target, tables)| tables.all(target)).map(Dependency::plain).collect()
    }
}

impl Tables {
    fn all(&self, target: &str) -> Vec<Dependency> {
        let kinds = [("normal", &self.dependencies), ("dev", &self.dev), ("build", &self.build)];
        let each =
            kinds.into_iter().flat_map(|(kind, table)| table.iter().map(move |(name, stated)| (kind, name, stated)));
        each.filter_map(|(kind, name, stated)| stated.dependency(name, kind, target)).collect()
    }
}

impl Stated {
    /// `None`: it is for the crate's own tests alone and lies beside it, so that nobody else has it.
    fn dependency(&self, name: &str, kind: &str, target: &str) -> Option<Dependency> {
        let plain = Table::default();
        let (version, table) = match self {
            Self::Version(version) => (Some(version), &plain),
            Self::Table(table) => (table.version.as_ref(), table),
        };
        if version.is_none() && kind == "dev" {
            return None;
        }
        Some(Dependency {
            name: name.to_owned(),
            package: table.package.clone().unwrap_or_else(|| name.to_owned()),
            kind: kind.to_owned(),
            target: target.to_owned(),
            requirement: version.map_or_else(|| "*".to_owned(), Clone::clone),
            optional: table.optional,
            default_features: table.default_features.unwrap_or(true),
            features: table.features.clone(),
        })
    }
}
