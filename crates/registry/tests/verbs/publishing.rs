//! Publishing: all at once, once, and only what is whole.

use model::Code;
use model::state::{MarkKind, VersionState};
use registry::{Read, Write};

use crate::bench::{Bench, code, content, digest, draft, entry, path, put, ready, upload};
use crate::both;

both! {
    a_version_appears_whole;
    what_is_not_whole_is_not_published;
    paths_are_taken_once;
    overwriting_stays_within_the_package;
    drafts_named_by_numbers_are_gone_around;
    lost_bytes_come_back_by_the_same_put;
    marks_are_set_and_lifted;
}

async fn drafts_named_by_numbers_are_gone_around(bench: &Bench) {
    let repo = bench.repository("libs", true).await;
    let grant = bench.grant::<Write>(&repo).await;
    draft(&grant, "tool", "1").await.expect("a draft");
    let first = put(&grant, "tool", &content(0, 10)).await.expect("stored");
    assert!(!first.replaced, "nothing was there");
    for number in ["3", "5", "6", "7", "40"] {
        draft(&grant, "tool", number).await.expect("a draft");
    }
    for seed in 1..6 {
        assert!(put(&grant, "tool", &content(seed, 10)).await.expect("stored").replaced);
    }
    let published = "SELECT count(*) FROM versions WHERE state = 'published'";
    assert_eq!((bench.count(published).await, bench.count("SELECT count(*) FROM versions").await), (6, 12));
}

async fn lost_bytes_come_back_by_the_same_put(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (bytes, other) = (content(1, 100_000), content(2, 100_000));
    let first = put(&grant, "tool", &bytes).await.expect("stored");
    assert_eq!(code(put(&grant, "tool", &bytes).await), Code::Conflict, "healthy: the path is taken");
    let used = bench.used().await;
    bench.run("UPDATE copies SET state = 'damaged'").await.expect("damaged");
    let read = bench.grant::<Read>(&repo).await;
    assert_eq!(code(read.find(&path("tool")).await.expect("known").expect_copies()), Code::ServiceUnavailable);
    assert_eq!(code(put(&grant, "tool", &other).await), Code::Conflict, "other bytes heal nothing");
    let again = put(&grant, "tool", &bytes).await.expect("healed");
    assert_eq!((again.version, again.digest, again.replaced), (first.version, first.digest, true));
    assert_eq!(bench.used().await, used, "it is paid for");
    let found = read.find(&path("tool")).await.expect("found");
    found.expect_copies().expect("healed");
    let mut content = found.open(None).await.expect("opened");
    assert_eq!(content.next().await.expect("bytes"), Some(bytes.clone()));
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'blob.healed'").await, 1);
    assert_eq!(code(put(&grant, "tool", &bytes).await), Code::Conflict);
}

async fn a_version_appears_whole(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (one, two) = (content(1, 100_000), content(2, 20));
    let id = draft(&grant, "tools/hammer", "1.2").await.expect("a draft");
    upload(&grant, &one).await.expect("committed");
    upload(&grant, &two).await.expect("committed");
    grant.put_entries(id, vec![entry("bin/hammer", &one), entry("doc/read.me", &two)]).await.expect("entered");
    grant.put_manifest(id, "{}".to_owned(), None).await.expect("put");
    let read = bench.grant::<Read>(&repo).await;
    let place = path("tools/hammer/1.2/bin/hammer");
    assert_eq!(code(read.find(&place).await), Code::NotFound);
    let published = grant.publish_version(id).await.expect("published");
    assert!(!published.idempotent && published.version.state == VersionState::Published);
    assert_eq!(published.version.sealed_at, published.version.published_at, "raw versions are sealed at once");
    let found = read.find(&place).await.expect("found");
    assert_eq!((found.digest(), found.version()), (digest(&one), id));
    assert!(read.find(&path("tools/hammer/1.2/doc/read.me")).await.is_ok());
    let again = grant.publish_version(id).await.expect("again");
    assert!(again.idempotent);
    assert_eq!(again.version.published_event, published.version.published_event);
    assert_eq!(grant.seal_version(id).await.expect("sealed").sealed_at, published.version.sealed_at);
    let events = bench.count("SELECT count(*) FROM events WHERE action = 'package.version.published'").await;
    assert_eq!((events, bench.count("SELECT count(*) FROM pins").await), (1, 0));
}

