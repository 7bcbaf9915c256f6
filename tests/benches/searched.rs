//! `cargo bench -p tests --bench searched [-- WORDS]`: every kernel of the library at `-O3` over its test sizes, the bits
//! of `-O0` where the order is fixed, twenty adversarial schedules with every sanitizer. A word picks files that hold it.

#[path = "../harness/searched.rs"]
mod searched;

use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use search::Budget;

/// Orders in which each object is run besides its own.
const SEEDS: u64 = 20;

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn main() {
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let wanted =
        |name: &&str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let files: Vec<_> = stdlib::SOURCES
        .iter()
        .filter(|(name, _)| wanted(name))
        .collect();
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let all = Mutex::new((0, Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((name, text)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let budget = Budget {
                        threads: 1,
                        ..Budget::default()
                    };
                    let (count, wrong) = searched::check(name, text, budget, SEEDS);
                    let mut all = all.lock().expect("no thread panics");
                    all.0 += count;
                    all.1.extend(wrong);
                }
            });
        }
    });
    let (count, mut wrong) = all.into_inner().expect("no thread panics");
    wrong.sort();
    for what in &wrong {
        println!("{what}");
    }
    println!(
        "{count} objects of {} files in {:.0} s, each under {} orders: {} wrong",
        files.len(),
        start.elapsed().as_secs_f64(),
        SEEDS + 1,
        wrong.len()
    );
    assert!(wrong.is_empty(), "some kernels differ");
}
