//! A seeded simulator: random people, workers and faults drive the rules on an in-memory ledger, and a separate checker
//! that reads only the facts says whether an invariant broke.
//!
//! It owns time and all randomness, so a seed is a story that can be told again: `HOLDPOINT_SEED=17 cargo test … simulator`.
//! After the faults stop, everything must end within a bound (liveness).

mod checker;
mod memory;
mod walk;

use std::sync::atomic::{AtomicU64, Ordering};
use walk::Walk;

fn seeds(default: u64) -> std::ops::Range<u64> {
    if let Some(one) = std::env::var("HOLDPOINT_SEED").ok().and_then(|text| text.parse().ok()) {
        return one..one + 1;
    }
    0..std::env::var("HOLDPOINT_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn one(seed: u64) -> (usize, usize) {
    let mut walk = Walk::new(seed);
    walk.go(340);
    walk.settle();
    let found = checker::check(&walk.memory.facts_with_time());
    assert!(found.is_empty(), "seed {seed}: {}\nlast facts: {:#?}", found.join("\n"), walk.memory.tail(12));
    (walk.commits, walk.faults)
}

fn run(seeds: std::ops::Range<u64>) {
    // Seeds know nothing of each other: as many at once as there are processors.
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let told: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let work = || {
            let mut told = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= seeds.end {
                    return told;
                }
                told.push(one(seed));
            }
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().flat_map(|thread| thread.join().expect("an invariant broke: the seed is named above")).collect()
    });
    let (mut commits, mut faults): (Vec<usize>, Vec<usize>) = told.into_iter().unzip();
    commits.sort_unstable();
    faults.sort_unstable();
    let (commits, faults) = (commits[commits.len() / 2], faults[faults.len() / 2]);
    println!("median of {commits} commits and {faults} faults a seed");
    assert!(commits >= 200 && faults >= 5, "a seed is too tame: {commits} commits, {faults} faults in the median");
}

#[test]
fn two_hundred_seeds_keep_every_invariant() {
    run(seeds(200));
}

#[test]
#[ignore = "make soak"]
fn soak_seeds_keep_every_invariant() {
    run(seeds(10_000));
}
