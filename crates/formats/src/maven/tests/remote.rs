//! Indexes of other repositories, of several makers, and hostile ones.

use crate::maven::tests::body;
use crate::maven::{ARTIFACT, BUILDS, Maven};
use crate::told::{index, said};
use crate::{Algorithm, Ask, Direct, Format as _, Known, Origin, PackageAt, Unreadable, Wanting};
use model::{EntryPath, PackageName, Timestamp, VersionName};
use proptest::prelude::*;

const FROM: &str = "https://repo.example/maven2/com/example/demo/maven-metadata.xml";
const LINE: &str = "1.1-SNAPSHOT";

fn at() -> PackageAt {
    PackageAt { namespace: "com.example".to_owned(), name: "demo".to_owned() }
}

fn read(wanted: Wanting<'_>, text: &str) -> Result<Option<Known>, Unreadable> {
    crate::told::read(&Maven, &at(), wanted, said(text.as_bytes(), "text/xml", FROM))
}

fn metadata(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata modelVersion=\"1.1.0\">\n  \
         <groupId>com.example</groupId>\n  <artifactId>demo</artifactId>{inside}</metadata>"
    )
}

fn all(inside: &str) -> Known {
    read(Wanting::All, &metadata(inside)).expect("readable").expect("an artifact")
}

fn builds(inside: &str) -> Known {
    let text = metadata(&format!("<version>{LINE}</version><versioning>{inside}</versioning>"));
    read(Wanting::Part(LINE), &text).expect("readable").expect("a line")
}

fn names(known: &Known) -> Vec<&str> {
    known.versions.iter().map(|one| one.version.as_str()).collect()
}

fn shown(known: &Known, view: crate::View) -> String {
    body(index(&Maven, &at(), known, view))
}

#[test]
fn indexes_are_asked_for_where_the_layout_has_them() {
    let asks = |at: &PackageAt, wanted| Maven.upstream().expect("an upstream").asks(at, wanted);
    let ask = |target: &str| vec![Ask { target: target.to_owned(), accept: "" }];
    assert_eq!(asks(&at(), Wanting::All), ask("com/example/demo/maven-metadata.xml"));
    assert_eq!(asks(&PackageAt::named("org"), Wanting::All), ask("org/maven-metadata.xml"));
    assert_eq!(asks(&at(), Wanting::Part(LINE)), ask("com/example/demo/1.1-SNAPSHOT/maven-metadata.xml"));
    for odd in ["1.0", "a b-SNAPSHOT", "1?x=-SNAPSHOT", "%2e%2e-SNAPSHOT", "snapshot"] {
        assert!(asks(&at(), Wanting::Part(odd)).is_empty(), "{odd}");
    }
    for odd in ["de mo", "..", "dämo", "demo?x", "%2e"] {
        assert!(asks(&PackageAt { name: odd.to_owned(), ..at() }, Wanting::All).is_empty(), "{odd}");
    }
}

#[test]
fn files_have_addresses_of_their_own() {
    let path = |text: &str| EntryPath::parse(text).expect("a path");
    let origin = |text: &str| Maven.upstream().expect("an upstream").origin(&path(text));
    for (text, version) in [
        ("com/example/demo/1.0/demo-1.0.jar", "1.0"),
        ("com/example/demo/1.0+b/demo-1.0+b-sources.jar.asc", "1.0+b"),
        ("com/example/demo/1.1-SNAPSHOT/demo-1.1-20260101.101010-3-bin.tar.gz", "1.1-20260101.101010-3"),
        ("com/example/demo/1.0/demo-1.0.module", "1.0"),
    ] {
        let Some(Origin::Direct(direct)) = origin(text) else { panic!("{text}") };
        let ask = |ending: &str| Ask { target: format!("{text}{ending}"), accept: "" };
        let name = text.rsplit('/').next().expect("a name");
        let expected = Direct {
            ask: ask(""),
            package: at(),
            display: "demo".to_owned(),
            version: VersionName::parse(version).expect("a version"),
            path: path(name),
            sha256: None,
            checksums: vec![
                (Algorithm::Sha256, ask(".sha256")),
                (Algorithm::Sha1, ask(".sha1")),
                (Algorithm::Md5, ask(".md5")),
            ],
        };
        assert_eq!(*direct, expected);
        let package = PackageName::parse("com/example/demo").expect("a name");
        assert_eq!(Maven.location(&package, &expected.version, &expected.path), Ok(path(text)));
    }
    for none in [
        "com/example/demo/maven-metadata.xml",
        "com/example/demo/1.0/demo-1.0.jar.sha1",
        "com/example/demo/1.0/other-1.0.jar",
        "com/example/demo/1.1-SNAPSHOT/demo-1.1-SNAPSHOT.jar",
        "archetype-catalog.xml",
        "demo.jar",
    ] {
        assert_eq!(origin(none), None, "{none}");
    }
}

