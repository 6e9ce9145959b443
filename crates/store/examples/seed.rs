//! `seed FILE VERSIONS`: a SQLite catalogue with that many published versions, written as the server
//! writes them, for measurements of start-up and memory. The blobs' files are not made.

mod catalogue;

use std::process::ExitCode;

use catalogue::Catalogue;
use futures_util::{StreamExt, TryStreamExt, stream};
use model::state::CopyKind;
use store::Result;
use store::blobs::NewBody;
use store::sequence::Advance;

/// Writes under way at once: enough to fill the groups of the writer.
const AT_ONCE: usize = 1024;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, versions] = words.as_slice() else {
        eprintln!("usage: seed FILE VERSIONS");
        return ExitCode::from(2);
    };
    match run(file, versions.parse().unwrap_or(0)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(file: &str, versions: u64) -> Result<()> {
    let catalogue = Catalogue::make(file).await?;
    let stored = |number| NewBody::Stored { kind: CopyKind::File, place: format!("seeded/{number:016x}") };
    let publishes = stream::iter(0..versions).map(|number| catalogue.publish(number, stored(number), 100_000));
    publishes.buffer_unordered(AT_ONCE).try_for_each(async |()| Ok(())).await?;
    sequence(&catalogue).await
}

/// Gives the events their numbers, so that a server that starts finds nothing to do.
async fn sequence(catalogue: &Catalogue) -> Result<()> {
    loop {
        let step = Advance { held: None, at: catalogue.ambient.now(), limit: 5000, follow: |_| None };
        let done = catalogue.store.write(step).await?;
        if done.sequenced == 0 && done.dispatched == 0 {
            return Ok(());
        }
    }
}
