//! What package managers do: indexes are fresh and cost little, changes are idempotent, logins end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use formats::{
    Answer, Change, Intake, NewFile, PackageAt, Piece, Plan, Release, ReleaseFile, Seen, Site, Source, StagedFile, What,
};
use model::state::MarkKind;
use model::{Code, Refusal};
use registry::{Read, Registry, RepoSettings, Write};

use crate::bench::{Bench, code, content, path, repo_key, version_name};
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
    Ok(model::json::from_slice(shown.body()).expect("JSON"))
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

async fn of_many_who_saw_one_state_one_wins(bench: &Bench) {
    bench.repository_of("npm", "js", RepoSettings::default()).await;
    take(bench, release("1.0.0")).await.expect("published");
    for round in 0..5 {
        let state = index(bench).await.expect("an index")["_rev"].as_str().expect("a revision").to_owned();
        let state = state.split('-').next().and_then(|number| number.parse().ok()).expect("a number");
        let grant = bench.grant::<Write>(&repo_key("js")).await;
        let deprecate = |number: usize| {
            let changes = vec![deprecate("1.0.0", Some(&format!("{round}-{number}")))];
            let plan = Plan { changes, seen: Some(Seen { package: tool(), state }), ..Plan::default() };
            let receiving = grant.take_in(Box::new(Given(plan)));
            tokio::spawn(async move { receiving.end().await?.perform().await })
        };
        let mut outcomes = Vec::new();
        for task in (0..16).map(deprecate).collect::<Vec<_>>() {
            outcomes.push(task.await.expect("no panic"));
        }
        let (good, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(good.len(), 1);
        assert!(refused.into_iter().all(|outcome| code(outcome) == Code::Conflict));
    }
}

/// Whoever tells of no state that it has seen learns what is wrong without a write.
async fn what_cannot_be_found_is_said_without_a_write(bench: &Bench) {
    bench.repository_of("npm", "js", RepoSettings::default()).await;
    take(bench, release("1.0.0")).await.expect("published");
    bench.registry.store().stop("a test: nothing is written any more");
    let changes = || vec![deprecate("9.9.9", Some("old"))];
    assert_eq!(code(take(bench, Plan { changes: changes(), ..Plan::default() }).await), Code::NotFound);
    let seen = Some(Seen { package: tool(), state: 1 });
    let looks = take(bench, Plan { changes: changes(), seen, ..Plan::default() }).await;
    assert!(looks.is_err_and(|error| error.code() != Some(Code::NotFound)), "here it looks whether that is still so");
}

/// The second change of each request meets a ref that never moves.
async fn a_request_is_done_whole_or_not_at_all(bench: &Bench) {
    let immutable_refs = vec![model::RefPattern::parse("v*").expect("a pattern")];
    bench.repository_of("npm", "js", RepoSettings { immutable_refs, ..RepoSettings::default() }).await;
    take(bench, release("1.0.0")).await.expect("published");
    take(bench, release("1.1.0")).await.expect("published");
    let name = model::RefName::parse("v1").expect("a name");
    let point = |version: &str| {
        let what = What::Point { name: name.clone(), version: version.to_owned() };
        Change { package: tool(), what }
    };
    take(bench, Plan { changes: vec![point("1.0.0")], ..Plan::default() }).await.expect("pointed");
    let events = bench.count("SELECT count(*) FROM events").await;
    let before = index(bench).await.expect("an index");

    let changes = vec![deprecate("1.1.0", Some("old")), point("1.1.0")];
    assert_eq!(code(take(bench, Plan { changes, ..Plan::default() }).await), Code::Conflict);
    let changes = vec![deprecate("2.0.0", Some("at once")), point("1.1.0")];
    assert_eq!(code(take(bench, Plan { changes, ..release("2.0.0") }).await), Code::Conflict);
    assert_eq!(index(bench).await.expect("an index"), before);
    assert_eq!(bench.count("SELECT count(*) FROM events").await, events);

    let plan = Plan { changes: vec![deprecate("2.0.0", Some("at once"))], ..release("2.0.0") };
    take(bench, plan).await.expect("published and deprecated");
    assert_eq!(index(bench).await.expect("an index")["versions"]["2.0.0"]["deprecated"], "at once");
}

/// Whoever goes away in the middle leaves no bytes that no row names.
async fn a_dropped_publish_leaves_nothing_behind(bench: &Bench) {
    bench.repository_of("npm", "js", RepoSettings::default()).await;
    let mut done = false;
    for polls in 1..200 {
        let version = format!("1.0.{polls}");
        let mut plan = release(&version);
        let made = content(polls, 100_000);
        if let Some(release) = &mut plan.release {
            let file = format!("made-{version}");
            release.files.push(ReleaseFile {
                path: path(&file),
                location: path(&format!("tool/-/{file}")),
                source: Source::Derived(made.to_vec()),
                media_type: None,
                attributes: None,
            });
        }
        let perform = Box::pin(take(bench, plan));
        done = Polled { future: perform, left: polls }.await;
        assert!(settled(bench).await, "bytes are left behind after {polls} polls");
        if done {
            break;
        }
    }
    assert!(done, "some number of polls is enough");
}

/// Waits until the bytes that are stored are those that rows name; `false`: they never are.
async fn settled(bench: &Bench) -> bool {
    for _ in 0..1000 {
        let named = bench.count("SELECT count(*) FROM copies WHERE kind <> 'inline'").await;
        let stored = bench.registry.blobs().list(blobs::Area::Blobs, None, 1000).await.expect("a list");
        if stored.len() as u64 == named {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    false
}

/// A future that is dropped after so many polls; tells whether it was ready by then.
struct Polled<F> {
    future: F,
    left: u64,
}

impl<F: Future + Unpin> Future for Polled<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        if Pin::new(&mut self.future).poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        self.left -= 1;
        if self.left == 0 { Poll::Ready(false) } else { Poll::Pending }
    }
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
    of_many_who_saw_one_state_one_wins;
    what_cannot_be_found_is_said_without_a_write;
    a_request_is_done_whole_or_not_at_all;
    a_dropped_publish_leaves_nothing_behind;
    a_version_is_withdrawn_twice_and_never_again_published;
    a_login_dies_with_its_logout_and_with_its_parent;
}
