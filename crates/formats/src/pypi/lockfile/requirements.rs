//! `requirements.txt`, as far as it pins versions.
//!
//! Source: pip's documentation, "Requirements File Format".

use super::{is_sound, normal, sum};
use crate::{Gap, Locked, Lockfile, Unreadable};

pub(super) fn read(text: &str) -> Result<Lockfile, Unreadable> {
    let mut file = Lockfile::default();
    for line in joined(text) {
        requirement(&mut file, &line)?;
    }
    Ok(file)
}

/// The lines, those that a backslash joins as one, without comments.
fn joined(text: &str) -> Vec<String> {
    let (mut lines, mut open) = (Vec::new(), String::new());
    for line in text.lines() {
        let comment = line.find('#').filter(|at| line[..*at].chars().next_back().is_none_or(char::is_whitespace));
        let line = line[..comment.unwrap_or(line.len())].trim();
        match line.strip_suffix('\\') {
            Some(part) => open.extend([part.trim_end(), " "]),
            None => {
                open.push_str(line);
                lines.push(std::mem::take(&mut open));
            }
        }
    }
    lines.push(open);
    lines.retain(|line| !line.trim().is_empty());
    lines
}

fn requirement(file: &mut Lockfile, line: &str) -> Result<(), Unreadable> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    let shown = || line.chars().take(100).filter(|c| !c.is_control()).collect::<String>();
    match first.split('=').next().unwrap_or_default() {
        "-r" | "--requirement" => {
            let path = line.split_once([' ', '=']).map_or("", |(_, path)| path.trim()).to_owned();
            return file.leave(shown(), "it is another file: name it too", Gap::File(path));
        }
        "-c" | "--constraint" => return file.pass(shown(), "it needs nothing by itself"),
        "-e" | "--editable" => return file.pass(shown(), "it is a folder or a repository of sources"),
        option if option.starts_with('-') => return Ok(()),
        _ => {}
    }
    let hashes = line.split_ascii_whitespace().filter_map(|word| word.strip_prefix("--hash="));
    let sums = hashes.filter_map(|text| sum(text, None)).collect();
    let spec = line.split(" --").next().unwrap_or_default();
    let spec: String = spec.split(';').next().unwrap_or_default().split_ascii_whitespace().collect();
    if spec.contains('@') || spec.contains('/') {
        return file.pass(shown(), "it is an address or a file of its own");
    }
    let Some((name, version)) = spec.split_once("==") else { return file.lack(shown(), "it pins no version") };
    let version = version.trim_start_matches('=');
    let name = name.split('[').next().unwrap_or_default();
    if version.contains([',', '*']) || !is_sound(name, version) {
        return file.lack(shown(), "it pins no version");
    }
    file.add(Locked { sums, ..Locked::package(normal(name), version) })
}
