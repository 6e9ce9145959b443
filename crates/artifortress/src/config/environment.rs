//! The environment: read once in `main`, passed in as a map, searched here.

use std::collections::BTreeMap;

use super::layer::{Given, Layer};
use super::problem::{Place, Problem};
use super::setting::Setting;

/// Variables of the clients and of the configuration itself, which are no settings.
const OTHERS: [&str; 7] = [
    "ARTIFORTRESS_CONFIG",
    "ARTIFORTRESS_SERVER",
    "ARTIFORTRESS_TOKEN",
    "ARTIFORTRESS_TOKEN_FILE",
    "ARTIFORTRESS_CA_FILE",
    "ARTIFORTRESS_UPSTREAM_PASSWORD",
    "ARTIFORTRESS_UPSTREAM_TOKEN",
];

/// The process environment as data.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The value of `name`, if it is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of `name`, if it is set and not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// The settings that the environment gives, and a problem for each `ARTIFORTRESS_*` that nobody knows.
pub(super) fn layer(environment: &Environment, settings: &[&Setting]) -> (Layer, Vec<Problem>) {
    let mut layer = Layer::default();
    let mut known: Vec<String> = OTHERS.map(str::to_owned).into();
    for setting in settings {
        let variable = setting.variable();
        let mut forms = vec![(variable.clone(), setting.name())];
        if setting.has_file_form() {
            forms.push((format!("{variable}_FILE"), format!("{}_file", setting.name())));
        }
        for (variable, name) in forms {
            if let Some(text) = value(environment, &variable) {
                layer.insert(name, Given::new(text, Place::Variable(variable.clone())));
            }
            known.push(variable);
        }
    }
    (layer, unknown(environment, &known))
}

/// Variables that are not ours alone count as unset when they are empty, as elsewhere.
fn value<'a>(environment: &'a Environment, variable: &str) -> Option<&'a str> {
    if variable.starts_with("ARTIFORTRESS_") { environment.get(variable) } else { environment.filled(variable) }
}

fn unknown(environment: &Environment, known: &[String]) -> Vec<Problem> {
    let ours = environment.0.iter().filter(|(name, _)| name.starts_with("ARTIFORTRESS_"));
    ours.filter(|(name, value)| !known.contains(name) && !is_service_link(name, value))
        .map(|(name, _)| Problem::new("", Place::Variable(name.clone()), format!("{name} is no known setting")))
        .collect()
}

/// Kubernetes tells each pod where the services of its namespace are: a service called `artifortress`
/// appears as `ARTIFORTRESS_SERVICE_HOST`, `ARTIFORTRESS_PORT_80_TCP`, …
fn is_service_link(name: &str, value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let numbered = name.split_once("_PORT_").is_some_and(|(_, rest)| {
        let mut words = rest.split('_');
        words.next().is_some_and(digits) && words.next().is_some_and(|word| ["TCP", "UDP", "SCTP"].contains(&word))
    });
    let port = name.ends_with("_PORT") && value.contains("://");
    name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || numbered || port
}
