//! What is said of why something is kept out, sentence by sentence.

use model::Code;
use registry::{Explanation, Question};
use serde_json::json;

use crate::bench::{Bench, code, package, path};
use crate::ruled::{Desk, minimum, npm};

crate::both! {
    what_nobody_knows_is_not_told_to_be_young;
    all_versions_are_counted_and_judged_by_themselves;
    a_version_is_what_its_files_are;
    who_can_lift_it_is_told_where_something_can_be_lifted;
}

async fn of(desk: &Desk<'_>, name: &str, version: Option<&str>) -> Explanation {
    desk.explain(Question::Package(package(name), version.map(str::to_owned))).await
}

async fn what_nobody_knows_is_not_told_to_be_young(bench: &Bench) {
    let desk = Desk::new(bench, "npm", minimum(1)).await;
    npm(&desk, &[("1.0.0", Some(100)), ("1.1.0", Some(0)), ("1.2.0", None)]);
    let ask = async |question| desk.grant().await.explain(question).await;
    let unknown = ask(Question::Package(package("tool"), Some("9.9.9".to_owned()))).await;
    let said = unknown.as_ref().expect_err("unknown").to_string();
    assert_eq!((code(unknown), said.contains("up knows no version 9.9.9 of tool")), (Code::NotFound, true), "{said}");
    for file in ["tool/-/tool-9.9.9.tgz", "nothing/-/nothing-1.0.0.tgz"] {
        assert_eq!(code(ask(Question::Path(path(file))).await), Code::NotFound, "{file}");
    }
    assert_eq!(code(ask(Question::Package(package("nothing"), None)).await), Code::NotFound);
    let young = of(&desk, "tool", Some("1.1.0")).await;
    assert!(young.detail.contains("is younger than the 1 hour of up: it is let in at"), "{}", young.detail);
    let undated = of(&desk, "tool", Some("1.2.0")).await;
    assert!(undated.detail.contains("its upstream tells no time"), "{}", undated.detail);
    // A tag is the version that it stands for.
    let tag = of(&desk, "tool", Some("latest")).await;
    assert_eq!((tag.version.as_deref(), tag.verdict), (Some("1.2.0"), "deny"));
}

async fn all_versions_are_counted_and_judged_by_themselves(bench: &Bench) {
    let rules = json!([
        {"kind": "allow", "pattern": "other"},
        {"kind": "block", "pattern": "tool", "versions": "<1"},
        {"kind": "minimumAge", "hours": 72},
    ]);
    let desk = Desk::new(bench, "npm", rules).await;
    npm(&desk, &[("1.0.0", Some(100)), ("1.1.0", Some(1))]);
    let some = of(&desk, "tool", None).await;
    assert_eq!((some.verdict, some.detail.as_str()), ("allow", "1 of 2 versions of tool is kept out of up"));
    assert!(some.rules.iter().all(|rule| rule.says.is_none()), "of no version each says something: {:?}", some.rules);
    assert_eq!(some.lifted_by.as_deref(), Some("an admin of up"), "of the one that is kept out");
    npm(&desk, &[("1.1.0", Some(1)), ("1.2.0", Some(1))]);
    desk.later(1);
    let all = of(&desk, "tool", None).await;
    assert_eq!((all.verdict, all.detail.as_str()), ("deny", "all 2 versions of tool are kept out of up"));
    desk.later(100);
    let none = of(&desk, "tool", None).await;
    let said = (none.verdict, none.detail.as_str(), none.lifted_by.as_deref());
    assert_eq!(said, ("allow", "no version of tool that is known here is kept out of up", None));
}

/// At PyPI times are those of files.
async fn a_version_is_what_its_files_are(bench: &Bench) {
    let desk = Desk::new(bench, "pypi", minimum(72)).await;
    let file = |name: &str, hours: u64| {
        json!({"filename": name, "url": format!("{}/files/{name}", desk.upstream.url()), "hashes": {"sha256": "00".repeat(32)},
            "upload-time": desk.ago(hours).to_string()})
    };
    let index = json!({"meta": {"api-version": "1.1"}, "name": "tool", "versions": ["1.0"],
        "files": [file("tool-1.0-py3-none-any.whl", 1), file("tool-1.0.tar.gz", 100)]});
    let head = "Content-Type: application/vnd.pypi.simple.v1+json\r\n";
    desk.upstream.says("/tool/", head, index.to_string());
    let old = of(&desk, "tool", Some("1.0")).await;
    assert_eq!((old.verdict, old.published_at), ("allow", Some(desk.ago(100))), "{}", old.detail);
    assert_eq!(old.detail, "no rule of up keeps it out");
}

async fn who_can_lift_it_is_told_where_something_can_be_lifted(bench: &Bench) {
    let rules = json!([
        {"kind": "claim", "pattern": "ours"},
        {"kind": "allow", "pattern": "too*", "versions": "^1"},
        {"kind": "block", "pattern": "evil"},
        {"kind": "minimumAge", "hours": 72},
    ]);
    let desk = Desk::new(bench, "npm", rules).await;
    npm(&desk, &[("1.0.0", Some(1)), ("2.0.0", Some(100)), ("2.1.0", Some(1))]);
    let said = |said: Explanation| (said.verdict, said.detail, said.lifted_by.is_some());
    let told = |verdict: &'static str, detail: &str, lifted: bool| (verdict, detail.to_owned(), lifted);
    let hidden = of(&desk, "ours", Some("1.0.0")).await;
    let says: Vec<_> = hidden.rules.iter().map(|rule| rule.says).collect();
    assert_eq!(says, [Some("hide"), None, None, None], "nobody looked at its age");
    assert_eq!(said(hidden), told("hide", "ours was not found: up takes that name from no upstream", false));
    assert_eq!(said(of(&desk, "evil", None).await), told("deny", "evil is blocked in up", true));
    assert_eq!(said(of(&desk, "tool", Some("1.0.0")).await), told("allow", "up allows too* ^1", false));
    assert_eq!(said(of(&desk, "tool", Some("2.0.0")).await), told("allow", "no rule of up keeps it out", false));
    let (verdict, _, lifted) = said(of(&desk, "tool", Some("2.1.0")).await);
    assert_eq!((verdict, lifted), ("deny", true));
    desk.rule(json!([])).await.expect("no rules");
    let unruled = told("allow", "no rules decide over what is read from up", false);
    assert_eq!(said(of(&desk, "tool", Some("2.1.0")).await), unruled);
}
