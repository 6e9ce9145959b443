//! Addresses, paths, orders and indexes.

mod builds;
mod files;
mod remote;

use model::{Timestamp, VersionId};
use proptest::prelude::*;

use super::layout::{Stored, base_of, build_of, checksum, cut};
use super::*;
use crate::{Method, VersionHead};

fn asked(method: Method, rest: &str) -> Result<String, ParseError> {
    Maven.parse(&Asked::plain(method, rest)).map(|operation| format!("{operation:?}"))
}

fn reads(rest: &str) -> String {
    asked(Method::Get, rest).expect("an operation")
}

fn stored(path: &str) -> Stored {
    Stored::parse(path).expect("a path")
}

#[test]
fn paths_are_cut_into_coordinates() {
    for (path, group, artifact, base, build, classifier, extension) in [
        ("a/b/c/1.0/c-1.0.jar", "a.b", "c", "1.0", "1.0", "", "jar"),
        ("a/c/1.0/c-1.0-sources.jar", "a", "c", "1.0", "1.0", "sources", "jar"),
        ("a/c/1.0/c-1.0-bin.tar.gz", "a", "c", "1.0", "1.0", "bin", "tar.gz"),
        ("a/c/1.0/c-1.0.tar.gz", "a", "c", "1.0", "1.0", "", "tar.gz"),
        ("a/c/1.0/c-1.0-jdk1.5.jar", "a", "c", "1.0", "1.0", "jdk1.5", "jar"),
        ("a/c/1.0/c-1.0-sources.jar.asc", "a", "c", "1.0", "1.0", "sources", "jar.asc"),
        ("a/c/1.0/c-1.0.pom.sigstore.json", "a", "c", "1.0", "1.0", "", "pom.sigstore.json"),
        ("org/x.y/1-2/x.y-1-2.pom", "org", "x.y", "1-2", "1-2", "", "pom"),
        (
            "a/c/1.1-SNAPSHOT/c-1.1-20260101.101010-12-sources.jar",
            "a",
            "c",
            "1.1-SNAPSHOT",
            "1.1-20260101.101010-12",
            "sources",
            "jar",
        ),
        ("a/c/SNAPSHOT/c-20260101.101010-1.jar", "a", "c", "SNAPSHOT", "20260101.101010-1", "", "jar"),
    ] {
        let found = stored(path);
        let found = [&found.group, &found.artifact, &found.base, &found.build, &found.classifier, &found.extension];
        assert_eq!(found.map(String::as_str), [group, artifact, base, build, classifier, extension], "{path}");
    }
}

#[test]
fn two_paths_never_are_one_version_and_patterns_are_no_versions() {
    for path in [
        "a.b/c/1.0/c-1.0.jar",
        "a/c/1.0-20260101.101010-1/c-1.0-20260101.101010-1.jar",
        "a/c/1.0/c-1.1.jar",
        "a/c/1.0/c-1.01.jar",
        "a/c/1.0/d-1.0.jar",
        "a/c/1.0/c-1.0",
        "a/c/1.0/c-1.0-sources",
        "a/c/1.0/c-1.0-.jar",
        "a/c/1.0/c-1.0..jar",
        "a/c/1.0/c-1.0.jar.",
        "c/1.0/c-1.0.jar",
        "c-1.0.jar",
        "a/c/1.*-SNAPSHOT/c-1.*-SNAPSHOT.jar",
        "a/c/*-SNAPSHOT/c-20260101.101010-1.jar",
        "a/c/1.1-SNAPSHOT/c-1.1-20260101.101010-01.jar",
        "a/c/1.1-SNAPSHOT/c-1.1-20260101.101010-0.jar",
        "a/c/1.1-SNAPSHOT/c-1.1-2026010a.101010-1.jar",
        "a/c/1.1-SNAPSHOT/c-1.1-20261301.101010-1.jar",
        "a/c/1.1-SNAPSHOT/c-1.1-20260101.241010-1.jar",
        "a/c/1.1-SNAPSHOT/c-1.1-20260101.101010-1000000000.jar",
        "a/c/1.1-SNAPSHOT/c-1.1-20260101.101010-99999999999999999999.jar",
        "a/c/1.1-SNAPSHOT/c-1.2-20260101.101010-1.jar",
        "a/c/1.1-snapshot/c-1.1-snapshot.jar",
        "a/c/1.1SNAPSHOT/c-1.1SNAPSHOT.jar",
        "a/c/LATEST/c-LATEST.jar",
        "a/c/release/c-release.jar",
        "a/c/[1.0,2.0)/c-[1.0,2.0).jar",
        "a/c/${revision}/c-${revision}.jar",
        "a/c/1.0/c-1.0.jar.sha1",
        "a/ü/1.0/ü-1.0.jar",
    ] {
        assert!(Stored::parse(path).is_err(), "{path}");
    }
}

