//! Releases: published whole or not at all, joined until they are sealed, read back in few statements.
#![expect(clippy::expect_used, reason = "tests")]

mod again;
mod deployments;
#[path = "../engines/mod.rs"]
mod engines;
mod in_order;
mod locks;
mod moments;

use again::{
    fixed_refs_stay, the_same_version_comes_again_and_back, versions_that_belong_to_another_are_found,
    versions_that_name_something_are_found, what_joins_brings_nothing_back, what_must_be_held_is,
    what_was_missing_joins_when_the_version_comes_again,
};
use deployments::{
    a_fixed_ref_stays_with_the_first_of_two_deployments, a_folder_of_gathered_files_is_not_listed,
    a_withdrawn_deployment_is_over, what_is_gathered_appears_after_a_quiet_period, what_is_gathered_appears_at_once,
};
use engines::{Bench, LIMITS};
use in_order::{
    a_file_grows_with_its_upload, a_published_blob_is_not_let_go, chunks_come_in_order_and_become_a_blob,
    only_readers_of_a_holder_can_mount, what_an_upload_took_is_given_back,
};
use locks::{uploads_of_the_same_bytes_do_not_stop_each_other, versions_that_move_one_ref_do_not_stop_each_other};
use model::state::MarkKind;
use model::{EntryPath, RefName, RepoId, VersionName};
use moments::{
    a_package_is_read_as_it_was, files_are_there_from_when_they_joined, of_intervals_that_overlap_the_last_one_holds,
};
use store::blobs::NewBody;
use store::facts;
use store::marks::SetMark;
use store::packages::Coordinate;
use store::refs::{EndRef, Expected, NewRef};
use store::releases::{Begun, Bytes, NewFile, PublishRelease, Released};
use store::versions::{SealLater, SealVersion};

both! {
    a_release_appears_whole;
    what_is_refused_leaves_nothing;
    files_join_until_the_version_is_sealed;
    another_spelling_of_a_name_is_refused;
    of_versions_that_count_as_one_only_one_is_published;
    refs_move_with_a_release_and_end;
    refs_of_a_namespace_are_found_together;
    one_of_many_publishers_wins;
    facts_cost_the_same_whatever_the_number_of_versions;
    the_same_version_comes_again_and_back;
    what_must_be_held_is;
    what_was_missing_joins_when_the_version_comes_again;
    what_joins_brings_nothing_back;
    versions_that_name_something_are_found;
    fixed_refs_stay;
    versions_that_belong_to_another_are_found;
    chunks_come_in_order_and_become_a_blob;
    a_file_grows_with_its_upload;
    what_an_upload_took_is_given_back;
    only_readers_of_a_holder_can_mount;
    a_published_blob_is_not_let_go;
    what_is_gathered_appears_at_once;
    what_is_gathered_appears_after_a_quiet_period;
    a_withdrawn_deployment_is_over;
    a_folder_of_gathered_files_is_not_listed;
    a_fixed_ref_stays_with_the_first_of_two_deployments;
    versions_that_move_one_ref_do_not_stop_each_other;
    uploads_of_the_same_bytes_do_not_stop_each_other;
    a_package_is_read_as_it_was;
    files_are_there_from_when_they_joined;
    of_intervals_that_overlap_the_last_one_holds;
}

fn release(bench: &Bench, repo: RepoId, version: &str, files: &[(&str, u8)]) -> PublishRelease {
    let file = |&(name, digest): &(&str, u8)| NewFile {
        path: EntryPath::parse(name).expect("a path"),
        location: EntryPath::parse(&format!("files/{name}")).expect("a path"),
        bytes: Bytes::New(bench.blob(NewBody::Inline(vec![digest; 3]), digest, 3)),
        media_type: None,
        attributes: Some(format!("{{\"n\": {digest}}}")),
    };
    let mut files: Vec<NewFile> = files.iter().map(file).collect();
    files.sort_by_key(|file| file.bytes.named().0);
    PublishRelease {
        act: bench.act(),
        repo,
        package: Coordinate {
            kind: "raw".to_owned(),
            namespace: String::new(),
            name: "tool".to_owned(),
            display_name: "Tool".to_owned(),
        },
        new_package: bench.ambient.id(),
        exact_name: true,
        id: bench.ambient.id(),
        version: VersionName::parse(version).expect("a name"),
        files,
        manifest: format!("{{\"version\": \"{version}\"}}"),
        refs: Vec::new(),
        fixed: Vec::new(),
        subject: None,
        again: false,
        joins: false,
        twin: None,
        seal: None,
        stays_open: false,
        gather: None,
        cached: false,
        limits: LIMITS,
    }
}

fn joining(bench: &Bench, release: PublishRelease) -> PublishRelease {
    let seal = SealLater { job: bench.ambient.id(), at: bench.ambient.now() };
    PublishRelease { joins: true, seal: Some(seal), ..release }
}

async fn heads(bench: &Bench, released: &Released) -> Vec<facts::Head> {
    let package = released.package;
    bench.store.read(async |session| facts::heads(session, package, None, store::When::Now).await).await.expect("heads")
}

