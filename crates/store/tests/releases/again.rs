//! Versions that may come again, with files that are here already and what belongs to them.

use model::{Code, RefName, RefPattern, Sha256Digest, VersionId};
use store::refs::{self, EndRef, Expected, NewRef, PutRef};
use store::releases::{Begun, Bytes, NewFile, PublishRelease};
use store::subjects;
use store::tombstones::PutTombstone;

use super::engines::Bench;
use super::in_order::{code_of, upload};
use super::release;
use store::deposit::Deposit;

const USED: &str = "SELECT CAST(sum(used) AS BIGINT) FROM allowances WHERE kind = 'bytes'";

fn name(text: &str) -> RefName {
    RefName::parse(text).expect("a name")
}

fn pointing(bench: &Bench, release: PublishRelease, refs: &[&str]) -> PublishRelease {
    let new = |text: &&str| NewRef { id: bench.ambient.id(), name: name(text), fixed: false };
    PublishRelease { refs: refs.iter().map(new).collect(), again: true, ..release }
}

async fn withdraw(bench: &Bench, repo: model::RepoId, version: VersionId) {
    let (act, id, reason) = (bench.act(), bench.ambient.id(), "bad".to_owned());
    let retain_until = act.at;
    bench.store.write(PutTombstone { act, repo, version, id, reason, retain_until }).await.expect("withdrawn");
}

pub(super) async fn the_same_version_comes_again_and_back(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let make = |refs: &[&str]| pointing(bench, release(bench, repo, "sha256:1", &[("a", 1)]), refs);
    let first = bench.deposit(make(&["latest", "v1"])).await.expect("a release");
    let used = bench.count(USED).await;
    let events = "SELECT count(*) FROM events";
    let before = bench.count(events).await;
    let again = bench.deposit(make(&["latest"])).await.expect("the same again");
    assert_eq!(again.begun, Begun::Again(first.version));
    assert_eq!((bench.count(events).await, bench.count(USED).await), (before, used), "nothing has changed");
    bench.deposit(make(&["other"])).await.expect("another ref");
    assert_eq!(bench.count(events).await, before + 1);
    withdraw(bench, repo, first.version).await;
    let mut back = make(&["new"]);
    back.fixed = vec![RefPattern::parse("v*").expect("a pattern")];
    let back = bench.deposit(back).await.expect("it comes back, whenever that is");
    assert_eq!(back.begun, Begun::Back(first.version));
    let package = first.package;
    let names = bench
        .store
        .read(async |session| refs::names(session, package, "", 10, store::When::Now).await)
        .await
        .expect("names");
    assert_eq!(names, ["new", "v1"], "what pointed at it before has ended, but for what never moves");
    assert_eq!(bench.count("SELECT count(*) FROM tombstones WHERE to_at IS NULL").await, 0);
    assert_eq!(bench.count(USED).await, used);
    let mut once = release(bench, repo, "sha256:1", &[("a", 1)]);
    once.again = false;
    bench.deposit(once).await.expect_err("who does not say so may not");
}

fn held(mut release: PublishRelease, digest: u8, size: u64, required: bool) -> PublishRelease {
    let bytes = Bytes::Held { digest: Sha256Digest([digest; 32]), size, required };
    let path = |text: &str| model::EntryPath::parse(text).expect("a path");
    let location = path(&format!("{}/held", release.version));
    release.files.push(NewFile { path: path("held"), location, bytes, media_type: None, attributes: None });
    release
}

pub(super) async fn what_must_be_held_is(bench: &mut Bench) {
    let (repo, other) = (bench.repository("libs").await, bench.repository("other").await);
    upload(bench, other, 7, 3).await;
    let one = |version, size, required| held(release(bench, repo, version, &[(version, 1)]), 7, size, required);
    let missing = bench.deposit(one("1", 3, true)).await.expect_err("another repository holds it");
    assert_eq!(code_of(&missing), Some(Code::NotFound));
    bench.deposit(one("1", 3, false)).await.expect("it need not be there");
    assert_eq!(bench.count("SELECT count(*) FROM entries").await, 1);
    upload(bench, repo, 7, 3).await;
    let long = bench.deposit(one("2", 4, true)).await.expect_err("another length");
    assert_eq!(code_of(&long), Some(Code::Unprocessable));
    let before = bench.count(USED).await;
    bench.deposit(one("2", 3, true)).await.expect("a release");
    assert_eq!(bench.count(USED).await, before + 3, "the manifest's bytes; the pin gave way");
    assert_eq!(bench.count("SELECT count(*) FROM pins").await, 1, "the other repository's");
}

