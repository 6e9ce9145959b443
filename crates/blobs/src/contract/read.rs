//! What comes out: ranges, and damage that never does.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{MIB, Subject, content, contract, drain, fetch, store};
use crate::{BlobCopy, Error, Result};

contract! {
    ranges_are_exact,
    impossible_ranges_are_refused,
    a_flipped_byte_is_never_handed_out,
    a_truncated_copy_is_damaged,
    a_longer_file_changes_nothing,
    a_missing_copy_is_missing,
    a_copy_without_its_sums_is_not_served,
    removing_while_reading_is_safe,
}

/// A place in a blob of `length` bytes, mostly near the edges of its blocks.
fn position(length: usize) -> impl Strategy<Value = usize> {
    let edge =
        (0..=length / MIB, -2i64..=2).prop_map(|(block, step)| (block * MIB).saturating_add_signed(step as isize));
    prop_oneof![4 => edge, 1 => 0..=length, 1 => Just(length)].prop_map(move |at| at.min(length))
}

async fn ranges_are_exact(subject: &Subject) {
    let bytes = content(4 * MIB + 1234);
    let copy = store(&subject.blobs, &bytes).await;
    let runtime = tokio::runtime::Handle::current();
    let mut runner = TestRunner::new(Config { cases: 96, failure_persistence: None, ..Config::default() });
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&(position(bytes.len()), position(bytes.len())), |(one, two)| {
            let (from, to) = (one.min(two), one.max(two));
            let (got, outcome, length) = runtime.block_on(async {
                let range = from as u64..to as u64;
                let reader = subject.blobs.open(&copy, Some(range)).await.expect("opened");
                let length = reader.length();
                let (got, outcome) = drain(reader).await;
                (got, outcome, length)
            });
            prop_assert!(outcome.is_ok());
            prop_assert_eq!(length, (to - from) as u64);
            prop_assert!(got == bytes[from..to], "{}..{} differs", from, to);
            Ok(())
        })
    });
    outcome.expect("every range is exact");
}

async fn impossible_ranges_are_refused(subject: &Subject) {
    let copy = store(&subject.blobs, &content(10)).await;
    #[expect(clippy::reversed_empty_ranges, reason = "that is the bad input")]
    for range in [0..11, 11..11, 5..4, u64::MAX..u64::MAX] {
        assert!(matches!(subject.blobs.open(&copy, Some(range)).await, Err(Error::Range { length: 10, .. })));
    }
    for range in [0..0, 10..10] {
        assert_eq!(drain(subject.blobs.open(&copy, Some(range)).await.expect("opened")).await.0, b"");
    }
}

/// What a reader of `range` gets of a damaged copy, however it finds out.
async fn read(subject: &Subject, copy: &BlobCopy, range: std::ops::Range<u64>) -> (Vec<u8>, Result<()>) {
    match subject.blobs.open(copy, Some(range)).await {
        Ok(reader) => drain(reader).await,
        Err(error) => (Vec::new(), Err(error)),
    }
}

