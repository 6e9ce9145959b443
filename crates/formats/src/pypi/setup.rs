//! What twine, pip, uv and Poetry are told.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let url = place.url();
    let pypirc = format!(
        r"[distutils]
index-servers = ours

[ours]
repository = {url}/legacy/
username = __token__
password = $TOKEN"
    );
    let uv = format!(
        r#"[[tool.uv.index]]
name = "ours"
url = "{url}/simple/"
publish-url = "{url}/legacy/"
default = true"#
    );
    let poetry = format!(
        r"poetry config repositories.ours {url}/legacy/
poetry config http-basic.ours __token__ $TOKEN
poetry source add --priority=primary ours {url}/simple/"
    );
    let mut pip = format!("[global]\nindex-url = {url}/simple/");
    if !place.is_encrypted() {
        pip.push_str(&format!("\ntrusted-host = {}", place.host()));
    }
    vec![
        Setup::new(&["pip"], "~/.config/pip/pip.conf", pip),
        Setup::new(&["pip", "uv"], "~/.netrc", format!("machine {} login __token__ password $TOKEN", place.host())),
        Setup::new(&["uv"], "pyproject.toml", uv),
        Setup::new(&["poetry"], "shell", poetry),
        Setup::new(&["twine"], "~/.pypirc", pypirc),
    ]
}