pub(super) async fn fixed_refs_stay(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let make = |version: &str, digest| {
        let release = release(bench, repo, version, &[(version, digest)]);
        let refs = vec![NewRef { id: bench.ambient.id(), name: name("v1"), fixed: true }];
        PublishRelease { refs, again: true, ..release }
    };
    let first = bench.deposit(make("1", 1)).await.expect("a release");
    bench.deposit(make("1", 1)).await.expect("it points there already");
    let refused = bench.deposit(make("2", 2)).await.expect_err("it would move");
    assert!(refused.to_string().contains("immutableRefs"), "{refused}");
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 1, "nothing of it stays");
    let (package, expected) = (first.package, Expected::Anything);
    let end = EndRef { act: bench.act(), repo, package, name: name("v1"), expected, fixed: true };
    bench.store.write(end).await.expect_err("it would end");
    let second = bench.deposit(release(bench, repo, "2", &[("2", 2)])).await.expect("a release");
    let (act, id, expected) = (bench.act(), bench.ambient.id(), Expected::Anything);
    let put = PutRef { act, repo, id, name: name("v1"), version: second.version, expected, fixed: true };
    bench.store.write(put).await.expect_err("it would move");
    let look = async |session: &mut store::Session<'_>| {
        refs::pointed(session, repo, ("", "tool"), "v1", store::When::Now).await
    };
    assert_eq!(bench.store.read(look).await.expect("a look").map(|(_, version)| version).as_deref(), Some("1"));
    withdraw(bench, repo, first.version).await;
    assert_eq!(bench.store.read(look).await.expect("a look"), None);
    bench.deposit(make("3", 3)).await.expect_err("also then its name is not given away");
}

pub(super) async fn versions_that_belong_to_another_are_found(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let mut ids = Vec::new();
    for number in 0..3u8 {
        let version = format!("sig{number}");
        let mut one = release(bench, repo, &version, &[(&version, number)]);
        one.subject = Some("sha256:9".to_owned());
        ids.push(bench.deposit(one).await.expect("a release").version);
    }
    let list = async |subject: &'static str, after: Option<VersionId>, limit| {
        let after = after.unwrap_or(VersionId(uuid::Uuid::nil()));
        let look = async |session: &mut store::Session<'_>| {
            let before = store::statements_sent();
            let found = subjects::list(session, repo, ("", "tool"), subject, (after, limit), store::When::Now).await?;
            Ok((found, store::statements_sent() - before))
        };
        let (found, sent) = bench.store.read(look).await.expect("a look");
        assert!(bench.store.fresh().is_none() || sent == 1);
        found.into_iter().map(|one| one.version).collect::<Vec<_>>()
    };
    assert_eq!(list("sha256:9", None, 10).await, ["sig0", "sig1", "sig2"]);
    assert_eq!(list("sha256:9", Some(ids[0]), 1).await, ["sig1"]);
    assert!(list("sha256:8", None, 10).await.is_empty());
    withdraw(bench, repo, ids[1]).await;
    assert_eq!(list("sha256:9", None, 10).await, ["sig0", "sig2"]);
}

pub(super) async fn what_was_missing_joins_when_the_version_comes_again(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let one = |version| one_of(bench, repo, version, 7);
    let (entries, pins) = ("SELECT count(*) FROM entries", "SELECT count(*) FROM pins");
    let sealed = "SELECT count(*) FROM versions WHERE sealed_at IS NOT NULL";
    let first = bench.deposit(one("1")).await.expect("a release that is not whole");
    assert_eq!((bench.count(entries).await, bench.count(sealed).await), (1, 0), "it stays open");
    bench.deposit(one("1")).await.expect("the same again");
    assert_eq!((bench.count(entries).await, bench.count(sealed).await), (1, 0));
    upload(bench, repo, 7, 3).await;
    let used = bench.count(USED).await;
    let again = bench.deposit(one("1")).await.expect("whole now");
    assert_eq!(again.begun, Begun::Again(first.version));
    assert_eq!((bench.count(entries).await, bench.count(sealed).await), (2, 1));
    assert_eq!((bench.count(pins).await, bench.count(USED).await), (0, used), "the pin gave way");
    let locations = "SELECT count(*) FROM locations";
    assert_eq!(bench.count(locations).await, 2);
    let told = "SELECT count(*) FROM events WHERE action = 'package.version.extended'";
    assert_eq!(bench.count(told).await, 1);
    // Sealed by hand, it takes nothing more, and what is pinned stays pinned.
    let open = bench.deposit(one_of(bench, repo, "2", 8)).await.expect("a release that is not whole");
    let seal = store::versions::SealVersion { act: bench.act(), repo, version: open.version };
    bench.store.write(seal).await.expect("sealed");
    upload(bench, repo, 8, 3).await;
    bench.deposit(one_of(bench, repo, "2", 8)).await.expect("the same again");
    assert_eq!((bench.count(entries).await, bench.count(pins).await), (3, 1));
    // Withdrawn before it was whole, it comes back whole.
    let part = bench.deposit(one_of(bench, repo, "3", 9)).await.expect("a release that is not whole");
    withdraw(bench, repo, part.version).await;
    upload(bench, repo, 9, 3).await;
    let back = bench.deposit(one_of(bench, repo, "3", 9)).await.expect("back");
    assert_eq!(back.begun, Begun::Back(part.version));
    assert_eq!((bench.count(entries).await, bench.count(sealed).await), (5, 3));
}

