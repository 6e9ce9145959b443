//! Age, freezing and blocks, where files are asked for by addresses that no index has, and where an upstream is frozen.

use model::Code;
use registry::Question;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::ruled::{Desk, block_of, hex, minimum};

crate::both! {
    raw_files_are_as_old_as_they_say;
    a_frozen_pypi_lacks_files_that_were_added_later;
    a_frozen_cargo_lacks_what_came_later;
    a_frozen_maven_lacks_what_came_later;
    a_frozen_go_lacks_what_came_later;
    branches_and_revisions_of_modules_pass_the_rules;
    artifacts_that_no_index_has_pass_the_rules;
}

fn freeze(desk: &Desk<'_>, hours: u64) -> Value {
    json!([{"kind": "freeze", "notAfter": desk.ago(hours)}])
}

async fn raw_files_are_as_old_as_they_say(bench: &Bench) {
    let desk = Desk::new(bench, "raw", minimum(72)).await;
    desk.upstream.says("/old", &desk.http_date(100), "old");
    desk.upstream.says("/young", &desk.http_date(70), "young");
    desk.upstream.says("/timeless", "", "timeless");
    assert_eq!(desk.text("old").await, "old");
    let (sentence, block) = block_of(desk.get("young").await);
    assert_eq!(block.until, Some(desk.ago(70).plus(std::time::Duration::from_secs(72 * 3600))), "{sentence}");
    let (sentence, block) = block_of(desk.get("timeless").await);
    assert!(block.until.is_none() && sentence.contains("its upstream tells no time"), "{sentence}");
    assert_eq!(bench.count("SELECT count(*) FROM entries").await, 1, "what is kept out is not kept");
    desk.later(2);
    assert_eq!(desk.text("young").await, "young");
    desk.rule(freeze(&desk, 50)).await.expect("a rule");
    desk.upstream.says("/later", &desk.http_date(49), "later");
    for (rest, expected) in [("old", None), ("young", None), ("later", Some(())), ("timeless", Some(()))] {
        let denied =
            desk.get(rest).await.err().map(|error| assert_eq!(error.code(), Some(Code::PolicyDenied), "{rest}"));
        assert_eq!(denied, expected, "{rest}");
    }
    desk.rule(freeze(&desk, 73)).await.expect("a rule");
    assert_eq!(desk.code("young").await, Code::PolicyDenied, "also what is here already");
    desk.later(10_000);
    assert_eq!(desk.code("later").await, Code::PolicyDenied, "a frozen one stays what it was");
}

async fn a_frozen_pypi_lacks_files_that_were_added_later(bench: &Bench) {
    let desk = Desk::new(bench, "pypi", json!([])).await;
    let file = |name: &str, hours: u64| {
        desk.upstream.says(&format!("/files/{name}"), "", name);
        json!({"filename": name, "url": format!("{}/files/{name}", desk.upstream.url()),
            "upload-time": desk.ago(hours).to_string(), "hashes": {"sha256": hex(name)}})
    };
    let files = [file("tool-1.0.tar.gz", 1000), file("tool-1.0-py3-none-any.whl", 10), file("tool-2.0.tar.gz", 9)];
    let index = json!({"meta": {"api-version": "1.1"}, "name": "tool", "versions": ["1.0", "2.0"], "files": files});
    desk.upstream.says("/tool/", "Content-Type: application/vnd.pypi.simple.v1+json\r\n", index.to_string());
    desk.rule(freeze(&desk, 50)).await.expect("a rule");
    desk.later(1000);
    let shown = desk.text("simple/tool/").await;
    assert!(shown.contains("tool-1.0.tar.gz") && !shown.contains(".whl") && !shown.contains("2.0"), "{shown}");
    assert_eq!(desk.text("packages/tool/1.0/tool-1.0.tar.gz").await, "tool-1.0.tar.gz");
    for late in ["packages/tool/1.0/tool-1.0-py3-none-any.whl", "packages/tool/2.0/tool-2.0.tar.gz"] {
        let (sentence, _) = block_of(desk.get(late).await);
        assert!(sentence.contains("was published after"), "{sentence}");
    }
}

async fn a_frozen_cargo_lacks_what_came_later(bench: &Bench) {
    let desk = Desk::new(bench, "cargo", json!([])).await;
    let config = json!({"dl": format!("{}/dl", desk.upstream.url())});
    desk.upstream.says("/config.json", "", config.to_string());
    let line = |version: &str, hours: u64| {
        let name = format!("tool-{version}");
        desk.upstream.says(&format!("/dl/tool/{version}/download"), "", name.as_str());
        let line = json!({"name": "tool", "vers": version, "deps": [], "features": {}, "yanked": false,
            "cksum": hex(&name), "pubtime": desk.ago(hours).to_seconds()});
        format!("{line}\n")
    };
    desk.upstream.says("/to/ol/tool", "", [line("1.0.0", 100), line("1.1.0", 10)].concat());
    desk.rule(freeze(&desk, 50)).await.expect("a rule");
    desk.later(1000);
    let shown = desk.text("to/ol/tool").await;
    assert!(shown.contains("1.0.0") && !shown.contains("1.1.0"), "{shown}");
    assert_eq!(desk.text("dl/tool/1.0.0/download").await, "tool-1.0.0");
    assert_eq!(desk.code("dl/tool/1.1.0/download").await, Code::PolicyDenied);
}

fn artifact(desk: &Desk<'_>, version: &str, tail: &str, hours: u64) {
    let pom = "<project><artifactId>tool</artifactId></project>";
    let body = if tail.ends_with(".pom") { pom } else { "text" };
    desk.upstream.says(&format!("/org/acme/tool/{version}/tool-{version}{tail}"), &desk.http_date(hours), body);
}

