//! Drafts: what goes in, and who sees them.

use model::Code;
use registry::{DeclaredEntry, NewDraft, Read, Write};

use crate::bench::{Bench, code, content, digest, draft, entry, package, path, put, ready, upload, version_name};
use crate::both;

both! {
    a_draft_is_begun_once_and_its_name_never_used_again;
    only_raw_repositories_take_what_nobody_looks_into;
    entries_need_bytes_that_were_uploaded_here;
    entries_are_all_or_nothing;
    paths_that_some_file_system_confuses_are_refused;
    a_manifest_is_kept_as_it_came;
    drafts_are_seen_by_writers_only;
    versions_and_packages_are_listed;
}

async fn a_draft_is_begun_once_and_its_name_never_used_again(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let new = |kind: &str, namespace: &str| NewDraft {
        package_type: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: package("tools/hammer"),
        version: version_name("1.0"),
    };
    assert_eq!(code(grant.create_draft(new("npm", "")).await), Code::BadRequest);
    assert_eq!(code(grant.create_draft(new("raw", "org")).await), Code::BadRequest);
    let first = grant.create_draft(new("raw", "")).await.expect("begun");
    assert!(!first.reused);
    let again = grant.create_draft(new("raw", "")).await.expect("found");
    assert!(again.reused && again.version.id == first.version.id);
    let id = ready(&grant, "tools/hammer", "1.0", &content(1, 10)).await.expect("ready");
    grant.publish_version(id).await.expect("published");
    assert_eq!(code(grant.create_draft(new("raw", "")).await), Code::Conflict);
    let promote = bench.grant::<registry::Promote>(&repo).await;
    promote.tombstone(id, "bad".to_owned(), None).await.expect("withdrawn");
    assert_eq!(code(grant.create_draft(new("raw", "")).await), Code::Conflict);
}

async fn only_raw_repositories_take_what_nobody_looks_into(bench: &Bench) {
    for format in formats::ALL {
        let key = format!("of-{}", format.key());
        let repo = bench.repository_of(format.key(), &key, registry::RepoSettings::default()).await;
        let new = NewDraft {
            package_type: format.key().to_owned(),
            namespace: String::new(),
            name: package("tool"),
            version: version_name("1.0.0"),
        };
        let begun = bench.grant::<Write>(&repo).await.create_draft(new).await;
        assert_eq!(begun.is_ok(), format.key() == "raw", "{}", format.key());
    }
}

async fn entries_need_bytes_that_were_uploaded_here(bench: &Bench) {
    let (repo, other) = (bench.repository("libs", false).await, bench.repository("other", false).await);
    let grant = bench.grant::<Write>(&repo).await;
    let (here, there) = (content(1, 100), content(2, 200));
    upload(&grant, &here).await.expect("committed");
    upload(&bench.grant::<Write>(&other).await, &there).await.expect("committed");
    let id = draft(&grant, "a", "1").await.expect("a draft");
    assert_eq!(code(grant.put_entries(id, vec![entry("x", &there)]).await), Code::Conflict);
    assert_eq!(code(grant.put_entries(id, vec![entry("x", &content(3, 5))]).await), Code::Conflict);
    assert_eq!(code(grant.put_manifest(id, "{}".to_owned(), Some(digest(&there))).await), Code::Conflict);
    let short = DeclaredEntry { size: 99, ..entry("x", &here) };
    assert_eq!(code(grant.put_entries(id, vec![short]).await), Code::Conflict);
    let contradicting = DeclaredEntry { sha256: Some(digest(&there)), ..entry("x", &here) };
    assert_eq!(code(grant.put_entries(id, vec![contradicting]).await), Code::BadRequest);
    bench.run("UPDATE blobs SET condemned_at = 1").await.expect("condemned");
    assert_eq!(grant.put_entries(id, vec![entry("x", &here)]).await.expect("entered"), 1);
    assert_eq!(bench.count("SELECT count(*) FROM blobs WHERE condemned_at IS NULL").await, 1, "revived");
    // What a version holds can be entered again after its pin has gone.
    bench.run("DELETE FROM pins").await.expect("gone");
    assert_eq!(grant.put_entries(id, vec![entry("y", &here)]).await.expect("entered"), 2);
    bench.run("DELETE FROM inline_bytes").await.expect("the bytes");
    bench.run("DELETE FROM copies").await.expect("the copies");
    assert!(bench.run("DELETE FROM blobs").await.is_err(), "an entry keeps its blob");
}

async fn entries_are_all_or_nothing(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let (one, two) = (content(1, 100), content(2, 200));
    upload(&grant, &one).await.expect("committed");
    let id = draft(&grant, "a", "1").await.expect("a draft");
    assert_eq!(code(grant.put_entries(id, vec![entry("x", &one), entry("y", &two)]).await), Code::Conflict);
    let read = bench.grant::<Read>(&repo).await;
    assert_eq!(read.version(id).await.expect("a view").entry_count, 0);
    assert_eq!(code(grant.put_entries(id, vec![]).await), Code::BadRequest);
    upload(&grant, &two).await.expect("committed");
    assert_eq!(grant.put_entries(id, vec![entry("x", &one), entry("y", &two)]).await.expect("entered"), 2);
    assert_eq!(grant.put_entries(id, vec![entry("y", &one)]).await.expect("replaced"), 2);
    let entries = read.entries(id, "x", 10).await.expect("entries");
    assert_eq!(entries.iter().map(|e| (e.path.as_str(), e.digest)).collect::<Vec<_>>(), [("y", digest(&one))]);
    grant.remove_entry(id, path("x")).await.expect("removed");
    assert_eq!(code(grant.remove_entry(id, path("x")).await), Code::NotFound);
    grant.put_manifest(id, "{}".to_owned(), None).await.expect("put");
    grant.publish_version(id).await.expect("published");
    assert_eq!(code(grant.put_entries(id, vec![entry("z", &one)]).await), Code::Conflict);
    assert_eq!(code(grant.remove_entry(id, path("y")).await), Code::Conflict);
    assert_eq!(code(grant.put_manifest(id, "{}".to_owned(), None).await), Code::Conflict);
}

