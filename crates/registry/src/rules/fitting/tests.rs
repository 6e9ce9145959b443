//! Patterns that a name can fit, and others.

use proptest::prelude::*;

use super::*;

fn format(key: &str) -> &'static dyn Format {
    formats::by_key(key).expect("a format")
}

/// A name of any format.
fn names() -> impl Strategy<Value = (&'static str, String)> {
    let of = |key: &'static str, grammar: &'static str| grammar.prop_map(move |name| (key, name));
    let some = prop_oneof![
        of("cargo", "[A-Za-z][A-Za-z0-9_-]{0,10}"),
        of("go", "[a-z0-9-]{1,4}(\\.[a-z0-9-]{1,3}){1,2}(/[A-Za-z0-9._~-]{1,5}){0,3}(/v[2-9])?"),
        of("go", "gopkg\\.in(/[a-z]{1,4}){1,2}\\.v[0-9]"),
        of("maven", "[A-Za-z0-9_-]{1,4}(\\.[A-Za-z0-9_-]{1,4}){0,3}:[A-Za-z0-9._-]{1,8}"),
        of("npm", "(@[A-Za-z0-9-][A-Za-z0-9._~-]{0,4}/)?[A-Za-z0-9-][A-Za-z0-9._~-]{0,6}"),
        of("oci", "[a-z0-9]{1,3}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}(/[a-z0-9]{1,4}){0,3}"),
        of("pypi", "[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?"),
        of("raw", "[a-zA-Z0-9 ä._=^$:-]{1,6}(/[a-z. *]{1,4}){0,3}"),
    ];
    some.prop_filter("no name", |(key, name)| {
        PackageName::parse(name).is_ok_and(|parsed| is_name(format(key), &parsed))
    })
}

