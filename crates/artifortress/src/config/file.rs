//! The configuration file: TOML, tables one level deep, every key a setting.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layer::{Given, Layer};
use super::problem::{Place, Problem};
use super::setting::Setting;

/// The largest configuration file.
const LIMIT: u64 = 1024 * 1024;

/// Reads the file at `path`; unknown keys and wrong forms are problems with their line.
pub(super) fn layer(path: &Path, settings: &[&Setting]) -> Result<(Layer, Vec<Problem>), Problem> {
    let text = read(path).map_err(|error| {
        Problem::new("config", Place::File(path.to_owned(), 0), format!("the file cannot be read: {error}"))
    })?;
    parse(path, &text, settings)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LIMIT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LIMIT {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

fn parse(path: &Path, text: &str, settings: &[&Setting]) -> Result<(Layer, Vec<Problem>), Problem> {
    let line = |offset: usize| text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1;
    let place = |offset: usize| Place::File(path.to_owned(), line(offset));
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        Problem::new("", place(start), format!("the file is not valid TOML: {}", error.message()))
    })?;
    let mut found = Found { layer: Layer::default(), problems: Vec::new(), known: known(settings), place: &place };
    found.table("", table.get_ref());
    Ok((found.layer, found.problems))
}

fn known(settings: &[&Setting]) -> Vec<String> {
    let plain = settings.iter().map(|setting| setting.name());
    let files = settings.iter().filter(|s| s.has_file_form()).map(|setting| format!("{}_file", setting.name()));
    plain.chain(files).collect()
}

struct Found<'a> {
    layer: Layer,
    problems: Vec<Problem>,
    known: Vec<String>,
    place: &'a dyn Fn(usize) -> Place,
}

impl Found<'_> {
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let key_text = key.get_ref();
            match value.get_ref() {
                DeValue::Table(inner) if section.is_empty() => self.table(key_text, inner),
                _ => self.key(section, key_text, key.span().start, value),
            }
        }
    }

    fn key(&mut self, section: &str, key: &str, offset: usize, value: &Spanned<DeValue<'_>>) {
        let name = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        let place = (self.place)(offset);
        if !self.known.contains(&name) {
            self.problems.push(Problem::new(name, place, "is no known setting"));
            return;
        }
        match text_of(value.get_ref()) {
            Some(text) => drop(self.layer.insert(name, Given::new(text, place))),
            None => self.problems.push(Problem::new(
                name,
                place,
                "must be a text, a whole number, true, false or a list of texts",
            )),
        }
    }
}

fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            texts.filter(|texts| texts.iter().all(|text| !text.contains(','))).map(|texts| texts.join(","))
        }
        _ => None,
    }
}
