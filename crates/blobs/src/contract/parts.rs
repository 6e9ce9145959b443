//! Resumable uploads, and bytes written by somebody else.

use model::{Ambient, Sha256Digest};

use super::{MIB, Subject, content, contract, digest, fetch, store};
use crate::{Area, Body, Error, Expect};

contract! {
    parts_are_composed_in_order,
    small_parts_compose_to_inline_content,
    a_damaged_part_spoils_the_whole,
    adopted_bytes_are_read_and_verified,
    adopted_bytes_that_do_not_match_are_removed,
}

async fn parts_are_composed_in_order(subject: &Subject) {
    let bytes = content(12 * MIB + 345);
    let mut parts = Vec::new();
    for chunk in [0..3 * MIB, 3 * MIB..3 * MIB + 1, 3 * MIB + 1..bytes.len()] {
        let mut writer = subject.blobs.part_writer(&Ambient::system());
        writer.write(bytes.slice(chunk.clone())).await.expect("written");
        let part = writer.finish(Expect::default()).await.expect("stored");
        assert_eq!((part.length, part.digest), (chunk.len() as u64, digest(&bytes[chunk])));
        parts.push(part.copy().expect("never inline"));
    }
    assert!(parts.iter().all(|part| part.key.area() == Some(Area::Parts)));
    let expect = Expect::exactly(digest(&bytes), bytes.len() as u64);
    let whole = subject.blobs.compose(&Ambient::system(), &parts, expect).await.expect("composed");
    let copy = whole.copy().expect("stored");
    assert_eq!(copy.key.area(), Some(Area::Blobs));
    assert!(fetch(&subject.blobs, &copy).await.expect("good") == bytes);

    parts.swap(0, 2);
    let outcome = subject.blobs.compose(&Ambient::system(), &parts, expect).await;
    assert!(matches!(outcome, Err(Error::Digest { .. })), "{outcome:?}");
}

async fn small_parts_compose_to_inline_content(subject: &Subject) {
    let parts = [store(&subject.blobs, &content(10)).await, store(&subject.blobs, &content(0)).await];
    let whole = subject.blobs.compose(&Ambient::system(), &parts, Expect::default()).await.expect("composed");
    assert_eq!(whole.body, Body::Inline(content(10)));
}

async fn a_damaged_part_spoils_the_whole(subject: &Subject) {
    let parts = [store(&subject.blobs, &content(2 * MIB)).await, store(&subject.blobs, &content(3 * MIB)).await];
    subject.damage(&parts[1].key, |stored| stored[2 * MIB + 1] ^= 1);
    let outcome = subject.blobs.compose(&Ambient::system(), &parts, Expect::default()).await;
    assert!(matches!(outcome, Err(Error::Damaged { block: 2 })), "{outcome:?}");
    subject.blobs.remove(&parts[0].key).await.expect("removed");
    let outcome = subject.blobs.compose(&Ambient::system(), &parts, Expect::default()).await;
    assert!(matches!(outcome, Err(Error::Missing)), "{outcome:?}");
    subject.blobs.remove(&parts[1].key).await.expect("removed");
    subject.assert_empty().await;
}

async fn adopted_bytes_are_read_and_verified(subject: &Subject) {
    for size in [0, 1, 3 * MIB + 5] {
        let bytes = content(size);
        let stored = store(&subject.blobs, &bytes).await;
        let expect = Expect::exactly(digest(&bytes), size as u64);
        let adopted = subject.blobs.adopt(&stored.key, expect).await.expect("adopted");
        assert_eq!(adopted.copy(), Some(stored));
    }
}

async fn adopted_bytes_that_do_not_match_are_removed(subject: &Subject) {
    let bytes = content(MIB + 5);
    for (expect, long) in [
        (Expect { sha256: Some(Sha256Digest([1; 32])), length: None }, false),
        (Expect { sha256: Some(digest(&bytes)), length: Some(7) }, true),
    ] {
        let stored = store(&subject.blobs, &bytes).await;
        match subject.blobs.adopt(&stored.key, expect).await {
            Err(Error::Digest { actual, .. }) if !long => assert_eq!(actual, digest(&bytes)),
            Err(Error::Length { actual, .. }) if long => assert_eq!(actual, stored.length),
            other => panic!("{other:?}"),
        }
        assert!(matches!(subject.blobs.adopt(&stored.key, expect).await, Err(Error::Missing)));
    }
    subject.assert_empty().await;
}
