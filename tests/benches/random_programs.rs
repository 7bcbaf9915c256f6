//! `cargo bench -p tests --bench random_programs [-- FIRST COUNT]`: programs at random, each at two levels, under an
//! adversarial schedule and in two rewritten forms. Failures are minimised into `target/random_programs`.

#[path = "../harness/random/mod.rs"]
mod random;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use std::{env, panic, thread};

use random::{Tally, check_seed};

/// Programs, unless the command line says otherwise.
const COUNT: u64 = 20_000;

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn main() {
    let numbers: Vec<u64> = env::args().filter_map(|arg| arg.parse().ok()).collect();
    let first = numbers.first().copied().unwrap_or(0);
    let count = numbers.get(1).copied().unwrap_or(COUNT);
    if env::args().any(|arg| arg == "print") {
        print!("{}", random::text(first, count as usize));
        return;
    }
    panic::set_hook(Box::new(|_| ()));
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/random_programs");
    let start = Instant::now();
    let next = AtomicU64::new(first);
    let all = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut tally = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    check_seed(seed, &folder, &mut tally);
                }
                all.lock().expect("no thread panics").add(tally);
            });
        }
    });
    let tally = all.into_inner().expect("no thread panics");
    print!("{}", report(&tally, start.elapsed().as_secs_f64()));
    assert!(tally.failed.is_empty(), "some programs failed");
}

/// What became of them, refusals by reason.
fn report(tally: &Tally, seconds: f64) -> String {
    let count = tally.count();
    let share = |part: usize| 100.0 * part as f64 / count.max(1) as f64;
    let accepted = tally.agreed + tally.failed.len();
    let mut text = format!(
        "{count} programs in {seconds:.0} s: {accepted} accepted ({:.1} %), {} failed\n{} reduce ({:.1} %), {} use the cube ({:.1} %), {} leave an order free; {} rewritten forms agree\n",
        share(accepted),
        tally.failed.len(),
        tally.reducing,
        share(tally.reducing),
        tally.cube,
        share(tally.cube),
        tally.free,
        tally.forms
    );
    let mut reasons: Vec<(&str, Vec<u64>)> = Vec::new();
    for (seed, why) in tally.refused.iter().chain(&tally.refused_forms) {
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, seeds)) => seeds.push(*seed),
            None => reasons.push((why, vec![*seed])),
        }
    }
    reasons.sort_by_key(|(why, seeds)| (usize::MAX - seeds.len(), *why));
    for (why, seeds) in reasons {
        text.push_str(&format!(
            "refused {:5}  {why}  (seed {})\n",
            seeds.len(),
            seeds[0]
        ));
    }
    let mut failed = tally.failed.clone();
    failed.sort();
    for (seed, what) in failed {
        text.push_str(&format!("failed seed {seed}: {what}\n"));
    }
    text
}