async fn paths_that_some_file_system_confuses_are_refused(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 10);
    upload(&grant, &bytes).await.expect("committed");
    let id = draft(&grant, "a", "1").await.expect("a draft");
    for (one, two) in [("a", "a"), ("a/b", "A/b"), ("caf\u{e9}", "cafe\u{301}")] {
        let both = vec![entry(one, &bytes), entry(two, &bytes)];
        assert_eq!(code(grant.put_entries(id, both).await), Code::BadRequest, "{one} {two}");
    }
    grant.put_entries(id, vec![entry("caf\u{e9}", &bytes)]).await.expect("entered");
    for twin in ["CAF\u{c9}", "cafe\u{301}"] {
        assert_eq!(code(grant.put_entries(id, vec![entry(twin, &bytes)]).await), Code::Conflict, "{twin}");
    }
    grant.put_entries(id, vec![entry("caf\u{e9}", &bytes)]).await.expect("the same once more");
}

async fn a_manifest_is_kept_as_it_came(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let id = draft(&grant, "a", "1").await.expect("a draft");
    let read = bench.grant::<Read>(&repo).await;
    assert_eq!(code(read.manifest(id).await), Code::NotFound);
    for bad in ["[]", "{", "\"x\""] {
        assert_eq!(code(grant.put_manifest(id, bad.to_owned(), None).await), Code::BadRequest);
    }
    let body = "{ \"b\":1,\n\"a\" : [1.50, \"\\u0041\"] }";
    grant.put_manifest(id, "{}".to_owned(), None).await.expect("put");
    grant.put_manifest(id, body.to_owned(), None).await.expect("put");
    assert_eq!(read.manifest(id).await.expect("a manifest").1.body, body);
}

async fn drafts_are_seen_by_writers_only(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let id = ready(&grant, "a", "1", &content(1, 10)).await.expect("ready");
    let reader = bench.somebody("bob", &["repo:libs:read"]).await.authorize::<Read>(&repo).await.expect("a grant");
    let writer = bench.grant::<Read>(&repo).await;
    let (name, one) = (package("a"), version_name("1"));
    assert_eq!(code(reader.version(id).await), Code::NotFound);
    assert_eq!(code(reader.manifest(id).await), Code::NotFound);
    assert_eq!(code(reader.entries(id, "", 9).await), Code::NotFound);
    assert_eq!(code(reader.resolve("", &name, &one).await), Code::NotFound);
    assert_eq!(code(reader.versions("", &name, None, 9).await), Code::NotFound);
    assert!(reader.packages("", ("", ""), 9).await.expect("a list").is_empty());
    assert_eq!(writer.version(id).await.expect("a view").version.id, id);
    assert_eq!(writer.resolve("", &name, &one).await.expect("a draft").1.id, id);
    assert_eq!(writer.packages("", ("", ""), 9).await.expect("a list").len(), 1);
    grant.publish_version(id).await.expect("published");
    let view = reader.version(id).await.expect("a view");
    assert_eq!((view.entry_count, view.manifest.is_some(), view.events.len()), (1, true, 4));
    assert_eq!(reader.resolve("", &name, &one).await.expect("published").1.id, id);
}

async fn versions_and_packages_are_listed(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 10);
    for name in ["b/x", "b/y", "a", "c", "b"] {
        for version in ["1", "2", "3"] {
            bench.clock.advance(std::time::Duration::from_millis(2));
            let id = ready(&grant, name, version, &bytes).await.expect("ready");
            grant.publish_version(id).await.expect("published");
        }
    }
    put(&grant, "b/z", &bytes).await.expect("stored");
    let read = bench.grant::<Read>(&repo).await;
    let names = async |prefix: &str, after: &str, limit: u32| {
        let found = read.packages(prefix, (after, ""), limit).await.expect("a list");
        found.into_iter().map(|package| (package.at.name, package.latest.map(|it| it.version))).collect::<Vec<_>>()
    };
    let named = |name: &str, latest: &str| (name.to_owned(), Some(latest.to_owned()));
    assert_eq!(names("b/", "", 9).await, [named("b/x", "3"), named("b/y", "3"), named("b/z", "1")]);
    assert_eq!(names("b/", "b/x", 1).await, [named("b/y", "3")]);
    assert_eq!(names("", "b/z", 9).await, [named("c", "3")]);
    assert_eq!(names("", "", 2).await, [named("a", "3"), named("b", "3")]);
    let page = read.versions("", &package("b"), None, 2).await.expect("a page");
    assert_eq!(page.iter().map(|it| it.version.version.as_str()).collect::<Vec<_>>(), ["3", "2"]);
    let rest = read.versions("", &package("b"), Some(page[1].version.id), 2).await.expect("a page");
    assert_eq!(rest.iter().map(|it| it.version.version.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(code(read.versions("", &package("nothing"), None, 2).await), Code::NotFound);
}
