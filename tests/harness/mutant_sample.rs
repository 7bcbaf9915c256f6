//! Five hundred wrong binaries with every `cargo test`; `benches/mutants.rs` makes as many as are asked for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ir::algo::data::Random;

use super::binary_mutants::{
    Tally, judge, long_variants, mutate, refused, refused_at_length, variants,
};

/// Mutants of the sample.
const COUNT: usize = 500;
/// Adversarial schedules of each.
const SEEDS: u64 = 8;

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
    // Otherwise the sample says little.
    assert!(tally.exposed * 3 >= COUNT, "{} are wrong", tally.exposed);
}

/// Mutants of larger launches, which are only verified.
const LONG: usize = 240;

#[test]
fn induction_refuses_what_following_every_round_refuses() {
    let all = long_variants();
    assert!(all.len() == 12, "{} variants", all.len());
    for number in 0..LONG {
        let mut random = Random::new(number as u64);
        let variant = &all[number % all.len()];
        let data = number % 4 == 3;
        let mut draws = (0..64).filter_map(|_| mutate(variant, data, &mut random));
        let Some(mutant) = draws.next() else { continue };
        let (soon, at_length) = (refused(&mutant), refused_at_length(&mutant));
        assert!(
            soon == at_length,
            "{}: {} at {:?} {}: refused by induction {soon}, at length {at_length}",
            variant.name,
            mutant.what,
            mutant.core,
            mutant.pc
        );
    }
}
