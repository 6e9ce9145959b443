//! Waivers: what rules keep out is let in for a while.

use std::time::Duration;

use model::Code;
use registry::{Admin, NewWaiver, Question};
use serde_json::json;

use crate::bench::{Bench, code, package, path, version_name};
use crate::ruled::{Desk, HOUR, minimum, npm};

crate::both! {
    a_waiver_lets_in_for_a_while;
}

async fn a_waiver_lets_in_for_a_while(bench: &Bench) {
    let desk = Desk::new(bench, "npm", minimum(72)).await;
    npm(&desk, &[("1.0.0", Some(1)), ("1.1.0", Some(1))]);
    let admin = bench.grant::<Admin>(&desk.key).await;
    let until = desk.ago(0).plus(Duration::from_secs(10 * HOUR));
    let new = NewWaiver {
        package: package("tool"),
        version: Some(version_name("1.0.0")),
        reason: "a fix that cannot wait".to_owned(),
        until,
    };
    assert_eq!(desk.code("tool").await, Code::PolicyDenied, "nothing is left");
    let given = admin.waive(new.clone()).await.expect("waived");
    let shown = desk.text("tool").await;
    assert!(shown.contains("1.0.0") && !shown.contains("1.1.0"), "{shown}");
    desk.get("tool/-/tool-1.0.0.tgz").await.expect("waived");
    assert_eq!(desk.code("tool/-/tool-1.1.0.tgz").await, Code::PolicyDenied);
    let why = desk.explain(Question::Path(path("tool/-/tool-1.0.0.tgz"))).await;
    assert_eq!((why.verdict, why.until, why.waivers.len(), why.rules[0].says), ("allow", Some(until), 1, Some("deny")));

    desk.later(10);
    assert_eq!(desk.code("tool/-/tool-1.0.0.tgz").await, Code::PolicyDenied, "it has ended");
    assert_eq!(code(admin.end_waiver(given.id).await), Code::NotFound);
    let until = until.plus(Duration::from_secs(HOUR));
    let again = admin.waive(NewWaiver { version: None, until, ..new.clone() }).await.expect("waived");
    desk.get("tool/-/tool-1.1.0.tgz").await.expect("all of them are waived");
    admin.end_waiver(again.id).await.expect("ended");
    assert_eq!(desk.code("tool/-/tool-1.1.0.tgz").await, Code::PolicyDenied);
    let all = admin.waivers(None, 10).await.expect("listed");
    assert_eq!(
        all.iter().map(|one| (one.id, one.ended_at.is_some())).collect::<Vec<_>>(),
        [(again.id, true), (given.id, false)]
    );
    for (until, reason) in
        [(desk.ago(0), "r"), (desk.ago(0).plus(Duration::from_secs(91 * 24 * HOUR)), "r"), (until, " ")]
    {
        let odd = NewWaiver { until, reason: reason.to_owned(), ..new.clone() };
        assert_eq!(code(admin.waive(odd).await), Code::BadRequest);
    }
    let local = bench.grant::<Admin>(&bench.repository("libs", false).await).await;
    let until = desk.ago(0).plus(Duration::from_secs(HOUR));
    assert_eq!(code(local.waive(NewWaiver { until, ..new.clone() }).await), Code::Conflict);
    desk.rule(json!([{"kind": "claim", "pattern": "to*"}])).await.expect("a rule");
    let admin = bench.grant::<Admin>(&desk.key).await;
    assert_eq!(code(admin.waive(NewWaiver { until, ..new.clone() }).await), Code::Conflict, "claims stay");
    admin.waive(NewWaiver { package: package("other"), until, ..new }).await.expect("nothing claims it");
}
