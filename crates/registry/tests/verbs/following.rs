//! Files of remote repositories that may change upstream.
#![expect(clippy::panic, reason = "tests")]

use std::time::Duration;

use model::{Code, Timestamp};
use registry::{Admin, Error, Found, Grant, Need, Promote, Reached, Read, RepoChange, Result};
use serde_json::{Value, json};

use crate::bench::{Bench, code, content, path};
use crate::ruled::Desk;

crate::both! {
    what_is_believed_is_not_asked_for_and_nothing_is_written;
    what_has_changed_is_the_next_version;
    a_file_is_confirmed_by_its_time_only_when_that_says_enough;
    an_older_file_is_followed_too;
    a_tag_and_a_time_say_nothing_of_another_address;
    the_page_of_a_folder_is_no_file;
    without_anything_to_compare_the_bytes_are_compared;
    the_same_bytes_under_another_tag_are_no_version;
    while_the_upstream_fails_the_old_one_is_served_and_says_so;
    what_is_gone_upstream_is_served_for_a_while;
    many_who_want_it_ask_once;
    what_was_withdrawn_stays_so_until_there_are_other_bytes;
    what_was_let_go_comes_as_it_is_by_now;
    what_was_let_go_comes_also_where_nothing_is_believed;
    another_upstream_is_asked_for_everything;
    it_stays_as_it_is_when_it_may_change_no_more;
}

pub(crate) const MINUTE: u64 = 60;
/// The metadata TTL, as it is by default.
pub(crate) const TTL: u64 = 5 * MINUTE;

pub(crate) async fn set(desk: &Desk<'_>, settings: Value) {
    let settings = model::json::from_value(settings).expect("settings");
    let change = RepoChange { settings: Some(settings), ..RepoChange::default() };
    desk.bench().grant::<Admin>(&desk.key).await.update_repository(change).await.expect("changed");
}

/// An upstream whose files may change.
pub(crate) async fn desk<'b>(bench: &'b Bench, upstream: Value) -> Desk<'b> {
    let desk = Desk::new(bench, "raw", json!([])).await;
    set(&desk, json!({"allowOverwrite": true, "upstream": upstream})).await;
    desk
}

pub(crate) fn wait(desk: &Desk<'_>, seconds: u64) {
    desk.bench().clock.advance(Duration::from_secs(seconds));
}

/// How often a file was asked for.
pub(crate) fn asked(desk: &Desk<'_>) -> usize {
    desk.upstream.asked().len()
}

pub(crate) async fn reach(grant: &Grant<Read>, name: &str) -> Result<Found> {
    match grant.reach(&path(name), Need::Bytes).await? {
        Reached::Here(found) => Ok(found),
        Reached::Coming(coming) => coming.whole().await,
    }
}

/// Since when it is old, where it is.
pub(crate) async fn old_since(desk: &Desk<'_>, name: &str) -> Option<Timestamp> {
    reach(&desk.grant().await, name).await.expect("a file").stale_since()
}

pub(crate) async fn versions(bench: &Bench) -> u64 {
    bench.count("SELECT count(*) FROM versions").await
}

async fn events(bench: &Bench) -> u64 {
    bench.count("SELECT count(*) FROM events").await
}

async fn what_is_believed_is_not_asked_for_and_nothing_is_written(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    desk.upstream.says("/tool", "ETag: \"one\"\r\n", "one");
    assert_eq!(desk.text("tool").await, "one");
    let begun = events(bench).await;
    wait(&desk, TTL - 1);
    let before = bench.registry.store().fresh().map(store::Fresh::writes);
    for _ in 0..3 {
        assert_eq!(desk.text("tool").await, "one");
    }
    assert_eq!(bench.registry.store().fresh().map(store::Fresh::writes), before, "a warm read writes nothing");
    assert_eq!(asked(&desk), 1);
    wait(&desk, 1);
    for times in 1..4 {
        assert_eq!(desk.text("tool").await, "one");
        assert_eq!(desk.text("tool").await, "one");
        assert_eq!((asked(&desk), desk.upstream.confirmed()), (times + 1, times), "once in each while");
        wait(&desk, TTL);
    }
    assert_eq!(events(bench).await, begun, "that it holds is no event");
    let rows = "SELECT count(*) FROM observations WHERE substr(target, 1, 1) = '/'";
    assert_eq!((versions(bench).await, bench.count(rows).await), (1, 1));
}

