//! Layers: what one source gives, and which source wins.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use super::problem::{Place, Problem};
use super::setting::{Secrecy, Setting};

/// The largest file that may hold a secret.
const SECRET_FILE_LIMIT: u64 = 64 * 1024;

/// A text and where it was given.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Given {
    pub(super) fn new(text: impl Into<String>, place: Place) -> Self {
        Self { text: text.into(), place }
    }
}

/// What one source gives: by `section.key`, or `section.key_file` for a secret's file.
pub(super) type Layer = BTreeMap<String, Given>;

/// The text of `setting`: from the first of `layers` that gives one, else its default.
pub(super) fn settle(setting: &Setting, layers: &[&Layer]) -> Result<Given, Problem> {
    for layer in layers {
        if let Some(given) = given(setting, layer)? {
            let place = given.place.clone();
            let told = |what| Problem::new(setting.name(), place, what);
            refuse_empty(setting, &given.text).and_then(|()| setting.check(&given.text)).map_err(told)?;
            return Ok(given);
        }
    }
    Ok(Given::new(setting.default, Place::Unset))
}

fn refuse_empty(setting: &Setting, text: &str) -> Result<(), String> {
    if text.is_empty() && !setting.may_be_empty { Err("is set but empty".to_owned()) } else { Ok(()) }
}

fn given(setting: &Setting, layer: &Layer) -> Result<Option<Given>, Problem> {
    let name = setting.name();
    let in_file = setting.has_file_form().then(|| layer.get(&format!("{name}_file"))).flatten();
    match (layer.get(&name), in_file) {
        (Some(_), Some(file)) => {
            Err(Problem::new(name, file.place.clone(), "is given both as a value and as a file: choose one"))
        }
        (Some(value), None) => refuse_on_command_line(setting, value).map(|()| Some(value.clone())),
        (None, Some(file)) => read_secret(&name, file).map(Some),
        (None, None) => Ok(None),
    }
}

fn refuse_on_command_line(setting: &Setting, value: &Given) -> Result<(), Problem> {
    let what = match (&value.place, setting.secrecy) {
        (Place::Flag(_), Secrecy::Secret) => "a secret",
        (Place::Flag(_), Secrecy::MayHoldPassword) if super::place::DatabaseUrl::holds_password(&value.text) => {
            "a URL with a password"
        }
        _ => return Ok(()),
    };
    let advice = format!(
        "{what} is not accepted on the command line, where others can read it: use {} or --{}-file",
        setting.variable(),
        setting.flag()
    );
    Err(Problem::new(setting.name(), value.place.clone(), advice))
}

fn read_secret(name: &str, file: &Given) -> Result<Given, Problem> {
    let told = |what: String| Problem::new(format!("{name}_file"), file.place.clone(), what);
    let opened = File::open(&file.text).map_err(|error| told(format!("cannot read '{}': {error}", file.text)))?;
    let mut text = String::new();
    opened
        .take(SECRET_FILE_LIMIT + 1)
        .read_to_string(&mut text)
        .map_err(|error| told(format!("cannot read '{}': {error}", file.text)))?;
    if text.len() as u64 > SECRET_FILE_LIMIT {
        return Err(told(format!("'{}' is too large for a secret", file.text)));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(told(format!("'{}' is empty", file.text)));
    }
    Ok(Given::new(text, file.place.clone()))
}
