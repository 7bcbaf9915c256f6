//! Five hundred wrong binaries with every `cargo test`; `benches/mutants.rs` makes as many as are asked for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ir::algo::data::Random;

use super::binary_mutants::{Tally, judge, mutate, variants};

/// Mutants of the sample.
const COUNT: usize = 500;
/// Adversarial schedules of each.
const SEEDS: u64 = 2;

#[test]
fn five_hundred_wrong_binaries_are_refused() {
    let all = variants(50);
    assert!(all.len() == 50, "{} variants", all.len());
    let next = AtomicUsize::new(0);
    let sum = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut tally = Tally::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= COUNT {
                        break;
                    }
                    let mut random = Random::new(number as u64 * 2);
                    let variant = &all[number % all.len()];
                    let mut draws = (0..64).filter_map(|_| mutate(variant, false, &mut random));
                    if let Some(mutant) = draws.next() {
                        tally.add(variant, &mutant, &judge(variant, &mutant, SEEDS));
                    }
                }
                sum.lock().expect("no thread panics").join(tally);
            });
        }
    });
    let tally = sum.into_inner().expect("no thread panics");
    assert!(tally.missed.is_empty(), "{:#?}", tally.missed);
    assert!(tally.exposed * 3 >= COUNT, "{} are wrong", tally.exposed);
}
