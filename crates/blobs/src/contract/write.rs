//! What goes in: sizes, announcements, limits, writers that are given up.

use model::{Ambient, Sha256Digest};

use super::{MIB, Subject, content, contract, digest, fetch, receive};
use crate::{Body, Error, Expect, Options, blocks, check_inline};

contract! {
    content_of_every_size_comes_back,
    a_wrong_digest_is_refused,
    a_wrong_length_is_refused,
    content_that_is_too_long_is_refused_at_once,
    an_abandoned_writer_leaves_nothing,
    a_writer_stays_usable_to_the_byte,
}

async fn content_of_every_size_comes_back(subject: &Subject) {
    let limit = Options::default().inline_limit;
    let sizes = [0, 1, limit - 1, limit, limit + 1, MIB - 1, MIB, MIB + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB];
    for size in sizes {
        let bytes = content(size);
        let expect = Expect::exactly(digest(&bytes), size as u64);
        let received = receive(&subject.blobs, &bytes, expect).await.expect("received");
        assert_eq!((received.digest, received.length), (digest(&bytes), size as u64));
        assert_eq!(received.sums.len() as u64, blocks(size as u64));
        match &received.body {
            Body::Inline(body) => {
                assert!(size <= limit, "{size} bytes came back inline");
                assert_eq!(body, &bytes);
                check_inline(body, &received.sums).expect("good");
            }
            Body::Stored { key } => {
                assert!(size > limit, "{size} bytes were stored");
                assert_eq!(subject.blobs.exists(key).await.expect("an answer"), Some(size as u64));
                let copy = received.copy().expect("a copy");
                assert!(fetch(&subject.blobs, &copy).await.expect("good") == bytes, "{size} bytes differ");
                assert_eq!(subject.blobs.digest(&copy).await.expect("good"), received.digest);
            }
        }
    }
}

async fn a_wrong_digest_is_refused(subject: &Subject) {
    for size in [10, MIB + 3, 17 * MIB] {
        let bytes = content(size);
        let wrong = Sha256Digest([7; 32]);
        let outcome = receive(&subject.blobs, &bytes, Expect { sha256: Some(wrong), length: None }).await;
        match outcome {
            Err(Error::Digest { expected, actual }) => assert_eq!((expected, actual), (wrong, digest(&bytes))),
            other => panic!("{other:?}"),
        }
    }
    subject.assert_empty().await;
}

async fn a_wrong_length_is_refused(subject: &Subject) {
    for size in [10, MIB + 3, 17 * MIB] {
        let bytes = content(size);
        for wrong in [0, size as u64 - 1, size as u64 + 1] {
            let expect = Expect { sha256: Some(digest(&bytes)), length: Some(wrong) };
            match receive(&subject.blobs, &bytes, expect).await {
                Err(Error::Length { expected, actual }) => assert_eq!((expected, actual), (wrong, size as u64)),
                other => panic!("{other:?}"),
            }
        }
    }
    subject.assert_empty().await;
}

async fn content_that_is_too_long_is_refused_at_once(subject: &Subject) {
    for limit in [5, 3 * MIB as u64, 18 * MIB as u64] {
        let mut writer = subject.blobs.writer(&Ambient::system()).at_most(limit);
        let mut taken = 0;
        let outcome = loop {
            match writer.write(content(MIB / 2)).await {
                Ok(()) => taken += MIB as u64 / 2,
                Err(error) => break error,
            }
        };
        assert!(matches!(outcome, Error::TooLong { limit: told } if told == limit), "{outcome:?}");
        assert!(taken <= limit);
        assert!(matches!(writer.write(content(1)).await, Err(Error::Broken)));
        assert!(matches!(writer.finish(Expect::default()).await, Err(Error::Broken)));
    }
    let exact = subject.blobs.writer(&Ambient::system()).at_most(0);
    exact.finish(Expect::default()).await.expect("nothing is not too long");
    subject.assert_empty().await;
}

async fn an_abandoned_writer_leaves_nothing(subject: &Subject) {
    for size in [0, 10, MIB, 3 * MIB, 30 * MIB] {
        let mut writer = subject.blobs.writer(&Ambient::system());
        for _ in 0..size / MIB {
            writer.write(content(MIB)).await.expect("written");
        }
        writer.write(content(size % MIB)).await.expect("written");
        drop(writer);
    }
    subject.assert_empty().await;
}

async fn a_writer_stays_usable_to_the_byte(subject: &Subject) {
    // One byte at a time around the edge of inline content, then beyond.
    let bytes = content(66_000);
    let mut writer = subject.blobs.writer(&Ambient::system());
    writer.write(bytes.slice(..65_530)).await.expect("written");
    for index in 65_530..bytes.len() {
        writer.write(bytes.slice(index..=index)).await.expect("written");
    }
    assert_eq!(writer.received(), bytes.len() as u64);
    let received = writer.finish(Expect::default()).await.expect("stored");
    assert_eq!(received.digest, digest(&bytes));
    assert_eq!(fetch(&subject.blobs, &received.copy().expect("stored")).await.expect("good"), bytes);
}
