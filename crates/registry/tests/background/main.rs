//! Worker, beat, jobs and notes, driven as the program drives them, on both engines.
#![expect(clippy::expect_used, clippy::panic, reason = "tests")]

mod bench;
mod notes;
mod running;
mod work;

/// The same test on both engines.
#[macro_export]
macro_rules! both {
    ($($name:ident;)+) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::bench::Bench::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::bench::Bench::postgres().await).await;
            })+
        }
    };
}