async fn what_has_changed_is_the_next_version(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    let (one, two) = (content(1, 200_000), content(2, 90_000));
    desk.upstream.says("/latest/tool", "ETag: \"one\"\r\n", one.clone());
    assert_eq!(desk.get("latest/tool").await.expect("bytes"), one);
    let before = reach(&desk.grant().await, "latest/tool").await.expect("a file");
    wait(&desk, TTL);
    let moment = bench.registry.ambient().now();
    wait(&desk, 61);
    desk.upstream.says("/latest/tool", "ETag: \"two\"\r\n", two.clone());
    assert_eq!(desk.get("latest/tool").await.expect("bytes"), two);
    let after = reach(&desk.grant().await, "latest/tool").await.expect("a file");
    assert!(after.version() != before.version() && after.digest() != before.digest());
    let told = "SELECT count(*) FROM events WHERE action = 'package.version.published' AND actor = 'system'";
    assert_eq!((versions(bench).await, bench.count(told).await), (2, 2));
    let mut old = Vec::new();
    let mut content = before.open(None).await.expect("the old bytes are read on");
    while let Some(piece) = content.next().await.expect("a piece") {
        old.extend_from_slice(&piece);
    }
    assert_eq!(old, one);
    let then = desk.grant().await.as_of(Some(bench.registry.instant(moment).expect("a moment")));
    assert_eq!(reach(&then, "latest/tool").await.expect("as it was").digest(), before.digest());
    // What it was before is a version once more.
    wait(&desk, TTL);
    desk.upstream.says("/latest/tool", "ETag: \"one\"\r\n", one.clone());
    assert_eq!(desk.get("latest/tool").await.expect("bytes"), one);
    assert_eq!((versions(bench).await, bench.count("SELECT count(*) FROM cached").await), (3, 2));
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'upstream.changed'").await, 0);
}

async fn a_file_is_confirmed_by_its_time_only_when_that_says_enough(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    desk.upstream.says("/old", &desk.http_date(1), "old");
    desk.upstream.says("/young", &desk.http_date(0), "young");
    for name in ["old", "young"] {
        assert_eq!(desk.text(name).await, name);
    }
    wait(&desk, TTL);
    // Within the same second it may have been changed again, an hour later not.
    for (name, other) in [("old", "odd"), ("young", "yours")] {
        let head = desk.upstream.head(&format!("/{name}"));
        desk.upstream.says(&format!("/{name}"), &head, other);
    }
    assert_eq!((desk.text("old").await, desk.text("young").await), ("old".to_owned(), "yours".to_owned()));
    assert_eq!((desk.upstream.confirmed(), versions(bench).await), (0, 3));
}

async fn an_older_file_is_followed_too(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    for (hours, text) in [(2, "broken"), (20, "mended"), (1, "newer!")] {
        desk.upstream.says("/tool", &desk.http_date(hours), text);
        assert_eq!(desk.text("tool").await, text);
        wait(&desk, TTL);
    }
    assert_eq!(versions(bench).await, 3);
}

async fn a_tag_and_a_time_say_nothing_of_another_address(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    for (name, head) in [("latest", "ETag: \"tag\"\r\n".to_owned()), ("newest", desk.http_date(1))] {
        for (number, text) in [(1, "one"), (2, "two")] {
            desk.upstream.says(&format!("/{name}"), &format!("Location: /{name}/{number}\r\n"), "");
            desk.upstream.says(&format!("/{name}/{number}"), &head, text);
            assert_eq!(desk.text(name).await, text);
            wait(&desk, TTL);
            assert_eq!(desk.text(name).await, text);
            wait(&desk, TTL);
        }
    }
    assert_eq!((versions(bench).await, desk.upstream.confirmed()), (4, 3));
}