/// As where files are fetched one by one: nothing that was withdrawn comes back by that, and nothing is sealed of which
/// more is to come.
pub(super) async fn what_joins_brings_nothing_back(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let one = |stays_open| PublishRelease { joins: true, stays_open, ..one_of(bench, repo, "1", 7) };
    let sealed = "SELECT count(*) FROM versions WHERE sealed_at IS NOT NULL";
    let entries = "SELECT count(*) FROM entries";
    let first = bench.deposit(one(true)).await.expect("a release that is not whole");
    upload(bench, repo, 7, 3).await;
    bench.deposit(one(true)).await.expect("the same again");
    assert_eq!((bench.count(entries).await, bench.count(sealed).await), (2, 0), "there may be more");
    bench.deposit(one(false)).await.expect("that was all");
    assert_eq!((bench.count(entries).await, bench.count(sealed).await), (2, 1));
    withdraw(bench, repo, first.version).await;
    bench.deposit(one(false)).await.expect_err("it was withdrawn");
    assert_eq!(bench.count("SELECT count(*) FROM versions WHERE state = 'published'").await, 0);
}

pub(super) async fn versions_that_name_something_are_found(bench: &mut Bench) {
    let (repo, other) = (bench.repository("libs").await, bench.repository("other").await);
    let make = |repo, version: &str, says: &str| {
        let release = release(bench, repo, version, &[(version, 1)]);
        PublishRelease { manifest: format!(r#"{{"blobs": ["{says}"]}}"#), ..release }
    };
    bench.deposit(make(repo, "1", "sha256:ab")).await.expect("a release");
    let gone = bench.deposit(make(repo, "2", "sha256:ab")).await.expect("a release");
    bench.deposit(make(repo, "3", "sha256:cd")).await.expect("a release");
    bench.deposit(make(other, "4", "sha256:ab")).await.expect("a release");
    withdraw(bench, repo, gone.version).await;
    let look = async |session: &mut store::Session<'_>| {
        store::manifests::naming(session, repo, ("", "tool"), "sha256:ab").await
    };
    let found = bench.store.read(look).await.expect("a look");
    let found: Vec<_> = found.iter().map(|naming| (naming.version.as_str(), naming.published)).collect();
    assert_eq!(found, [("1", true), ("2", false)]);
}

fn one_of(bench: &Bench, repo: model::RepoId, version: &str, digest: u8) -> PublishRelease {
    let release = held(release(bench, repo, version, &[(version, 1)]), digest, 3, false);
    PublishRelease { again: true, ..release }
}

/// A write, and how many rows of packages, versions and refs its transaction has read, as PostgreSQL
/// counts them.
struct Reading(PublishRelease);

impl Deposit for Reading {
    type Out = u64;

    fn is_stored(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<u64> {
        let before = rows_read(tx).await?;
        self.0.apply(tx).await?;
        Ok(rows_read(tx).await? - before)
    }
}

/// The counters also hold what earlier transactions of the connection have read lately.
async fn rows_read(tx: &mut store::Tx<'_>) -> store::Result<u64> {
    let sql = "SELECT CAST(coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0) AS BIGINT)
         FROM pg_stat_xact_user_tables WHERE relname IN ('packages', 'versions', 'refs')";
    tx.row(sql, &[]).await?.ok_or_else(|| store::Error::Defect("no sum".to_owned()))?.get(0)
}

#[tokio::test]
async fn a_push_reads_few_rows_beside_ten_thousand_refs() {
    let bench = Bench::postgres().await;
    let repo = bench.repository("libs").await;
    let push = async |number: u8, tag: &str| {
        let version = format!("sha256:{number}");
        let release = pointing(&bench, release(&bench, repo, &version, &[(&version, number)]), &[tag]);
        bench.deposit(Reading(release)).await.expect("a release")
    };
    push(1, "t00001").await;
    push(2, "t00002").await;
    let many = "INSERT INTO refs (id, package_id, name, version_id, from_at, from_event, by_subject)
         SELECT gen_random_uuid(), r.package_id, 'z' || lpad(n::text, 5, '0'), r.version_id, r.from_at, r.from_event,
             r.by_subject FROM refs r CROSS JOIN generate_series(1, 10000) n WHERE r.name = 't00002'";
    bench.store.write(Raw(many)).await.expect("ten thousand refs");
    // As autovacuum does before long; until then the planner believes that there are two.
    bench.store.write(Raw("ANALYZE refs")).await.expect("analysed");
    for (number, tag) in [(3, "t00001"), (4, "z05000"), (5, "zz"), (6, "zz")] {
        let rows = push(number, tag).await;
        assert!(rows < 200, "{tag}: {rows} rows");
    }
}

struct Raw(&'static str);

impl store::Write for Raw {
    type Out = u64;

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<u64> {
        tx.execute(self.0, &[]).await
    }
}
