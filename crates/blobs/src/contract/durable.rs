//! What must have happened before a copy is acknowledged, and what happens when it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::Ambient;
use rustix::io::Errno;

use super::{MIB, Subject, content, fetch, receive, store};
use crate::blobs::Place;
use crate::disk::{Disk, Step};
use crate::{Area, Error, Expect};

fn disk(subject: &Subject) -> Arc<Disk> {
    match &subject.blobs.place {
        Place::Disk(disk) => Arc::clone(disk),
        _ => panic!("not on disk"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_synced_before_the_name_and_the_name_before_the_answer() {
    let subject = Subject::disk().await;
    let disk = disk(&subject);
    let copy = store(&subject.blobs, &content(100)).await;
    // The first file of a folder: the folder's own name is made durable as well.
    use Step::{Create, Remove, Rename, Sync, SyncFolder, Write};
    let first = disk.steps.taken();
    let first: Vec<_> = first.into_iter().skip_while(|step| *step == SyncFolder).collect();
    assert_eq!(first, [Create, Write, Sync, Rename, SyncFolder, Rename, SyncFolder]);
    subject.blobs.remove(&copy.key).await.expect("removed");
    assert_eq!(disk.steps.taken(), [Remove, SyncFolder]);
    let received = receive(&subject.blobs, &content(3 * MIB), Expect::default()).await.expect("stored");
    let mut long = disk.steps.taken();
    long.dedup();
    assert_eq!(long[..4], [Create, Write, Sync, Rename]);
    assert_eq!(long.last(), Some(&SyncFolder));
    assert!(received.copy().is_some());
    subject.blobs.write_pack(&Ambient::system(), vec![(1, content(10)), (2, content(20))]).await.expect("packed");
    assert!(disk.steps.taken().starts_with(&[Create, Write, Sync, Rename]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_at_any_step_is_told_and_leaves_nothing() {
    for (errno, full) in [(Errno::IO, false), (Errno::NOSPC, true)] {
        for step in [Step::Create, Step::Write, Step::Sync, Step::Rename, Step::SyncFolder] {
            let subject = Subject::disk().await;
            let disk = disk(&subject);
            for size in [MIB / 2, 3 * MIB] {
                disk.steps.fail(Some((step, errno)));
                let outcome = receive(&subject.blobs, &content(size), Expect::default()).await;
                match outcome {
                    Err(Error::Full) if full => {}
                    Err(Error::Io(_)) if !full => {}
                    other => panic!("{step:?} {errno:?}: {other:?}"),
                }
                disk.steps.fail(None);
            }
            subject.assert_empty().await;
            let told = Arc::new(AtomicBool::new(false));
            let alarm = Arc::clone(&told);
            subject.blobs.on_poison(move |_| alarm.store(true, Ordering::SeqCst));
            let sync = matches!(step, Step::Sync | Step::SyncFolder);
            assert_eq!(subject.blobs.poisoned(), sync, "{step:?}: only a failed sync poisons");
            assert_eq!(told.load(Ordering::SeqCst), sync, "{step:?}: and it is told, also to who asks late");
            let health = subject.blobs.health(&Ambient::system(), Duration::from_secs(5)).await;
            assert_eq!(health.is_err(), sync, "{step:?}: {health:?}");
            let copy = store(&subject.blobs, &content(MIB)).await;
            assert!(fetch(&subject.blobs, &copy).await.is_ok(), "the next one works");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_chunk_is_synced_and_one_that_fails_spoils_nothing() {
    use Step::{Create, Rename, Sync, SyncFolder, Write};
    for step in [Write, Sync] {
        let subject = Subject::disk().await;
        let disk = disk(&subject);
        drop(store(&subject.blobs, &content(MIB)).await);
        drop(disk.steps.taken());
        let mut writer = subject.blobs.chunk_writer(&Ambient::system());
        writer.write(content(100)).await.expect("taken");
        let (file, open) = writer.pause(None).await.expect("durable");
        let taken: Vec<_> = disk.steps.taken().into_iter().filter(|step| *step != SyncFolder).collect();
        assert!(taken.starts_with(&[Create, Write, Sync, Rename]), "{taken:?}");
        let mut open = open.expect("open");
        open.write(content(200)).await.expect("taken");
        let (longer, open) = open.pause(None).await.expect("durable");
        assert_eq!(disk.steps.taken(), [Write, Sync]);
        let mut open = open.expect("open");
        disk.steps.fail(Some((step, Errno::NOSPC)));
        // The failure shows here or at the end: portions are written behind.
        let _ = open.write(content(3 * MIB)).await;
        assert!(matches!(open.pause(None).await, Err(Error::Full | Error::Broken)), "{step:?}");
        disk.steps.fail(None);
        let copy = longer.copy().expect("stored");
        assert_eq!((file.length, copy.length), (100, 300));
        while subject.blobs.exists(&copy.key).await.expect("a look") != Some(300) {
            tokio::task::yield_now().await;
        }
        assert_eq!(fetch(&subject.blobs, &copy).await.expect("good").len(), 300);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_is_not_durable_is_told() {
    let subject = Subject::disk().await;
    let copy = store(&subject.blobs, &content(10)).await;
    disk(&subject).steps.fail(Some((Step::SyncFolder, Errno::IO)));
    assert!(matches!(subject.blobs.remove(&copy.key).await, Err(Error::Io(_))));
    assert!(subject.blobs.poisoned());
    assert!(subject.blobs.list(Area::Parts, None, 9).await.expect("a list").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_in_the_place_of_a_copy_is_no_copy() {
    use std::fs;
    let subject = Subject::disk().await;
    let copy = store(&subject.blobs, &content(MIB)).await;
    let (place, away) = (disk(&subject).path.join(copy.key.as_str()), disk(&subject).path.join("away"));
    let is_condemned = async || {
        let error = fetch(&subject.blobs, &copy).await.expect_err("no copy");
        assert!(error.condemns() && error.is_absence(), "{error:?}");
        fs::rename(&away, &place).expect("back");
        assert!(fetch(&subject.blobs, &copy).await.is_ok());
    };
    fs::rename(&place, &away).expect("away");
    fs::create_dir(&place).expect("a folder");
    subject.blobs.remove(&copy.key).await.expect("nothing to remove");
    let error = fetch(&subject.blobs, &copy).await.expect_err("no copy");
    assert!(error.condemns(), "{error:?}");
    fs::remove_dir(&place).expect("gone");
    std::os::unix::fs::symlink(&place, &place).expect("a link to itself");
    is_condemned().await;
    // A file in the place of its folder.
    let (folder, aside) = (place.parent().expect("a folder"), disk(&subject).path.join("aside"));
    fs::rename(folder, &aside).expect("aside");
    fs::write(folder, "").expect("a file");
    let error = fetch(&subject.blobs, &copy).await.expect_err("no copy");
    assert!(error.condemns() && error.is_absence(), "{error:?}");
    subject.blobs.remove(&copy.key).await.expect("nothing to remove");
    fs::remove_file(folder).expect("gone");
    fs::rename(&aside, folder).expect("back");
    assert!(fetch(&subject.blobs, &copy).await.is_ok());
    assert!(Error::of_reading(Errno::IO).condemns() && !Error::of_reading(Errno::ACCESS).condemns());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_copies_that_is_gone_is_told() {
    let subject = Subject::disk().await;
    std::fs::remove_dir(disk(&subject).path.join("blobs")).expect("gone");
    let outcome = receive(&subject.blobs, &content(MIB), Expect::default()).await;
    assert!(matches!(outcome, Err(Error::Io(_))), "{outcome:?}");
    let health = subject.blobs.health(&Ambient::system(), Duration::from_secs(5)).await;
    assert!(health.is_err(), "{health:?}");
}
