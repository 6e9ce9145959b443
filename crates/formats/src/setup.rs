//! How clients are told of a repository: the files and commands that its guide shows and that
//! `artifortress client-config` prints. No secret is in them: a client reads its token from the environment, or
//! `$TOKEN` stands for it.

use model::Timestamp;

/// Where a repository is for its clients, and what it is to them.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The server's address without a slash at its end, e.g. `https://host`.
    pub server: &'a str,
    /// The repository's key.
    pub key: &'a str,
    /// As of when it is read; `None`: now.
    pub moment: Option<Timestamp>,
    /// Whether what its clients publish is taken there.
    pub takes: bool,
    /// Whether it may have what others publish, so that it can stand in for the registry that a client has by default.
    pub proxies: bool,
    /// What the names of its own packages are or begin with, as patterns with `*`, as far as that is known.
    pub own: &'a [String],
}

impl<'a> Place<'a> {
    /// A local repository as it is now, of which no names are known.
    pub fn local(server: &'a str, key: &'a str) -> Self {
        Self { server, key, moment: None, takes: true, proxies: false, own: &[] }
    }

    /// The repository's address without a slash at its end.
    pub(crate) fn url(&self) -> String {
        let moment = self.moment.map(|at| format!("@{}", at.to_moment())).unwrap_or_default();
        format!("{}/repository/{}{moment}", self.server, self.key)
    }

    /// What the names of images begin with that are asked for without an address: the key, and the moment.
    pub(crate) fn folder(&self) -> String {
        let moment = self.moment.map(|at| format!("/at-{}", at.to_compact())).unwrap_or_default();
        format!("{}{moment}", self.key)
    }

    /// The repository's address without its scheme.
    pub(crate) fn without_scheme(&self) -> String {
        self.url().split_once("://").map(|(_, rest)| rest.to_owned()).unwrap_or_default()
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &'a str {
        let rest = self.server.split_once("://").map_or(self.server, |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The host, an IPv6 address in its brackets.
    pub(crate) fn host(&self) -> &'a str {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// Whether TLS keeps the way there.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.server.starts_with("https://")
    }
}

/// A file, or commands, by which clients are told of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The clients that read it, by their commands' names.
    pub clients: &'static [&'static str],
    /// Where it belongs: a file, or `shell` for commands.
    pub file: &'static str,
    /// Its content, without a line end behind the last line.
    pub text: String,
}

impl Setup {
    pub(crate) fn new(clients: &'static [&'static str], file: &'static str, text: impl Into<String>) -> Self {
        Self { clients, file, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_apart() {
        let parts = |server| {
            let place = Place::local(server, "libs");
            (place.without_scheme(), place.authority(), place.host(), place.is_encrypted())
        };
        assert_eq!(parts("http://h:80"), ("h:80/repository/libs".to_owned(), "h:80", "h", false));
        assert_eq!(parts("https://h/inner"), ("h/inner/repository/libs".to_owned(), "h", "h", true));
        assert_eq!(parts("https://[::1]:8").1, "[::1]:8");
        assert_eq!((parts("https://[::1]:8").2, parts("https://[::1]").2), ("[::1]", "[::1]"));
    }

    #[test]
    fn without_tls_clients_are_told_so_and_with_it_not() {
        let all = |server| {
            let place = Place::local(server, "libs");
            crate::ALL.map(|format| format.setups(&place)).concat()
        };
        let plain = |setup: &Setup| {
            ["tls-verify=false", "plain-http", "unsafeHttp", "isAllowInsecure", "http:"]
                .iter()
                .any(|word| setup.text.contains(word))
        };
        assert!(!all("https://host:8443").iter().any(plain));
        let with_words = all("http://host:8080").iter().filter(|setup| plain(setup)).count();
        assert!(with_words >= 12, "{with_words}");
    }

    #[test]
    fn nobody_is_told_to_publish_where_nothing_is_taken() {
        let told = |takes| -> Vec<String> {
            let place = Place { takes, ..Place::local("https://host", "libs") };
            crate::ALL.iter().flat_map(|format| format.setups(&place)).map(|setup| setup.text).collect()
        };
        let words =
            ["push", " tag ", "copy oci:", "publish", "legacy", "distribution", "-T ", "twine", "index-servers"];
        let publishes = |text: &&String| words.iter().any(|word| text.contains(word));
        assert!(told(true).iter().filter(publishes).count() >= 10);
        let reading = told(false);
        assert_eq!(reading.iter().find(publishes), None);
        assert!(reading.iter().all(|text| text.trim() == text && text.contains("host")), "{reading:?}");
    }

    #[test]
    fn of_a_moment_every_address_says_so() {
        let moment = Timestamp::parse("2026-01-31T12:00:00Z");
        let place = Place { moment, takes: false, ..Place::local("https://host", "libs") };
        for format in crate::ALL {
            let all: String = format.setups(&place).into_iter().map(|setup| setup.text + "\n").collect();
            let (as_now, as_then) = match format.key() {
                "oci" => ("host/libs/", "host/libs/at-20260131t120000z/"),
                _ => ("host/repository/libs", "host/repository/libs@2026-01-31T12:00:00Z"),
            };
            assert!(all.contains(as_then), "{all}");
            assert_eq!(all.matches(as_now).count(), all.matches(as_then).count(), "{all}");
        }
        let day = Timestamp::parse_moment("2026-01-31");
        assert_eq!(Place { moment: day, ..place }.url(), "https://host/repository/libs@2026-01-31");
    }

    #[test]
    fn every_format_tells_its_clients_and_no_two_setups_are_one() {
        let place = Place::local("https://host", "libs");
        for format in crate::ALL {
            let setups = format.setups(&place);
            assert!(!setups.is_empty(), "{} tells no client", format.key());
            let mut seen = std::collections::HashSet::new();
            for setup in &setups {
                assert!(setup.text.contains("host") && setup.text.trim() == setup.text, "{setup:?}");
                assert!(setup.clients.iter().all(|client| seen.insert((*client, setup.file))), "{setup:?}");
            }
        }
    }
}