#[test]
fn a_build_is_told_from_a_release() {
    assert_eq!(base_of("1.1-20260101.101010-7"), "1.1-SNAPSHOT");
    assert_eq!(base_of("20260101.101010-7"), "SNAPSHOT");
    for plain in ["1.0", "1.1-SNAPSHOT", "20260101.101010", "1.120260101.101010-1", "1-20260101.101010-"] {
        assert_eq!(build_of(plain), None, "{plain}");
    }
    assert!(
        build_of("1-20260102.000000-1").map(|found| found.1) > build_of("1-20260101.235959-9").map(|found| found.1)
    );
}

#[test]
fn addresses_become_operations() {
    let at = |path: &str| format!("{:?}", EntryPath::parse(path).expect("a path"));
    assert_eq!(reads("a/c/1.0/c-1.0.jar"), format!("Fetch({})", at("a/c/1.0/c-1.0.jar")));
    assert_eq!(reads("a/c/1.0/c-1.0.jar.sha1"), format!("Checksum(Fetch({}), Sha1)", at("a/c/1.0/c-1.0.jar")));
    assert!(reads("a/b/c/maven-metadata.xml").starts_with("Index(PackageAt { namespace: \"a.b\", name: \"c\" }"));
    assert!(reads("a/maven-metadata.xml.md5").starts_with("Checksum(Index(PackageAt { namespace: \"\", name: \"a\" }"));
    assert!(reads("a/c/1-SNAPSHOT/maven-metadata.xml").starts_with("Part(PackageAt"));
    assert!(reads("").starts_with("List(None"));
    assert!(reads("a/b/").starts_with("List(Some"));
    assert_eq!(asked(Method::Get, "a.b/c/maven-metadata.xml"), Err(ParseError::Unknown));
    assert!(asked(Method::Put, "a/c/maven-metadata.xml").expect("a put").contains("Ignored"));
    assert!(asked(Method::Put, "a/c/maven-metadata.xml.sha512").expect("a put").contains("Ignored"));
    assert!(asked(Method::Put, "a/c/1.0/c-1.0.jar.sha256").expect("a put").contains("Checksum"));
    assert!(asked(Method::Put, "a/c/1.0/c-1.0.jar.sha1.md5").is_err());
    assert!(asked(Method::Put, "maven-metadata.xml").is_err());
    assert!(asked(Method::Delete, "a/c/1.0/").expect("a change").contains("Withdraw"));
    let build = asked(Method::Delete, "a/c/1-SNAPSHOT/c-1-20240101.010101-1.jar").expect("a change");
    assert!(build.contains("Withdraw { version: \"1-20240101.010101-1\""), "{build}");
    for (path, why) in [("a/c/1.0/c-1.0.jar", "by its folder: a/c/1.0/"), ("a/c/1-SNAPSHOT/", "one by one")] {
        let refused = asked(Method::Delete, path).expect_err(path).to_string();
        assert!(refused.contains(why), "{refused}");
    }
    assert!(matches!(asked(Method::Post, "a"), Err(ParseError::Method(_))));
}

#[test]
fn hostile_addresses_are_refused_in_every_encoding() {
    for rest in [
        "../a/c/1.0/c-1.0.jar",
        "a/../c/1.0/c-1.0.jar",
        "a/%2e%2e/c/1.0/c-1.0.jar",
        "a%2fb/c/1.0/c-1.0.jar",
        "a/c/..%2f/c-1.0.jar",
        "a/c/%252e%252e/c-1.0.jar",
        "a/c/..;/c-1.0.jar",
        "a\\b/c/1.0/c-1.0.jar",
        "a/c/1.0%00/c-1.0.jar",
        "a//c/1.0/c-1.0.jar",
        "../maven-metadata.xml",
        "a/../maven-metadata.xml",
        "a//maven-metadata.xml",
    ] {
        for method in [Method::Get, Method::Put, Method::Delete] {
            assert!(asked(method, rest).is_err(), "{rest}");
        }
    }
}

