//! How things were: every interval from its beginning to just before its end.

use model::state::{MarkKind, VersionState};
use model::{Code, PackageId, RefName, RepoId, Timestamp, VersionId};
use store::facts;
use store::marks::SetMark;
use store::refs::{Expected, NewRef, PutRef};
use store::releases::Released;
use store::tombstones::{PutTombstone, Restore};
use store::{Session, When};

use crate::engines::{Bench, Raw};
use crate::{joining, release};

fn latest() -> RefName {
    RefName::parse("latest").expect("a name")
}

/// A version with one file and the ref `latest`, from this time on.
async fn published(bench: &Bench, repo: RepoId, version: &str, digest: u8, at: i64) -> Released {
    let mut next = release(bench, repo, version, &[(version, digest)]);
    next.act = bench.act_at(Timestamp(at));
    next.refs = vec![NewRef { id: bench.ambient.id(), name: latest(), fixed: false }];
    bench.deposit(next).await.expect("a release")
}

/// The versions that are shown with their marks and files, and where `latest` points.
async fn shown(bench: &Bench, package: PackageId, at: i64) -> (String, String) {
    let when = When::At(Timestamp(at));
    let look = async |session: &mut Session<'_>| {
        let heads = facts::heads(session, package, None, when).await?;
        let (mut text, all) = (String::new(), (VersionId(uuid::Uuid::nil()), VersionId(uuid::Uuid::max())));
        let inside = facts::inside_range(session, package, all, when).await?;
        for head in heads {
            let files = inside.iter().find(|one| one.id == head.id).map_or(0, |one| one.files.len());
            let alone = facts::inside(session, head.id, when).await?.files.len();
            assert_eq!(files, alone, "{}", head.version);
            let marks: String = head.marks.iter().map(|(kind, _)| kind.to_string()).collect();
            text.push_str(&format!("{} {files} {marks};", head.version));
        }
        let refs = facts::refs(session, package, when).await?;
        assert!(refs.len() <= 1, "{refs:?}");
        Ok((text, refs.into_iter().map(|(_, version)| version).collect()))
    };
    bench.store.read(look).await.expect("a look")
}

async fn found(bench: &Bench, repo: RepoId, path: &str, at: i64) -> Result<Option<VersionState>, Option<Code>> {
    let look = async |session: &mut Session<'_>| store::locations::find_at(session, repo, path, Timestamp(at)).await;
    match bench.store.read(look).await {
        Ok(found) => Ok(found.map(|found| found.state)),
        Err(store::Error::Refused(refusal)) => Err(Some(refusal.code)),
        Err(_) => Err(None),
    }
}

pub(crate) async fn a_package_is_read_as_it_was(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let act = |at| bench.act_at(Timestamp(at));
    let one = published(bench, repo, "1.0", 1, 100).await;
    let two = published(bench, repo, "2.0", 2, 200).await;
    let (act_300, id) = (act(300), bench.ambient.id());
    let yank = SetMark { act: act_300, repo, version: one.version, id, kind: MarkKind::Yanked, text: Some("y".into()) };
    bench.store.write(yank.clone()).await.expect("a mark");
    let lift = SetMark { act: act(350), id: bench.ambient.id(), text: None, ..yank };
    bench.store.write(lift).await.expect("no mark");
    let withdraw = |version, at: i64| PutTombstone {
        act: act(at),
        repo,
        version,
        id: bench.ambient.id(),
        reason: "a test".to_owned(),
        retain_until: Timestamp(10_000),
    };
    bench.store.write(withdraw(two.version, 400)).await.expect("withdrawn");
    bench.store.write(Restore { act: act(500), repo, version: two.version }).await.expect("restored");
    let package = two.package;
    for (at, versions, pointed) in [
        (99, "", ""),
        (100, "1.0 1 ;", "1.0"),
        (199, "1.0 1 ;", "1.0"),
        (200, "1.0 1 ;2.0 1 ;", "2.0"),
        (300, "1.0 1 yanked;2.0 1 ;", "2.0"),
        (349, "1.0 1 yanked;2.0 1 ;", "2.0"),
        (350, "1.0 1 ;2.0 1 ;", "2.0"),
        (400, "1.0 1 ;", ""),
        (499, "1.0 1 ;", ""),
        (500, "1.0 1 ;2.0 1 ;", "2.0"),
    ] {
        assert_eq!(shown(bench, package, at).await, (versions.to_owned(), pointed.to_owned()), "at {at}");
    }
    let states = [(199, None), (200, Some(VersionState::Published)), (400, Some(VersionState::Tombstoned))];
    for (at, state) in states {
        assert_eq!(found(bench, repo, "files/2.0", at).await, Ok(state), "at {at}");
    }
    // What was collected is gone for every moment.
    bench.store.write(withdraw(one.version, 600)).await.expect("withdrawn");
    assert_eq!(found(bench, repo, "files/1.0", 150).await, Ok(Some(VersionState::Published)));
    bench
        .store
        .write(Raw("UPDATE versions SET state = 'collected' WHERE state = 'tombstoned'"))
        .await
        .expect("collected");
    assert_eq!(found(bench, repo, "files/1.0", 150).await, Err(Some(Code::Gone)));
    bench.store.write(Raw("DELETE FROM entries WHERE location = 'files/1.0'")).await.expect("without its files");
    assert_eq!(found(bench, repo, "files/1.0", 150).await, Err(Some(Code::Gone)));
    assert_eq!(found(bench, repo, "files/1.0", 99).await, Ok(None));
    assert_eq!(shown(bench, package, 200).await, ("2.0 1 ;".to_owned(), "2.0".to_owned()));
}

