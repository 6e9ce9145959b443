//! Tombstones: what they hide, for how long, and the way back.

use std::time::Duration;

use model::Code;
use model::state::VersionState;
use registry::{Admin, Promote, Read, Write};

use crate::bench::{Bench, code, content, digest, draft, entry, package, path, put, ready, upload, version_name};
use crate::both;

both! {
    a_withdrawn_version_is_gone_everywhere_and_comes_back;
    what_cannot_come_back;
    a_path_is_withdrawn_by_itself_only;
    a_repository_is_retired_with_its_contents;
}

async fn a_withdrawn_version_is_gone_everywhere_and_comes_back(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 10);
    let id = ready(&grant, "a", "1", &bytes).await.expect("ready");
    grant.publish_version(id).await.expect("published");
    let (promote, read) = (bench.grant::<Promote>(&repo).await, bench.grant::<Read>(&repo).await);
    let place = path("a/1/file");
    assert!(read.find(&place).await.is_ok());
    assert_eq!(code(promote.tombstone(id, " ".to_owned(), None).await), Code::BadRequest);
    for days in [0, 3651] {
        assert_eq!(code(promote.tombstone(id, "bad".to_owned(), Some(days)).await), Code::BadRequest);
    }
    let done = promote.tombstone(id, "bad".to_owned(), Some(7)).await.expect("withdrawn");
    assert_eq!(done.tombstone.retain_until, done.tombstone.from.plus(Duration::from_secs(7 * 86_400)));
    let again = promote.tombstone(id, "worse".to_owned(), Some(9)).await.expect("withdrawn");
    assert!(again.idempotent && !done.idempotent && again.tombstone.reason == "bad");
    let (name, one) = (package("a"), version_name("1"));
    assert_eq!(code(read.find(&place).await), Code::Gone);
    assert_eq!(code(read.resolve("", &name, &one).await), Code::Gone);
    assert_eq!(code(read.manifest(id).await), Code::Gone);
    assert_eq!(code(read.entries(id, "", 9).await), Code::Gone);
    assert_eq!(code(read.find_blob(digest(&bytes)).await), Code::NotFound);
    assert!(read.packages("", ("", ""), 9).await.expect("a list").is_empty());
    let view = read.version(id).await.expect("a view");
    assert_eq!(view.tombstone.map(|it| it.reason).as_deref(), Some("bad"));
    assert_eq!(read.versions("", &name, None, 9).await.expect("a list")[0].version.state, VersionState::Tombstoned);
    assert_eq!(code(grant.yank(id, None).await), Code::Gone);
    assert_eq!(code(grant.publish_version(id).await), Code::Conflict);

    let restored = promote.restore(id).await.expect("restored");
    assert_eq!((restored.state, restored.version.as_str()), (VersionState::Published, "1"));
    assert!(promote.restore(id).await.is_ok(), "again");
    assert!(read.find(&place).await.is_ok());
    assert!(read.find_blob(digest(&bytes)).await.is_ok());
    promote.tombstone(id, "once more".to_owned(), None).await.expect("withdrawn");
    assert_eq!(bench.count("SELECT count(*) FROM tombstones").await, 2, "their history stays");
}

async fn what_cannot_come_back(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let (grant, promote) = (bench.grant::<Write>(&repo).await, bench.grant::<Promote>(&repo).await);
    let id = draft(&grant, "a", "1").await.expect("a draft");
    assert_eq!(code(promote.restore(id).await), Code::Conflict);
    promote.tombstone(id, "never mind".to_owned(), None).await.expect("withdrawn");
    assert_eq!(code(promote.restore(id).await), Code::Conflict);
    let old = ready(&grant, "b", "1", &content(1, 10)).await.expect("ready");
    grant.publish_version(old).await.expect("published");
    promote.tombstone(old, "bad".to_owned(), Some(1)).await.expect("withdrawn");
    bench.clock.advance(Duration::from_secs(86_400));
    assert_eq!(code(promote.restore(old).await), Code::Gone);
    bench.run("UPDATE versions SET state = 'collected'").await.expect("collected");
    assert_eq!(code(promote.restore(old).await), Code::Gone);
    assert_eq!(code(promote.tombstone(old, "bad".to_owned(), None).await), Code::Gone);
}

async fn a_path_is_withdrawn_by_itself_only(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let (grant, promote) = (bench.grant::<Write>(&repo).await, bench.grant::<Promote>(&repo).await);
    let bytes = content(1, 10);
    put(&grant, "x/y", &bytes).await.expect("stored");
    let read = bench.grant::<Read>(&repo).await;
    assert!(read.find(&path("x/y")).await.is_ok());
    assert_eq!(code(promote.withdraw(&path("x")).await), Code::NotFound);
    promote.withdraw(&path("x/y")).await.expect("withdrawn");
    assert_eq!(code(read.find(&path("x/y")).await), Code::Gone);
    assert_eq!(code(promote.withdraw(&path("x/y")).await), Code::Gone);
    let taken = put(&grant, "x/y", &bytes).await.map(drop).expect_err("the path stays taken");
    assert!(taken.code() == Some(Code::Conflict) && taken.to_string().contains("was withdrawn"), "{taken}");
    let id = draft(&grant, "a", "1").await.expect("a draft");
    upload(&grant, &bytes).await.expect("committed");
    grant.put_entries(id, vec![entry("one", &bytes), entry("two", &bytes)]).await.expect("entered");
    grant.put_manifest(id, "{}".to_owned(), None).await.expect("put");
    grant.publish_version(id).await.expect("published");
    let refused = promote.withdraw(&path("a/1/one")).await;
    assert!(refused.as_ref().expect_err("refused").to_string().contains(&id.to_string()));
    assert_eq!(code(refused), Code::Conflict);
}

async fn a_repository_is_retired_with_its_contents(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    for number in 0..205 {
        put(&grant, &format!("file-{number}"), &content(1, 10)).await.expect("stored");
    }
    draft(&grant, "a", "1").await.expect("a draft");
    let admin = bench.grant::<Admin>(&repo).await;
    assert_eq!(code(admin.retire_repository().await), Code::Conflict);
    admin.retire_with_contents().await.expect("retired");
    assert_eq!(bench.count("SELECT count(*) FROM versions WHERE state = 'tombstoned'").await, 206);
    assert_eq!(code(bench.admin().await.authorize::<Read>(&repo).await), Code::NotFound);
}
