//! Rules that look at age, where an upstream tells times one by one: all of them are asked for, and a failure is none.

use model::Code;
use registry::Question;
use serde_json::json;

use crate::bench::{Bench, package};
use crate::ruled::{Desk, block_of, minimum};

crate::both! {
    a_failure_to_tell_a_time_is_not_absence;
    what_was_known_last_is_served_while_a_time_fails;
    no_version_is_too_far_back_to_be_asked_about;
    a_time_is_asked_for_once;
    an_artifact_whose_time_cannot_be_told_is_no_gap;
    a_version_is_no_older_than_the_list_without_it;
    a_module_that_nobody_asked_for_is_as_old_as_it_says;
}

/// A version of `acme.example/tool` that is `hours` old.
fn module(desk: &Desk<'_>, version: &str, hours: u64) {
    let text = json!({"Version": version, "Time": desk.ago(hours).to_seconds()}).to_string();
    desk.upstream.says(&info(version), "", text);
    desk.upstream.says(&format!("/acme.example/tool/@v/{version}.mod"), "", "module acme.example/tool\n");
}

fn info(version: &str) -> String {
    format!("/acme.example/tool/@v/{version}.info")
}

fn list(desk: &Desk<'_>, versions: &[&str]) {
    let lines: String = versions.iter().map(|version| format!("{version}\n")).collect();
    desk.upstream.says("/acme.example/tool/@v/list", "", lines);
}

const LIST: &str = "acme.example/tool/@v/list";

async fn a_failure_to_tell_a_time_is_not_absence(bench: &Bench) {
    let desk = Desk::new(bench, "go", minimum(72)).await;
    for version in ["v1.0.0", "v1.1.0"] {
        module(&desk, version, 100);
    }
    list(&desk, &["v1.0.0", "v1.1.0"]);
    desk.upstream.fails(&info("v1.1.0"), true);
    for rest in
        [LIST, "acme.example/tool/@latest", "acme.example/tool/@v/v1.1.0.info", "acme.example/tool/@v/v1.1.0.mod"]
    {
        assert_eq!(desk.code(rest).await, Code::ServiceUnavailable, "{rest}");
    }
    let why = desk.get(LIST).await.expect_err("an honest failure").to_string();
    assert!(why.contains("acme.example/tool v1.1.0"), "{why}");
    let call = bench.registry.call(None, bench.registry.ambient().id()).await.expect("a call");
    let grant = call.authorize::<registry::Read>(&desk.key).await.expect("a grant");
    let question = Question::Package(package("acme.example/tool"), None);
    assert_eq!(crate::bench::code(grant.explain(question).await), Code::ServiceUnavailable);
    desk.rule(json!([{"kind": "block", "pattern": "*", "versions": "=v1.1.0"}, minimum(72)[0]])).await.expect("a rule");
    assert_eq!(desk.text(LIST).await, "v1.0.0\n", "whoever decides over it himself needs no time of it");
    desk.rule(minimum(72)).await.expect("a rule");
    desk.upstream.fails(&info("v1.1.0"), false);
    desk.later(1);
    assert_eq!(desk.text(LIST).await, "v1.0.0\nv1.1.0\n");
}

async fn what_was_known_last_is_served_while_a_time_fails(bench: &Bench) {
    let desk = Desk::new(bench, "go", minimum(72)).await;
    module(&desk, "v1.0.0", 100);
    module(&desk, "v1.1.0", 71);
    list(&desk, &["v1.0.0", "v1.1.0"]);
    assert_eq!(desk.text(LIST).await, "v1.0.0\n");
    list(&desk, &["v1.0.0", "v1.1.0", "v1.2.0"]);
    desk.upstream.fails(&info("v1.2.0"), true);
    desk.later(1);
    let shown = desk.shown(LIST).await.expect("the last that was known");
    assert_eq!((shown.body().as_ref(), shown.stale_since()), (b"v1.0.0\nv1.1.0\n".as_slice(), Some(desk.ago(1))));
    assert_eq!(desk.code("acme.example/tool/@v/v1.2.0.info").await, Code::ServiceUnavailable);
    desk.later(24 * 7);
    assert_eq!(desk.code(LIST).await, Code::ServiceUnavailable, "not for ever");
    desk.upstream.fails(&info("v1.2.0"), false);
    module(&desk, "v1.2.0", 100);
    desk.later(1);
    let shown = desk.shown(LIST).await.expect("all of it");
    assert_eq!((shown.body().as_ref(), shown.stale_since()), (b"v1.0.0\nv1.1.0\nv1.2.0\n".as_slice(), None));
}

