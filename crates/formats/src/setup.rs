//! How clients are told of a repository: the files and commands that its guide shows and that
//! `artifortress client-config` prints. No secret is in them: a client reads its token from the environment, or
//! `$TOKEN` stands for it.

/// Where a repository is for its clients.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The server's address without a slash at its end, e.g. `https://host`.
    pub server: &'a str,
    /// The repository's key.
    pub key: &'a str,
    /// Whether what its clients publish is taken there.
    pub takes: bool,
}

impl<'a> Place<'a> {
    /// The repository's address without a slash at its end.
    pub(crate) fn url(&self) -> String {
        format!("{}/repository/{}", self.server, self.key)
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
            let place = Place { server, key: "libs", takes: true };
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
            let place = Place { server, key: "libs", takes: true };
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
    fn every_format_tells_its_clients_and_no_two_setups_are_one() {
        let place = Place { server: "https://host", key: "libs", takes: true };
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