#[test]
fn an_index_of_any_maker_tells_of_versions() {
    let versions = "<versions><version>1.0</version><version> 1.1-SNAPSHOT\n</version><version>1.0</version>\
        <version>${revision}</version><version>../../x</version><version>LATEST</version><version/>\
        <version>1.0-20260101.101010-1</version><version>1&#46;2</version></versions>";
    let known = all(&format!(
        "<!-- x --><versioning><latest>9</latest><release>1.0</release>{versions}<lastUpdated>20260102030405</lastUpdated></versioning><other><version>7</version></other>"
    ));
    assert_eq!(names(&known), ["1.0", "1.1-SNAPSHOT", "1.2"]);
    assert!(known.versions.iter().all(|one| one.published_at.is_none() && one.files.is_empty()));
    assert!(known.versions[1].manifest.contains("\"baseVersion\":\"1.1-SNAPSHOT\""));
    assert!(shown(&known, ARTIFACT).contains("<release>1.2</release>"));
    let bare = "<metadata><versioning><versions><version>3</version></versions></versioning></metadata>";
    assert_eq!(names(&read(Wanting::All, bare).expect("readable").expect("an artifact")), ["3"]);
    assert!(read(Wanting::All, "<metadata/>").is_ok_and(|known| known.is_some()));
}

#[test]
fn a_group_tells_of_its_plugins() {
    let plugin = |artifact: &str, prefix: &str| {
        format!("<plugin><name>x</name><prefix>{prefix}</prefix><artifactId>{artifact}</artifactId></plugin>")
    };
    let plugins = [plugin("b", "two"), plugin("a", "one"), plugin("../x", "no"), plugin("c", "n/o"), plugin("", "")];
    let plugins = format!("<plugins>{}</plugins>", plugins.concat());
    for said in ["", "<groupId>com.example.demo</groupId>", "<groupId>com.example</groupId>"] {
        let known = read(Wanting::All, &format!("<metadata>{said}{plugins}</metadata>"));
        let known = known.expect("readable").expect("a group");
        let pair = |artifact: &str, name: &str| (artifact.to_owned(), name.to_owned());
        assert_eq!(known.around, [pair("a", "maven-plugin.one"), pair("b", "maven-plugin.two")]);
        assert!(shown(&known, ARTIFACT).contains("<prefix>two</prefix>"));
    }
}

