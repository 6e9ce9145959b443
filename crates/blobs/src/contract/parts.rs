//! Resumable uploads, and bytes written by somebody else.

use bytes::Bytes;
use model::{Ambient, Sha256Digest};

use super::{MIB, Subject, content, contract, digest, fetch, store};
use crate::blobs::Place;
use crate::{Area, BlobCopy, Body, Error, Expect, Writer};

contract! {
    parts_are_composed_in_order,
    chunks_grow_to_one_copy,
    a_chunk_that_fails_leaves_what_came_before,
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

/// Puts `chunks` into files, each into the one before where the store can. The files.
async fn chunks(subject: &Subject, chunks: &[Bytes]) -> Vec<BlobCopy> {
    let mut copies: Vec<BlobCopy> = Vec::new();
    let mut open: Option<Writer> = None;
    for chunk in chunks {
        let new = || subject.blobs.chunk_writer(&Ambient::system());
        let mut writer = open.take().unwrap_or_else(new).at_most(chunk.len() as u64);
        writer.write(chunk.clone()).await.expect("written");
        assert_eq!(writer.received(), chunk.len() as u64);
        let (file, rest) = writer.pause(Some(chunk.len() as u64)).await.expect("durable");
        let copy = file.copy().expect("never inline");
        copies.retain(|known| known.key != copy.key);
        copies.push(copy);
        open = rest;
    }
    copies
}

async fn chunks_grow_to_one_copy(subject: &Subject) {
    let bytes = content(5 * MIB + 77);
    let ends = [3, MIB - 1, MIB, MIB + 1, 3 * MIB, 5 * MIB, bytes.len()];
    let starts = [0].into_iter().chain(ends);
    let pieces: Vec<_> = starts.zip(ends).map(|(start, end)| bytes.slice(start..end)).collect();
    let copies = chunks(subject, &pieces).await;
    let expect = Expect::exactly(digest(&bytes), bytes.len() as u64);
    let whole = match copies.as_slice() {
        [only] => only.clone(),
        several => {
            assert!(!matches!(subject.blobs.place, Place::Disk(_)), "{several:?}");
            subject.blobs.compose(&Ambient::system(), several, expect).await.expect("composed").copy().expect("stored")
        }
    };
    assert!(fetch(&subject.blobs, &whole).await.expect("good") == bytes);
    assert_eq!(subject.blobs.adopt(&whole.key, expect).await.expect("as it was hashed").copy(), Some(whole));
}

async fn a_chunk_that_fails_leaves_what_came_before(subject: &Subject) {
    let bytes = content(2 * MIB);
    for spoil in ["dropped", "too long", "another length", "taken back"] {
        let mut writer = subject.blobs.chunk_writer(&Ambient::system());
        writer.write(bytes.clone()).await.expect("written");
        let (file, open) = writer.pause(None).await.expect("durable");
        let copy = file.copy().expect("stored");
        if let Some(open) = open {
            let mut open = open.at_most(3 * MIB as u64);
            open.write(bytes.clone()).await.expect("written");
            match spoil {
                "too long" => assert!(matches!(open.write(bytes.clone()).await, Err(Error::TooLong { .. }))),
                "another length" => assert!(matches!(open.pause(Some(7)).await, Err(Error::Length { .. }))),
                "taken back" => {
                    let (longer, open) = open.pause(None).await.expect("durable");
                    assert_eq!(longer.length, 4 * MIB as u64);
                    open.expect("still open").take_back_to(copy.length).await.expect("taken back");
                }
                _ => drop(open),
            }
        }
        while subject.blobs.exists(&copy.key).await.expect("a look") != Some(copy.length) {
            tokio::task::yield_now().await;
        }
        assert!(fetch(&subject.blobs, &copy).await.expect("good") == bytes, "{spoil}");
        subject.blobs.remove(&copy.key).await.expect("removed");
    }
    subject.assert_empty().await;
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
