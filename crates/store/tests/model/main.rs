//! The reference model: the same seeded histories of writes run against a model in memory, SQLite
//! and PostgreSQL, with crashes between the steps. After each step the outcome must be the model's,
//! and at the end what readers see must be the model's. Where they differ, the model is right until
//! somebody decides otherwise.
//!
//! It lives beside the store, not among the black-box tests, because its words are the store's own
//! [`store::Write`]s: a history is a list of them, and a black box has none.
//!
//! `ARTIFORTRESS_TEST_ROUNDS` sets the number of histories; a failure names its seed.
#![expect(clippy::expect_used, reason = "tests")]

#[path = "../engines/mod.rs"]
mod engines;

mod charges;
mod dice;
mod generate;
mod real;
mod steps;
mod view;
mod world;

use engines::Bench;
use generate::Generator;
use steps::Step;
use world::World;

/// Steps of one history.
const STEPS: usize = 60;
/// Histories that run at the same time.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn histories_agree_on_sqlite() {
    let rounds = acceptance::environment::rounds(200).expect("a number");
    histories(rounds, async || Bench::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn histories_agree_on_postgres() {
    let rounds = acceptance::environment::rounds(200).expect("a number").div_ceil(8);
    histories(rounds, async || Bench::postgres().await).await;
}

async fn histories(rounds: u32, bench: impl AsyncFn() -> Bench) {
    let seeds: Vec<u64> = (0..u64::from(rounds)).collect();
    for seeds in seeds.chunks(AT_ONCE) {
        let runs = seeds.iter().map(|seed| async { history(*seed, bench().await).await });
        futures_util::future::join_all(runs).await;
    }
}

/// Runs one history and compares after every step. The panic of a difference tells the whole history.
async fn history(seed: u64, mut bench: Bench) {
    let mut world = World::new();
    let mut generator = Generator::new(seed, bench.tenant);
    let mut told: Vec<String> = Vec::new();
    for _ in 0..STEPS {
        let step = generator.next(&world);
        told.push(format!("{step:?}"));
        if matches!(step, Step::Crash) {
            bench.reopen().await;
            continue;
        }
        let (wanted, found) = (world.apply(&step), real::perform(&bench.store, &step).await);
        assert!(
            world.used_bytes == world.held_bytes() && world.all_is_paid_for(),
            "seed {seed}: {world:?}\n{}",
            told.join("\n")
        );
        assert!(wanted == found, "seed {seed}: the model says {wanted:?}, the store {found:?}\n{}", told.join("\n"));
    }
    let now = generator.now();
    let (wanted, found) = (view::of_world(&world, now), view::of_store(&bench.store, &world, bench.tenant, now).await);
    let differences: Vec<_> = wanted.symmetric_difference(&found).collect();
    assert!(differences.is_empty(), "seed {seed}: readers see {differences:#?}\n{}", told.join("\n"));
    bench.close().await;
}

/// Histories that never succeed, or never fail, prove nothing.
#[test]
fn histories_are_eventful() {
    let (mut done, mut refused, mut fresh) = (0, 0, 0);
    let mut kinds = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..200 {
        let mut world = World::new();
        let mut generator = Generator::new(seed, model::TenantId(uuid::Uuid::nil()));
        for _ in 0..STEPS {
            let step = generator.next(&world);
            let kind = format!("{step:?}").split(['(', ' ']).next().unwrap_or_default().to_owned();
            match world.apply(&step) {
                Ok(said) => {
                    fresh += u32::from(matches!(step, Step::PublishVersion(_)) && said == "false");
                    done += 1;
                    *kinds.entry(kind).or_default() += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    println!("{done} done, {refused} refused, {fresh} drafts published, {kinds:?}");
    assert!(done > 4000 && refused > 2000 && fresh > 40, "{done} done, {refused} refused");
    assert_eq!(kinds.len(), Step::KINDS, "every kind succeeds now and then: {kinds:?}");
    assert!(kinds.values().all(|count| *count >= 20), "{kinds:?}");
}
