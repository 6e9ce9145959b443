//! Patterns that no name can fit are refused where they are written; what was kept before is read.

use std::time::Duration;

use model::Code;
use model::state::RepoKind;
use registry::{Admin, Error, NewRepository, NewWaiver, Question, RepoSettings, Result, Rule, TenantAdmin};
use serde_json::json;

use crate::bench::{Bench, code, package, repo_key};
use crate::ruled::{Desk, HOUR};

crate::both! {
    a_pattern_that_no_name_can_fit_is_refused_wherever_it_is_written;
    one_that_was_kept_before_is_read;
    a_waiver_for_what_is_no_name_is_refused;
}

fn refused<T>(outcome: Result<T>) -> (Code, String) {
    match outcome {
        Err(Error::Refused(refusal)) => (refusal.code, refusal.detail),
        Err(error) => (Code::Forbidden, error.to_string()),
        Ok(_) => (Code::NotFound, "accepted".to_owned()),
    }
}

fn claims(pattern: &str) -> Vec<Rule> {
    vec![Rule::Claim { pattern: pattern.to_owned() }]
}

async fn a_pattern_that_no_name_can_fit_is_refused_wherever_it_is_written(bench: &Bench) {
    let tenant = bench.admin().await.authorize_tenant::<TenantAdmin>().expect("an admin");
    for (key, kind, members) in [("own", RepoKind::Local, vec![]), ("all", RepoKind::Virtual, vec![repo_key("own")])] {
        let new = NewRepository {
            key: repo_key(key),
            format: "maven".to_owned(),
            kind,
            description: String::new(),
            anonymous_read: false,
            settings: RepoSettings::default(),
            upstream_url: None,
            upstream_auth: None,
            members,
        };
        let key = tenant.create_repository(new).await.expect("made").key;
        let admin = bench.grant::<Admin>(&key).await;
        let why = "rules[0].pattern fits no name: names of the format maven are such as com.example:tool. Was org.acme:* \
                   meant?";
        assert_eq!(refused(admin.set_rules(None, &claims("org.acme")).await), (Code::BadRequest, why.to_owned()));
        admin.set_rules(None, &claims("org.acme:*")).await.expect("what was meant");
    }
    let desk = Desk::new(bench, "npm", json!([])).await;
    let fine = json!({"kind": "block", "pattern": "evil"});
    for odd in [json!({"kind": "block", "pattern": "@acme"}), json!({"kind": "allow", "pattern": "/acme/"})] {
        let (code, why) = refused(desk.rule(json!([fine, odd])).await);
        assert!(code == Code::BadRequest && why.starts_with("rules[1].pattern fits no "), "{why}");
    }
    let images = Desk::at(bench, "oci", "images", json!([])).await;
    let (code, why) = refused(images.rule(json!([{"kind": "block", "pattern": "127.0.0.1/team/*"}])).await);
    assert!(code == Code::BadRequest && why.ends_with("without the host of the upstream. Was team/* meant?"), "{why}");
    images.rule(json!([{"kind": "block", "pattern": "registry.example/team/*"}])).await.expect("a name of an upstream");
}

async fn one_that_was_kept_before_is_read(bench: &Bench) {
    let desk = Desk::new(bench, "maven", json!([{"kind": "block", "pattern": "org.acme:*"}])).await;
    let kept = "UPDATE repositories SET rules = '[{\"kind\":\"block\",\"pattern\":\"org.acme\"},{\"kind\":\"block\",\"pattern\":\"org.evil:*\"}]'";
    bench.run(kept).await.expect("kept");
    // Whatever changes next is read together with it.
    bench.grant::<Admin>(&desk.key).await.update_repository(registry::RepoChange::default()).await.expect("changed");
    let why = desk.explain(Question::Package(package("org.evil:tool"), None)).await;
    assert_eq!((why.verdict, why.rules.len()), ("deny", 2));
}

async fn a_waiver_for_what_is_no_name_is_refused(bench: &Bench) {
    let desk = Desk::new(bench, "maven", json!([{"kind": "block", "pattern": "org.acme:*"}])).await;
    let admin = bench.grant::<Admin>(&desk.key).await;
    let until = desk.ago(0).plus(Duration::from_secs(HOUR));
    let new = |name| NewWaiver { package: package(name), version: None, reason: "r".to_owned(), until };
    let (refusal, why) = refused(admin.waive(new("org.acme")).await);
    assert!(refusal == Code::BadRequest && why.starts_with("package can be the name of no package"), "{why}");
    assert_eq!(code(admin.waive(new("org.acme:*")).await), Code::BadRequest);
    admin.waive(new("org.acme:tool")).await.expect("a name");
}
