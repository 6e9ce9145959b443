//! What the go command is told.

use std::collections::BTreeSet;

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let names = unsummed(place.own);
    let advice =
        if names == EXAMPLE { "# example.com: put what your own modules begin with in its place\n" } else { "" };
    let mut env = format!("GOPROXY={}\n{advice}GONOSUMDB={names}", place.url());
    if !place.is_encrypted() {
        // Whoever has a token would wonder why it is not sent.
        env.insert_str(0, "# without TLS the go command sends no token: let everybody read, or use TLS\n");
    }
    let netrc = format!("machine {} login any password $TOKEN", place.authority());
    vec![Setup::new(&["go"], "~/.config/go/env", env), Setup::new(&["go"], "~/.netrc", netrc)]
}

/// What stands for names that are not known.
const EXAMPLE: &str = "example.com";

/// What the modules begin with that no checksum database knows; an example where none are known. The go command takes
/// each for a whole path and for the beginning of longer ones, and a `*` for what has no slash.
fn unsummed(own: &[String]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/*".contains(&byte);
    let sound = |name: &&str| !name.is_empty() && name.bytes().all(plain);
    let all: BTreeSet<&str> = own.iter().map(|name| name.strip_suffix("/*").unwrap_or(name)).filter(sound).collect();
    let covered = |name: &str| name.match_indices('/').any(|(end, _)| all.contains(&name[..end]));
    let names: Vec<&str> = all.iter().copied().filter(|name| !covered(name)).collect();
    if names.is_empty() { EXAMPLE.to_owned() } else { names.join(",") }
}

#[cfg(test)]
mod tests {
    use super::unsummed;

    #[test]
    fn what_a_shorter_name_covers_is_left_out() {
        let told = |own: &[&str]| unsummed(&own.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(told(&[]), "example.com");
        assert_eq!(told(&["example.com/Acme/tool"]), "example.com/Acme/tool");
        let many =
            ["corp.example/b/c", "corp.example/tool", "corp.example/tool/v2", "corp.example/b/*", "corp.example/b"];
        assert_eq!(told(&many), "corp.example/b,corp.example/tool");
        assert_eq!(
            told(&["corp.example/a", "corp.example/a-b", "corp.example/a/b"]),
            "corp.example/a,corp.example/a-b"
        );
        assert_eq!(told(&["*.corp.example/*", "corp.example*"]), "*.corp.example,corp.example*");
        assert_eq!(told(&["a,b", "[x]", "a\nb", ""]), "example.com", "none can be the name of a module");
    }
}
