//! Folders and search: what is listed, in which order, at which cost.

use std::collections::BTreeMap;

use model::Code;
use registry::{ChildKind, Promote, Read, SearchQuery, Write};

use crate::bench::{Bench, code, content, digest, path, put, ready, repo_key};
use crate::both;

both! {
    a_folder_shows_its_children_in_pages;
    withdrawn_files_are_left_out;
    a_listing_does_not_look_into_folders;
    search_finds_what_the_caller_may_read;
}

async fn a_folder_shows_its_children_in_pages(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    let bytes = content(1, 10);
    let all = ["a", "a b", "a-b/x", "a/1", "a/1/deep/er", "a/2", "a0", "b/c/d", "z", "ä/ö"];
    for file in all {
        put(&grant, file, &bytes).await.expect("stored");
    }
    let read = bench.grant::<Read>(&repo).await;
    let list = async |folder: Option<&str>, limit: u32| {
        let (folder, mut after, mut names) = (folder.map(path), None::<String>, Vec::new());
        loop {
            let page = read.list_folder(folder.as_ref(), after.as_deref(), limit).await.expect("a page");
            let Some(last) = page.last() else { return names };
            after = Some(last.cursor());
            names.extend(page.iter().map(|child| match child.kind {
                ChildKind::File => child.name.clone(),
                ChildKind::Folder => format!("{}/", child.name),
            }));
        }
    };
    for limit in [1, 2, 3, 100] {
        assert_eq!(list(None, limit).await, ["a", "a b", "a-b/", "a/", "a0", "b/", "z", "ä/"], "{limit}");
        assert_eq!(list(Some("a"), limit).await, ["1", "1/", "2"], "{limit}");
        assert_eq!(list(Some("b"), limit).await, ["c/"], "{limit}");
    }
    let child = &read.list_folder(Some(&path("b/c")), None, 9).await.expect("a page")[0];
    assert_eq!((child.path.as_str(), child.size, child.sha256), ("b/c/d", Some(10), Some(digest(&bytes))));
    assert_eq!(code(read.list_folder(Some(&path("nothing")), None, 9).await), Code::NotFound);
    assert_eq!(code(read.list_folder(None, Some("../x"), 9).await), Code::BadRequest);
    let empty = bench.repository("empty", false).await;
    assert!(bench.grant::<Read>(&empty).await.list_folder(None, None, 9).await.expect("a page").is_empty());
}

async fn withdrawn_files_are_left_out(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let (grant, promote) = (bench.grant::<Write>(&repo).await, bench.grant::<Promote>(&repo).await);
    for file in ["a/1", "a/2", "b/1", "b/2", "c", "d/1/2", "e"] {
        put(&grant, file, &content(1, 10)).await.expect("stored");
    }
    for file in ["a/1", "b/1", "b/2", "c", "d/1/2"] {
        promote.withdraw(&path(file)).await.expect("withdrawn");
    }
    let read = bench.grant::<Read>(&repo).await;
    let names = async |folder: Option<&str>| {
        let children = read.list_folder(folder.map(path).as_ref(), None, 100).await.expect("a page");
        children.into_iter().map(|child| child.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None).await, ["a", "e"]);
    assert_eq!(names(Some("a")).await, ["2"]);
    for (folder, refused) in [("b", Code::Gone), ("d", Code::Gone), ("d/1", Code::Gone), ("c", Code::NotFound)] {
        assert_eq!(code(read.list_folder(Some(&path(folder)), None, 9).await), refused, "{folder}");
    }
    assert!(read.list_folder(Some(&path("b")), Some("1"), 9).await.expect("a page").is_empty());
}

/// Twenty folders with two thousand files each: one statement for each folder, not for its files.
async fn a_listing_does_not_look_into_folders(bench: &Bench) {
    let repo = bench.repository("libs", false).await;
    let grant = bench.grant::<Write>(&repo).await;
    put(&grant, "f00/first", &content(1, 10)).await.expect("stored");
    let read = bench.grant::<Read>(&repo).await;
    bench.registry.store().write(Many { repo: read.repo().id }).await.expect("many");
    let before = store::statements_sent();
    let children = read.list_folder(None, None, 100).await.expect("a page");
    assert_eq!(children.len(), 20);
    assert!(store::statements_sent() - before <= 22);
    assert_eq!(read.list_folder(Some(&path("f07")), None, 5000).await.expect("a page").len(), 2000);
}

/// More paths for the same entry: files by the thousand, the short way.
struct Many {
    repo: model::RepoId,
}

impl store::Write for Many {
    type Out = ();

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<()> {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
             INSERT INTO locations (repo_id, path, package_id, version_id, entry_path)
             SELECT repo_id, CAST($2 AS TEXT) || CAST(i AS TEXT), package_id, version_id, entry_path
             FROM locations, n WHERE repo_id = $1 AND path = 'f00/first'";
        for folder in 0..20 {
            tx.execute(sql, store::args![self.repo, format!("f{folder:02}/")]).await?;
        }
        Ok(())
    }
}

async fn search_finds_what_the_caller_may_read(bench: &Bench) {
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for repo in ["one", "three", "two"] {
        let key = bench.repository(repo, false).await;
        let grant = bench.grant::<Write>(&key).await;
        for name in ["ham", "hammer", "nail"] {
            let id = ready(&grant, name, "1", &content(1, 10)).await.expect("ready");
            grant.publish_version(id).await.expect("published");
            if name != "nail" {
                expected.entry(repo.to_owned()).or_default().push(name.to_owned());
            }
        }
        ready(&grant, "hamlet", "1", &content(1, 10)).await.expect("a draft, never found");
    }
    let call = bench.admin().await;
    for limit in [1, 2, 3, 50] {
        let query = SearchQuery { prefix: "ham".to_owned(), limit, ..SearchQuery::default() };
        let (mut cursor, mut seen) = (None, BTreeMap::<String, Vec<String>>::new());
        loop {
            let (page, next) = call.search(&query, cursor.as_ref()).await.expect("a page");
            assert!(page.len() <= limit as usize);
            for found in page {
                seen.entry(found.repo.to_string()).or_default().push(found.package.at.name);
            }
            match next {
                None => break,
                next => cursor = next,
            }
        }
        assert_eq!(seen, expected, "{limit}");
    }
    let some = bench.somebody("bob", &["repo:two:read"]).await;
    let query = SearchQuery { limit: 50, ..SearchQuery::default() };
    let (found, _) = some.search(&query, None).await.expect("a page");
    assert_eq!(found.iter().map(|it| it.repo.as_str()).collect::<Vec<_>>(), ["two"; 3]);
    let query = SearchQuery { repos: vec![repo_key("one"), repo_key("two")], ..query };
    assert_eq!(some.search(&query, None).await.expect("a page").0.len(), 3);
    let query = SearchQuery { format: Some("npm".to_owned()), ..query };
    assert!(call.search(&query, None).await.expect("a page").0.is_empty());
}
