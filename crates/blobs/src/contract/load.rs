//! Many at once.

use futures_util::future::join_all;

use super::{MIB, Subject, content, contract, digest, fetch, receive, store};
use crate::{Blobs, Expect, Options};

contract! {
    writers_and_readers_do_not_disturb_each_other,
}

async fn writers_and_readers_do_not_disturb_each_other(subject: &Subject) {
    let old = content(3 * MIB + 9);
    let copy = store(&subject.blobs, &old).await;
    let writers = (0..32).map(|index| {
        let blobs = subject.blobs.clone();
        tokio::spawn(async move {
            let bytes = content(MIB + 1000 * index);
            let received = receive(&blobs, &bytes, Expect::default()).await.expect("received");
            assert_eq!(received.digest, digest(&bytes));
            assert!(fetch(&blobs, &received.copy().expect("stored")).await.expect("good") == bytes);
        })
    });
    let readers = (0..32).map(|_| {
        let (blobs, copy, old) = (subject.blobs.clone(), copy.clone(), old.clone());
        tokio::spawn(async move { assert!(fetch(&blobs, &copy).await.expect("good") == old) })
    });
    for outcome in join_all(writers.chain(readers).collect::<Vec<_>>()).await {
        outcome.expect("no panic");
    }
    assert_eq!(subject.keys().await.len(), 33);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_share_little_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { read_memory: 2 * MIB, ..Options::default() };
    let blobs = Blobs::disk(folder.path(), options).expect("a blob folder");
    let bytes = content(5 * MIB);
    let copy = store(&blobs, &bytes).await;
    let readers = (0..16).map(|_| {
        let (blobs, copy, bytes) = (blobs.clone(), copy.clone(), bytes.clone());
        tokio::spawn(async move {
            assert!(fetch(&blobs, &copy).await.expect("good") == bytes);
            assert!(blobs.pool.lent() <= 2 * MIB);
        })
    });
    for outcome in join_all(readers.collect::<Vec<_>>()).await {
        outcome.expect("no panic");
    }
    assert_eq!(blobs.pool.lent(), 0);
}