#[test]
fn versions_are_ordered_as_maven_orders_them() {
    // Made with maven-artifact 3.8.7: each version with how it compares to every other.
    let lines: Vec<(&str, &str)> = include_str!("order.txt").lines().filter_map(|line| line.split_once('\t')).collect();
    assert!(lines.len() > 80);
    let mut wrong = Vec::new();
    for (one, row) in &lines {
        for ((two, _), expected) in lines.iter().zip(row.chars()) {
            let found = match order::Version::parse(one).compare(&order::Version::parse(two)) {
                std::cmp::Ordering::Less => '<',
                std::cmp::Ordering::Equal => '=',
                std::cmp::Ordering::Greater => '>',
            };
            if found != expected {
                wrong.push(format!("{one} {found} {two}, Maven: {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), lines.len() * lines.len(), wrong.join("\n"));
}

fn head(versions: &[&str], around: &[(&str, &str)]) -> Head {
    let text = |(one, two): &(&str, &str)| ((*one).to_owned(), (*two).to_owned());
    let one = |version: &&str| VersionHead {
        id: VersionId(Default::default()),
        version: (*version).to_owned(),
        published_at: Some(Timestamp(1_767_225_600_000_000)),
        changed_at: Timestamp(0),
        yanked: None,
        deprecated: None,
        unlisted: false,
    };
    Head {
        generation: 1,
        namespace: "com.example".to_owned(),
        name: "demo".to_owned(),
        display: "demo".to_owned(),
        versions: versions.iter().map(one).collect(),
        refs: Vec::new(),
        around: around.iter().map(text).collect(),
    }
}

fn body(document: Option<Document>) -> String {
    String::from_utf8(document.expect("a document").body).expect("text")
}

fn after<'t>(text: &'t str, tag: &str) -> Vec<&'t str> {
    text.split(&format!("<{tag}>")).skip(1).filter_map(|rest| rest.split('<').next()).collect()
}

#[test]
fn the_index_of_an_artifact_is_in_mavens_order() {
    let head = head(&["1.10", "1.9", "2.0-20260101.101010-1", "1.10-rc1", "2.0-20260102.101010-2"], &[]);
    let text = body(metadata::artifact(&head));
    assert_eq!(after(&text, "version"), ["1.9", "1.10-rc1", "1.10", "2.0-SNAPSHOT"]);
    assert_eq!(after(&text, "latest"), ["2.0-SNAPSHOT"]);
    assert_eq!(after(&text, "release"), ["1.10"]);
    assert_eq!(after(&text, "lastUpdated"), ["20260101000000"]);
    let mut yanked = head;
    yanked.versions.retain(|one| one.version == "1.9");
    yanked.versions.iter_mut().for_each(|one| one.yanked = Some(String::new()));
    assert!(metadata::artifact(&yanked).is_none());
}

#[test]
fn a_group_tells_of_its_plugins() {
    let text = body(metadata::artifact(&head(&[], &[("p", "maven-plugin.hello")])));
    assert_eq!((after(&text, "prefix"), after(&text, "artifactId")), (vec!["hello"], vec!["p"]));
    let both = body(metadata::artifact(&head(&["1"], &[("p", "maven-plugin.hello")])));
    assert_eq!((after(&both, "version"), after(&both, "prefix")), (vec!["1"], vec!["hello"]));
}

#[test]
fn a_line_of_snapshots_has_the_youngest_of_each_kind() {
    let head = head(&["1-20260101.101010-1", "1-20260103.101010-3", "1-20260102.101010-2"], &[]);
    let kinds = ["\tjar\nlinux\ttar.gz\n\tpom\n", "\tpom\n", "\tjar\n\tpom\n"].map(|text| Some(text.as_bytes()));
    let text = body(metadata::snapshots(&head, &kinds));
    assert_eq!((after(&text, "timestamp"), after(&text, "buildNumber")), (vec!["20260103.101010"], vec!["3"]));
    assert_eq!(after(&text, "extension"), ["jar", "pom", "tar.gz"]);
    assert_eq!(after(&text, "value"), ["1-20260102.101010-2", "1-20260103.101010-3", "1-20260101.101010-1"]);
    assert_eq!(after(&text, "classifier"), ["linux"]);
    assert_eq!(after(&text, "lastUpdated"), ["20260103101010"]);
    assert_eq!(after(&text, "version"), ["1-SNAPSHOT"]);
}

proptest! {
    #[test]
    fn a_path_that_is_read_is_the_path_of_what_was_read(path in "[ab](/[ab.])?/[ab.-]{1,3}/[1.a-]{1,4}/[ab1.-]{1,12}") {
        if let Ok(found) = Stored::parse(&path) {
            let group = found.group.replace('.', "/");
            prop_assert_eq!([group, found.artifact, found.base, found.name].join("/"), path);
        }
    }

    #[test]
    fn sorting_ends_and_loses_nothing(versions in prop::collection::vec("[0-9a-z.-]{0,8}", 0..40)) {
        let items = versions.iter().map(|version| (order::Version::parse(version), version.clone())).collect();
        let mut sorted: Vec<String> = order::sort(items).into_iter().map(|(_, version)| version).collect();
        let mut versions = versions;
        sorted.sort();
        versions.sort();
        prop_assert_eq!(sorted, versions);
    }

    #[test]
    fn a_tail_is_cut_once(tail in "[.-][a-z.-]{0,12}") {
        if let Some((classifier, extension)) = cut(&tail) {
            let dash = if classifier.is_empty() { String::new() } else { format!("-{classifier}") };
            prop_assert_eq!(format!("{dash}.{extension}"), tail.clone());
            prop_assert_eq!(checksum(&tail).1, None);
        }
    }
}