async fn a_release_appears_whole(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let done = bench.deposit(release(bench, repo, "1.0", &[("b", 2), ("a", 1)])).await.expect("a release");
    assert_eq!(done.begun, Begun::New);
    let inside = bench
        .store
        .read(async |session| facts::inside(session, done.version, store::When::Now).await)
        .await
        .expect("inside");
    assert_eq!(inside.manifest, "{\"version\": \"1.0\"}");
    let files: Vec<_> = inside.files.iter().map(|file| (file.path.as_str(), file.location.as_str())).collect();
    assert_eq!(files, [("a", "files/a"), ("b", "files/b")]);
    assert_eq!(inside.files[0].attributes.as_deref(), Some("{\"n\": 1}"));
    assert_eq!(
        bench.count("SELECT count(*) FROM versions WHERE state = 'published' AND sealed_at IS NOT NULL").await,
        1
    );
    assert_eq!(bench.count("SELECT count(*) FROM locations").await, 2);
    assert_eq!(bench.count("SELECT CAST(sum(used) AS BIGINT) FROM allowances WHERE kind = 'bytes'").await, 6);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'package.version.published'").await, 1);
    let read = async |session: &mut store::Session<'_>| facts::generation(session, repo, "", "tool").await;
    assert_eq!(bench.store.read(read).await.expect("a look").map(|found| found.package), Some(done.package));
}

async fn what_is_refused_leaves_nothing(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    bench.deposit(release(bench, repo, "1.0", &[("a", 1)])).await.expect("a release");
    let rows = "SELECT (SELECT count(*) FROM versions) + (SELECT count(*) FROM blobs) + (SELECT count(*) FROM events)
         + (SELECT count(*) FROM entries) + (SELECT CAST(sum(used) AS BIGINT) FROM allowances)";
    let before = bench.count(rows).await;
    let again = bench.deposit(release(bench, repo, "1.0", &[("z", 9)])).await.expect_err("the same version");
    assert!(again.to_string().contains("already exists"), "{again}");
    // Another version whose second file wants a path that is taken.
    let taken = release(bench, repo, "2.0", &[("new", 8), ("a", 7)]);
    let taken = bench.deposit(taken).await.expect_err("a taken path");
    assert!(taken.to_string().contains("files/a is taken"), "{taken}");
    assert_eq!(bench.count(rows).await, before);
}

async fn files_join_until_the_version_is_sealed(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let first = joining(bench, release(bench, repo, "1.0", &[("a", 1)]));
    let first = bench.deposit(first).await.expect("a release");
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE kind = 'version.seal'").await, 1);
    let changed = async || heads(bench, &first).await[0].changed_at;
    let before = changed().await;
    let mut second = joining(bench, release(bench, repo, "1.0", &[("b", 2)]));
    second.act.at = before.plus(std::time::Duration::from_secs(1));
    let second = bench.deposit(second).await.expect("a file that joins");
    assert_eq!((second.begun, second.version), (Begun::Joins(first.version), first.version));
    let between = changed().await;
    let mut third = joining(bench, release(bench, repo, "1.0", &[("d", 5)]));
    third.act.at = before;
    bench.deposit(third).await.expect("a file that joins by another clock");
    assert!(before < between && between < changed().await, "whoever remembers the version sees each change");
    let same = joining(bench, release(bench, repo, "1.0", &[("b", 3)]));
    let same = bench.deposit(same).await.expect_err("a file that is there");
    assert!(same.to_string().contains("b already exists"), "{same}");
    bench.store.write(SealVersion { act: bench.act(), repo, version: first.version }).await.expect("sealed");
    let late = joining(bench, release(bench, repo, "1.0", &[("c", 4)]));
    let late = bench.deposit(late).await.expect_err("a late file");
    assert!(late.to_string().contains("is sealed"), "{late}");
    assert_eq!(bench.count("SELECT count(*) FROM entries").await, 3);
}

async fn of_versions_that_count_as_one_only_one_is_published(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let alike = |release: PublishRelease, twin: &str| {
        let twin = Some(EntryPath::parse(twin).expect("a path"));
        PublishRelease { twin, ..release }
    };
    let first = alike(release(bench, repo, "1.0+a", &[("a", 1)]), ".twins/tool/1.0");
    bench.deposit(first).await.expect("a release");
    let second = alike(release(bench, repo, "1.0+b", &[("b", 2)]), ".twins/tool/1.0");
    let second = bench.deposit(second).await.expect_err("a twin");
    assert!(second.to_string().contains("1.0+b and 1.0+a are one version of Tool"), "{second}");
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 1);
    let other = alike(release(bench, repo, "1.1", &[("b", 2)]), ".twins/tool/1.1");
    bench.deposit(other).await.expect("another version");
}

async fn another_spelling_of_a_name_is_refused(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    bench.deposit(release(bench, repo, "1.0", &[("a", 1)])).await.expect("a release");
    let mut twin = release(bench, repo, "2.0", &[("b", 2)]);
    twin.package.display_name = "tOOL".to_owned();
    let refused = bench.deposit(twin.clone()).await.expect_err("another spelling");
    assert!(refused.to_string().contains("publish as Tool"), "{refused}");
    twin.exact_name = false;
    bench.deposit(twin).await.expect("where spelling does not matter");
}

