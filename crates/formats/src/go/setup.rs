//! What the go command is told.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let env = format!("GOPROXY={}\nGONOSUMDB=example.com", place.url());
    let netrc = format!("machine {} login any password $TOKEN", place.authority());
    vec![Setup::new(&["go"], "~/.config/go/env", env), Setup::new(&["go"], "~/.netrc", netrc)]
}