#[test]
fn a_line_of_snapshots_tells_of_its_builds() {
    let file = |classifier: &str, extension: &str, value: &str| {
        format!(
            "<snapshotVersion><classifier>{classifier}</classifier><extension>{extension}</extension>\
             <value>{value}</value><updated>20260101101011</updated></snapshotVersion>"
        )
    };
    let (one, two) = ("1.1-20260101.101010-1", "1.1-20260102.101010-2");
    let files = [
        file("", "jar", two),
        file("linux", "tar.gz", one),
        file("", "pom", two),
        file("", "pom", two),
        file("../x", "jar", two),
        file("", "jar/../../x", two),
        file("", "jar.sha1", two),
        file("", "jar", "1.2-20260102.101010-2"),
        file("", "jar", "1.1-SNAPSHOT"),
        file("", "jar", "1.1"),
    ];
    let known = builds(&format!(
        "<snapshot><timestamp>20260102.101010</timestamp><buildNumber>2</buildNumber></snapshot>\
         <snapshotVersions>{}</snapshotVersions>",
        files.concat()
    ));
    assert_eq!(names(&known), [two, one]);
    let targets: Vec<&str> = known.versions[0].files.iter().map(|file| file.target.as_str()).collect();
    let folder = "com/example/demo/1.1-SNAPSHOT";
    assert_eq!(targets, [format!("{folder}/demo-{two}.jar"), format!("{folder}/demo-{two}.pom")]);
    let file = &known.versions[1].files[0];
    assert_eq!(file.path.as_str(), "demo-1.1-20260101.101010-1-linux.tar.gz");
    assert_eq!(known.versions[1].published_at, Timestamp::parse("2026-01-01T10:10:10Z"));
    assert_eq!(file.published_at, Timestamp::parse("2026-01-01T10:10:11Z"));
    let text = shown(&known, BUILDS);
    assert!(text.contains("<buildNumber>2</buildNumber>") && text.contains("<classifier>linux</classifier>"), "{text}");
}

#[test]
fn old_clients_tell_of_the_newest_build_alone() {
    let known =
        builds("<snapshot><timestamp>20260102.101010</timestamp><buildNumber>7</buildNumber></snapshot><lastUpdated/>");
    assert_eq!(names(&known), ["1.1-20260102.101010-7"]);
    assert!(shown(&known, BUILDS).contains("<timestamp>20260102.101010</timestamp>"));
    for odd in [
        "<snapshot><localCopy>true</localCopy></snapshot>",
        "<snapshot><timestamp>20260102.101010</timestamp></snapshot>",
        "<snapshot><timestamp>now</timestamp><buildNumber>1</buildNumber></snapshot>",
        "<snapshot><timestamp>20260102.101010</timestamp><buildNumber>0</buildNumber></snapshot>",
        "<snapshot><timestamp>20260102.101010</timestamp><buildNumber>99999999999</buildNumber></snapshot>",
    ] {
        assert!(builds(odd).versions.is_empty(), "{odd}");
    }
    // Longer than a version may be.
    let front = "1".repeat(240);
    let text = metadata(
        "<versioning><snapshot><timestamp>20260102.101010</timestamp><buildNumber>7</buildNumber></snapshot></versioning>",
    );
    let long = read(Wanting::Part(&format!("{front}-SNAPSHOT")), &text);
    assert!(long.is_ok_and(|known| known.is_some_and(|known| known.versions.is_empty())));
}

/// What names another artifact than the one that was asked for.
const OF_ANOTHER: [&str; 4] = [
    "<groupId>com.evil</groupId><artifactId>demo</artifactId>",
    "<groupId>com.example</groupId><artifactId>other</artifactId>",
    "<groupId>com.example.demo</groupId><artifactId>demo</artifactId>",
    "<groupId>org.other</groupId>",
];
/// What tells of something.
const LISTS: [&str; 4] = [
    "<versioning><versions><version>1.0</version></versions></versioning>",
    "<plugins><plugin><prefix>demo</prefix><artifactId>demo</artifactId></plugin></plugins>",
    "<versioning><snapshotVersions><snapshotVersion><value>1.0</value></snapshotVersion></snapshotVersions></versioning>",
    "<versioning><snapshot><timestamp>20260101.101011</timestamp><buildNumber>1</buildNumber></snapshot></versioning>",
];

#[test]
fn an_index_that_lists_nothing_lists_nothing_whatever_it_names() {
    for whose in OF_ANOTHER {
        let known = read(Wanting::All, &format!("<metadata>{whose}<versioning/></metadata>"));
        assert_eq!(known.map(|known| known.map(|known| known.versions.len())), Ok(Some(0)), "{whose}");
    }
}

