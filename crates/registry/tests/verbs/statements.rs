//! How many statements the hot routes cost. A number that grows here is a question for whoever made it grow.

use bytes::Bytes;
use model::{EntryPath, Subject};
use registry::{Call, Read, Registry};
use store::{Tx, Write};

use crate::bench::{Bench, digest, path, put, repo_key, request};

/// Where the statements of a transaction are counted: on the writer's thread, or on our own.
struct Sent;

impl Write for Sent {
    type Out = u64;

    async fn apply(&self, _: &mut Tx<'_>) -> store::Result<u64> {
        Ok(store::statements_sent())
    }
}

pub(crate) async fn written(registry: &Registry) -> u64 {
    registry.store().write(Sent).await.expect("a count")
}

/// Statements sent on this thread while `work` runs.
pub(crate) async fn cost<T>(work: impl Future<Output = T>) -> (u64, T) {
    let before = store::statements_sent();
    let out = work.await;
    (store::statements_sent() - before, out)
}

async fn store(bench: &Bench, at: &str, bytes: &'static [u8]) {
    let grant = bench.grant::<registry::Write>(&repo_key("files")).await;
    put(&grant, at, &Bytes::from_static(bytes)).await.expect("stored");
}

/// A read of a file from credentials to bytes, as the server does it: the short way, else the ordinary one.
async fn read(bench: &Bench, at: &EntryPath) -> Vec<u8> {
    let (registry, correlation) = (&bench.registry, bench.registry.ambient().id());
    let repo = repo_key("files");
    let short = match registry.presume(Some(bench.admin_token()), &repo, correlation).await {
        Some(presumed) => presumed.find(at).await.expect("an answer"),
        None => None,
    };
    let found = match short {
        Some((_, found)) => found,
        None => ordinary(&bench.admin().await, at).await,
    };
    let mut content = found.open(None).await.expect("content");
    content.next().await.expect("bytes").expect("some bytes").to_vec()
}

async fn ordinary(call: &Call, at: &EntryPath) -> registry::Found {
    let grant = call.authorize::<Read>(&repo_key("files")).await.expect("a grant");
    grant.find(at).await.expect("the file")
}

#[tokio::test]
async fn embedded_a_warm_read_sends_nothing_and_a_cold_one_a_single_statement() {
    let bench = Bench::sqlite().await;
    bench.repository("files", false).await;
    store(&bench, "a/1", b"one").await;
    store(&bench, "a/2", b"two").await;
    assert_eq!(read(&bench, &path("a/1")).await, b"one");

    let (warm, bytes) = cost(read(&bench, &path("a/1"))).await;
    assert_eq!((warm, bytes.as_slice()), (0, b"one".as_slice()));
    let (cold, bytes) = cost(read(&bench, &path("a/2"))).await;
    assert_eq!((cold, bytes.as_slice()), (1, b"two".as_slice()));
}

#[tokio::test]
async fn embedded_a_write_of_other_bytes_leaves_what_is_remembered_alone() {
    let bench = Bench::sqlite().await;
    bench.repository("files", false).await;
    store(&bench, "a/1", b"one").await;
    read(&bench, &path("a/1")).await;
    store(&bench, "a/2", b"two").await;
    let (warm, _) = cost(read(&bench, &path("a/1"))).await;
    assert_eq!(warm, 0);
}

#[tokio::test]
async fn scaled_out_a_read_is_one_statement_and_a_change_of_rights_is_seen_by_it() {
    let bench = Bench::postgres().await;
    let repo = bench.repository("files", false).await;
    store(&bench, "a/1", b"one").await;
    read(&bench, &path("a/1")).await;

    let (hot, bytes) = cost(read(&bench, &path("a/1"))).await;
    assert_eq!((hot, bytes.as_slice()), (1, b"one".as_slice()));

    // Somebody whose token dies is presumed once more, and found out by the very statement.
    let minted = bench.admin().await.mint_token(request("ben", &["repo:files:read"])).await.expect("a token");
    let token = minted.secret.text().to_owned();
    let somebody = bench.registry.call(Some(&token), bench.registry.ambient().id()).await.expect("a call");
    ordinary(&somebody, &path("a/1")).await;
    let correlation = bench.registry.ambient().id();
    let presume = async || bench.registry.presume(Some(&token), &repo, correlation).await;
    let living = presume().await.expect("remembered").find(&path("a/1")).await.expect("an answer");
    assert!(living.is_some());
    bench
        .admin()
        .await
        .authorize_tenant::<registry::TenantAdmin>()
        .expect("an admin")
        .revoke_subject(Subject::parse("ben").expect("a subject"))
        .await
        .expect("revoked");
    let dead = presume().await.expect("still remembered").find(&path("a/1")).await.expect("an answer");
    assert!(dead.is_none(), "a revoked token read a file");
}

#[tokio::test]
async fn a_write_is_a_fixed_number_of_statements() {
    // Where the database is shared, beginning a call asks it what holds now: one more.
    for (bench, wanted) in [(Bench::sqlite().await, 11), (Bench::postgres().await, 12)] {
        bench.repository("files", false).await;
        store(&bench, "a/0", b"zero").await;
        for (name, bytes) in [("a/1", b"one".as_slice()), ("b/c/2", b"two")] {
            let before = written(&bench.registry).await;
            store(&bench, name, bytes).await;
            assert_eq!(written(&bench.registry).await - before, wanted, "{:?}", bench.registry.store().engine());
        }
    }
}

/// Statements of one upload's beginning, wherever they were sent from.
async fn announced(bench: &Bench, grant: &registry::Grant<registry::Write>, bytes: &[u8]) -> (u64, bool) {
    let before = written(&bench.registry).await;
    let (looked, begun) = cost(grant.create_upload(digest(bytes), bytes.len() as u64)).await;
    let begun = begun.expect("begun");
    // On PostgreSQL both are this thread's.
    (looked.max(written(&bench.registry).await - before), begun.deduped)
}

#[tokio::test]
async fn bytes_out_of_reach_cost_what_bytes_that_do_not_exist_cost() {
    for bench in [Bench::sqlite().await, Bench::postgres().await] {
        let own = bench.repository("own", false).await;
        for number in 0..5 {
            let hidden = bench.repository(&format!("hidden-{number}"), false).await;
            put(&bench.grant(&hidden).await, "a", &Bytes::from_static(b"secret")).await.expect("stored");
        }
        let outsider = bench.somebody("mallory", &["repo:own:write"]).await;
        let grant = outsider.authorize::<registry::Write>(&own).await.expect("a grant");
        // The first one shares the allowances out.
        announced(&bench, &grant, b"anything").await;
        let unknown = announced(&bench, &grant, b"nothing like it").await;
        let hidden = announced(&bench, &grant, b"secret").await;
        assert_eq!((hidden, unknown.1), (unknown, false), "{:?}", bench.registry.store().engine());
        let own = bench.grant::<registry::Write>(&own).await;
        assert!(announced(&bench, &own, b"secret").await.1, "who may read it need not send it");
    }
}