async fn a_frozen_maven_lacks_what_came_later(bench: &Bench) {
    let desk = Desk::new(bench, "maven", json!([])).await;
    let index = "<metadata><groupId>org.acme</groupId><artifactId>tool</artifactId><versioning><versions>\
                 <version>1.0</version><version>1.1</version></versions></versioning></metadata>";
    desk.upstream.says("/org/acme/tool/maven-metadata.xml", "", index);
    artifact(&desk, "1.0", ".pom", 100);
    artifact(&desk, "1.0", "-notes.txt", 10);
    artifact(&desk, "1.1", ".pom", 10);
    desk.rule(freeze(&desk, 50)).await.expect("a rule");
    desk.later(1000);
    let shown = desk.text("org/acme/tool/maven-metadata.xml").await;
    assert!(shown.contains("1.0") && !shown.contains("1.1"), "{shown}");
    desk.text("org/acme/tool/1.0/tool-1.0.pom").await;
    for late in ["1.0/tool-1.0-notes.txt", "1.1/tool-1.1.pom"] {
        assert_eq!(desk.code(&format!("org/acme/tool/{late}")).await, Code::PolicyDenied, "{late}");
    }
}

fn module(desk: &Desk<'_>, asked: &str, version: &str, hours: u64) {
    let info = json!({"Version": version, "Time": desk.ago(hours).to_seconds()}).to_string();
    desk.upstream.says(&format!("/acme.example/tool/@v/{asked}.info"), "", info.as_str());
    desk.upstream.says(&format!("/acme.example/tool/@v/{version}.info"), "", info);
    desk.upstream.says(&format!("/acme.example/tool/@v/{version}.mod"), "", "module acme.example/tool\n");
}

async fn a_frozen_go_lacks_what_came_later(bench: &Bench) {
    let desk = Desk::new(bench, "go", json!([])).await;
    module(&desk, "v1.0.0", "v1.0.0", 100);
    module(&desk, "v1.1.0", "v1.1.0", 10);
    desk.upstream.says("/acme.example/tool/@v/list", "", "v1.1.0\nv1.0.0\n");
    desk.rule(freeze(&desk, 50)).await.expect("a rule");
    desk.later(1000);
    assert_eq!(desk.text("acme.example/tool/@v/list").await, "v1.0.0\n");
    desk.text("acme.example/tool/@v/v1.0.0.mod").await;
    for late in ["info", "mod"] {
        assert_eq!(desk.code(&format!("acme.example/tool/@v/v1.1.0.{late}")).await, Code::PolicyDenied, "{late}");
    }
}

/// A revision of so many hours ago.
fn revision(desk: &Desk<'_>, hours: u64, commit: &str) -> String {
    let digits: String = desk.ago(hours).to_seconds().chars().filter(char::is_ascii_digit).collect();
    format!("v0.0.0-{digits}-{commit}")
}

async fn branches_and_revisions_of_modules_pass_the_rules(bench: &Bench) {
    let desk = Desk::new(bench, "go", minimum(72)).await;
    let (old, young) = (revision(&desk, 100, "aaaaaaaaaaaa"), revision(&desk, 71, "bbbbbbbbbbbb"));
    module(&desk, "stable", &old, 100);
    module(&desk, "main", &young, 71);
    let at = |what: &str| format!("acme.example/tool/@v/{what}");
    assert!(desk.text(&at("stable.info")).await.contains(&old));
    desk.text(&at(&format!("{old}.mod"))).await;
    for late in ["main.info".to_owned(), format!("{young}.info"), format!("{young}.mod")] {
        let (sentence, block) = block_of(desk.get(&at(&late)).await);
        assert!(sentence.contains(&young) && block.until.is_some(), "{late}: {sentence}");
    }
    desk.later(1);
    assert!(desk.text(&at("main.info")).await.contains(&young));
    desk.text(&at(&format!("{young}.mod"))).await;
    desk.rule(json!([{"kind": "block", "pattern": "acme.example/*", "versions": "<v1", "reason": "no revisions"}]))
        .await
        .expect("a rule");
    for rest in ["main.info".to_owned(), "stable.info".to_owned(), format!("{old}.mod"), format!("{young}.info")] {
        let (sentence, _) = block_of(desk.get(&at(&rest)).await);
        assert!(sentence.contains("no revisions"), "{rest}: {sentence}");
    }
}

async fn artifacts_that_no_index_has_pass_the_rules(bench: &Bench) {
    let desk = Desk::new(bench, "maven", minimum(72)).await;
    artifact(&desk, "3.0", "-linux.bin", 100);
    artifact(&desk, "3.0", "-later.bin", 10);
    let at = |tail: &str| format!("org/acme/tool/3.0/tool-3.0{tail}");
    assert_eq!(desk.text(&at("-linux.bin")).await, "text");
    assert_eq!(desk.code(&at("-later.bin")).await, Code::PolicyDenied);
    let path = crate::bench::path(&at("-later.bin"));
    assert_eq!(desk.explain(Question::Path(path)).await.verdict, "deny");
    desk.rule(json!([{"kind": "block", "pattern": "/org/acme/*.bin", "reason": "no binaries"}])).await.expect("a rule");
    for tail in ["-linux.bin", "-later.bin"] {
        let (sentence, _) = block_of(desk.get(&at(tail)).await);
        assert!(sentence.contains("no binaries"), "{sentence}");
    }
    desk.rule(json!([{"kind": "block", "pattern": "org.acme:tool", "versions": "[3,4)"}])).await.expect("a rule");
    assert_eq!(desk.code(&at("-linux.bin")).await, Code::PolicyDenied);
}
