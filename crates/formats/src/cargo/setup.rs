//! What Cargo is told.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let mut config = format!(
        r#"[registries.ours]
index = "sparse+{}/"
credential-provider = ["cargo:token"]"#,
        place.url()
    );
    if place.proxies {
        config.push_str(&replacement(&place.url()));
    }
    let credentials = format!("# for {}\n[registries.ours]\ntoken = \"$TOKEN\"", place.url());
    vec![
        Setup::new(&["cargo"], ".cargo/config.toml", config),
        Setup::new(&["cargo"], "~/.cargo/credentials.toml", credentials),
    ]
}

/// What puts the repository in place of the registry that crates are from where a manifest names none.
fn replacement(url: &str) -> String {
    format!(
        r#"

[source.crates-io]
replace-with = "ours"

[source.ours]
registry = "sparse+{url}/""#
    )
}
