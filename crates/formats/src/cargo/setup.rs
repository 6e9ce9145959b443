//! What Cargo is told.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let config = format!(
        r#"[registries.ours]
index = "sparse+{}/"
credential-provider = ["cargo:token"]"#,
        place.url()
    );
    let credentials = format!("# for {}\n[registries.ours]\ntoken = \"$TOKEN\"", place.url());
    vec![
        Setup::new(&["cargo"], ".cargo/config.toml", config),
        Setup::new(&["cargo"], "~/.cargo/credentials.toml", credentials),
    ]
}