async fn refs_move_with_a_release_and_end(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let latest = || RefName::parse("latest").expect("a name");
    let mut package = None;
    for (version, digest) in [("1.0", 1), ("2.0", 2)] {
        let mut next = release(bench, repo, version, &[(version, digest)]);
        next.refs = vec![NewRef { id: bench.ambient.id(), name: latest(), fixed: false }];
        package = Some(bench.deposit(next).await.expect("a release").package);
    }
    let package = package.expect("a package");
    let refs = async || {
        bench.store.read(async |session| facts::refs(session, package, store::When::Now).await).await.expect("refs")
    };
    assert_eq!(refs().await, [("latest".to_owned(), "2.0".to_owned())]);
    assert_eq!(bench.count("SELECT count(*) FROM refs WHERE to_at IS NOT NULL").await, 1);
    let end = || EndRef { act: bench.act(), repo, package, name: latest(), expected: Expected::Anything, fixed: false };
    bench.store.write(end()).await.expect("an end");
    assert!(refs().await.is_empty());
    bench.store.write(end()).await.expect_err("it is not there any more");
}

async fn one_of_many_publishers_wins(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let tries = (0..16).map(|number| {
        let name = format!("by-{number}");
        let release = release(bench, repo, "1.0", &[(&name, number)]);
        bench.deposit(release)
    });
    let won = futures_util::future::join_all(tries).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
    assert_eq!(bench.count("SELECT count(*) FROM entries").await, 1);
}

async fn facts_cost_the_same_whatever_the_number_of_versions(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let mut done = None;
    for number in 0..12u8 {
        let (version, file) = (format!("1.{number}"), format!("f{number}"));
        let released = bench.deposit(release(bench, repo, &version, &[(&file, number)])).await.expect("a release");
        if number % 3 == 0 {
            for kind in [MarkKind::Yanked, MarkKind::Deprecated] {
                let (act, id) = (bench.act(), bench.ambient.id());
                let text = Some(format!("{kind} {number}"));
                let mark = SetMark { act, repo, version: released.version, id, kind, text };
                bench.store.write(mark).await.expect("a mark");
            }
        }
        done = Some(released);
    }
    let package = done.expect("a package").package;
    let read = async |session: &mut store::Session<'_>| {
        let before = store::statements_sent();
        let heads = facts::heads(session, package, None, store::When::Now).await?;
        let ids: Vec<_> = heads.iter().map(|head| head.id).collect();
        let (from, to) = (*ids.iter().min().expect("one"), *ids.iter().max().expect("one"));
        let inside = facts::inside_range(session, package, (from, to), store::When::Now).await?;
        Ok((heads, inside, store::statements_sent() - before))
    };
    let (heads, inside, sent) = bench.store.read(read).await.expect("facts");
    assert_eq!((heads.len(), inside.len()), (12, 12));
    assert!(inside.iter().all(|version| version.files.len() == 1 && !version.manifest.is_empty()));
    assert_eq!(heads.iter().filter(|head| head.marks.len() == 2).count(), 4);
    let versions: Vec<_> = heads.iter().map(|head| head.version.clone()).collect();
    assert_eq!(versions, (0..12).map(|number| format!("1.{number}")).collect::<Vec<_>>());
    if bench.store.fresh().is_some() {
        // On PostgreSQL the statements are counted on whatever thread the future runs.
        assert_eq!(sent, 3);
    }
    let only = bench
        .store
        .read(async |session| facts::heads(session, package, Some("1.3"), store::When::Now).await)
        .await
        .expect("one");
    assert_eq!(only.len(), 1);
}

async fn refs_of_a_namespace_are_found_together(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let of = |bench: &Bench, namespace: &str, name: &str, number: u8, refs: &[&str]| {
        let mut release = release(bench, repo, "1", &[(name, number)]);
        release.package.namespace = namespace.to_owned();
        release.package.name = name.to_owned();
        let new = |name: &&str| {
            let name = RefName::parse(name).expect("a ref");
            NewRef { id: bench.ambient.id(), name, fixed: false }
        };
        release.refs = refs.iter().map(new).collect();
        release
    };
    for (namespace, name, number, refs) in
        [("g", "b", 1, &["p.x", "q"][..]), ("g", "a", 2, &["p.y"]), ("g.h", "c", 3, &["p.z"]), ("", "d", 4, &["p.z"])]
    {
        bench.deposit(of(bench, namespace, name, number, refs)).await.expect("a release");
    }
    let found = async |namespace: &str| {
        let look = async |session: &mut store::Session<'_>| {
            facts::refs_in(session, repo, namespace, "p.", store::When::Now).await
        };
        bench.store.read(look).await.expect("refs")
    };
    let pair = |package: &str, name: &str| (package.to_owned(), name.to_owned());
    assert_eq!(found("g").await, [pair("a", "p.y"), pair("b", "p.x")]);
    assert_eq!(found("g.h").await, [pair("c", "p.z")]);
    assert!(found("").await.is_empty());
}
