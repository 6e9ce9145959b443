//! Refs: compare and set, history, what they resolve to.

use model::state::MarkKind;
use model::{Code, RefName};
use registry::{Expected, Promote, Read, Write};

use crate::bench::{Bench, code, content, draft, package, ready};
use crate::both;

both! {
    a_ref_moves_only_from_where_it_was_expected;
    a_ref_to_a_withdrawn_version_is_gone;
    a_list_of_versions_names_refs_and_marks;
    a_ref_is_removed_where_it_was_expected;
    a_package_of_drafts_only_is_not_there_for_readers;
}

fn name(text: &str) -> RefName {
    RefName::parse(text).expect("a name")
}

async fn a_ref_moves_only_from_where_it_was_expected(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let read = bench.grant::<Read>(&repo).await;
    let one = ready(&grant, "a", "1", &content(1, 10)).await.expect("ready");
    assert_eq!(code(grant.put_ref(name("latest"), one, Expected::Anything).await), Code::Conflict, "a draft");
    grant.publish_version(one).await.expect("published");
    let two = ready(&grant, "a", "2", &content(2, 10)).await.expect("ready");
    grant.publish_version(two).await.expect("published");
    let put = async |version, expected| grant.put_ref(name("latest"), version, expected).await;
    assert_eq!(code(put(one, Expected::Version(one)).await), Code::PreconditionFailed);
    put(one, Expected::Nothing).await.expect("made");
    assert_eq!(code(put(two, Expected::Nothing).await), Code::PreconditionFailed);
    assert_eq!(code(put(two, Expected::Version(two)).await), Code::PreconditionFailed);
    bench.clock.advance(std::time::Duration::from_secs(1));
    put(two, Expected::Version(one)).await.expect("moved");
    put(two, Expected::Anything).await.expect("it is there already");
    grant.put_ref(name("beta"), one, Expected::Anything).await.expect("made");
    let refs = read.refs("", &package("a"), "", 9).await.expect("a list");
    assert_eq!(
        refs.iter().map(|it| (it.name.as_str(), it.version)).collect::<Vec<_>>(),
        [("beta", one), ("latest", two)]
    );
    assert_eq!(read.refs("", &package("a"), "beta", 9).await.expect("a list").len(), 1);
    let history = read.ref_history("", &package("a"), &name("latest"), None, 9).await.expect("a history");
    assert_eq!(
        history.iter().map(|it| (it.version, it.to)).collect::<Vec<_>>(),
        [(two, None), (one, Some(history[0].from))]
    );
    assert_eq!(read.version(two).await.expect("a view").refs.len(), 1);
    assert_eq!(read.resolve_ref("", &package("a"), &name("latest")).await.expect("resolved").id, two);
    let other = draft(&grant, "b", "1").await.expect("a draft");
    assert_ne!(other, two);
    assert_eq!(code(read.resolve_ref("", &package("b"), &name("latest")).await), Code::NotFound);
}

async fn a_ref_to_a_withdrawn_version_is_gone(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let id = ready(&grant, "a", "1", &content(1, 10)).await.expect("ready");
    grant.publish_version(id).await.expect("published");
    grant.put_ref(name("latest"), id, Expected::Nothing).await.expect("made");
    let promote = bench.grant::<Promote>(&repo).await;
    promote.tombstone(id, "bad".to_owned(), None).await.expect("withdrawn");
    let read = bench.grant::<Read>(&repo).await;
    assert_eq!(code(read.resolve_ref("", &package("a"), &name("latest")).await), Code::Gone);
    assert_eq!(read.refs("", &package("a"), "", 9).await.expect("a list").len(), 1, "it stays");
    assert_eq!(code(grant.put_ref(name("beta"), id, Expected::Nothing).await), Code::Gone);
    promote.restore(id).await.expect("restored");
    assert!(read.resolve_ref("", &package("a"), &name("latest")).await.is_ok());
}

async fn a_list_of_versions_names_refs_and_marks(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    for (number, version) in (0..).zip(["1", "2", "3"]) {
        bench.clock.advance(std::time::Duration::from_millis(2));
        let id = ready(&grant, "a", version, &content(number, 10)).await.expect("ready");
        grant.publish_version(id).await.expect("published");
        if version == "3" {
            continue;
        }
        for tag in (0..25).map(|tag| format!("{version}-{tag:02}")) {
            grant.put_ref(name(&tag), id, Expected::Nothing).await.expect("made");
        }
        grant.yank(id, None).await.expect("yanked");
    }
    let read = bench.grant::<Read>(&repo).await;
    let list = read.versions("", &package("a"), None, 9).await.expect("a list");
    let told = |at: usize| (list[at].version.version.as_str(), list[at].refs.len(), list[at].marks.as_slice());
    let yanked = [MarkKind::Yanked].as_slice();
    assert_eq!([told(0), told(1), told(2)], [("3", 0, [].as_slice()), ("2", 20, yanked), ("1", 20, yanked)]);
    assert_eq!((list[1].refs[0].as_str(), list[2].refs[19].as_str()), ("2-00", "1-19"));
}

async fn a_ref_is_removed_where_it_was_expected(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (id, a) = (ready(&grant, "a", "1", &content(1, 10)).await.expect("ready"), package("a"));
    grant.publish_version(id).await.expect("published");
    let other = ready(&grant, "a", "2", &content(2, 10)).await.expect("ready");
    let end = async |expected| grant.end_ref("", &a, name("latest"), expected).await;
    assert_eq!(code(end(None).await), Code::NotFound);
    grant.put_ref(name("latest"), id, Expected::Nothing).await.expect("made");
    assert_eq!(code(end(Some(other)).await), Code::PreconditionFailed);
    end(Some(id)).await.expect("removed");
    assert_eq!(code(end(Some(id)).await), Code::NotFound);
    let read = grant.to_read();
    assert_eq!(code(read.resolve_ref("", &a, &name("latest")).await), Code::NotFound);
    assert!(read.ref_history("", &a, &name("latest"), None, 9).await.expect("a history")[0].to.is_some());
    grant.put_ref(name("latest"), id, Expected::Nothing).await.expect("made again");
    end(None).await.expect("removed again");
}

async fn a_package_of_drafts_only_is_not_there_for_readers(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let id = ready(&grant, "a", "1", &content(1, 10)).await.expect("ready");
    let reader = bench.somebody("bob", &["repo:libs:read"]).await.authorize::<Read>(&repo).await.expect("a grant");
    let (a, latest) = (package("a"), name("latest"));
    assert_eq!(code(reader.refs("", &a, "", 10).await), Code::NotFound);
    assert_eq!(code(reader.ref_history("", &a, &latest, None, 10).await), Code::NotFound);
    assert_eq!(code(reader.resolve_ref("", &a, &latest).await), Code::NotFound);
    assert!(grant.to_read().refs("", &a, "", 10).await.expect("who may write knows of it").is_empty());
    grant.publish_version(id).await.expect("published");
    assert!(reader.refs("", &a, "", 10).await.expect("now it is there").is_empty());
}