async fn the_page_of_a_folder_is_no_file(bench: &Bench) {
    for follows in [false, true] {
        let desk = Desk::at(bench, "raw", if follows { "following" } else { "keeping" }, json!([])).await;
        set(&desk, json!({"allowOverwrite": follows})).await;
        desk.upstream.says("/a/b", "Location: /a/b/\r\n", "");
        desk.upstream.says("/a/b/", "Content-Type: text/html\r\n", "<html>a page</html>");
        assert_eq!((desk.code("a/b").await, versions(bench).await), (Code::NotFound, 0));
    }
}

async fn without_anything_to_compare_the_bytes_are_compared(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    desk.upstream.says("/tool", "", "one");
    assert_eq!(desk.text("tool").await, "one");
    let used = bench.used().await;
    wait(&desk, TTL);
    assert_eq!(desk.text("tool").await, "one");
    assert_eq!(desk.text("tool").await, "one");
    assert_eq!((asked(&desk), desk.upstream.confirmed()), (2, 0));
    assert_eq!((versions(bench).await, bench.used().await), (1, used));
    wait(&desk, TTL);
    desk.upstream.says("/tool", "", "two");
    assert_eq!(desk.text("tool").await, "two");
    assert_eq!(versions(bench).await, 2);
}

async fn the_same_bytes_under_another_tag_are_no_version(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    desk.upstream.says("/tool", "ETag: \"one\"\r\n", "one");
    desk.text("tool").await;
    wait(&desk, TTL);
    desk.upstream.says("/tool", "ETag: \"other\"\r\n", "one");
    desk.text("tool").await;
    assert_eq!((versions(bench).await, desk.upstream.confirmed()), (1, 0));
    for hour in [false, true] {
        let rows = "SELECT count(*) FROM observations WHERE substr(target, 1, 1) = '/'";
        assert_eq!((versions(bench).await, bench.count(rows).await), (1, 1 + u64::from(hour)), "noted once in an hour");
        wait(&desk, 60 * MINUTE);
        desk.text("tool").await;
    }
    assert_eq!((versions(bench).await, desk.upstream.confirmed()), (1, 1), "the new tag is known");
}

async fn while_the_upstream_fails_the_old_one_is_served_and_says_so(bench: &Bench) {
    let desk = desk(bench, json!({"staleHours": 1})).await;
    desk.upstream.says("/tool.tar.gz", "ETag: \"one\"\r\n", "one");
    assert_eq!(desk.text("tool.tar.gz").await, "one");
    let since = bench.registry.ambient().now();
    assert_eq!(old_since(&desk, "tool.tar.gz").await, None);
    wait(&desk, TTL);
    desk.upstream.fails("/tool.tar.gz", true);
    assert_eq!(old_since(&desk, "tool.tar.gz").await, Some(since));
    let asked_once = asked(&desk);
    assert_eq!(old_since(&desk, "tool.tar.gz").await, Some(since));
    assert_eq!(asked(&desk), asked_once, "what failed is left alone for a moment");
    desk.upstream.fails("/tool.tar.gz", false);
    // A page for people is no file.
    wait(&desk, MINUTE);
    desk.upstream.says("/tool.tar.gz", "Content-Type: text/html\r\n", "<html>later</html>");
    assert_eq!((old_since(&desk, "tool.tar.gz").await, desk.text("tool.tar.gz").await.as_str()), (Some(since), "one"));
    wait(&desk, 55 * MINUTE);
    assert_eq!(desk.code("tool.tar.gz").await, Code::ServiceUnavailable, "no longer than it is set");
    wait(&desk, MINUTE);
    desk.upstream.says("/tool.tar.gz", "ETag: \"two\"\r\n", "two");
    assert_eq!(desk.text("tool.tar.gz").await, "two");
    assert_eq!(old_since(&desk, "tool.tar.gz").await, None);
}

