//! Versions whose files are gathered: hidden from all, then there at once.

use model::{Code, RefName, Timestamp, VersionId};
use store::deployments::{Appear, Gather, Outcome, Prolong, under_way};
use store::facts;
use store::refs::NewRef;
use store::releases::{Begun, PublishRelease, Released};
use store::tombstones::PutTombstone;
use store::versions::SealLater;

use crate::engines::Bench;
use crate::{heads, joining, release};

const HIDDEN: &str = "SELECT count(*) FROM versions WHERE state = 'draft' AND published_at IS NULL";
const HELD: &str = "SELECT CAST(sum(used) AS BIGINT) FROM allowances WHERE kind = 'bytes'";
const LOOKS: &str = "SELECT count(*) FROM jobs WHERE kind = 'deployment.appear'";
const LEFT: &str = "SELECT (SELECT count(*) FROM deployments) + (SELECT count(*) FROM deployment_refs)";

fn gathering(bench: &Bench, release: PublishRelease, until: Timestamp) -> PublishRelease {
    let gather = Gather { until, job: bench.ambient.id() };
    PublishRelease { gather: Some(gather), ..joining(bench, release) }
}

fn by(subject: &str, mut release: PublishRelease) -> PublishRelease {
    release.act.actor = subject.to_owned();
    release
}

fn code<T: std::fmt::Debug>(outcome: store::Result<T>) -> Code {
    match outcome {
        Err(store::Error::Refused(refusal)) => refusal.code,
        other => unreachable!("{other:?}"),
    }
}

fn appear(bench: &Bench, done: &Released, release: &PublishRelease, at: Timestamp, when_due: bool) -> Appear {
    let seal = SealLater { job: bench.ambient.id(), at: at.plus(std::time::Duration::from_secs(1)) };
    let when_due = when_due.then(|| bench.ambient.id());
    Appear { act: bench.act_at(at), repo: release.repo, version: done.version, when_due, seal }
}

async fn state(bench: &Bench, done: &Released) -> (usize, u64) {
    let package = done.package;
    let names = bench.store.read(async |session| facts::names(session, package).await).await.expect("names");
    (heads(bench, done).await.len(), names.generation)
}

/// Nothing of it is seen, its uploader alone adds to it, and then all of it is there.
pub(crate) async fn what_is_gathered_appears_at_once(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let until = bench.ambient.now().plus(std::time::Duration::from_secs(3600));
    let mut first = gathering(bench, release(bench, repo, "1.0", &[("a", 1)]), until);
    let name = RefName::parse("latest").expect("a name");
    first.refs = vec![NewRef { id: bench.ambient.id(), name, fixed: false }];
    let done = bench.deposit(first.clone()).await.expect("gathered");
    let before = state(bench, &done).await;
    let more = gathering(bench, release(bench, repo, "1.0", &[("b", 2)]), until);
    let joined = bench.deposit(more.clone()).await.expect("gathered too");
    assert_eq!((joined.begun, joined.version), (Begun::Gathers(done.version), done.version));
    // Without the setting, what was begun goes on to be gathered.
    let plain = joining(bench, release(bench, repo, "1.0", &[("c", 3)]));
    assert_eq!(bench.deposit(plain).await.expect("joined").begun, Begun::Gathers(done.version));

    assert_eq!(code(bench.deposit(more.clone()).await), Code::Conflict, "a file never changes");
    let stranger = by("mallory", gathering(bench, release(bench, repo, "1.0", &[("d", 4)]), until));
    assert_eq!(code(bench.deposit(stranger).await), Code::Conflict, "it is somebody else's");
    let whole = release(bench, repo, "1.0", &[("d", 4)]);
    assert_eq!(code(bench.deposit(whole).await), Code::Conflict, "nothing is published over it");
    assert_eq!((state(bench, &done).await, before.0), (before, 0), "nothing has changed for a reader");
    assert_eq!(bench.count(HIDDEN).await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM refs").await, 0);
    assert_eq!(bench.count(HELD).await, 9, "each file is paid for as it comes");
    let look = async |session: &mut store::Session<'_>| {
        let hers = under_way(session, repo, "", "tool", "mallory").await?;
        let folder = store::folders::list(session, repo, "", None, 10, store::When::Now).await?;
        let place = store::locations::find(session, repo, "files/a").await?;
        Ok((hers, folder, place, under_way(session, repo, "", "tool", "alice").await?))
    };
    let (hers, folder, place, his) = bench.store.read(look).await.expect("a look");
    assert!(hers.is_empty() && folder.is_empty(), "{folder:?}");
    assert_eq!(his, [done.version]);
    assert!(place.is_some_and(|place| place.created_by == "alice"), "only for whoever compares the name");

    let at = bench.ambient.now();
    let complete = appear(bench, &done, &first, at, false);
    assert_eq!(bench.store.write(complete.clone()).await.expect("complete"), Outcome::Appeared);
    assert_eq!(bench.store.write(complete).await.expect("again"), Outcome::Over);
    assert_eq!(state(bench, &done).await, (1, before.1 + 1));
    assert_eq!(bench.count("SELECT count(*) FROM refs WHERE to_at IS NULL").await, 1);
    assert_eq!(bench.count(HELD).await, 9, "and nothing is paid for twice");
    assert_eq!(bench.count(LEFT).await, 0);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'package.version.published'").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM entries WHERE added_event IS NULL").await, 0);
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE kind = 'version.seal'").await, 1);
    let late = by("mallory", gathering(bench, release(bench, repo, "1.0", &[("d", 4)]), until));
    assert_eq!(bench.deposit(late).await.expect("joined").begun, Begun::Joins(done.version), "as elsewhere");
    assert_eq!(state(bench, &done).await, (1, before.1 + 2), "and visible at once");
}

