//! Patterns for names and paths.

use std::borrow::Cow;

use formats::{Format, PackageAt};
use model::PackageName;

use crate::error::{Error, Result};

/// What a rule is about. `*` stands for any characters, also none and also slashes. One that begins with a slash is
/// for paths of files in the repository; every other is for names of packages as clients write them, with
/// `group:artifact` where names have a namespace. Spellings that are one name are one here too.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    is_path: bool,
}

impl Pattern {
    pub(super) fn new(format: &dyn Format, text: &str) -> Self {
        match text.strip_prefix('/') {
            Some(path) => Self { text: composed(path).into_owned(), is_path: true },
            None => Self { text: folded(format, text), is_path: false },
        }
    }

    /// Whether it is for names, and for this one.
    pub(super) fn is_name(&self, name: &str) -> bool {
        !self.is_path && fits(&self.text, &composed(name))
    }

    /// Whether it is for every name of a namespace, or for every one beneath it.
    pub(super) fn is_namespace(&self, namespace: &str) -> bool {
        let begins = |name: String| fits(&self.text, &name);
        !self.is_path
            && self.text.ends_with('*')
            && (begins(format!("{namespace}:")) || begins(format!("{namespace}.:")))
    }

    /// Whether it is for this path or this name.
    pub(super) fn matches(&self, name: &str, path: Option<&str>) -> bool {
        match self.is_path {
            true => path.is_some_and(|path| fits(&self.text, &composed(path))),
            false => self.is_name(name),
        }
    }

    pub(super) fn is_path(&self) -> bool {
        self.is_path
    }
}

/// A package's name as patterns see it.
pub(crate) fn name_of(format: &dyn Format, at: &PackageAt) -> String {
    match at.namespace.as_str() {
        "" => folded(format, &at.name),
        namespace => format!("{namespace}:{}", at.name),
    }
}

/// The package that is meant by such a name, as an upstream knows it.
pub(crate) fn package_named(format: &dyn Format, name: &PackageName) -> PackageAt {
    match name.as_str().split_once(':').filter(|_| format.has_namespaces()) {
        Some((namespace, name)) => PackageAt { namespace: namespace.to_owned(), name: name.to_owned() },
        None => PackageAt::named(format.as_written(name)),
    }
}

/// The same of a name that somebody gives. 400 where it lacks its namespace, or says more than a name.
pub(crate) fn package_given(format: &dyn Format, name: &PackageName) -> Result<PackageAt> {
    let at = package_named(format, name);
    if format.has_namespaces() && (at.namespace.is_empty() || at.name.is_empty() || at.name.contains(':')) {
        let why = format!("'{name}' names no package: those of the format {} are named group:artifact", format.key());
        return Err(Error::bad_request(why));
    }
    Ok(at)
}

/// The name, or the pattern, in the one spelling of the format.
pub(super) fn folded(format: &dyn Format, name: &str) -> String {
    let name = PackageName::parse(name).map_or_else(|_| name.to_owned(), |name| format.normalise(&name));
    composed(&name).into_owned()
}

/// Spellings of one text with the same characters, composed or not, are one to rules.
fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(model::composed(text)) }
}

fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, yes, no) in [
            ("@scope/*", vec!["@scope/a", "@scope/"], vec!["@scoped/a", "a"]),
            ("com.acme:*", vec!["com.acme:a"], vec!["com.acme.more:a"]),
            ("*", vec!["", "a/b"], vec![]),
            ("a*b*c", vec!["abc", "axbxc", "abbc"], vec!["ab", "acb", "xabc"]),
            ("a*a", vec!["aa", "aba"], vec!["a"]),
            ("a", vec!["a"], vec!["aa", ""]),
        ] {
            yes.iter().for_each(|text| assert!(fits(pattern, text), "{pattern} {text}"));
            no.iter().for_each(|text| assert!(!fits(pattern, text), "{pattern} {text}"));
        }
    }

    #[test]
    fn a_namespace_is_claimed_wholly_or_in_part() {
        let maven = formats::by_key("maven").expect("a format");
        let whole = |text: &str| Pattern::new(maven, text).is_namespace("org.acme");
        for text in ["org.acme:*", "org.acme*", "org.acme.*", "org.acme.*:*", "org.*", "*"] {
            assert!(whole(text), "{text}");
        }
        for text in
            ["org.acme:a", "org.acme:a*", "org.acme:*a", "org.acme.more:*", "org:*", "org.acmes*", "/org/acme/*"]
        {
            assert!(!whole(text), "{text}");
        }
    }

    #[test]
    fn spellings_of_one_name_are_one() {
        let pypi = formats::by_key("pypi").expect("a format");
        let pattern = Pattern::new(pypi, "My_Lib.*");
        assert!(pattern.matches(&name_of(pypi, &PackageAt::named("my-lib-x")), None));
        assert!(!pattern.matches("other", None) && !pattern.matches("other", Some("my-lib-x")));
        let path = Pattern::new(pypi, "/packages/*.exe");
        assert!(path.matches("any", Some("packages/a/b.exe")) && !path.matches("packages/a/b.exe", None));
    }

    proptest! {
        #[test]
        fn what_is_put_for_stars_fits(parts in prop::collection::vec("[a-c]{0,3}", 1..4), with in "[a-c]{0,3}") {
            prop_assert!(fits(&parts.join("*"), &parts.join(&with)));
        }
    }
}
