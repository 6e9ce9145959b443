//! What npm, pnpm, Yarn and Bun are told.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let (url, bare) = (place.url(), place.without_scheme());
    let npmrc = format!("registry={url}/\n//{bare}/:_authToken=${{NPM_TOKEN}}");
    vec![
        Setup::new(&["npm", "pnpm", "bun"], "~/.npmrc", npmrc.clone()),
        Setup::new(&["yarn1"], "~/.npmrc", npmrc + "\nalways-auth=true"),
        Setup::new(&["yarn1"], "~/.yarnrc", format!("registry \"{url}/\"")),
        Setup::new(&["yarn"], ".yarnrc.yml", berry(place)),
    ]
}

/// Yarn since version 2.
fn berry(place: &Place<'_>) -> String {
    let url = place.url();
    let text = format!(
        r#"npmRegistryServer: "{url}"
npmAuthToken: "${{NPM_TOKEN}}"
npmAlwaysAuth: true
npmMinimalAgeGate: 0"#
    );
    match place.is_encrypted() {
        true => text,
        false => format!("{text}\nunsafeHttpWhitelist: [\"{}\"]", place.host()),
    }
}