/// The quiet period begins anew with each file and each sign of life, and a look plans the next one.
pub(crate) async fn what_is_gathered_appears_after_a_quiet_period(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let now = bench.ambient.now();
    let after = |seconds| now.plus(std::time::Duration::from_secs(seconds));
    let first = gathering(bench, release(bench, repo, "1.0", &[("a", 1)]), after(60));
    let done = bench.deposit(first.clone()).await.expect("gathered");
    bench.deposit(gathering(bench, release(bench, repo, "1.0", &[("b", 2)]), after(90))).await.expect("more");
    let look = |at| appear(bench, &done, &first, at, true);
    assert_eq!(bench.store.write(look(after(60))).await.expect("a look"), Outcome::Waits);
    assert_eq!(bench.count(LOOKS).await, 2, "the first, and the one that it planned");
    let sign = |subject: &str| Prolong {
        repo,
        namespace: String::new(),
        name: "tool".to_owned(),
        version: "1.0".to_owned(),
        subject: subject.to_owned(),
        until: after(120),
    };
    bench.store.write(Prolong { until: after(1000), ..sign("mallory") }).await.expect("nothing");
    bench.store.write(Prolong { until: after(70), ..sign("alice") }).await.expect("never shorter");
    assert_eq!(bench.store.write(look(after(89))).await.expect("a look"), Outcome::Waits);
    bench.store.write(sign("alice")).await.expect("prolonged");
    assert_eq!(bench.store.write(look(after(119))).await.expect("a look"), Outcome::Waits);
    assert_eq!(heads(bench, &done).await.len(), 0);
    assert_eq!(bench.store.write(look(after(120))).await.expect("a look"), Outcome::Appeared);
    assert_eq!(heads(bench, &done).await.len(), 1);
    bench.store.write(sign("alice")).await.expect("over: nothing");
    assert_eq!(bench.count(LEFT).await, 0);
}

/// However many files are gathered in a folder, it is not listed.
pub(crate) async fn a_folder_of_gathered_files_is_not_listed(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let names: Vec<_> = (0..300).map(|number| format!("deep/{number}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let until = bench.ambient.now();
    let first = gathering(bench, release(bench, repo, "1.0", &files), until);
    let done = bench.deposit(first.clone()).await.expect("gathered");
    let listed = async || {
        let look = async |session: &mut store::Session<'_>| {
            store::folders::list(session, repo, "", None, 10, store::When::Now).await
        };
        bench.store.read(look).await.expect("a listing").len()
    };
    assert_eq!(listed().await, 0);
    bench.store.write(appear(bench, &done, &first, until, false)).await.expect("complete");
    assert_eq!(listed().await, 1);
}

/// Two who want the same fixed ref are both published: it stays with the first that appears, and who comes later is
/// told when it sends its files.
pub(crate) async fn a_fixed_ref_stays_with_the_first_of_two_deployments(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let until = bench.ambient.now();
    let wanting = |version: &str, digest| {
        let mut wanting = gathering(bench, release(bench, repo, version, &[(version, digest)]), until);
        let name = RefName::parse("stable").expect("a name");
        wanting.refs = vec![NewRef { id: bench.ambient.id(), name, fixed: true }];
        wanting
    };
    let (one, two) = (wanting("1.0", 1), wanting("2.0", 2));
    let first = bench.deposit(one.clone()).await.expect("gathered");
    let second = bench.deposit(two.clone()).await.expect("gathered: nothing points yet");
    for (done, release) in [(&first, &one), (&second, &two)] {
        let complete = appear(bench, done, release, until, false);
        assert_eq!(bench.store.write(complete).await.expect("complete"), Outcome::Appeared);
    }
    assert_eq!(heads(bench, &first).await.len(), 2);
    let refs = async |session: &mut store::Session<'_>| facts::refs(session, first.package, store::When::Now).await;
    let refs = bench.store.read(refs).await.expect("refs");
    assert_eq!(refs, [("stable".to_owned(), "1.0".to_owned())]);
    assert_eq!(code(bench.deposit(wanting("3.0", 3)).await), Code::Conflict);
    assert_eq!((bench.count(HIDDEN).await, bench.count(LEFT).await), (0, 0), "nothing of it stays");
}

/// What was withdrawn before it appeared never appears, and its name is taken.
pub(crate) async fn a_withdrawn_deployment_is_over(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let until = bench.ambient.now();
    let first = gathering(bench, release(bench, repo, "1.0", &[("a", 1)]), until);
    let done = bench.deposit(first.clone()).await.expect("gathered");
    let tombstone = PutTombstone {
        act: bench.act(),
        repo,
        version: done.version,
        id: bench.ambient.id(),
        reason: "a mistake".to_owned(),
        retain_until: until,
    };
    bench.store.write(tombstone).await.expect("withdrawn");
    assert_eq!(bench.store.write(appear(bench, &done, &first, until, true)).await.expect("over"), Outcome::Over);
    assert_eq!((bench.count(LEFT).await, heads(bench, &done).await.len()), (0, 0));
    assert_eq!(
        code(bench.deposit(gathering(bench, release(bench, repo, "1.0", &[("b", 2)]), until)).await),
        Code::Conflict
    );
    let nothing = Appear { version: VersionId(uuid::Uuid::nil()), ..appear(bench, &done, &first, until, false) };
    assert_eq!(code(bench.store.write(nothing).await), Code::NotFound);
}