pub(crate) async fn files_are_there_from_when_they_joined(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let at = |at| bench.act_at(Timestamp(at));
    let first = joining(bench, release(bench, repo, "1.0", &[("a", 1)]));
    let first = store::releases::PublishRelease { act: at(100), ..first };
    let package = bench.deposit(first).await.expect("a release").package;
    let second = joining(bench, release(bench, repo, "1.0", &[("b", 2)]));
    let second = store::releases::PublishRelease { act: at(200), ..second };
    bench.deposit(second).await.expect("more");
    for (at, text) in [(100, "1.0 1 ;"), (199, "1.0 1 ;"), (200, "1.0 2 ;")] {
        assert_eq!(shown(bench, package, at).await.0, text, "at {at}");
    }
    assert_eq!(found(bench, repo, "files/b", 199).await, Ok(None));
    assert_eq!(found(bench, repo, "files/b", 200).await, Ok(Some(VersionState::Published)));
    let folder = async |at| {
        let look = async |session: &mut Session<'_>| {
            store::folders::list(session, repo, "files", None, 10, When::At(Timestamp(at))).await
        };
        bench.store.read(look).await.expect("a look").len()
    };
    assert_eq!((folder(99).await, folder(150).await, folder(200).await), (0, 1, 2));
}

/// The clock of who moves a ref may be behind that of who moved it before.
pub(crate) async fn of_intervals_that_overlap_the_last_one_holds(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let mut three = release(bench, repo, "3.0", &[("3.0", 3)]);
    three.act = bench.act_at(Timestamp(50));
    let three = bench.deposit(three).await.expect("a release");
    published(bench, repo, "1.0", 1, 100).await;
    let two = published(bench, repo, "2.0", 2, 250).await;
    let back = PutRef {
        act: bench.act_at(Timestamp(240)),
        repo,
        id: bench.ambient.id(),
        name: latest(),
        version: three.version,
        expected: Expected::Anything,
        fixed: false,
    };
    bench.store.write(back).await.expect("moved");
    for (at, version) in [(100, "1.0"), (239, "1.0"), (240, "3.0"), (245, "3.0"), (250, "3.0"), (300, "3.0")] {
        assert_eq!(shown(bench, two.package, at).await.1, version, "at {at}");
        let look = async |session: &mut Session<'_>| {
            let when = When::At(Timestamp(at));
            let names = store::refs::names(session, two.package, "", 10, when).await?;
            Ok((names, store::refs::pointed(session, repo, ("", "tool"), "latest", when).await?))
        };
        let (names, pointed) = bench.store.read(look).await.expect("a look");
        assert_eq!((names, pointed.map(|(_, name)| name)), (vec!["latest".to_owned()], Some(version.to_owned())));
    }
}
