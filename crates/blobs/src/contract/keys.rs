//! Keys are used once; what exists can be listed and removed.

use std::time::Duration;

use bytes::Bytes;
use model::Ambient;

use super::subject::stuck;
use super::{MIB, Subject, content, contract, fetch, store};
use crate::{Area, BlobCopy, Error, Expect, Received, Result};

contract! {
    a_key_in_use_is_never_overwritten,
    two_writers_of_one_key_make_one_copy,
    removing_is_idempotent,
    lists_come_in_pages_and_in_order,
    the_probe_answers,
    the_first_stamp_stays,
}

async fn write_stuck(subject: &Subject, bytes: Bytes) -> Result<Received> {
    let mut writer = subject.blobs.writer(&stuck());
    writer.write(bytes).await?;
    writer.finish(Expect::default()).await
}

async fn a_key_in_use_is_never_overwritten(subject: &Subject) {
    for (first, second) in [(MIB, 2 * MIB), (MIB, 20 * MIB), (20 * MIB, MIB), (20 * MIB, 21 * MIB)] {
        let bytes = content(first);
        let copy = write_stuck(subject, bytes.clone()).await.expect("the first").copy().expect("stored");
        let outcome = write_stuck(subject, content(second)).await;
        assert!(matches!(outcome, Err(Error::KeyTaken)), "{first} then {second}: {outcome:?}");
        assert!(fetch(&subject.blobs, &copy).await.expect("untouched") == bytes, "{first} then {second}");
        subject.blobs.remove(&copy.key).await.expect("removed");
    }
    subject.assert_empty().await;
}

async fn two_writers_of_one_key_make_one_copy(subject: &Subject) {
    for size in [MIB, 20 * MIB] {
        let outcomes =
            futures_util::future::join_all((0..4).map(|extra| write_stuck(subject, content(size + extra)))).await;
        let won: Vec<BlobCopy> = outcomes.iter().flatten().filter_map(Received::copy).collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        for outcome in &outcomes {
            assert!(matches!(outcome, Ok(_) | Err(Error::KeyTaken)), "{outcome:?}");
        }
        assert!(fetch(&subject.blobs, &won[0]).await.expect("good") == content(won[0].length as usize));
        subject.blobs.remove(&won[0].key).await.expect("removed");
    }
    subject.assert_empty().await;
}

async fn removing_is_idempotent(subject: &Subject) {
    let (one, two) = (store(&subject.blobs, &content(MIB)).await, store(&subject.blobs, &content(MIB)).await);
    assert_ne!(one.key, two.key, "the same bytes get a fresh key");
    subject.blobs.remove(&one.key).await.expect("removed");
    subject.blobs.remove(&one.key).await.expect("still removed");
    assert_eq!(subject.keys().await, std::slice::from_ref(&two.key));
    assert!(fetch(&subject.blobs, &two).await.is_ok());
    let never = crate::Key::fresh(Area::Blobs, &Ambient::system());
    subject.blobs.remove(&never).await.expect("nothing to remove");
}

async fn lists_come_in_pages_and_in_order(subject: &Subject) {
    let mut keys = Vec::new();
    for size in 0..23 {
        keys.push((store(&subject.blobs, &content(size)).await.key, size as u64));
    }
    keys.sort();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = subject.blobs.list(Area::Parts, after.as_ref(), 5).await.expect("a page");
        assert!(page.len() <= 5);
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        assert!(page.iter().all(|stored| stored.modified > model::Timestamp(0)));
        seen.extend(page.into_iter().map(|stored| (stored.key, stored.length)));
    }
    assert_eq!(seen, keys);
    assert!(subject.blobs.list(Area::Blobs, None, 5).await.expect("a page").is_empty());
    assert!(subject.blobs.list(Area::Parts, None, 0).await.expect("a page").is_empty());
}

async fn the_probe_answers(subject: &Subject) {
    let patience = Duration::from_secs(10);
    subject.blobs.health(&Ambient::system(), patience).await.expect("well");
    assert!(!subject.blobs.poisoned());
    subject.assert_empty().await;
}

async fn the_first_stamp_stays(subject: &Subject) {
    assert_eq!(subject.blobs.stamped().await.expect("read"), None);
    let in_memory = matches!(subject.blobs.place, crate::blobs::Place::Memory(_));
    assert_eq!(subject.blobs.stamp("production").await.expect("stamped"), "production");
    let kept = if in_memory { "staging" } else { "production" };
    assert_eq!(subject.blobs.stamp("staging").await.expect("read"), kept);
}
