//! One test on each of the two engines.

use acceptance::server::Backing;

tokio::task_local! {
    /// What the servers of this test keep their data in.
    pub(crate) static BACKING: Backing;
}

/// What the servers of this test keep their data in: SQLite and a folder where it says nothing.
pub(crate) fn backing() -> Backing {
    BACKING.try_with(|backing| *backing).unwrap_or(Backing::Embedded)
}

/// Each of these twice: on SQLite and a folder, and on PostgreSQL and S3.
macro_rules! both {
    ($($test:ident;)+) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() -> acceptance::Result<()> {
                super::$test().await
            })+
        }

        mod on_postgresql_and_s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() -> acceptance::Result<()> {
                let backing = acceptance::server::Backing::Scaled;
                $crate::engines::BACKING.scope(backing, super::$test()).await
            })+
        }
    };
}
pub(crate) use both;