async fn no_version_is_too_far_back_to_be_asked_about(bench: &Bench) {
    let desk = Desk::new(bench, "go", minimum(72)).await;
    // In an order that is nobody's: 150 and 41 have no common divisor.
    let names: Vec<String> = (0..150).map(|n| format!("v1.{}.0", n * 41 % 150)).collect();
    for name in &names {
        module(&desk, name, 100);
    }
    list(&desk, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let all: String = (0..150).map(|n| format!("v1.{n}.0\n")).collect();
    assert_eq!(desk.text(LIST).await, all);
    assert!(desk.text("acme.example/tool/@latest").await.contains("v1.149.0"));
    for name in &names {
        desk.text(&format!("acme.example/tool/@v/{name}.info")).await;
    }
}

async fn a_time_is_asked_for_once(bench: &Bench) {
    let desk = Desk::new(bench, "go", minimum(72)).await;
    let names = ["v1.0.0", "v1.1.0", "v1.2.0"];
    names.iter().for_each(|name| module(&desk, name, 100));
    list(&desk, &names);
    tokio::join!(desk.text(LIST), desk.text(LIST), desk.text(LIST));
    // As after a start: nothing is remembered under the number of another configuration.
    desk.rule(minimum(71)).await.expect("a rule");
    names.iter().for_each(|name| desk.upstream.fails(&info(name), true));
    desk.later(1);
    assert_eq!(desk.text(LIST).await, "v1.0.0\nv1.1.0\nv1.2.0\n");
    for name in names {
        assert_eq!(desk.upstream.asked().iter().filter(|asked| **asked == info(name)).count(), 1, "{name}");
    }
}

async fn an_artifact_whose_time_cannot_be_told_is_no_gap(bench: &Bench) {
    let desk = Desk::new(bench, "maven", minimum(72)).await;
    let index = "<metadata><groupId>org.acme</groupId><artifactId>tool</artifactId><versioning><versions>\
                 <version>1.0</version><version>1.1</version></versions></versioning></metadata>";
    desk.upstream.says("/org/acme/tool/maven-metadata.xml", "", index);
    for version in ["1.0", "1.1"] {
        desk.upstream.says(&format!("/org/acme/tool/{version}/tool-{version}.pom"), &desk.http_date(100), "<project/>");
    }
    desk.upstream.fails("/org/acme/tool/1.1/tool-1.1.pom", true);
    for rest in ["maven-metadata.xml", "1.1/tool-1.1.pom"] {
        assert_eq!(desk.code(&format!("org/acme/tool/{rest}")).await, Code::ServiceUnavailable, "{rest}");
    }
    desk.upstream.fails("/org/acme/tool/1.1/tool-1.1.pom", false);
    desk.later(1);
    assert!(desk.text("org/acme/tool/maven-metadata.xml").await.contains("1.1"));
    let (_, block) = {
        desk.upstream.says("/org/acme/tool/1.2/tool-1.2.pom", &desk.http_date(1), "<project/>");
        block_of(desk.get("org/acme/tool/1.2/tool-1.2.pom").await)
    };
    assert!(block.until.is_some(), "no index tells of it, and it is judged like any other");
}

async fn a_version_is_no_older_than_the_list_without_it(bench: &Bench) {
    let desk = Desk::new(bench, "go", minimum(72)).await;
    module(&desk, "v1.0.0", 5000);
    list(&desk, &["v1.0.0"]);
    assert_eq!(desk.text(LIST).await, "v1.0.0\n");
    desk.later(1000);
    assert_eq!(desk.text(LIST).await, "v1.0.0\n", "and it was so until now");
    // Its author writes the time of a commit.
    module(&desk, "v1.1.0", 5000);
    let (file, since, written) = ("acme.example/tool/@v/v1.1.0.mod", desk.ago(0), desk.ago(5000).to_seconds());
    let (_, block) = block_of(desk.get(file).await);
    assert!(block.until.is_some(), "the list that is believed lacks it");
    list(&desk, &["v1.0.0", "v1.1.0"]);
    desk.later(1);
    assert_eq!(desk.text(LIST).await, "v1.0.0\n");
    let until = since.plus(std::time::Duration::from_secs(72 * 3600));
    for rest in [file, "acme.example/tool/@v/v1.1.0.info"] {
        let (sentence, block) = block_of(desk.get(rest).await);
        assert_eq!(block.until, Some(until), "{rest}: {sentence}");
    }
    let question = Question::Package(package("acme.example/tool"), Some("v1.1.0".to_owned()));
    assert_eq!(desk.explain(question).await.published_at, Some(since));
    let revision = "v0.0.0-20200102030405-aaaaaaaaaaaa";
    desk.upstream.says(&format!("/acme.example/tool/@v/{revision}.mod"), "", "module acme.example/tool\n");
    let told = json!({"Version": revision, "Time": "2020-01-02T03:04:05Z"}).to_string();
    desk.upstream.says(&info(revision), "", told);
    desk.text(&format!("acme.example/tool/@v/{revision}.mod")).await;
    desk.later(71);
    assert_eq!(desk.text(LIST).await, "v1.0.0\nv1.1.0\n");
    desk.text(file).await;
    let told = desk.text("acme.example/tool/@v/v1.1.0.info").await;
    assert!(told.contains(&written), "clients are told what the upstream says: {told}");
}

async fn a_module_that_nobody_asked_for_is_as_old_as_it_says(bench: &Bench) {
    let desk = Desk::new(bench, "go", minimum(72)).await;
    module(&desk, "v1.0.0", 5000);
    list(&desk, &["v1.0.0"]);
    desk.text("acme.example/tool/@v/v1.0.0.mod").await;
    assert_eq!(desk.text(LIST).await, "v1.0.0\n");
}
