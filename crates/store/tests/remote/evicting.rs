//! Bytes of remote repositories are let go, removed and fetched again, whoever comes in between.

use model::Timestamp;
use store::admission::Limits;
use store::blobs::NewBody;
use store::tombstones::PutTombstone;

use crate::dice::Dice;
use crate::engines::{Bench, LIMITS, Raw};
use crate::larder::{Larder, SIZE, SMALL, digest};

crate::both! {
    what_is_let_go_is_given_back_once_and_comes_again;
    what_anything_needs_stays;
    what_is_reused_before_it_is_removed_stays;
    who_reads_what_was_let_go_keeps_it_where_there_is_room;
    what_was_read_since_it_was_looked_at_stays;
    small_files_go_from_rows_and_packs;
    whatever_happens_in_whatever_order_nothing_needed_goes;
    many_at_once_do_not_lose_anything;
}

const CONDEMNED: &str = "SELECT count(*) FROM blobs WHERE condemned_at IS NOT NULL";
const NOTHING: Limits = Limits { storage_bytes: 0, ..LIMITS };

async fn what_is_let_go_is_given_back_once_and_comes_again(bench: &mut Bench) {
    let it = Larder::new(bench).await;
    it.fill(it.one, 1).await.expect("filled");
    it.fill(it.one, 1).await.expect("a second path");
    assert_eq!((it.used().await, it.contents(it.one).await.len()), (2 * SIZE, 1));
    let contents = it.contents(it.one).await;
    for (released, used) in [(1, 0), (0, 0)] {
        assert_eq!(it.let_go_of(it.one, contents.clone()).await.contents, released);
        assert_eq!(it.used().await, used, "given back once");
    }
    assert_eq!((it.copies(1).await, it.remove(false).await.removed, it.copies(1).await), (1, 1, 0));
    assert_eq!(it.remove(false).await.removed, 0, "once");
    assert_eq!(bench.count("SELECT count(*) FROM entries").await, 2, "rows stay");
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 2, "the place, and that of the second file's bytes");
    let lost = bench.store.read(async |s| store::healing::casualties(s).await).await.expect("a look");
    assert_eq!(lost, (0, 0), "nothing is taken for damaged or lost");

    bench.store.write(Raw("UPDATE allowances SET share = 0")).await.expect("no share is left");
    let refused = it.refill(it.one, 1, NOTHING).await.expect_err("no room");
    let is_quota = matches!(&refused, store::Error::Refused(why) if why.code == model::Code::TooManyRequests);
    assert!(is_quota, "{refused}");
    assert!(it.is_let_go(it.one, 1).await && it.copies(1).await == 0, "nothing is left of it");
    it.refill(it.one, 1, LIMITS).await.expect("again");
    assert_eq!((it.used().await, it.copies(1).await, it.is_let_go(it.one, 1).await), (2 * SIZE, 1, false));
    for (action, count) in [("repository.evicted", 1), ("blob.copies.removed", 1), ("blob.refetched", 1)] {
        let known = bench.column::<String>("SELECT action FROM events").await;
        assert_eq!(known.iter().filter(|known| *known == action).count(), count, "{action}");
    }
    it.check("all of it").await;
}

async fn what_anything_needs_stays(bench: &mut Bench) {
    let it = Larder::new(bench).await;
    for byte in 1..=8 {
        it.fill(it.one, byte).await.expect("filled");
    }
    it.announce(8).await;
    it.host(1).await;
    it.pin(it.hosted, 2).await;
    it.pin(it.one, 3).await;
    it.observe(4).await;
    it.fill(it.other, 5).await.expect("filled");
    let withdrawn = it.fill(it.one, 6).await.expect("another version with it");
    let write = PutTombstone {
        act: bench.act(),
        repo: it.one,
        version: withdrawn.version,
        id: bench.ambient.id(),
        reason: "a test".to_owned(),
        retain_until: Timestamp(1 << 53),
    };
    bench.store.write(write).await.expect("withdrawn");
    // 3 is pinned there, and 6 could be restored.
    assert_eq!(it.let_go(it.one).await.contents, 6);
    assert_eq!(bench.count(CONDEMNED).await, 1, "what is needed is not even condemned");
    bench.store.write(Raw("UPDATE blobs SET condemned_at = 1")).await.expect("condemned by mistake");
    assert_eq!(it.remove(false).await.removed, 1);
    for byte in 1..=8 {
        assert_eq!(it.copies(byte).await, usize::from(byte != 7), "{byte}");
    }
    // What two remote repositories have goes when both have let go.
    assert_eq!((it.let_go(it.other).await.contents, it.remove(false).await.removed, it.copies(5).await), (1, 1, 0));
}

async fn what_is_reused_before_it_is_removed_stays(bench: &mut Bench) {
    let it = Larder::new(bench).await;
    for byte in 1..=6 {
        it.fill(it.one, byte).await.expect("filled");
    }
    assert_eq!(it.let_go(it.one).await.contents, 6);
    it.host(1).await;
    it.pin(it.hosted, 2).await;
    it.observe(3).await;
    it.fill(it.other, 4).await.expect("filled");
    it.refill(it.one, 5, LIMITS).await.expect("again");
    it.fill(it.one, 6).await.expect("another path");
    assert_eq!(bench.count(CONDEMNED).await, 0, "who reuses it takes it back");
    assert_eq!(it.remove(false).await, store::cached::Outcome::default());
    for byte in 1..=6 {
        assert_eq!(it.copies(byte).await, 1, "{byte}");
    }
    assert!(it.is_let_go(it.one, 1).await && !it.is_let_go(it.one, 5).await && !it.is_let_go(it.one, 6).await);
    it.check("everything").await;
}

