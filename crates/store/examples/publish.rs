//! `publish FILE COUNT`: that many small publishes into a SQLite database by writers who each wait for
//! their own commit, for measurements of what one costs. Take the CPU time of the process, not the
//! clock: `perf stat target/release/examples/publish /tmp/new.db 30000`.

mod catalogue;

use std::process::ExitCode;

use catalogue::Catalogue;
use futures_util::{StreamExt, TryStreamExt, stream};
use store::Result;
use store::blobs::NewBody;

/// Writers at once.
const AT_ONCE: usize = 16;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, count] = words.as_slice() else {
        eprintln!("usage: publish FILE COUNT");
        return ExitCode::from(2);
    };
    match run(file, count.parse().unwrap_or(0)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("publish: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(file: &str, count: u64) -> Result<()> {
    let catalogue = Catalogue::make(file).await?;
    let publishes = stream::iter(0..count).map(|number| catalogue.publish(number, NewBody::Inline(vec![7; 256]), 256));
    publishes.buffer_unordered(AT_ONCE).try_for_each(async |()| Ok(())).await
}