#[test]
fn what_is_no_index_of_the_artifact_is_a_failure() {
    let bomb = "<!DOCTYPE metadata [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><metadata>&b;</metadata>";
    let deep = format!("<metadata>{}", "<a>".repeat(100_000));
    let many = metadata(&format!(
        "<versioning><versions>{}</versions></versioning>",
        (0..=50_000).map(|n| format!("<version>{n}</version>")).collect::<String>()
    ));
    for bad in [
        "",
        "not found",
        "<html><body>Not found</body></html>",
        "<metadata>",
        "<metadata></metadata><metadata/>",
        "<metadata><artifactId>demo</artifactId><artifactId>other</artifactId></metadata>",
        "<metadata><artifactId>&x;</artifactId></metadata>",
        "<metadata><versioning></metadata></versioning>",
        "<?xml version='1.0' encoding='UTF-16'?><metadata/>",
        "<!DOCTYPE metadata SYSTEM \"file:///etc/passwd\"><metadata/>",
        bomb,
        deep.as_str(),
        many.as_str(),
    ] {
        assert!(read(Wanting::All, bad).is_err(), "{}", bad.get(..100).unwrap_or(bad));
    }
    for whose in OF_ANOTHER {
        for inside in LISTS {
            assert!(read(Wanting::All, &format!("<metadata>{whose}{inside}</metadata>")).is_err(), "{whose}{inside}");
        }
    }
    let other = metadata("<version>1.2-SNAPSHOT</version>");
    assert!(read(Wanting::Part(LINE), &other).is_err());
    let broken = said(b"<metadata>\xff</metadata>", "text/xml", FROM);
    assert!(crate::told::read(&Maven, &at(), Wanting::All, broken).is_err());
    let wide: Vec<u8> = "<metadata/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(crate::told::read(&Maven, &at(), Wanting::All, said(&wide, "", FROM)).is_err());
    assert_eq!(Maven.upstream().expect("an upstream").read(&at(), Wanting::All, &[None]), Ok(None));
}

proptest! {
    #[test]
    fn our_own_indexes_are_read_as_they_were_told(
        versions in prop::collection::btree_set("[1-9]\\.[0-9](-rc[1-9]|-SNAPSHOT)?", 1..9),
        prefixes in prop::collection::btree_set("[a-z]{1,4}", 0..4),
        files in prop::collection::vec((1u8..5, "([a-z]{2,3})?", "(jar|pom|tar\\.gz|jar\\.asc|module)"), 1..12),
    ) {
        let lines: String = versions.iter().map(|version| format!("<version>{version}</version>")).collect();
        let plugins: String = prefixes.iter()
            .map(|prefix| format!("<plugin><prefix>{prefix}</prefix><artifactId>p-{prefix}</artifactId></plugin>"))
            .collect();
        let told = all(&format!("<versioning><versions>{lines}</versions></versioning><plugins>{plugins}</plugins>"));
        let mut found = read(Wanting::All, &shown(&told, ARTIFACT)).expect("readable").expect("an artifact");
        found.versions.sort_by(|a, b| a.version.cmp(&b.version));
        prop_assert_eq!(found, told);

        let lines: String = files.iter().map(|(number, classifier, extension)| format!(
            "<snapshotVersion><classifier>{classifier}</classifier><extension>{extension}</extension>\
             <value>1.1-2026010{number}.101010-{number}</value><updated>2026010{number}101010</updated></snapshotVersion>"
        )).collect();
        let once = shown(&builds(&format!("<snapshotVersions>{lines}</snapshotVersions>")), BUILDS);
        let found = read(Wanting::Part(LINE), &once).expect("readable").expect("a line");
        prop_assert_eq!(shown(&found, BUILDS), once.clone());
        let again = read(Wanting::Part(LINE), &shown(&found, BUILDS)).expect("readable").expect("a line");
        prop_assert_eq!(again, found);
    }

    #[test]
    fn reading_never_panics(text in "(</?(metadata|versioning|versions|version|plugins|plugin)/?>|&|1|\\PC|<!){0,40}") {
        let _ = read(Wanting::All, &text);
        let _ = read(Wanting::Part(LINE), &text);
    }
}
