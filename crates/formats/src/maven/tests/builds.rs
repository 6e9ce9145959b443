//! Files of snapshots that do not say of which build they are.

use model::Timestamp;
use model::line::{Built, Line};
use proptest::prelude::*;

use crate::maven::builds::{Builds, newest};
use crate::maven::layout::build_of;
use crate::maven::tests::{asked, stored};
use crate::{Format as _, Method};

const JAR: &str = "com/example/demo/1.1-SNAPSHOT/demo-1.1-SNAPSHOT.jar";

fn builds(path: &str) -> Builds {
    Builds::of(&stored(path)).expect("a file of any build")
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse(time).expect("a time")
}

#[test]
fn a_file_says_of_which_build_it_is_or_has_a_line() {
    for (path, classifier, extension) in [
        (JAR, "", "jar"),
        ("com/example/demo/1.1-SNAPSHOT/demo-1.1-SNAPSHOT-sources.jar.asc", "sources", "jar.asc"),
        ("com/example/demo/SNAPSHOT/demo-SNAPSHOT.tar.gz", "", "tar.gz"),
    ] {
        let found = stored(path);
        assert_eq!((found.classifier.as_str(), found.extension.as_str()), (classifier, extension), "{path}");
        assert_eq!(builds(path).package(), ("com.example", "demo"));
    }
    for plain in ["a/c/1.0/c-1.0.jar", "a/c/1-SNAPSHOT/c-1-20260101.101010-1.jar"] {
        assert!(Builds::of(&stored(plain)).is_none(), "{plain}");
    }
}

#[test]
fn builds_follow_each_other_whatever_clocks_say() {
    let line = builds(JAR);
    let next = |youngest, now| line.next(youngest, at(now));
    assert_eq!(next(None, "2026-01-02T03:04:05.999Z"), "1.1-20260102.030405-1");
    assert_eq!(next(Some("1.1-20260102.030405-1"), "2026-01-02T03:04:05Z"), "1.1-20260102.030405-2");
    assert_eq!(next(Some("1.1-20260102.030405-9"), "2026-01-01T00:00:00Z"), "1.1-20260102.030405-10");
    assert_eq!(next(Some("1.1-20260102.030405-9"), "2026-02-01T00:00:00Z"), "1.1-20260201.000000-10");
    // After the greatest number the time tells them apart.
    assert_eq!(next(Some("1.1-20260131.235959-999999999"), "2026-01-01T00:00:00Z"), "1.1-20260201.000000-1");
    assert_eq!(next(Some("1.1-20260131.235959-999999999"), "2026-03-01T00:00:00Z"), "1.1-20260301.000000-1");
    assert_eq!(line.beside("1.1-20260131.235959-7"), ("1.1-20260131.235959-".into(), "1.1-20260131.235959.".into()));
}

#[test]
fn the_youngest_of_the_line_alone_are_its_builds() {
    let names = ["1.1-20260102.030405-9", "1.1-20260102.030405-10", "1.1-2", "1.1-2-20260103.030405-11", "1.1"];
    assert_eq!(builds(JAR).builds(&names), ["1.1-20260102.030405-10", "1.1-20260102.030405-9"]);
    let of_two = builds("com/example/demo/1.1-2-SNAPSHOT/demo-1.1-2-SNAPSHOT.jar");
    assert_eq!(of_two.builds(&names), ["1.1-2-20260103.030405-11"]);
}

#[test]
fn a_file_lies_where_its_build_does() {
    let line = builds("com/example/demo/1.1-SNAPSHOT/demo-1.1-SNAPSHOT-sources.jar");
    let Built { version, path, location, manifest } = line.built("1.1-20260102.030405-1").expect("a build");
    assert_eq!(version.as_str(), "1.1-20260102.030405-1");
    assert_eq!(path.as_str(), "demo-1.1-20260102.030405-1-sources.jar");
    assert_eq!(location.as_str(), "com/example/demo/1.1-SNAPSHOT/demo-1.1-20260102.030405-1-sources.jar");
    assert!(manifest.contains("\"baseVersion\":\"1.1-SNAPSHOT\""), "{manifest}");
}

