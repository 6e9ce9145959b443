//! What is wrong with a configuration, and where.

use std::path::PathBuf;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The command line, by flag.
    Flag(String),
    /// An environment variable, by name.
    Variable(String),
    /// A line of the configuration file.
    File(PathBuf, usize),
    /// Nowhere: the value is missing, or it is the default.
    Unset,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Unset => f.write_str("not set"),
        }
    }
}

/// One thing that is wrong. Never holds a secret value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting, as `section.key`; empty when no setting is meant.
    pub key: String,
    /// Where it was given.
    pub place: Place,
    /// What is wrong and what would be right.
    pub what: String,
}

impl Problem {
    /// A problem with the setting `key`.
    pub fn new(key: impl Into<String>, place: Place, what: impl Into<String>) -> Self {
        Self { key: key.into(), place, what: what.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.key.is_empty() {
            return write!(f, "{} ({})", self.what, self.place);
        }
        write!(f, "{}: {} ({})", self.key, self.what, self.place)
    }
}

/// Everything that is wrong with a configuration; at least one problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// In the order in which they were found.
    pub problems: Vec<Problem>,
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the configuration is refused:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