/// The text with a star for what stands between two places of it.
fn starred(text: &str, one: usize, other: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    let (one, other) = (one % (letters.len() + 1), other % (letters.len() + 1));
    let (from, to) = (one.min(other), one.max(other));
    letters[..from].iter().chain(['*'].iter()).chain(&letters[to..]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_part_of_a_name_fits(((key, name), one, other) in (names(), 0usize..40, 0usize..40)) {
        prop_assert_eq!(misfit(format(key), &name), None);
        let pattern = starred(&name, one, other);
        prop_assert_eq!(misfit(format(key), &pattern), None, "{} of {}", pattern, name);
    }

    #[test]
    fn two_parts_of_a_name_fit(((key, name), at) in (names(), any::<[u8; 4]>())) {
        let [one, two, three, four] = at.map(usize::from);
        let pattern = starred(&starred(&name, one, two), three, four);
        prop_assert_eq!(misfit(format(key), &pattern), None, "{} of {}", pattern, name);
    }

    /// Whatever is accepted is a pattern that judges a name, or a path.
    #[test]
    fn paths_fit(path in "[a-z*. ]{1,3}(/[a-z*. ]{1,3}){0,3}", one in 0usize..20, other in 0usize..20) {
        if EntryPath::parse(&path).is_ok() {
            prop_assert_eq!(misfit(format("maven"), &format!("/{}", starred(&path, one, other))), None);
        }
    }
}

#[test]
fn useful_patterns_stay() {
    for (key, patterns) in [
        ("cargo", "* acme-* *-internal Acme_* *_sys"),
        (
            "go",
            "* example.com/* *.example.com/* example* */acme/* gopkg.in/* gopkg.in/*.v2 gopkg.in/*-unstable gopkg.in/tool.v* *internal* *.v1 */v2 a.b-*aA/*_~0",
        ),
        ("maven", "* com.acme* org.* org.acme:* org.acme.* org.acme.*:* *:tool *-internal *acme* acme-* org*:*-api"),
        ("npm", "* @acme/* @acme* @*/tool @* */tool acme-* *-internal @*acme*/* My_Lib.* *acme* *@acme/*"),
        ("oci", "* acme/* */tool team-* *-internal gcr.example/* library/* a_* a__*"),
        ("pypi", "* acme-* My_Lib.* *_internal *acme*"),
        ("raw", "* team/* *.exe */tool-*.bin a=b tools/^a$ a:b"),
    ] {
        for pattern in patterns.split(' ') {
            assert_eq!(misfit(format(key), pattern), None, "{key} {pattern}");
        }
        for path in ["/*", "/a", "/packages/*.exe", "/*/a/*", "/a*"] {
            assert_eq!(misfit(format(key), path), None, "{key} {path}");
        }
    }
}

#[test]
fn what_nothing_can_fit_is_refused_with_what_was_meant() {
    for (key, pattern, meant) in [
        ("cargo", "serde==1.0", Some("serde")),
        ("cargo", "serde = \"1\"", Some("serde")),
        ("cargo", "^acme-.*$", Some("acme-*")),
        ("cargo", "acme/*", None),
        ("cargo", "https://registry.example/acme", None),
        ("cargo", "1*", None),
        ("go", "acme/*", None),
        ("go", "tool", None),
        ("go", "Example.com/acme/*", Some("example.com/acme/*")),
        ("go", "example.com/tool@v1.2.3", Some("example.com/tool")),
        ("go", "example.com/", Some("example.com/*")),
        ("go", "https://example.com/tool", None),
        ("go", "gopkg.in/tool", None),
        ("maven", "org.acme", Some("org.acme:*")),
        ("maven", "org.acme:", Some("org.acme:*")),
        ("maven", "org/acme/*", Some("org.acme:*")),
        ("maven", "org.acme/tool", Some("org.acme:tool")),
        ("maven", "org.acme:tool:1.0", Some("org.acme:tool")),
        ("maven", "org.acme:tool:jar:*", None),
        ("raw", "^tools/.*\\.exe$", None),
        ("maven", " org.acme:*", Some("org.acme:*")),
        ("maven", "a/*/b", Some("a.*:b")),
        ("maven", "org..acme:*", None),
        ("npm", "@acme", Some("@acme/*")),
        ("npm", "@acme/", Some("@acme/*")),
        ("npm", "acme/*", Some("@acme/*")),
        ("npm", "lodash@4.17.20", Some("lodash")),
        ("npm", "@acme/tool@1", Some("@acme/tool")),
        ("npm", "left pad", Some("left")),
        ("npm", "@acme/*/*", None),
        ("npm", "lodash==4", Some("lodash")),
        ("oci", "library/alpine:3", Some("library/alpine")),
        ("oci", "registry.example:5000/team/*", None),
        ("oci", "https://registry.example/team/*", None),
        ("oci", "Library/*", Some("library/*")),
        ("oci", "library/", Some("library/*")),
        ("oci", "a_-*", None),
        ("pypi", "requests==2.0", Some("requests")),
        ("pypi", "requests >=2", Some("requests")),
        ("pypi", "requests[socks]", Some("requests")),
        ("pypi", "@acme/*", None),
        ("pypi", "-acme*", None),
        ("raw", "tools/", Some("tools/*")),
        ("raw", "https://files.example/tools/*", None),
        ("raw", "a/../b", None),
        ("raw", "/a//b", None),
        ("raw", "/tools/", Some("/tools/*")),
        ("maven", "/org/acme/", Some("/org/acme/*")),
    ] {
        let why = misfit(format(key), pattern).unwrap_or_else(|| panic!("{key} takes {pattern}"));
        let told = why.split_once(". Was ").map(|(_, end)| end.trim_end_matches(" meant?"));
        assert_eq!(told, meant, "{key} {pattern}: {why}");
    }
    let why = misfit(format("npm"), "@acme").expect("a sentence");
    assert_eq!(why, "fits no name: names of the format npm are such as tool or @team/tool. Was @acme/* meant?");
}

#[test]
fn a_waiver_is_for_one_name() {
    let why = |key, name| misnomer(format(key), &PackageName::parse(name).expect("a name"));
    assert_eq!((why("maven", "org.acme:tool"), why("npm", "@acme/tool"), why("raw", "team/tool")), (None, None, None));
    assert!(why("maven", "org.acme").is_some_and(|why| why.ends_with("Was org.acme:* meant?")));
    assert!(why("oci", "team/tool:1").is_some_and(|why| why.ends_with("Was team/tool meant?")));
    for (key, name) in [("npm", "@acme/*"), ("raw", "team/*"), ("npm", "@acme")] {
        assert!(why(key, name).is_some(), "{name}");
    }
}
