//! `Cargo.lock`.

use serde::Deserialize;

use super::is_name;
use crate::lockfile::{in_hex, is_word, text};
use crate::{Algorithm, Locked, Lockfile, Unreadable};

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

pub(super) fn read(name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
    name.ends_with(".lock").then(|| text(bytes).and_then(whole))
}

fn whole(text: &str) -> Result<Lockfile, Unreadable> {
    let whole: Whole = toml::from_str(text).map_err(|_| Unreadable("it is no lockfile of Cargo".to_owned()))?;
    let mut file = Lockfile::default();
    for Package { name, version, source, checksum } in whole.package {
        // What has no source is of the project itself.
        let Some(source) = source else { continue };
        let from = source.strip_prefix("registry+").or_else(|| source.starts_with("sparse+").then_some(&source));
        let Some(from) = from.map(|from| from.strip_prefix("sparse+").unwrap_or(from)) else {
            file.pass(name, "it is from no registry")?;
            continue;
        };
        if !is_name(&name) || !is_word(&version) {
            file.lack(name, "it has no name and version of a crate")?;
            continue;
        }
        let sums = checksum.and_then(|digits| in_hex(Algorithm::Sha256, &digits, None)).into_iter().collect();
        let from = Some(from.trim_end_matches('/').to_owned());
        file.add(Locked { from, sums, ..Locked::package(name, version) })?;
    }
    Ok(file.once())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Thing;
    use crate::lockfile::tests::foreign;

    #[test]
    fn crates_have_their_registry_and_their_checksum() {
        let sum = "0f".repeat(32);
        let text = format!(
            "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"a\"]\n\n\
             [[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://git.example/index\"\nchecksum = \"{sum}\"\n\n\
             [[package]]\nname = \"b\"\nversion = \"2.0.0+x\"\nsource = \"sparse+https://host.example/repository/cargo/\"\n\n\
             [[package]]\nname = \"c\"\nversion = \"1.0.0\"\nsource = \"git+https://git.example/c?rev=1#0f\"\n"
        );
        let file = read("Cargo.lock", text.as_bytes()).expect("a lockfile").expect("it is read");
        let seen: Vec<_> = file.wanted.iter().map(|one| (&one.thing, one.from.as_deref(), one.sums.len())).collect();
        let package =
            |name: &str, version: &str| Thing::Package { name: name.to_owned(), version: Some(version.to_owned()) };
        let (a, b) = (package("a", "1.0.0"), package("b", "2.0.0+x"));
        assert_eq!(
            seen,
            [(&a, Some("https://git.example/index"), 1), (&b, Some("https://host.example/repository/cargo"), 0)]
        );
        assert_eq!(file.passed, [foreign("c")]);
        assert!(read("Cargo.toml", b"").is_none());
        assert!(read("Cargo.lock", b"package = 1").is_some_and(|read| read.is_err()));
        assert!(read("Cargo.lock", b"\xff").is_some_and(|read| read.is_err()));
    }
}
