//! What package managers do: indexes are fresh and cost little, changes are idempotent, logins end.

use bytes::Bytes;
use formats::{
    Answer, Change, Intake, NewFile, PackageAt, Piece, Plan, Release, ReleaseFile, Seen, Site, Source, StagedFile, What,
};
use model::state::MarkKind;
use model::{Code, Refusal};
use registry::{Read, Registry, RepoSettings, Write};

use crate::bench::{Bench, code, path, repo_key, version_name};
use crate::both;

const SITE: Site<'static> = Site { base: "https://host/repository/js", auth_required: true, subject: None };

/// A body that is the plan itself.
#[derive(Debug)]
struct Given(Plan);

impl Intake for Given {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        out.extend([Piece::Begin(NewFile::default()), Piece::Bytes(bytes), Piece::End]);
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        Ok(())
    }

    fn plan(self: Box<Self>, _: &mut [StagedFile]) -> Result<Plan, Refusal> {
        Ok(self.0)
    }
}

fn tool() -> PackageAt {
    PackageAt::named("tool")
}

fn release(version: &str) -> Plan {
    let file = format!("tool-{version}.tgz");
    let release = Release {
        package: tool(),
        display: "tool".to_owned(),
        exact_name: true,
        version: version_name(version),
        files: vec![ReleaseFile {
            path: path(&file),
            location: path(&format!("tool/-/{file}")),
            source: Source::Staged(0),
            media_type: None,
            attributes: None,
        }],
        manifest: format!(r#"{{"name":"tool","version":"{version}"}}"#),
        refs: Vec::new(),
        subject: None,
        again: false,
        joins: false,
    };
    Plan { release: Some(release), ..Plan::default() }
}

async fn take(bench: &Bench, plan: Plan) -> registry::Result<Answer> {
    let grant = bench.grant::<Write>(&repo_key("js")).await;
    let publishes = plan.release.is_some();
    let mut receiving = grant.take_in(Box::new(Given(plan)));
    if publishes {
        receiving.write(Bytes::from_static(b"archive")).await?;
    }
    receiving.end().await?.perform().await
}

async fn index(bench: &Bench) -> registry::Result<serde_json::Value> {
    let shown = bench.grant::<Read>(&repo_key("js")).await.index(&tool(), 0, &SITE).await?;
    Ok(serde_json::from_slice(shown.body()).expect("JSON"))
}

fn deprecate(version: &str, text: Option<&str>) -> Change {
    let (version, text) = (version.to_owned(), text.map(str::to_owned));
    Change { package: tool(), what: What::Mark { version, kind: MarkKind::Deprecated, text } }
}

/// Statements of a transaction are counted on the writer's thread, those of reads on our own.
async fn sent(registry: &Registry) -> u64 {
    struct Sent;
    impl store::Write for Sent {
        type Out = u64;
        async fn apply(&self, _: &mut store::Tx<'_>) -> store::Result<u64> {
            Ok(store::statements_sent())
        }
    }
    registry.store().write(Sent).await.expect("a count")
}

#[tokio::test]
async fn embedded_a_warm_index_sends_nothing_and_a_publish_is_a_fixed_number() {
    let bench = Bench::sqlite().await;
    bench.repository_of("npm", "js", RepoSettings::default()).await;
    let mut costs = Vec::new();
    for number in 0..4 {
        let before = sent(&bench.registry).await;
        take(&bench, release(&format!("1.0.{number}"))).await.expect("published");
        costs.push(sent(&bench.registry).await - before);
    }
    assert_eq!(costs.get(1), costs.get(3), "{costs:?}");
    assert!(costs.iter().all(|cost| *cost <= 20), "{costs:?}");

    assert_eq!(index(&bench).await.expect("an index")["versions"].as_object().map(serde_json::Map::len), Some(4));
    let before = store::statements_sent();
    index(&bench).await.expect("an index");
    assert_eq!(store::statements_sent() - before, 0);
    take(&bench, release("2.0.0")).await.expect("published");
    let before = store::statements_sent();
    let fresh = index(&bench).await.expect("an index");
    assert_eq!(fresh["dist-tags"]["latest"], "2.0.0");
    assert!(store::statements_sent() - before <= 6, "names, refs, heads, and the inside of what is new");
}

#[tokio::test]
async fn embedded_marks_that_are_as_they_should_be_cost_nothing() {
    let bench = Bench::sqlite().await;
    bench.repository_of("npm", "js", RepoSettings::default()).await;
    let versions: Vec<String> = (0..40).map(|number| format!("1.0.{number}")).collect();
    for version in &versions {
        take(&bench, release(version)).await.expect("published");
    }
    let changes = versions.iter().map(|version| deprecate(version, (version == "1.0.7").then_some("old"))).collect();
    let (written, read) = (sent(&bench.registry).await, store::statements_sent());
    take(&bench, Plan { changes, ..Plan::default() }).await.expect("deprecated");
    assert!(sent(&bench.registry).await - written <= 12 && store::statements_sent() - read <= 6);
    let index = index(&bench).await.expect("an index");
    assert_eq!(index["versions"]["1.0.7"]["deprecated"], "old");
    assert!(index["versions"]["1.0.8"].get("deprecated").is_none());
}

async fn what_was_made_from_another_state_is_refused(bench: &Bench) {
    bench.repository_of("npm", "js", RepoSettings::default()).await;
    take(bench, release("1.0.0")).await.expect("published");
    let rev = index(bench).await.expect("an index")["_rev"].as_str().map(str::to_owned).expect("a revision");
    let state = rev.split('-').next().and_then(|number| number.parse().ok()).expect("a number");
    take(bench, release("1.1.0")).await.expect("published");
    // Whoever had not seen 1.1.0 would withdraw it unawares.
    let keep = Change { package: tool(), what: What::KeepOnly { versions: vec!["1.0.0".to_owned()] } };
    let plan =
        |state| Plan { changes: vec![keep.clone()], seen: Some(Seen { package: tool(), state }), ..Plan::default() };
    assert_eq!(code(take(bench, plan(state)).await), Code::Conflict);
    assert!(index(bench).await.expect("an index")["versions"].get("1.1.0").is_some());
    take(bench, plan(state + 1)).await.expect("withdrawn");
    assert!(index(bench).await.expect("an index")["versions"].get("1.1.0").is_none());
}

async fn a_version_is_withdrawn_twice_and_never_again_published(bench: &Bench) {
    bench.repository_of("npm", "js", RepoSettings::default()).await;
    take(bench, release("1.0.0")).await.expect("published");
    let withdraw = |version: &str| {
        vec![Change { package: tool(), what: What::Withdraw { version: version.to_owned(), repeated: true } }]
    };
    let grant = bench.grant::<Read>(&repo_key("js")).await;
    grant.change(withdraw("1.0.0")).await.expect("withdrawn");
    grant.change(withdraw("1.0.0")).await.expect("withdrawn before");
    assert_eq!(code(grant.change(withdraw("2.0.0")).await), Code::NotFound);
    assert_eq!(code(take(bench, release("1.0.0")).await), Code::Conflict);
    assert_eq!(code(index(bench).await), Code::NotFound);
}

async fn a_login_dies_with_its_logout_and_with_its_parent(bench: &Bench) {
    let rita = bench.somebody("rita", &["repo:js:read"]).await;
    let minted = rita.log_in("npm").await.expect("a token");
    let call = async |token: &str| bench.registry.call(Some(token), bench.registry.ambient().id()).await;
    let session = call(minted.secret.text()).await.expect("a call");
    assert_eq!(code(session.log_out("another").await), Code::NotFound);
    session.log_out(minted.secret.text()).await.expect("logged out");
    assert_eq!(code(call(minted.secret.text()).await), Code::Unauthorized);
    let nobody = bench.registry.call(None, bench.registry.ambient().id()).await.expect("a call");
    assert_eq!(code(nobody.log_in("npm").await), Code::Unauthorized);
}

both! {
    what_was_made_from_another_state_is_refused;
    a_version_is_withdrawn_twice_and_never_again_published;
    a_login_dies_with_its_logout_and_with_its_parent;
}