#[test]
fn its_name_stands_for_the_youngest_that_has_such_a_file() {
    let file = |classifier: &str, extension: &str, build: &str| {
        format!(
            "<snapshotVersion><classifier>{classifier}</classifier><extension>{extension}</extension>\
             <value>1.1-{build}</value></snapshotVersion>"
        )
    };
    let index = |inside: &str| {
        format!(
            "<metadata><groupId>com.example</groupId><artifactId>demo</artifactId><version>1.1-SNAPSHOT</version>\
             <versioning><snapshot><timestamp>20260103.000000</timestamp><buildNumber>3</buildNumber></snapshot>\
             <snapshotVersions>{inside}</snapshotVersions></versioning></metadata>"
        )
    };
    let whole = index(&(file("", "jar", "20260103.000000-3") + &file("sources", "jar", "20260102.000000-2")));
    let shown = |name: &str| {
        newest(&format!("com/example/demo/1.1-SNAPSHOT/demo-1.1-{name}"), whole.as_bytes())
            .map(|path| path.replacen("com/example/demo/1.1-SNAPSHOT/demo-1.1-", "", 1))
    };
    assert_eq!(shown("SNAPSHOT.jar").as_deref(), Some("20260103.000000-3.jar"));
    assert_eq!(shown("SNAPSHOT-sources.jar").as_deref(), Some("20260102.000000-2-sources.jar"));
    assert_eq!(shown("SNAPSHOT.jar.sha1").as_deref(), Some("20260103.000000-3.jar.sha1"));
    assert_eq!(shown("SNAPSHO%54.jar").as_deref(), Some("20260103.000000-3.jar"));
    assert_eq!(shown("SNAPSHOT.pom"), None);
    assert_eq!(shown("20260103.000000-3.jar"), None);
    // Older repositories tell of the youngest build alone.
    let build = newest(JAR, index("").as_bytes());
    assert_eq!(build.as_deref(), Some("com/example/demo/1.1-SNAPSHOT/demo-1.1-20260103.000000-3.jar"));
    for odd in ["<metadata/>", "no index", &index(&file("", "jar", "SNAPSHOT")), &index(&file("", "jar", "../x"))] {
        assert_eq!(newest(JAR, odd.as_bytes()), None, "{odd}");
    }
}

#[test]
fn addresses_of_them_are_read_put_and_not_withdrawn() {
    let read = asked(Method::Get, JAR).expect("an operation");
    assert!(read.starts_with("Newest(PackageAt { namespace: \"com.example\", name: \"demo\" }, \"1.1-SNAPSHOT\""));
    assert!(asked(Method::Get, &format!("{JAR}.md5")).expect("an operation").starts_with("Newest("));
    assert!(asked(Method::Put, JAR).expect("a put").contains("File"));
    assert!(asked(Method::Put, &format!("{JAR}.sha1")).expect("a put").contains("builds: Some"));
    let refused = asked(Method::Delete, JAR).expect_err("it stays").to_string();
    assert!(refused.contains("one by one"), "{refused}");
    let upstream = crate::maven::Maven.upstream().expect("an upstream");
    assert_eq!(upstream.origin(&model::EntryPath::parse(JAR).expect("a path")), None);
}

proptest! {
    #[test]
    fn the_next_build_is_the_youngest_and_can_be_stored(front in "([0-9a-z.]{1,6}-)?", times in prop::collection::vec(0_i64..4_000_000_000, 1..9)) {
        let line = builds(&format!("a/c/{front}SNAPSHOT/c-{front}SNAPSHOT.jar"));
        let (from, below) = line.bounds();
        let mut names: Vec<String> = Vec::new();
        for time in times {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let next = line.next(line.builds(&known).first().copied(), Timestamp(time * 1_000_000));
            prop_assert!(from <= next && next < below, "{next} is not from {from} to {below}");
            prop_assert_eq!(build_of(&next).map(|(found, _)| found), Some(front.as_str()));
            prop_assert_eq!(stored(line.built(&next).expect("a build").location.as_str()).build, next.clone());
            let all: Vec<&str> = known.iter().copied().chain([next.as_str()]).collect();
            let sorted = line.builds(&all);
            prop_assert_eq!(sorted.first(), Some(&next.as_str()));
            names.push(next);
        }
    }
}