async fn what_is_gone_upstream_is_served_for_a_while(bench: &Bench) {
    let desk = desk(bench, json!({"staleHours": 1, "missingSeconds": 60})).await;
    desk.upstream.says("/tool", "ETag: \"one\"\r\n", "one");
    desk.text("tool").await;
    let since = bench.registry.ambient().now();
    wait(&desk, TTL);
    desk.upstream.forgets("/tool");
    assert_eq!(old_since(&desk, "tool").await, Some(since));
    wait(&desk, MINUTE - 1);
    assert_eq!(old_since(&desk, "tool").await, Some(since));
    assert_eq!(asked(&desk), 2, "that it is gone is believed for a while");
    wait(&desk, 54 * MINUTE + 1);
    assert_eq!(desk.code("tool").await, Code::NotFound);
    wait(&desk, MINUTE);
    desk.upstream.says("/tool", "ETag: \"one\"\r\n", "one");
    assert_eq!((desk.text("tool").await.as_str(), old_since(&desk, "tool").await), ("one", None));
    assert_eq!(versions(bench).await, 1);
}

async fn many_who_want_it_ask_once(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    desk.upstream.says("/tool", "ETag: \"one\"\r\n", "one");
    desk.text("tool").await;
    wait(&desk, TTL);
    desk.upstream.says("/tool", "ETag: \"two\"\r\n", content(2, 300_000));
    let grant = desk.grant().await;
    let all = futures_util::future::join_all((0..50).map(|_| reach(&grant, "tool"))).await;
    let all: Vec<_> = all.into_iter().map(|found| found.expect("a file").digest()).collect();
    assert!(all.iter().all(|digest| *digest == crate::bench::digest(&content(2, 300_000))));
    assert_eq!((asked(&desk), versions(bench).await), (2, 2));
}

async fn what_was_withdrawn_stays_so_until_there_are_other_bytes(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    let good = content(7, 50_000);
    desk.upstream.says("/tool", "", "poison");
    let poisoned = reach(&desk.grant().await, "tool").await.expect("a file").version();
    let promote = bench.grant::<Promote>(&desk.key).await;
    promote.tombstone(poisoned, "poisoned".to_owned(), None).await.expect("withdrawn");
    for _ in 0..2 {
        assert_eq!(desk.code("tool").await, Code::Gone);
        assert_eq!(desk.code("tool").await, Code::Gone);
        wait(&desk, TTL);
    }
    assert_eq!(asked(&desk), 3, "it is asked for once in each while");
    desk.upstream.says("/tool", "", good.clone());
    assert_eq!(desk.get("tool").await.expect("other bytes"), good);
    wait(&desk, TTL);
    desk.upstream.says("/tool", "ETag: \"again\"\r\n", "poison");
    assert_eq!(desk.get("tool").await.expect("what was there"), good);
    assert!(old_since(&desk, "tool").await.is_some());
    wait(&desk, 200 * 60 * MINUTE);
    assert_eq!(desk.code("tool").await, Code::Gone);
    assert_eq!(versions(bench).await, 2);
    // What was withdrawn by mistake comes back as a version.
    promote.restore(poisoned).await.expect("restored");
    wait(&desk, TTL);
    assert_eq!(desk.text("tool").await, "poison");
    assert_eq!(versions(bench).await, 3);
}

async fn what_was_let_go_comes_as_it_is_by_now(bench: &Bench) {
    lets_go(bench, desk(bench, json!({})).await).await;
}

async fn what_was_let_go_comes_also_where_nothing_is_believed(bench: &Bench) {
    lets_go(bench, desk(bench, json!({"indexSeconds": 0})).await).await;
}

