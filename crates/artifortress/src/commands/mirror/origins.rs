//! Which entries of a lockfile are of the registry that the repository reads from.

use std::collections::BTreeSet;

use formats::{Gap, Lockfile, Passed};

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
            let all = named.into_iter().collect::<Vec<_>>().join(", ");
            return Err(format!("it names several registries: say with --registry which this repository reads from: {all}"));
        }
        let Lockfile { wanted, mut passed } = file;
        let (ours, theirs): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|one| one.from.as_deref().is_none_or(|from| self.means(&plain(from))));
        passed.extend(theirs.into_iter().map(|one| elsewhere(super::tell::name(&one.thing))));
        Ok(Lockfile { wanted: ours, passed })
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