async fn who_reads_what_was_let_go_keeps_it_where_there_is_room(bench: &mut Bench) {
    let it = Larder::new(bench).await;
    for byte in [1, 2] {
        it.fill(it.one, byte).await.expect("filled");
    }
    it.let_go(it.one).await;
    for byte in [1, 2] {
        it.read(it.one, byte, bench.ambient.now()).await;
    }
    let read = it.remove(false).await.read;
    assert_eq!(read, [(bench.tenant, it.one, digest(1)), (bench.tenant, it.one, digest(2))]);
    assert!(it.reclaim(it.one, 1, LIMITS).await.expect("kept"));
    bench.store.write(Raw("UPDATE allowances SET share = 0")).await.expect("no share is left");
    assert!(it.reclaim(it.one, 2, NOTHING).await.is_err());
    it.check("one was kept").await;
    assert_eq!((it.remove(true).await.removed, it.copies(1).await, it.copies(2).await), (1, 1, 0));
    assert!(!it.reclaim(it.one, 2, LIMITS).await.expect("too late"));
    it.check("the other went").await;
}

async fn what_was_read_since_it_was_looked_at_stays(bench: &mut Bench) {
    let it = Larder::new(bench).await;
    it.fill(it.one, 1).await.expect("filled");
    let contents = it.contents(it.one).await;
    it.read(it.one, 1, bench.ambient.now().plus(std::time::Duration::from_secs(1))).await;
    assert_eq!(it.let_go_of(it.one, contents).await.contents, 0);
    it.read(it.one, 1, Timestamp(5)).await;
    assert!(it.contents(it.one).await[0].used_at > bench.ambient.now(), "it only moves forward");
}

async fn small_files_go_from_rows_and_packs(bench: &mut Bench) {
    let it = Larder::new(bench).await;
    for pack in [false, true] {
        it.fill(it.one, SMALL).await.expect("filled");
        let neighbour = bench.blob(NewBody::Inline(vec![9; 5]), 9, 5);
        bench.publish(it.hosted, if pack { "second" } else { "first" }, neighbour).await;
        if pack {
            it.pack().await;
        }
        assert_eq!((it.contents(it.one).await.len(), it.let_go(it.one).await.contents), (1, 1));
        assert_eq!((it.remove(false).await.removed, it.copies(SMALL).await, it.copies(9).await), (1, 0, 1));
        it.check("a neighbour stays").await;
        it.refill(it.one, SMALL, LIMITS).await.expect("again");
        assert_eq!((it.copies(SMALL).await, it.is_let_go(it.one, SMALL).await), (1, false));
    }
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 0, "the pack has a neighbour still");
    it.pack().await;
    it.let_go(it.one).await;
    it.remove(false).await;
    it.check("the only one of a pack went").await;
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 1, "a pack without anything");
    bench.publish(it.one, "empty", bench.blob(NewBody::Inline(Vec::new()), 10, 0)).await;
    assert_eq!(it.contents(it.one).await.len(), 0, "there is nothing to let go of");
}

/// One step of a history, by chance.
async fn step(it: &Larder<'_>, dice: &mut Dice) -> String {
    let byte = u8::try_from(1 + dice.roll(4)).expect("small");
    let repo = *dice.pick(&[it.one, it.other]).expect("one of two");
    let what = dice.roll(12);
    match what {
        0 => it.host(byte).await,
        1 | 2 => drop(it.fill(repo, byte).await.expect("filled")),
        3 | 4 => drop(it.let_go(repo).await),
        5 => drop(it.remove(false).await),
        6 => drop(it.remove(true).await),
        7 if it.is_let_go(repo, byte).await => it.refill(repo, byte, LIMITS).await.expect("again"),
        8 => drop(it.reclaim(repo, byte, LIMITS).await.expect("kept or not")),
        9 => it.read(repo, byte, it.bench.ambient.now()).await,
        11 => it.pack().await,
        10 if dice.once_in(4) => it.pin(repo, byte).await,
        _ => it.unpin(repo, byte).await,
    }
    format!("step {what} on {byte}")
}

async fn whatever_happens_in_whatever_order_nothing_needed_goes(bench: &mut Bench) {
    let it = Larder::new(bench).await;
    for seed in 0..4 {
        let mut dice = Dice::new(seed);
        for _ in 0..60 {
            let done = step(&it, &mut dice).await;
            it.check(&format!("{done} of seed {seed}")).await;
        }
    }
}

async fn many_at_once_do_not_lose_anything(bench: &mut Bench) {
    let it = Larder::new(bench).await;
    let history = async |seed: u64| {
        let mut dice = Dice::new(100 + seed);
        for _ in 0..40 {
            step(&it, &mut dice).await;
        }
    };
    tokio::join!(history(1), history(2), history(3), history(4));
    it.check("all at once").await;
}
