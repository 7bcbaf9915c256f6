//! Some kernels of the library at `-O3` with every `cargo test`; `benches/searched.rs` takes all of them.

use std::thread;

use search::Budget;

use super::searched::check;

/// One file of the library in so many, and orders that each object is run in.
const SPREAD: usize = 17;
const SEEDS: u64 = 3;

#[test]
fn what_a_search_decides_changes_no_bit() {
    let budget = Budget {
        timed: 4,
        instructions: 200_000,
        threads: 1,
    };
    let files: Vec<_> = stdlib::SOURCES.iter().step_by(SPREAD).collect();
    let halves = files.chunks(files.len().div_ceil(2));
    let wrong: Vec<String> = thread::scope(|scope| {
        let check_all = |half: &[&(&str, &str)]| -> Vec<String> {
            let found = half
                .iter()
                .map(|(name, text)| check(name, text, budget, SEEDS).1);
            found.flatten().collect()
        };
        let running: Vec<_> = halves
            .map(|half| scope.spawn(move || check_all(half)))
            .collect();
        let ended = running.into_iter().map(|half| half.join());
        ended
            .flat_map(|found| found.expect("no kernel panics"))
            .collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}
