//! Remote repositories: the columns of their upstream, and what the journal learns of them.

use model::state::RepoKind;
use model::{RepoId, RepoKey, Secret};
use store::repositories::{CreateRepository, Repository, UpdateRepository, UpstreamColumns, by_key};

use crate::engines::Bench;

crate::both! {
    an_upstream_is_kept_replaced_and_removed;
    another_revision_changes_no_upstream;
}

const URL: &str = "https://up.example/x";

fn sealed(text: &str) -> Secret<Vec<u8>> {
    Secret::new(text.as_bytes().to_vec())
}

async fn remote(bench: &Bench) -> RepoId {
    let id = bench.ambient.id();
    let write = CreateRepository {
        act: bench.act(),
        id,
        key: key(),
        format: "raw".to_owned(),
        kind: RepoKind::Remote,
        description: String::new(),
        anonymous_read: false,
        upstream_url: Some(URL.to_owned()),
        upstream_auth: Some(sealed("first canary")),
        members: Vec::new(),
        settings: "{}".to_owned(),
    };
    bench.store.write(write).await.expect("a repository");
    id
}

fn key() -> RepoKey {
    RepoKey::parse("up").expect("a key")
}

fn update(bench: &Bench, id: RepoId, upstream: UpstreamColumns) -> UpdateRepository {
    UpdateRepository {
        act: bench.act(),
        id,
        expected_revision: None,
        description: None,
        anonymous_read: None,
        settings: None,
        rules: None,
        members: None,
        upstream,
    }
}

async fn now(bench: &Bench) -> Repository {
    let read = async |session: &mut store::Session<'_>| by_key(session, bench.tenant, &key()).await;
    bench.store.read(read).await.expect("an answer").expect("a repository")
}

async fn an_upstream_is_kept_replaced_and_removed(bench: &mut Bench) {
    let id = remote(bench).await;
    let is = async |url: &str, auth: Option<&str>| {
        let found = now(bench).await;
        assert_eq!(found.upstream_url.as_deref(), Some(url));
        assert_eq!(found.upstream_auth, auth.map(sealed));
        assert!(!format!("{found:?}").contains("canary"));
    };
    is(URL, Some("first canary")).await;
    let change = async |url: Option<&str>, auth| {
        let upstream = UpstreamColumns { url: url.map(str::to_owned), auth };
        bench.store.write(update(bench, id, upstream)).await.expect("changed")
    };
    change(None, None).await;
    is(URL, Some("first canary")).await;
    change(Some("https://other.example"), None).await;
    is("https://other.example", Some("first canary")).await;
    change(None, Some(Some(sealed("second canary")))).await;
    is("https://other.example", Some("second canary")).await;
    change(Some(URL), Some(None)).await;
    is(URL, None).await;

    let told: Vec<String> = bench.column("SELECT detail FROM events WHERE action LIKE 'repo.%' ORDER BY at, id").await;
    let told = told.join("\n");
    assert!(told.contains(r#""upstreamAuthSet":true"#) && told.contains(r#""upstreamAuth":"replaced""#), "{told}");
    assert!(told.contains(r#""upstreamAuth":"removed""#) && told.contains(r#""upstreamUrl":"https://other.example""#));
    assert!(!told.contains("canary"), "{told}");
}

async fn another_revision_changes_no_upstream(bench: &mut Bench) {
    let id = remote(bench).await;
    let upstream = UpstreamColumns { url: Some("https://other.example".to_owned()), auth: Some(None) };
    let late = UpdateRepository { expected_revision: Some(7), ..update(bench, id, upstream) };
    bench.store.write(late).await.expect_err("another revision");
    let found = now(bench).await;
    assert_eq!((found.upstream_url.as_deref(), found.upstream_auth.is_some()), (Some(URL), true));
}