async fn what_is_not_whole_is_not_published(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 100);
    let id = draft(&grant, "a", "1").await.expect("a draft");
    grant.put_manifest(id, "{}".to_owned(), None).await.expect("put");
    assert_eq!(code(grant.publish_version(id).await), Code::Conflict);
    upload(&grant, &bytes).await.expect("committed");
    grant.put_entries(id, vec![entry("x", &bytes)]).await.expect("entered");
    bench.run("UPDATE copies SET state = 'damaged'").await.expect("damaged");
    assert_eq!(code(grant.publish_version(id).await), Code::Conflict);
    upload(&grant, &bytes).await.expect("healed");
    grant.publish_version(id).await.expect("published");
    let bare = draft(&grant, "b", "1").await.expect("a draft");
    grant.put_entries(bare, vec![entry("x", &bytes)]).await.expect("entered");
    assert_eq!(code(grant.publish_version(bare).await), Code::Conflict, "no manifest");
    assert_eq!(code(grant.seal_version(bare).await), Code::Conflict);
    let missing = bench.registry.ambient().id();
    assert_eq!(code(grant.publish_version(missing).await), Code::NotFound);
}

async fn paths_are_taken_once(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 100);
    put(&grant, "a/1/file", &bytes).await.expect("stored");
    let id = ready(&grant, "a", "1", &bytes).await.expect("ready");
    assert_eq!(code(grant.publish_version(id).await), Code::Conflict);
    let view = bench.grant::<Read>(&repo).await.version(id).await.expect("a view");
    assert_eq!(view.version.state, VersionState::Draft);
    let id = ready(&grant, "b", "1", &bytes).await.expect("ready");
    grant.publish_version(id).await.expect("published");
    assert_eq!(code(put(&grant, "b/1/file", &bytes).await), Code::Conflict);
}

async fn overwriting_stays_within_the_package(bench: &Bench) {
    let repo = bench.repository("latest", true).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (old, new) = (content(1, 100), content(2, 100));
    put(&grant, "a/1/file", &old).await.expect("stored");
    let id = ready(&grant, "a", "1", &new).await.expect("ready");
    assert_eq!(code(grant.publish_version(id).await), Code::Conflict, "the path belongs to another package");
    assert!(put(&grant, "a/1/file", &new).await.expect("stored").replaced);
    let found = bench.grant::<Read>(&repo).await.find(&path("a/1/file")).await.expect("found");
    assert_eq!(found.digest(), digest(&new));
}

async fn marks_are_set_and_lifted(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let id = ready(&grant, "a", "1", &content(1, 10)).await.expect("ready");
    assert_eq!(code(grant.yank(id, None).await), Code::Conflict, "a draft");
    grant.publish_version(id).await.expect("published");
    let read = bench.grant::<Read>(&repo).await;
    let marks = async || {
        let view = read.version(id).await.expect("a view");
        view.marks.into_iter().map(|mark| (mark.kind, mark.text)).collect::<Vec<_>>()
    };
    assert!(grant.yank(id, Some("broken".to_owned())).await.expect("yanked"));
    assert!(!grant.yank(id, Some("broken".to_owned())).await.expect("yanked before"));
    assert!(grant.deprecate(id, "use b".to_owned()).await.expect("deprecated"));
    assert!(grant.deprecate(id, "use c".to_owned()).await.expect("changed"));
    let mark = |kind, text: &str| (kind, text.to_owned());
    assert_eq!(marks().await, [mark(MarkKind::Deprecated, "use c"), mark(MarkKind::Yanked, "broken")]);
    assert!(grant.unyank(id).await.expect("lifted"));
    assert!(!grant.unyank(id).await.expect("lifted before"));
    assert!(grant.deprecate(id, " ".to_owned()).await.expect("lifted"));
    assert!(marks().await.is_empty());
    assert_eq!(bench.count("SELECT count(*) FROM marks").await, 3, "their history stays");
    assert!(read.find(&path("a/1/file")).await.is_ok(), "still downloadable");
}
