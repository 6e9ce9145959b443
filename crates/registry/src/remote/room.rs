//! Memory for the answers of upstreams that are received and understood at the same time, in the whole process.
//!
//! Short ones need no room. Middling ones share one part of it; a long one takes a place in the other part, for which it
//! may wait while it holds a middling one's, and never the other way round: so nobody waits for himself.

use std::sync::Arc;
use std::time::Duration;

use model::{Code, Refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ask::LONGEST;
use super::look::REST;
use crate::error::Error;

/// Answers up to this length, in bytes, need no room.
pub(super) const SHORT: u64 = 1 << 20;
/// Longer ones up to this length are middling.
pub(super) const MIDDLING: u64 = 8 << 20;
/// Middling answers at once.
const AT_ONCE: usize = 8;
/// The longest answers at once; of one upstream: half of them.
const LONG_AT_ONCE: u64 = 2;
/// How long an answer waits for room.
const PATIENCE: Duration = Duration::from_secs(20);

/// The room of a process.
pub(super) struct Rooms {
    middling: Arc<Semaphore>,
    /// In mebibytes.
    long: Arc<Semaphore>,
}

/// What one upstream may have of it.
#[derive(Clone)]
pub(super) struct Rooming {
    rooms: Arc<Rooms>,
    /// In mebibytes.
    own: Arc<Semaphore>,
}

/// The right to hold one answer until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Room {
    middling: Option<OwnedSemaphorePermit>,
    long: Option<[OwnedSemaphorePermit; 2]>,
}

/// No room came free in time.
#[derive(Debug)]
pub(super) struct Crowded;

impl Default for Rooms {
    fn default() -> Self {
        let long = mebibytes(LONG_AT_ONCE * LONGEST) as usize;
        Self { middling: Arc::new(Semaphore::new(AT_ONCE)), long: Arc::new(Semaphore::new(long)) }
    }
}

impl Rooming {
    pub(super) fn of(rooms: &Arc<Rooms>) -> Self {
        Self { rooms: Arc::clone(rooms), own: Arc::new(Semaphore::new(mebibytes(LONGEST) as usize)) }
    }

    /// Room for an answer of which `came` bytes are to be held, and of `whole` bytes, where that is known. `room` is what
    /// it has already. Waits in line for a
    /// bounded time. Returns whether it needed more.
    pub(super) async fn make(&self, room: &mut Room, came: u64, whole: Option<u64>) -> Result<bool, Crowded> {
        let least = came.max(whole.unwrap_or_default());
        if least <= SHORT || room.long.is_some() || (least <= MIDDLING && room.middling.is_some()) {
            return Ok(false);
        }
        let more = async {
            match least <= MIDDLING {
                true => room.middling = Some(take(&self.rooms.middling, 1).await?),
                false => {
                    let most = mebibytes(whole.unwrap_or(LONGEST).min(LONGEST));
                    room.long = Some([take(&self.own, most).await?, take(&self.rooms.long, most).await?]);
                    room.middling = None;
                }
            }
            Ok(true)
        };
        tokio::time::timeout(PATIENCE, more).await.unwrap_or(Err(Crowded))
    }
}

async fn take(of: &Arc<Semaphore>, permits: u32) -> Result<OwnedSemaphorePermit, Crowded> {
    Arc::clone(of).acquire_many_owned(permits).await.map_err(|_| Crowded)
}

fn mebibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX)
}

/// Too much is understood at once.
pub(super) fn crowded() -> Error {
    let why = "too many long answers of upstreams are read at the same time";
    Error::Refused(Refusal::new(Code::ServiceUnavailable, why).retry_after(REST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    async fn room(of: &Rooming, came: u64, whole: Option<u64>) -> Result<Room, Crowded> {
        let mut room = Room::default();
        of.make(&mut room, came, whole).await.map(|_| room)
    }

    #[tokio::test(start_paused = true)]
    async fn long_answers_have_bounded_room_and_one_upstream_has_half_of_it() {
        let rooms = Arc::new(Rooms::default());
        let (one, two, three) = (Rooming::of(&rooms), Rooming::of(&rooms), Rooming::of(&rooms));
        let first = room(&one, 9 * MIB, None).await.expect("the first is always read");
        assert!(room(&one, 9 * MIB, None).await.is_err(), "its upstream has no more");
        let second = room(&two, 0, Some(LONGEST)).await.expect("another upstream has");
        assert!(room(&three, 0, Some(9 * MIB)).await.is_err(), "and now there is none");
        room(&three, SHORT, None).await.expect("short ones need none");
        room(&three, MIDDLING, None).await.expect("middling ones have their own");
        drop(first);
        let ordinary = [room(&one, 0, Some(30 * MIB)).await, room(&one, 0, Some(30 * MIB)).await];
        assert!(ordinary.iter().all(Result::is_ok), "two of ordinary length at once");
        drop(second);
    }

    #[tokio::test(start_paused = true)]
    async fn middling_answers_that_turn_out_long_wait_for_nobody_who_waits_for_them() {
        let of = Rooming::of(&Arc::new(Rooms::default()));
        let mut middling = Vec::new();
        for _ in 0..AT_ONCE {
            middling.push(room(&of, 2 * MIB, None).await.expect("room"));
        }
        assert!(room(&of, 2 * MIB, None).await.is_err(), "not one more");
        for mut room in middling {
            of.make(&mut room, 9 * MIB, None).await.expect("one after the other");
            assert!(room.middling.is_none(), "it has one place");
        }
    }
}
