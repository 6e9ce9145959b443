//! Which entries of a lockfile are of the registry that the repository reads from.

use std::collections::BTreeSet;

use formats::{Gap, Lockfile, Passed, Thing};

/// Addresses that mean the repository: its own, its upstream's, and those that somebody named.
pub(super) struct Origins(Vec<String>);

impl Origins {
    pub(super) fn new<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Self {
        Self(addresses.into_iter().map(plain).collect())
    }

    /// Leaves what is of the repository's registry. A lockfile that knows one registry means that one, whatever it calls
    /// it; one that knows several, none of them by an address of ours, is an error.
    pub(super) fn choose(&self, file: Lockfile) -> Result<Lockfile, String> {
        let named: BTreeSet<String> = file.wanted.iter().filter_map(|one| one.from.as_deref()).map(plain).collect();
        if named.len() < 2 && !self.mean_any(&named) {
            return Ok(file);
        }
        if !self.mean_any(&named) {
            let all: Vec<&str> = named.iter().map(|from| from.trim_start_matches('/')).collect();
            let all = all.join(", ");
            return Err(format!("it names several registries: say with --registry which this repository reads from: {all}"));
        }
        let Lockfile { wanted, mut passed } = file;
        let (ours, theirs): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|one| one.from.as_deref().is_none_or(|from| self.means(&plain(from))));
        passed.extend(theirs.into_iter().map(|one| elsewhere(super::tell::name(&one.thing))));
        Ok(Lockfile { wanted: ours, passed })
    }

    /// Images are named with their host: those behind one of our addresses by the name that they have there.
    pub(super) fn behind(&self, file: Lockfile) -> Lockfile {
        let mut left = Lockfile { wanted: Vec::new(), passed: file.passed };
        for mut locked in file.wanted {
            let host = locked.from.as_deref().and_then(|from| from.strip_prefix("//"));
            let (Some(host), Thing::Package { name, .. }) = (host, &mut locked.thing) else {
                left.wanted.push(locked);
                continue;
            };
            let ours: Vec<(&String, &str)> = self.0.iter().filter_map(|known| Some((known, beneath(known, host)?))).collect();
            let rest = |(known, prefix): &(&String, &str)| {
                let rest = if prefix.is_empty() { Some(name.as_str()) } else { name.strip_prefix(prefix)?.strip_prefix('/') };
                Some(((*known).clone(), rest?.to_owned()))
            };
            match ours.iter().find_map(rest) {
                Some((known, rest)) => {
                    *name = rest;
                    locked.from = Some(known);
                    left.wanted.push(locked);
                }
                None if ours.is_empty() => left.wanted.push(locked),
                None => left.passed.push(elsewhere(super::tell::name(&locked.thing))),
            }
        }
        left
    }

    fn mean_any(&self, named: &BTreeSet<String>) -> bool {
        named.iter().any(|from| self.means(from))
    }

    /// Our own addresses may go on, with `/simple` or the like.
    fn means(&self, from: &str) -> bool {
        let goes_on = |known: &String| from.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('/'));
        self.0.iter().any(|known| known == from || goes_on(known))
    }
}

/// What stands between the host of an address and the names of its images; `None`: it is another host.
fn beneath<'a>(address: &'a str, host: &str) -> Option<&'a str> {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest).trim_start_matches('/');
    let (own, path) = address.split_once('/').unwrap_or((address, ""));
    let path = if path == "v2" { "" } else { path.strip_prefix("v2/").unwrap_or(path) };
    own.eq_ignore_ascii_case(host).then_some(path)
}

fn elsewhere(what: String) -> Passed {
    Passed { what, why: "it is from another registry", gap: Gap::None }
}

/// An address in one spelling.
fn plain(address: &str) -> String {
    let address = address.trim().trim_end_matches('/');
    let address = address.strip_prefix("sparse+").or_else(|| address.strip_prefix("registry+")).unwrap_or(address);
    let at = address.find("://").map_or(0, |at| at + 3);
    let end = address[at..].find('/').map_or(address.len(), |slash| at + slash);
    format!("{}{}", address[..end].to_ascii_lowercase(), &address[end..])
}

#[cfg(test)]
mod tests {
    use formats::{Locked, Thing};

    use super::*;

    fn file(from: &[Option<&str>]) -> Lockfile {
        let one = |(place, from): (usize, &Option<&str>)| Locked {
            thing: Thing::Package { name: format!("p{place}"), version: None },
            from: from.map(str::to_owned),
            sums: Vec::new(),
        };
        Lockfile { wanted: from.iter().enumerate().map(one).collect(), passed: Vec::new() }
    }

    fn images(origins: &Origins, references: &[&str]) -> (Vec<String>, usize) {
        let wanted = references.iter().map(|one| formats::oci::image(one).expect("a reference")).collect();
        let file = origins.behind(Lockfile { wanted, passed: Vec::new() });
        let names = file.wanted.iter().map(|one| super::super::tell::name(&one.thing)).collect();
        (names, file.passed.len())
    }

    #[test]
    fn images_have_the_names_that_they_have_behind_an_address() {
        let origins = Origins::new(["http://127.0.0.1:8080/oci-up", "https://Registry.example/proxy", "up.example"]);
        let names = ["127.0.0.1:8080/oci-up/team/app:1", "registry.example/proxy/b:2", "up.example/c:3", "d:4"];
        let (found, passed) = images(&origins, &names);
        assert_eq!((found, passed), (["team/app@1", "b@2", "c@3", "d@4"].map(str::to_owned).to_vec(), 0));
        let elsewhere = ["127.0.0.1:8080/other/app:1", "registry.example/proxies/b:2", "far.example/x/c:3"];
        assert_eq!(images(&origins, &elsewhere), (vec!["x/c@3".to_owned()], 2), "who is far may be ours by another name");
        let root = Origins::new(["https://registry.example/v2/"]);
        assert_eq!(images(&root, &["registry.example/a/b:1"]).0, ["a/b@1"]);
    }

    fn left(origins: &Origins, from: &[Option<&str>]) -> Result<usize, String> {
        origins.choose(file(from)).map(|file| {
            assert_eq!(file.wanted.len() + file.passed.len(), from.len());
            file.wanted.len()
        })
    }

    #[test]
    fn what_is_of_another_registry_is_left_out() {
        let origins = Origins::new(["https://host.example/repository/libs", "https://Up.example/"]);
        let (ours, up, other) = (
            Some("https://HOST.example/repository/libs/simple"),
            Some("https://up.example"),
            Some("https://other.example"),
        );
        assert_eq!(left(&origins, &[ours, up, other, None]), Ok(3));
        assert_eq!(left(&origins, &[ours, ours]), Ok(2));
        assert_eq!(left(&origins, &[other, other, None]), Ok(3), "one registry is the one that is meant");
        assert_eq!(left(&origins, &[]), Ok(0));
        assert!(left(&origins, &[other, Some("https://third.example")]).is_err_and(|why| why.contains("--registry")));
        assert_eq!(left(&origins, &[Some("https://up.example.evil"), up]), Ok(1), "a beginning is not enough");
    }
}
