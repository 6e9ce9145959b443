//! Files of remote repositories that may change upstream, under rules and settings that change as well.

use std::time::Duration;

use model::{Code, PackageName, VersionName};
use registry::{Admin, Grant, NewWaiver, Read};
use serde_json::json;

use crate::bench::{Bench, content};
use crate::following::{MINUTE, TTL, asked, desk, old_since, reach, set, versions, wait};
use crate::ruled::minimum;

crate::both! {
    what_is_too_young_is_as_if_it_had_not_changed;
    what_was_only_touched_is_as_old_as_it_was;
    a_waiver_is_about_one_version;
    what_rules_keep_out_by_now_is_asked_for_all_the_same;
    whoever_asked_under_other_settings_changes_nothing;
}

async fn what_is_too_young_is_as_if_it_had_not_changed(bench: &Bench) {
    let desk = desk(bench, json!({"staleHours": 1})).await;
    desk.upstream.says("/tool", &desk.http_date(100), "one");
    desk.rule(minimum(24)).await.expect("a rule");
    assert_eq!(desk.text("tool").await, "one");
    wait(&desk, TTL);
    desk.upstream.says("/tool", &desk.http_date(0), "two");
    assert_eq!(desk.text("tool").await, "one");
    desk.later(23);
    assert_eq!(desk.text("tool").await, "one");
    desk.later(1);
    assert_eq!(desk.text("tool").await, "two");
}

async fn what_was_only_touched_is_as_old_as_it_was(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    desk.upstream.says("/tool", &desk.http_date(100), "one");
    desk.rule(minimum(24)).await.expect("a rule");
    assert_eq!(desk.text("tool").await, "one");
    for touched in [desk.http_date(0), format!("{}ETag: \"new\"\r\n", desk.http_date(0))] {
        wait(&desk, TTL);
        desk.upstream.says("/tool", &touched, "one");
        let before = asked(&desk);
        assert_eq!((old_since(&desk, "tool").await, asked(&desk)), (None, before + 1), "it was confirmed");
    }
    assert_eq!(versions(bench).await, 1);
    // Others are judged by their time, whether they are as long or not.
    let confirmed = bench.registry.ambient().now();
    for other in ["two", "three"] {
        wait(&desk, TTL);
        desk.upstream.says("/tool", &desk.http_date(0), other);
        assert_eq!((old_since(&desk, "tool").await, desk.text("tool").await.as_str()), (Some(confirmed), "one"));
    }
    assert_eq!(bench.count("SELECT count(*) FROM blobs").await, 1, "nothing is kept of them");
    desk.later(25);
    assert_eq!((desk.text("tool").await.as_str(), versions(bench).await), ("three", 2));
}

async fn a_waiver_is_about_one_version(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    desk.rule(minimum(24)).await.expect("a rule");
    desk.upstream.says("/tool", &desk.http_date(0), "one");
    assert_eq!(desk.code("tool").await, Code::PolicyDenied);
    let waive = async |version: &str| {
        let new = NewWaiver {
            package: PackageName::parse("tool").expect("a name"),
            version: Some(VersionName::parse(version).expect("a version")),
            reason: "looked at".to_owned(),
            until: desk.ago(0).plus(Duration::from_secs(7 * 24 * 60 * MINUTE)),
        };
        bench.grant::<Admin>(&desk.key).await.waive(new).await.expect("waived");
    };
    waive("1").await;
    // What was refused just now is not asked for at once.
    wait(&desk, 5);
    assert_eq!(desk.text("tool").await, "one");
    let other = content(3, 90_000);
    wait(&desk, TTL);
    desk.upstream.says("/tool", &desk.http_date(0), other.clone());
    for _ in 0..2 {
        assert_eq!((desk.text("tool").await.as_str(), versions(bench).await), ("one", 1));
        wait(&desk, TTL);
    }
    waive("2").await;
    assert!(desk.get("tool").await.expect("waived") == other && versions(bench).await == 2);
}

async fn what_rules_keep_out_by_now_is_asked_for_all_the_same(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    desk.upstream.says("/tool", &desk.http_date(1), "new");
    assert_eq!(desk.text("tool").await, "new");
    desk.rule(minimum(24)).await.expect("a rule");
    let before = asked(&desk);
    wait(&desk, TTL);
    assert_eq!(desk.code("tool").await, Code::PolicyDenied);
    assert_eq!((desk.code("tool").await, asked(&desk)), (Code::PolicyDenied, before + 1), "once in each while");
    wait(&desk, TTL);
    desk.upstream.says("/tool", &desk.http_date(100), "old");
    assert_eq!((desk.text("tool").await.as_str(), versions(bench).await), ("old", 2));
    desk.rule(json!([{"kind": "claim", "pattern": "tool"}])).await.expect("a rule");
    wait(&desk, TTL);
    let before = asked(&desk);
    assert_eq!((desk.code("tool").await, asked(&desk)), (Code::NotFound, before), "a claim asks nobody");
}

async fn whoever_asked_under_other_settings_changes_nothing(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    let text = async |grant: &Grant<Read>| reach(grant, "tool").await.map(|found| found.size());
    desk.upstream.says("/tool", "ETag: \"one\"\r\n", "one");
    assert_eq!(desk.text("tool").await, "one");
    wait(&desk, TTL);
    let before = desk.grant().await;
    desk.upstream.says("/tool", "ETag: \"other\"\r\n", "other");
    set(&desk, json!({"allowOverwrite": false})).await;
    assert_eq!(text(&before).await.expect("what is there"), 3);
    set(&desk, json!({"allowOverwrite": true})).await;
    let before = desk.grant().await;
    desk.rule(minimum(24)).await.expect("a rule");
    wait(&desk, TTL);
    assert_eq!(text(&before).await.expect("what is there"), 3);
    assert_eq!(versions(bench).await, 1);
}
