//! Places that fail: a full disk, a folder that may not be written, crashes, a service that is away.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use model::{Ambient, Timestamp};

use super::{MIB, Subject, content, digest, fetch, receive, store};
use crate::{Blobs, Error, Expect, Options, S3Config};

/// A small file system of its own; unmounted when dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(megabytes: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Self(folder);
        mount(&["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"], mounted.path());
        mounted
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str], on: &Path) {
    let status = Command::new("mount").args(arguments).arg(on).status().expect("the mount command");
    assert!(status.success(), "this test needs the right to mount a tmpfs: run it as root, it cannot be skipped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_nothing_is_left() {
    let disk = Mounted::new(8);
    let blobs = Blobs::disk(disk.path(), Options::default()).expect("a blob folder");
    let kept = content(2 * MIB);
    let copy = store(&blobs, &kept).await;
    for size in [7 * MIB, 30 * MIB] {
        let outcome = receive(&blobs, &content(size), Expect::default()).await;
        assert!(matches!(outcome, Err(Error::Full)), "{size}: {outcome:?}");
    }
    assert_eq!(std::fs::read_dir(disk.path().join("staging")).expect("a folder").count(), 0);
    assert!(fetch(&blobs, &copy).await.expect("untouched") == kept);
    assert!(!blobs.poisoned(), "no sync has failed");
    // Room comes back when the last descriptor is closed, which may be a moment after the name is gone.
    let mut health = blobs.health(&Ambient::system(), Duration::from_secs(5)).await;
    for _ in 0..500 {
        if !matches!(health, Err(Error::Full)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        health = blobs.health(&Ambient::system(), Duration::from_secs(5)).await;
    }
    let health = health.expect("well");
    assert!(health.free.is_some_and(|free| free <= 6 * MIB as u64));
    store(&blobs, &content(3 * MIB)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_may_not_be_written_is_still_read() {
    let disk = Mounted::new(16);
    let blobs = Blobs::disk(disk.path(), Options::default()).expect("a blob folder");
    let bytes = content(2 * MIB);
    let copy = store(&blobs, &bytes).await;
    mount(&["-o", "remount,ro"], disk.path());
    let outcome = receive(&blobs, &content(MIB), Expect::default()).await;
    assert!(matches!(outcome, Err(Error::Io(_))), "{outcome:?}");
    assert!(matches!(blobs.remove(&copy.key).await, Err(Error::Io(_))));
    assert!(matches!(blobs.health(&Ambient::system(), Duration::from_secs(5)).await, Err(Error::Io(_))));
    assert!(fetch(&blobs, &copy).await.expect("good") == bytes);
}

#[tokio::test]
async fn a_place_that_is_no_folder_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    assert!(matches!(Blobs::disk(file.path(), Options::default()), Err(Error::Io(_))));
    assert!(matches!(Blobs::disk(&file.path().join("below"), Options::default()), Err(Error::Io(_))));
}

#[tokio::test]
async fn a_link_in_the_place_of_a_copy_is_not_followed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let blobs = Blobs::disk(folder.path(), Options::default()).expect("a blob folder");
    let copy = store(&blobs, &content(1000)).await;
    let file = folder.path().join(copy.key.as_str());
    std::fs::rename(&file, folder.path().join("moved")).expect("moved");
    std::os::unix::fs::symlink(folder.path().join("moved"), &file).expect("linked");
    assert!(matches!(blobs.open(&copy, None).await, Err(Error::Unreadable(_))));
}

#[tokio::test]
async fn what_crashes_leave_is_swept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let staged = folder.path().join("staging");
    let blobs = Blobs::disk(folder.path(), Options::default()).expect("a blob folder");
    for name in ["old", "older", "young"] {
        std::fs::write(staged.join(name), b"half").expect("written");
    }
    let now = Ambient::system().now();
    for (name, age) in [("old", 3600), ("older", 7200)] {
        let time = Duration::from_micros(now.0 as u64) - Duration::from_secs(age);
        let file = std::fs::File::options().write(true).open(staged.join(name)).expect("a file");
        file.set_modified(std::time::UNIX_EPOCH + time).expect("aged");
    }
    let mut writer = blobs.writer(&Ambient::system());
    writer.write(content(3 * MIB)).await.expect("written");
    assert_eq!(blobs.sweep_staging(Timestamp(0)).await.expect("swept"), 0);
    assert_eq!(blobs.sweep_staging(now.minus(Duration::from_secs(1800))).await.expect("swept"), 2);
    assert!(staged.join("young").exists());
    let received = writer.finish(Expect::default()).await.expect("not swept");
    assert!(fetch(&blobs, &received.copy().expect("stored")).await.is_ok());
}

#[tokio::test]
async fn the_folder_opens_again_with_its_copies() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let below = folder.path().join("made/on/demand");
    let first = Blobs::disk(&below, Options::default()).expect("a blob folder");
    let copy = store(&first, &content(MIB)).await;
    drop(first);
    let second = Blobs::disk(&below, Options::default()).expect("the same folder");
    assert!(fetch(&second, &copy).await.expect("good") == content(MIB));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_away_for_a_moment_is_asked_again() {
    let subject = Subject::s3().await;
    let service = subject.service.as_ref().expect("S3");
    let bytes = content(20 * MIB);
    service.refuse(2);
    let received = receive(&subject.blobs, &bytes, Expect::default()).await.expect("stored");
    let copy = received.copy().expect("stored");
    service.refuse(2);
    assert!(fetch(&subject.blobs, &copy).await.expect("good") == bytes);
    assert_eq!(received.digest, digest(&bytes));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_breaks_off_is_taken_up_again_or_told() {
    let subject = Subject::s3().await;
    let service = subject.service.as_ref().expect("S3");
    let bytes = content(3 * MIB);
    let copy = store(&subject.blobs, &bytes).await;
    service.cut(8, 300_000);
    assert!(fetch(&subject.blobs, &copy).await.expect("taken up again") == bytes);
    service.cut(usize::MAX, 0);
    let outcome = tokio::time::timeout(Duration::from_secs(60), fetch(&subject.blobs, &copy)).await;
    assert!(matches!(outcome.expect("bounded retries"), Err(Error::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_line_is_waited_for_and_a_silent_service_is_not() {
    let subject = Subject::s3().await;
    let service = subject.service.as_ref().expect("S3");
    let config = S3Config { patience: Duration::from_millis(100), ..service.config() };
    let hasty = Blobs::s3(&config, Options::default()).expect("a client");
    service.delay(1000);
    let bytes = content(20 * MIB);
    let received = receive(&hasty, &bytes, Expect::default()).await.expect("20 MiB may take a while");
    assert!(fetch(&subject.blobs, &received.copy().expect("stored")).await.expect("good") == bytes);
    service.delay(60_000);
    let outcome =
        tokio::time::timeout(Duration::from_secs(30), receive(&hasty, &content(300_000), Expect::default())).await;
    assert!(matches!(outcome.expect("an answer soon"), Err(Error::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_stays_away_is_unavailable_soon() {
    let subject = Subject::s3().await;
    let copy = store(&subject.blobs, &content(MIB)).await;
    subject.service.as_ref().expect("S3").refuse(usize::MAX);
    let answers = async {
        assert!(matches!(subject.blobs.open(&copy, None).await, Err(Error::Unavailable(_))));
    };
    tokio::time::timeout(Duration::from_secs(60), answers).await.expect("bounded retries");
    let probe = subject.blobs.health(&Ambient::system(), Duration::from_millis(200)).await;
    assert!(matches!(probe, Err(Error::Unavailable(_))), "{probe:?}");
}
