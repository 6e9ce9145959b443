//! What the go command is told.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let mut env = format!("GOPROXY={}\nGONOSUMDB=example.com", place.url());
    if !place.is_encrypted() {
        // Whoever has a token would wonder why it is not sent.
        env.insert_str(0, "# without TLS the go command sends no token: let everybody read, or use TLS\n");
    }
    let netrc = format!("machine {} login any password $TOKEN", place.authority());
    vec![Setup::new(&["go"], "~/.config/go/env", env), Setup::new(&["go"], "~/.netrc", netrc)]
}
