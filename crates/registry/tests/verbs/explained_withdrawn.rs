//! What was withdrawn is explained as it is answered: it is gone, whatever the rules say.

use model::state::RepoKind;
use model::{Code, RepoKey};
use registry::{Explanation, Need, NewRepository, Promote, Question, Reached, Read, RepoSettings, TenantAdmin, Write};
use serde_json::json;

use crate::bench::{Bench, content, package, path, put, ready, repo_key};
use crate::ruled::{Desk, minimum, npm};

crate::both! {
    what_was_withdrawn_of_an_upstream_is_denied;
    what_was_withdrawn_is_denied_without_rules_too;
    who_is_withdrawn_in_a_hosted_member_is_denied_through_a_virtual_one;
    who_refuses_first_explains_through_a_virtual_one;
    a_file_that_a_rule_kept_out_is_explained_with_the_time_that_was_heard;
}

const FILE: &str = "tool/-/tool-1.0.0.tgz";

fn version(name: &str, version: &str) -> Question {
    Question::Package(package(name), Some(version.to_owned()))
}

fn said(told: &Explanation) -> (&str, Option<&str>, bool) {
    (told.verdict, told.lifted_by.as_deref(), told.is_refused)
}

const GONE: (&str, Option<&str>, bool) = ("deny", Some("whoever may promote in up"), true);
const HERE: (&str, Option<&str>, bool) = ("allow", None, false);

/// Fetches a file, and withdraws the version that it is of.
async fn withdraw(desk: &Desk<'_>, file: &str) -> model::VersionId {
    desk.get(file).await.expect("fetched");
    let found = match desk.grant().await.reach(&path(file), Need::Head).await.expect("a file") {
        Reached::Here(found) => found.version(),
        Reached::Coming(coming) => coming.whole().await.expect("a file").version(),
    };
    let promote = desk.bench().grant::<Promote>(&desk.key).await;
    promote.tombstone(found, "bad".to_owned(), Some(7)).await.expect("withdrawn");
    found
}

async fn what_was_withdrawn_of_an_upstream_is_denied(bench: &Bench) {
    let desk = Desk::new(bench, "npm", minimum(1)).await;
    npm(&desk, &[("1.0.0", Some(100)), ("1.1.0", Some(100))]);
    withdraw(&desk, FILE).await;
    assert_eq!(desk.code(FILE).await, Code::Gone);
    for asked in [version("tool", "1.0.0"), Question::Path(path(FILE))] {
        let told = desk.explain(asked).await;
        assert_eq!((said(&told), told.version.as_deref()), (GONE, Some("1.0.0")));
        assert!(told.detail.contains("1.0.0 was withdrawn from up and can be restored until "), "{}", told.detail);
        assert!(told.rules.len() == 1 && !told.rules[0].decides, "no rule decides: {:?}", told.rules);
    }
    let all = desk.explain(Question::Package(package("tool"), None)).await;
    assert_eq!(all.detail, "1 of 2 versions of tool is kept out of up");
    assert_eq!(all.kept_out, [("1.0.0".to_owned(), "tool 1.0.0 was withdrawn from up".to_owned())]);
    // A tag, and an upstream that tells of it no more.
    npm(&desk, &[("1.1.0", Some(100)), ("1.0.0", Some(100))]);
    desk.later(1);
    assert_eq!(said(&desk.explain(version("tool", "latest")).await), GONE);
    npm(&desk, &[("1.1.0", Some(100))]);
    desk.later(1);
    assert_eq!(said(&desk.explain(version("tool", "1.0.0")).await), GONE);
    assert_eq!(said(&desk.explain(version("tool", "1.1.0")).await), HERE);
    desk.rule(json!([{"kind": "claim", "pattern": "tool"}])).await.expect("a rule");
    assert_eq!(desk.explain(version("tool", "1.0.0")).await.verdict, "hide", "of a claimed name nothing else is said");
    desk.rule(minimum(1)).await.expect("a rule");

    desk.later(7 * 24);
    let told = desk.explain(version("tool", "1.0.0")).await;
    assert_eq!((said(&told), told.detail.as_str()), (("deny", None, true), "tool 1.0.0 was withdrawn from up"));
}

async fn what_was_withdrawn_is_denied_without_rules_too(bench: &Bench) {
    let desk = Desk::new(bench, "npm", json!([])).await;
    npm(&desk, &[("1.0.0", Some(100)), ("1.1.0", Some(100))]);
    let id = withdraw(&desk, FILE).await;
    for asked in [version("tool", "1.0.0"), Question::Path(path(FILE))] {
        assert_eq!(said(&desk.explain(asked).await), GONE);
    }
    assert_eq!(said(&desk.explain(version("tool", "1.1.0")).await), HERE);
    bench.grant::<Promote>(&desk.key).await.restore(id).await.expect("restored");
    assert_eq!(said(&desk.explain(version("tool", "1.0.0")).await), HERE);

    let own = bench.repository("own", false).await;
    let (write, promote) = (bench.grant::<Write>(&own).await, bench.grant::<Promote>(&own).await);
    put(&write, "dir/a", &content(1, 9)).await.expect("stored");
    put(&write, "dir/b", &content(2, 9)).await.expect("stored");
    promote.withdraw(&path("dir/a")).await.expect("withdrawn");
    let draft = ready(&write, "d", "1", &content(3, 9)).await.expect("a draft");
    promote.tombstone(draft, "never published".to_owned(), None).await.expect("withdrawn");
    let read = bench.grant::<Read>(&own).await;
    let verdict = async |question| read.explain(question).await.expect("explained").verdict;
    assert_eq!(verdict(Question::Path(path("dir/a"))).await, "deny");
    assert_eq!(verdict(Question::Package(package("dir/a"), None)).await, "deny", "a raw file is its path");
    assert_eq!(verdict(Question::Path(path("dir/b"))).await, "allow");
}

