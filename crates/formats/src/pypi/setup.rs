//! What twine, pip, uv and Poetry are told.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let url = place.url();
    let mut pip = format!("[global]\nindex-url = {url}/simple/");
    if !place.is_encrypted() {
        pip.push_str(&format!("\ntrusted-host = {}", place.host()));
    }
    let mut setups = vec![
        Setup::new(&["pip"], "~/.config/pip/pip.conf", pip),
        Setup::new(&["pip", "uv"], "~/.netrc", format!("machine {} login __token__ password $TOKEN", place.host())),
        Setup::new(&["uv"], "pyproject.toml", uv(place)),
        Setup::new(&["poetry"], "shell", poetry(place)),
    ];
    if place.takes {
        setups.push(Setup::new(&["twine"], "~/.pypirc", pypirc(&url)));
    }
    setups
}

fn uv(place: &Place<'_>) -> String {
    let url = place.url();
    let publish = if place.takes { format!("\npublish-url = \"{url}/legacy/\"") } else { String::new() };
    format!(
        r#"[[tool.uv.index]]
name = "ours"
url = "{url}/simple/"{publish}
default = true"#
    )
}

fn poetry(place: &Place<'_>) -> String {
    let url = place.url();
    let publish = if place.takes { format!("poetry config repositories.ours {url}/legacy/\n") } else { String::new() };
    format!(
        r"{publish}poetry config http-basic.ours __token__ $TOKEN
poetry source add --priority=primary ours {url}/simple/"
    )
}

fn pypirc(url: &str) -> String {
    format!(
        r"[distutils]
index-servers = ours

[ours]
repository = {url}/legacy/
username = __token__
password = $TOKEN"
    )
}
