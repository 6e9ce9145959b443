//! Every seed is accepted, all the way down; what is made of seeds by chance breaks no promise.

use fuzz::TARGETS;
use proptest::prelude::*;
use proptest::sample::Index;

#[test]
fn every_seed_is_accepted() {
    for target in TARGETS {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert!((target.run)(seed), "{} refuses its seed {number}: {}", target.name, String::from_utf8_lossy(seed));
        }
    }
}

/// One change to some bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Cut(Index, usize),
    Copy(Index, Index, usize),
    Put(Index, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let word = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..5),
        prop::sample::select(WORDS.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), 1usize..20).prop_map(|(at, length)| Change::Cut(at, length)),
        (any::<Index>(), any::<Index>(), 1usize..40).prop_map(|(from, to, length)| Change::Copy(from, to, length)),
        (any::<Index>(), word).prop_map(|(at, word)| Change::Put(at, word)),
    ]
}

/// What parsers stumble over.
const WORDS: [&str; 16] =
    ["..", "/", "\\", "%00", "%2f", "\0", "{", "[", "\"", "<!--", "&x;", "${a}", "\u{feff}", "\u{212a}", "-1", "1e999"];

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes.iter().filter(|_| !bytes.is_empty()).cloned().collect::<Vec<_>>() {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match change {
            Change::Set(at, byte) => bytes[at.index(length)] = byte,
            Change::Cut(at, many) => drop(bytes.drain(at.index(length)..(at.index(length) + many).min(length))),
            Change::Copy(from, to, many) => {
                let (from, to) = (from.index(length), to.index(length));
                let piece = bytes[from..(from + many).min(length)].to_vec();
                drop(bytes.splice(to..to, piece));
            }
            Change::Put(at, word) => drop(bytes.splice(at.index(length)..at.index(length), word)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn changed_seeds_break_no_promise(target in 0..TARGETS.len(), seed in any::<Index>(),
                                      changes in prop::collection::vec(change(), 1..6)) {
        let target = TARGETS[target];
        let seeds = (target.seeds)();
        (target.run)(&changed(seeds.get(seed.index(seeds.len())).expect("a seed").clone(), &changes));
    }
}
