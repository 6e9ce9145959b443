//! `WWW-Authenticate`: what a server wants to see (RFC 9110, section 11.6.1; the token scheme of container registries).

/// A `Bearer` challenge: where a token is to be had, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Challenge {
    pub(crate) realm: String,
    pub(crate) service: Option<String>,
    pub(crate) scope: Option<String>,
}

impl Challenge {
    /// The first challenge of the kind that names a realm.
    pub(crate) fn read<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        headers.into_iter().find_map(|header| read_one(header).filter(|challenge| !challenge.realm.is_empty()))
    }

    /// Whether a token for this scope is one for `path`: the scope names the repository that the path is in.
    pub(crate) fn covers(&self, path: &str) -> bool {
        let scopes = self.scope.as_deref().unwrap_or_default().split(' ');
        let names = scopes.filter_map(|scope| Some(scope.strip_prefix("repository:")?.rsplit_once(':')?.0));
        names.into_iter().any(|name| path.contains(&format!("/v2/{name}/")))
    }
}

fn read_one(header: &str) -> Option<Challenge> {
    let mut rest = header;
    let mut found: Option<Challenge> = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = rest.split_at(rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len()));
        if word.is_empty() {
            return found;
        }
        let Some(value) = after.trim_start().strip_prefix('=') else {
            // The name of a scheme: the next challenge begins.
            if found.is_some() {
                return found;
            }
            found = word.eq_ignore_ascii_case("bearer").then(Challenge::default);
            rest = after;
            continue;
        };
        let (value, after) = value_of(value.trim_start());
        rest = after;
        if let Some(found) = &mut found {
            match word.to_ascii_lowercase().as_str() {
                "realm" => found.realm = value,
                "service" => found.service = Some(value),
                "scope" => found.scope = Some(value),
                _ => {}
            }
        }
    }
}

/// A parameter's value, quoted or not, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find([' ', '\t', ',']).unwrap_or(text.len()));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
    }

    #[test]
    fn bearer_challenges_are_found_among_others() {
        let plain = r#"Bearer realm="https://t.example/token",service="r.example",scope="repository:a/b:pull""#;
        let expected = challenge("https://t.example/token", Some("r.example"), Some("repository:a/b:pull"));
        assert_eq!(Challenge::read([plain]), expected);
        let mixed = format!(r#"Basic realm="x, Bearer realm=y", charset="UTF-8", {plain}, Negotiate abc=="#);
        assert_eq!(Challenge::read(["Negotiate", &mixed]), expected);
        assert_eq!(Challenge::read([r#"bEARER realm = "a\"b" , scope=x"#]), challenge("a\"b", None, Some("x")));
        assert_eq!(Challenge::read(["bearer realm=a"]), challenge("a", None, None));
    }

    #[test]
    fn what_is_no_bearer_challenge_is_none() {
        for bad in
            ["", "Basic realm=\"x\"", "Bearer", "Bearer error=\"x\"", "realm=\"x\"", "=", "\"", "Bearer realm", ","]
        {
            assert_eq!(Challenge::read([bad]), None, "{bad}");
        }
    }

    #[test]
    fn a_scope_covers_the_paths_of_its_repository() {
        let own = challenge("r", None, Some("repository:library/a:pull repository:b:pull,push")).expect("there");
        assert!(own.covers("/v2/library/a/manifests/1") && own.covers("/mirror/v2/b/blobs/x"));
        assert!(!own.covers("/v2/library/ab/manifests/1") && !own.covers("/v2/c/blobs/x") && !own.covers("/v2/"));
    }
}
