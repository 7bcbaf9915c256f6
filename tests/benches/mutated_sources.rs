//! `cargo bench -p tests --bench mutated_sources [-- FIRST COUNT]`: mutants of every kernel and tile form; none may panic.
//! What does is kept in `target/mutated_sources`.

#[path = "../harness/mutants.rs"]
mod mutants;

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, panic, thread};

use mutants::{corpus, feed};

/// Mutants, unless the command line says otherwise.
const COUNT: u64 = 1_000_000;

#[expect(
    clippy::print_stdout,
    reason = "the figures are what the command is for"
)]
fn main() {
    let numbers: Vec<u64> = env::args().filter_map(|arg| arg.parse().ok()).collect();
    let first = numbers.first().copied().unwrap_or(0);
    let count = numbers.get(1).copied().unwrap_or(COUNT);
    panic::set_hook(Box::new(|_| ()));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (corpus, folder) = (corpus(&root), root.join("target/mutated_sources"));
    let (start, next) = (Instant::now(), AtomicU64::new(first));
    let fates: [AtomicUsize; 4] = Default::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let fate = feed(&corpus, seed, &folder);
                    fates[fate as usize].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let [refused, accepted, compiled, panicked] = fates.map(AtomicUsize::into_inner);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{count} mutants in {seconds:.0} s: {refused} refused, {accepted} accepted, {compiled} given to the back end, {panicked} panicked"
    );
    assert!(panicked == 0, "some mutants panicked");
}
