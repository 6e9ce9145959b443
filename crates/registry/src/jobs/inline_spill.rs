//! Small blobs leave the database for packs in the blob store, when there are enough of them or
//! they have been there for a while.

use std::time::Duration;

use bytes::Bytes;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use store::jobs::NewJob;
use store::spill::{AT_ONCE, Inline, Packed, Spill, Waiting, inline_copies, waiting};

use super::{Job, Sweep, one_if};
use crate::error::Result;
use crate::heal::sums_of;
use crate::registry::Registry;

/// Copies younger than this stay: they are likely to be read soon.
const SETTLED: Duration = Duration::from_secs(60);
/// So many bytes are worth a pack.
const WORTH: u64 = 4 << 20;
/// Copies that have waited so long are packed, however few they are.
const OLD: Duration = Duration::from_secs(3600);
/// A pack holds about this much: it is read into memory while it is written.
const PACK: usize = 8 << 20;
/// Copies of one pack at most: a pack that dies takes no more with it.
const COPIES: usize = 4000;
/// Copies read at once.
const PAGE: u32 = 32;

/// Packs inline copies.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InlineSpill {}

fn is_worth_it(waiting: Waiting, now: Timestamp) -> bool {
    waiting.bytes >= WORTH || waiting.oldest.is_some_and(|oldest| now.since(oldest) >= OLD)
}

impl Job for InlineSpill {
    const KIND: &'static str = "inline.spill";

    async fn run(&self, registry: &Registry) -> Result<()> {
        while is_worth_it(registry.store().read(waiting).await?, registry.now()) {
            let batch = gather(registry).await?;
            if batch.is_empty() {
                break;
            }
            pack(registry, batch).await?;
        }
        Ok(())
    }
}

/// Good, settled copies for one pack. One that turns out to be damaged is reported instead.
async fn gather(registry: &Registry) -> Result<Vec<Inline>> {
    let before = registry.now().minus(SETTLED);
    let (mut batch, mut bytes, mut after) = (Vec::new(), 0, None);
    while bytes < PACK && batch.len() < COPIES {
        let read = async |session: &mut store::Session<'_>| inline_copies(session, after, before, PAGE).await;
        let page = registry.store().read(read).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.copy);
        for inline in page {
            match blobs::check_inline(&inline.bytes, &sums_of(&inline.sums)) {
                Ok(()) => {
                    bytes += inline.bytes.len();
                    batch.push(inline);
                }
                Err(error) => registry.retire_copy(inline.digest, inline.copy, &error.to_string()).await?,
            }
        }
    }
    Ok(batch)
}

/// Bytes before rows: the pack is durable before anything points at it. The rows follow in several
/// transactions, so that other writers get their turn in between. A pack whose rows were all refused is deleted; one left by a crash in between is found by the reconciliation.
async fn pack(registry: &Registry, batch: Vec<Inline>) -> Result<()> {
    let items = batch.into_iter().map(|inline| ((inline.copy, inline.digest), Bytes::from(inline.bytes))).collect();
    let pack = registry.blobs().write_pack(registry.ambient(), items).await?;
    registry.expect_arrived().await?;
    let items: Vec<Packed> = pack
        .items
        .into_iter()
        .map(|((from, digest), start)| Packed { from, to: registry.ambient().id(), digest, start })
        .collect();
    let mut moved = 0;
    for items in items.chunks(AT_ONCE) {
        let write = Spill { act: registry.act(), place: pack.key.as_str().to_owned(), items: items.to_vec() };
        match registry.store().write(write).await {
            Ok(more) => moved += more,
            Err(error) => {
                if moved == 0 {
                    registry.abandon(Some(pack.key), &error).await;
                }
                return Err(error.into());
            }
        }
    }
    Ok(())
}

impl Sweep for InlineSpill {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        let waiting = registry.store().read(waiting).await?;
        one_if(is_worth_it(waiting, registry.now()), registry, &Self {})
    }
}
