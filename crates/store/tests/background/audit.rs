//! Reading the journal with filters, in pages.

use std::time::Duration;

use store::Engine;
use store::audit::{Filter, Order, last, page};
use store::leases::Acquire;
use store::sequence::Advance;

use crate::engines::Bench;

crate::both! {
    filters_narrow_and_pages_join;
    the_counts_of_operations;
}

async fn sequence(bench: &Bench) {
    let (at, name, holder) = (bench.ambient.now(), "beat".to_owned(), "one".to_owned());
    let acquire = Acquire { name, holder, at, until: at.plus(Duration::from_secs(60)) };
    let held = match bench.store.engine() {
        Engine::Sqlite => None,
        Engine::Postgres => bench.store.write(acquire).await.expect("an answer"),
    };
    bench.store.write(Advance { held, at, limit: 1000, follow: |_| None }).await.expect("a step");
}

async fn seqs(bench: &Bench, filter: &Filter, order: Order, beyond: Option<u64>, limit: u32) -> Vec<u64> {
    let read = async |s: &mut store::Session<'_>| page(s, bench.tenant, filter, order, beyond, limit).await;
    let found = bench.store.read(read).await.expect("a page");
    found.iter().map(|entry| entry.event.seq.expect("sequenced")).collect()
}

async fn filters_narrow_and_pages_join(bench: &mut Bench) {
    let mut repos = Vec::new();
    for number in 0..6 {
        repos.push(bench.repository(&format!("r{number}")).await);
    }
    let blob = bench.blob(store::blobs::NewBody::Inline(vec![1]), 1, 1);
    bench.publish(repos[2], "a", blob).await;
    assert!(seqs(bench, &Filter::default(), Order::Newest, None, 10).await.is_empty(), "only sequenced ones");
    sequence(bench).await;
    bench.repository("late").await;
    assert_eq!(bench.store.read(last).await.expect("an answer"), 7);
    let all = Filter::default();
    assert_eq!(seqs(bench, &all, Order::Newest, None, 4).await, [7, 6, 5, 4]);
    assert_eq!(seqs(bench, &all, Order::Newest, Some(4), 4).await, [3, 2, 1]);
    assert_eq!(seqs(bench, &all, Order::Oldest, Some(5), 9).await, [6, 7]);
    let published = Filter { action: Some("package.".to_owned()), ..Filter::default() };
    assert_eq!(seqs(bench, &published, Order::Newest, None, 9).await, [7]);
    let wild = Filter { action: Some("%".to_owned()), ..Filter::default() };
    assert!(seqs(bench, &wild, Order::Newest, None, 9).await.is_empty());
    let repo = Filter { repo_key: Some("r2".to_owned()), ..Filter::default() };
    assert_eq!(seqs(bench, &repo, Order::Oldest, None, 9).await, [3, 7]);
    let resource = Filter { resource_id: Some(repos[4].to_string()), ..Filter::default() };
    assert_eq!(seqs(bench, &resource, Order::Newest, None, 9).await, [5]);
    assert_eq!(seqs(bench, &resource, Order::Oldest, None, 9).await, [5]);
    let nobody = Filter { actor: Some("bob".to_owned()), ..Filter::default() };
    assert!(seqs(bench, &nobody, Order::Oldest, None, 9).await.is_empty());
    let kind = Filter { resource_kind: Some("version".to_owned()), ..Filter::default() };
    assert_eq!(seqs(bench, &kind, Order::Oldest, None, 9).await, [7]);
    let future = Filter { since: Some(bench.ambient.now().plus(Duration::from_secs(9))), ..Filter::default() };
    assert!(seqs(bench, &future, Order::Oldest, None, 9).await.is_empty());
    let past = Filter { until: future.since, ..Filter::default() };
    assert_eq!(seqs(bench, &past, Order::Oldest, None, 9).await.len(), 7);
    let stranger: model::TenantId = bench.ambient.id();
    let read = async |s: &mut store::Session<'_>| page(s, stranger, &all, Order::Newest, None, 9).await;
    assert!(bench.store.read(read).await.expect("a page").is_empty());
}

async fn the_counts_of_operations(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    bench.publish(repo, "a", bench.blob(store::blobs::NewBody::Inline(vec![1; 12]), 1, 12)).await;
    let now = bench.ambient.now();
    let summary =
        async || bench.store.read(async |s| store::ops::summary(s, bench.tenant, now).await).await.expect("counts");
    let before = summary().await;
    assert_eq!((before.pending_events, before.inline_bytes), (2, 12));
    assert!(before.oldest_pending_event.is_some());
    sequence(bench).await;
    let after = summary().await;
    assert_eq!((after.pending_events, after.oldest_pending_event), (0, None));
    assert_eq!((after.dead_letters, after.damaged_copies, after.lost_blobs), (0, 0, 0));
}