async fn lets_go(bench: &Bench, desk: Desk<'_>) {
    set(&desk, json!({"remote": {"eviction": {"unusedDays": 1}}})).await;
    let (one, two) = (content(1, 100_000), content(2, 100_000));
    desk.upstream.says("/tool", "ETag: \"one\"\r\n", one.clone());
    desk.get("tool").await.expect("bytes");
    let repo = desk.grant().await.repo().id;
    let away = async || {
        desk.later(30);
        crate::evicting::evict(bench, repo).await;
        assert!(bench.count("SELECT count(*) FROM copies").await == 0, "answers need no bytes");
    };
    away().await;
    let head = match desk.grant().await.reach(&path("tool"), Need::Head).await.expect("known") {
        Reached::Here(found) => found,
        Reached::Coming(_) => panic!("nobody wants its bytes"),
    };
    assert!(head.is_absent() && desk.upstream.confirmed() == 1);
    assert_eq!(desk.get("tool").await.expect("the same"), one);
    assert_eq!(versions(bench).await, 1);
    away().await;
    assert_eq!(desk.get("tool").await.expect("the same"), one);
    // By its digest, too.
    away().await;
    let blob = desk.grant().await.find_blob(crate::bench::digest(&one)).await.expect("known");
    assert_eq!(blob.open(None).await.expect("it comes again").next().await.expect("a piece"), Some(one));
    away().await;
    desk.upstream.says("/tool", "ETag: \"two\"\r\n", two.clone());
    assert_eq!(desk.get("tool").await.expect("what it is now"), two);
    assert_eq!(versions(bench).await, 2);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'upstream.changed'").await, 0);
}

async fn another_upstream_is_asked_for_everything(bench: &Bench) {
    let desk = desk(bench, json!({})).await;
    desk.upstream.says("/a/tool", "ETag: \"same\"\r\n", "one");
    desk.upstream.says("/b/tool", "ETag: \"same\"\r\n", "two");
    let to = async |folder: &str| {
        wait(&desk, 1);
        let url = registry::UpstreamUrl::parse(&format!("{}/{folder}", desk.upstream.url())).expect("an address");
        let change = RepoChange { upstream_url: Some(url), ..RepoChange::default() };
        bench.grant::<Admin>(&desk.key).await.update_repository(change).await.expect("changed");
    };
    to("a").await;
    assert_eq!(desk.text("tool").await, "one");
    to("b").await;
    assert_eq!(desk.text("tool").await, "two");
    assert_eq!(desk.upstream.confirmed(), 0, "its tags are its own");
    wait(&desk, 1);
    set(&desk, json!({"upstream": {"indexSeconds": 60}})).await;
    assert_eq!(desk.text("tool").await, "two");
    assert_eq!(desk.upstream.confirmed(), 1);
    to("c").await;
    assert_eq!(desk.code("tool").await, Code::NotFound, "what another one had is nothing that holds");
}

async fn it_stays_as_it_is_when_it_may_change_no_more(bench: &Bench) {
    let desk = Desk::new(bench, "raw", json!([])).await;
    desk.upstream.says("/tool", "ETag: \"one\"\r\n", "one");
    assert_eq!(desk.text("tool").await, "one");
    wait(&desk, TTL);
    desk.upstream.says("/tool", "ETag: \"two\"\r\n", "two");
    assert_eq!((desk.text("tool").await.as_str(), asked(&desk)), ("one", 1));
    set(&desk, json!({"allowOverwrite": true})).await;
    assert_eq!((desk.text("tool").await.as_str(), versions(bench).await), ("two", 2));
    set(&desk, json!({"allowOverwrite": false})).await;
    desk.upstream.says("/tool", "ETag: \"three\"\r\n", "three");
    wait(&desk, TTL);
    assert_eq!((desk.text("tool").await.as_str(), versions(bench).await), ("two", 2));
    // Nobody publishes to it, whatever its settings.
    set(&desk, json!({"allowOverwrite": true})).await;
    let refused = bench.admin().await.authorize::<registry::Write>(&desk.key).await.map(drop);
    assert!(matches!(&refused, Err(Error::Refused(_))) && code(refused) == Code::Forbidden);
}