async fn virtual_of(bench: &Bench, format: &str, members: &[&RepoKey]) -> registry::Grant<Read> {
    let new = NewRepository {
        key: repo_key("all"),
        format: format.to_owned(),
        kind: RepoKind::Virtual,
        description: String::new(),
        anonymous_read: true,
        settings: RepoSettings::default(),
        upstream_url: None,
        upstream_auth: None,
        members: members.iter().map(|key| (*key).clone()).collect(),
    };
    let admin = bench.admin().await.authorize_tenant::<TenantAdmin>().expect("an admin");
    let key = admin.create_repository(new).await.expect("made").key;
    bench.grant::<Read>(&key).await
}

async fn who_is_withdrawn_in_a_hosted_member_is_denied_through_a_virtual_one(bench: &Bench) {
    let own = bench.repository("own", false).await;
    let desk = Desk::new(bench, "raw", minimum(1)).await;
    let all = virtual_of(bench, "raw", &[&own, &desk.key]).await;
    let (write, promote) = (bench.grant::<Write>(&own).await, bench.grant::<Promote>(&own).await);
    for name in ["a", "b"] {
        put(&write, name, &content(1, 9)).await.expect("stored");
        desk.upstream.says(&format!("/{name}"), &desk.http_date(9), "theirs");
    }
    promote.withdraw(&path("a")).await.expect("withdrawn");
    let told = all.explain(Question::Path(path("a"))).await.expect("explained");
    assert_eq!(
        (told.verdict, told.is_refused, told.lifted_by.as_deref()),
        ("deny", true, Some("whoever may promote in own"))
    );
    let told = all.explain(Question::Path(path("b"))).await.expect("explained");
    assert_eq!(told.detail, "the file b is hosted in own: no upstream is asked for it, and no rules decide over it");
    // What was withdrawn in a remote member is not looked for in the next.
    desk.upstream.says("/c", &desk.http_date(9), "theirs");
    withdraw(&desk, "c").await;
    let told = all.explain(Question::Path(path("c"))).await.expect("explained");
    assert_eq!((told.verdict, told.is_refused), ("deny", true));
}

async fn who_refuses_first_explains_through_a_virtual_one(bench: &Bench) {
    let strict = Desk::new(bench, "raw", minimum(72)).await;
    let lax = Desk::at(bench, "raw", "lax", json!([{"kind": "block", "pattern": "none"}])).await;
    let all = virtual_of(bench, "raw", &[&strict.key, &lax.key]).await;
    let explain = async || all.explain(Question::Path(path("a"))).await.expect("explained");
    lax.upstream.says("/a", &lax.http_date(1), "theirs");
    assert_eq!(lax.code("b").await, Code::NotFound);
    lax.text("a").await;
    assert_eq!(explain().await.verdict, "allow", "nobody knows whether the first has it");
    strict.upstream.says("/a", &strict.http_date(1), "young");
    assert_eq!(strict.code("a").await, Code::PolicyDenied);
    let told = explain().await;
    assert_eq!((told.verdict, told.is_refused), ("deny", true), "{}", told.detail);
}

async fn a_file_that_a_rule_kept_out_is_explained_with_the_time_that_was_heard(bench: &Bench) {
    let desk = Desk::new(bench, "raw", minimum(72)).await;
    desk.upstream.says("/dir/young", &desk.http_date(70), "young");
    let question = || Question::Path(path("dir/young"));
    let unknown = desk.explain(question()).await;
    assert!(unknown.published_at.is_none() && unknown.detail.contains("has not fetched it yet"), "{}", unknown.detail);
    assert_eq!(desk.code("dir/young").await, Code::PolicyDenied);
    for asked in [question(), Question::Package(package("dir/young"), None)] {
        let young = desk.explain(asked).await;
        assert_eq!((young.verdict, young.published_at), ("deny", Some(desk.ago(70))), "{}", young.detail);
        assert!(
            young.until.is_some() && young.detail.contains("is younger than the 72 hours of up"),
            "{}",
            young.detail
        );
    }
    desk.later(2);
    assert_eq!(desk.explain(question()).await.verdict, "allow");
    desk.text("dir/young").await;
    let here = desk.explain(question()).await;
    assert_eq!((here.verdict, here.published_at), ("allow", Some(desk.ago(72))));
}
