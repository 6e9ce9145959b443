//! What `Cargo.toml` says of dependencies and features: the index tells the same, or the crate is refused.
//!
//! Sources: the Cargo Book, "Specifying Dependencies", "Features", "The Manifest Format"; "Registry Web API", "Publish".

use std::collections::{BTreeMap, BTreeSet};

use semver::VersionReq;
use serde::Deserialize;

/// From which registry each dependency comes. In the request that is an address; none: the registry that is published to. In
/// the archive it is an address too; none: the one that Cargo takes crates from where nothing is said.
type Sources = BTreeMap<Dependency, Option<String>>;

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
    #[serde(default)]
    registry_index: Option<String>,
}

/// A dependency, in the terms of both sides. From which registry it comes is said in other terms on each, see
/// [`Sources`].
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
    pub(super) fn contradicts(&self, sent: Sources, features: &BTreeMap<String, Vec<String>>) -> Option<String> {
        let all = self.dependencies();
        let (dependencies, stated) =
            (BTreeSet::from_iter(sent.keys().cloned()), BTreeSet::from_iter(all.keys().cloned()));
        if let Some(why) = sources_contradict(&sent, &all) {
            return Some(why);
        }
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

    fn dependencies(&self) -> Sources {
        let everywhere = [("", &self.tables)];
        let tables = everywhere.into_iter().chain(self.target.iter().map(|(target, tables)| (target.as_str(), tables)));
        tables.flat_map(|(target, tables)| tables.all(target)).map(|(one, from)| (one.plain(), from)).collect()
    }
}

/// Where the two sides cannot both be right, as far as that can be said without knowing what the registry that is published to
/// is called by whom: what the archive has from one registry, the request has from one; an address that both name is the same.
fn sources_contradict(sent: &Sources, stated: &Sources) -> Option<String> {
    let mut meant: BTreeMap<Option<String>, Option<String>> = BTreeMap::new();
    let mut here: Option<String> = None;
    for (dependency, from) in stated {
        let Some(told) = sent.get(dependency) else { continue };
        let (from, told) = (from.as_deref().map(address), told.as_deref().map(address));
        let first = meant.entry(from.clone()).or_insert_with(|| told.clone());
        let other = from.is_some() && told.is_some() && from != told;
        let away = told.is_none() && from.is_some() && here.as_ref().is_some_and(|here| Some(here) != from.as_ref());
        if other || away || *first != told {
            let said = |text: Option<&String>, none: &str| text.map_or(none.to_owned(), |text| format!("{text:?}"));
            return Some(format!(
                "the request has the {dependency} from {}, Cargo.toml in the archive from {}",
                said(told.as_ref(), "the registry that it goes to"),
                said(from.as_ref(), "where Cargo takes what says nothing of it"),
            ));
        }
        if told.is_none() {
            here = here.or(from);
        }
    }
    None
}

/// The address of an index, however it is written: the way of reading it and a slash at its end mean nothing.
fn address(text: &str) -> String {
    let text = ["sparse+", "registry+"].into_iter().find_map(|way| text.strip_prefix(way)).unwrap_or(text);
    text.trim_end_matches('/').to_owned()
}

impl Tables {
    fn all(&self, target: &str) -> Vec<(Dependency, Option<String>)> {
        let kinds = [("normal", &self.dependencies), ("dev", &self.dev), ("build", &self.build)];
        let each =
            kinds.into_iter().flat_map(|(kind, table)| table.iter().map(move |(name, stated)| (kind, name, stated)));
        each.filter_map(|(kind, name, stated)| stated.dependency(name, kind, target)).collect()
    }
}

impl Stated {
    /// `None`: it is for the crate's own tests alone and lies beside it, so that nobody else has it.
    fn dependency(&self, name: &str, kind: &str, target: &str) -> Option<(Dependency, Option<String>)> {
        let plain = Table::default();
        let (version, table) = match self {
            Self::Version(version) => (Some(version), &plain),
            Self::Table(table) => (table.version.as_ref(), table),
        };
        if version.is_none() && kind == "dev" {
            return None;
        }
        let dependency = Dependency {
            name: name.to_owned(),
            package: table.package.clone().unwrap_or_else(|| name.to_owned()),
            kind: kind.to_owned(),
            target: target.to_owned(),
            requirement: version.map_or_else(|| "*".to_owned(), Clone::clone),
            optional: table.optional,
            default_features: table.default_features.unwrap_or(true),
            features: table.features.clone(),
        };
        Some((dependency, table.registry_index.clone()))
    }
}
