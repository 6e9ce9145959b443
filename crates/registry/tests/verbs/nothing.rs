//! What an index that lists nothing says, and for how long.

use model::Code;
use serde_json::json;

use crate::bench::Bench;
use crate::ruled::Desk;

crate::both! {
    an_index_of_nothing_is_no_absence_while_the_upstream_fails;
    a_module_without_versions_stays_one_while_the_upstream_fails;
}

/// Per format: what is asked for, where the upstream has it, an index that lists nothing and one of something.
const INDEXES: [(&str, &str, &str, &str, &str); 3] = [
    (
        "maven",
        "org/acme/a/maven-metadata.xml",
        "/org/acme/a/maven-metadata.xml",
        "<metadata><groupId>x.y</groupId><artifactId>z</artifactId><versioning/></metadata>",
        "<metadata><groupId>org.acme</groupId><artifactId>a</artifactId><versioning><versions><version>1</version>\
         </versions></versioning></metadata>",
    ),
    (
        "npm",
        "tool",
        "/tool",
        r#"{"name": "tool", "versions": {}, "dist-tags": {}, "time": {}}"#,
        r#"{"name": "tool", "versions": {"1.0.0": {"name": "tool", "version": "1.0.0", "dist": {"tarball": "/t.tgz",
            "shasum": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}}}}"#,
    ),
    (
        "pypi",
        "simple/tool/",
        "/tool/",
        r#"{"meta": {"api-version": "1.0"}, "name": "tool", "files": []}"#,
        r#"{"meta": {"api-version": "1.0"}, "name": "tool", "files": [{"filename": "tool-1.0.tar.gz",
            "url": "/tool-1.0.tar.gz", "hashes": {}}]}"#,
    ),
];

async fn an_index_of_nothing_is_no_absence_while_the_upstream_fails(bench: &Bench) {
    for (format, asked, at, nothing, something) in INDEXES {
        let desk = Desk::at(bench, format, &format!("up-{format}"), json!([])).await;
        let kind = match format {
            "pypi" => "Content-Type: application/vnd.pypi.simple.v1+json\r\n",
            _ => "",
        };
        desk.upstream.says(at, kind, nothing);
        let before = desk.get(asked).await;
        assert!(!matches!(before, Err(ref error) if error.code() != Some(Code::NotFound)), "{format}: {before:?}");
        desk.later(1);
        desk.upstream.fails(at, true);
        for _ in 0..2 {
            assert_eq!(desk.code(asked).await, Code::ServiceUnavailable, "{format}");
        }
        desk.later(1);
        desk.upstream.fails(at, false);
        desk.upstream.says(at, kind, something);
        assert!(desk.text(asked).await.contains('1'), "{format}");
        desk.later(1);
        desk.upstream.fails(at, true);
        assert!(desk.text(asked).await.contains('1'), "{format}: what was listed is served");
    }
}

async fn a_module_without_versions_stays_one_while_the_upstream_fails(bench: &Bench) {
    let (list, at) = ("acme.example/tool/@v/list", "/acme.example/tool/@v/list");
    let desk = Desk::new(bench, "go", json!([])).await;
    desk.upstream.says(at, "", "");
    let latest = json!({"Version": "v0.0.0-20260101000000-0123456789ab", "Time": desk.ago(100).to_seconds()});
    desk.upstream.says("/acme.example/tool/@latest", "", latest.to_string());
    assert_eq!(desk.text(list).await, "");
    desk.later(1);
    desk.upstream.fails(at, true);
    assert_eq!(desk.text(list).await, "", "others than the listed ones can be had");
}
