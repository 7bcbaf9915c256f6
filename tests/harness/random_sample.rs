//! Two hundred programs at random with every `cargo test`; `benches/random_programs.rs` runs as many as are asked for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::case::here;
use super::random::{Tally, check_seed};

/// Programs of the sample.
const COUNT: u64 = 200;

#[test]
fn two_hundred_programs_agree_with_the_evaluator() {
    let folder = here().join("../target/random_programs");
    let next = AtomicU64::new(0);
    let all = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut tally = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= COUNT {
                        break;
                    }
                    check_seed(seed, &folder, &mut tally);
                }
                all.lock().expect("no thread panics").add(tally);
            });
        }
    });
    let tally = all.into_inner().expect("no thread panics");
    assert!(tally.failed.is_empty(), "{:#?}", tally.failed);
    let count = tally.count();
    let accepted = tally.agreed * 100;
    assert!(
        accepted >= 95 * count,
        "{} of {count} are accepted; the others: {:#?}",
        tally.agreed,
        tally.refused
    );
    assert!(
        tally.reducing * 100 >= 30 * count,
        "too few programs reduce"
    );
    assert!(
        tally.cube * 100 >= 10 * count,
        "too few programs use the cube"
    );
}