async fn a_flipped_byte_is_never_handed_out(subject: &Subject) {
    let bytes = content(3 * MIB + 500);
    let length = bytes.len() as u64;
    let mib = MIB as u64;
    let copy = store(&subject.blobs, &bytes).await;
    for at in [0, MIB - 1, MIB, 2 * MIB - 1, 2 * MIB + 77, 3 * MIB, bytes.len() - 1] {
        let bad = (at / MIB) as u64;
        subject.damage(&copy.key, |stored| stored[at] ^= 0x10);
        let (got, outcome) = read(subject, &copy, 0..length).await;
        assert!(matches!(outcome, Err(Error::Damaged { block }) if block == bad), "{at}: {outcome:?}");
        assert!(got == bytes[..at / MIB * MIB], "{at}: exactly the blocks before are handed out");
        if bad == 0 {
            assert!(subject.blobs.open(&copy, None).await.is_err(), "known before anything is sent");
        }
        // A range beside the flipped byte, in its block.
        let beside =
            if at % MIB > 600 { bad * mib + 5..bad * mib + 9 } else { (bad * mib + 490).min(length - 2)..length };
        let beside = beside.start..beside.end.min(beside.start + 4).min(length);
        assert!(!beside.contains(&(at as u64)), "the test means another byte");
        let (got, outcome) = read(subject, &copy, beside).await;
        assert!(
            got.is_empty() && matches!(outcome, Err(Error::Damaged { block }) if block == bad),
            "{at}: {outcome:?}"
        );
        // The other blocks are as good as before.
        let other = if bad == 0 { mib..2 * mib } else { 0..mib };
        let (got, outcome) = read(subject, &copy, other.clone()).await;
        assert!(outcome.is_ok() && got == bytes[other.start as usize..other.end as usize]);
        assert!(matches!(subject.blobs.digest(&copy).await, Err(Error::Damaged { block }) if block == bad));
        subject.damage(&copy.key, |stored| stored[at] ^= 0x10);
    }
    assert!(fetch(&subject.blobs, &copy).await.expect("whole again") == bytes);
}

async fn a_truncated_copy_is_damaged(subject: &Subject) {
    let bytes = content(2 * MIB + 500);
    for keep in [0, 1, MIB - 1, MIB, 2 * MIB, 2 * MIB + 499] {
        let copy = store(&subject.blobs, &bytes).await;
        subject.damage(&copy.key, |stored| stored.truncate(keep));
        let bad = (keep / MIB) as u64;
        let (got, outcome) = read(subject, &copy, 0..copy.length).await;
        assert!(matches!(outcome, Err(Error::Damaged { block }) if block == bad), "{keep}: {outcome:?}");
        assert!(bytes.starts_with(&got) && got.len() <= keep);
    }
}

async fn a_longer_file_changes_nothing(subject: &Subject) {
    let bytes = content(MIB + 10);
    let copy = store(&subject.blobs, &bytes).await;
    subject.damage(&copy.key, |stored| stored.extend_from_slice(b"tail"));
    assert!(fetch(&subject.blobs, &copy).await.expect("good") == bytes);
}

async fn a_missing_copy_is_missing(subject: &Subject) {
    let copy = store(&subject.blobs, &content(MIB)).await;
    subject.blobs.remove(&copy.key).await.expect("removed");
    assert!(matches!(subject.blobs.open(&copy, None).await, Err(Error::Missing)));
    assert!(matches!(subject.blobs.open(&copy, Some(0..0)).await, Err(Error::Missing)));
    assert!(matches!(subject.blobs.digest(&copy).await, Err(Error::Missing)));
    assert_eq!(subject.blobs.exists(&copy.key).await.expect("an answer"), None);
}

async fn a_copy_without_its_sums_is_not_served(subject: &Subject) {
    let copy = store(&subject.blobs, &content(2 * MIB)).await;
    for count in [0, 1, 3] {
        let sums = (0..count).map(|index| copy.sums.get(index).copied().unwrap_or(0)).collect();
        let wrong = BlobCopy { sums, ..copy.clone() };
        assert!(matches!(subject.blobs.open(&wrong, None).await, Err(Error::Damaged { .. })), "{count} sums");
        assert!(matches!(subject.blobs.digest(&wrong).await, Err(Error::Damaged { .. })), "{count} sums");
    }
}

async fn removing_while_reading_is_safe(subject: &Subject) {
    let bytes = content(5 * MIB);
    let copy = store(&subject.blobs, &bytes).await;
    let reader = subject.blobs.open(&copy, None).await.expect("opened");
    subject.blobs.remove(&copy.key).await.expect("removed");
    let (got, outcome) = drain(reader).await;
    assert!(bytes.starts_with(&got), "never other bytes");
    assert!(outcome.is_err() || got == bytes, "the whole or an error");
}
