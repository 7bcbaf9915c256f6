//! `cargo bench -p tests --bench mutants [-- COUNT SEEDS odd]`: binaries with one mistake each, run in order and under adversarial
//! seeds, and given to the verifier: what it refuses, and what running shows. `odd` lists those whose class or line is not
//! the wanted one, and those that are accepted though they compute something else.

#[expect(dead_code, reason = "the test target uses the rest")]
#[path = "../harness/binary_mutants.rs"]
mod binary_mutants;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, thread};

use binary_mutants::{Tally, Variant, judge, mutate, variants};
use ir::algo::data::Random;

/// Mutants of each sort, unless the command line says otherwise.
const COUNT: usize = 10_000;
/// Adversarial schedules of each.
const SEEDS: u64 = 50;
/// Kernels, levels and shapes.
const VARIANTS: usize = 120;

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn main() {
    let numbers: Vec<u64> = env::args().filter_map(|arg| arg.parse().ok()).collect();
    let count = numbers.first().map_or(COUNT, |&count| count as usize);
    let seeds = numbers.get(1).copied().unwrap_or(SEEDS);
    let start = Instant::now();
    let all = variants(VARIANTS);
    println!(
        "{} variants in {:.0} s",
        all.len(),
        start.elapsed().as_secs_f64()
    );
    for data in [false, true] {
        let count = if data { count / 10 } else { count };
        let tally = many(&all, data, count, seeds);
        println!("{}", report(data, &tally, start.elapsed().as_secs_f64()));
        if env::args().any(|arg| arg == "odd") {
            tally.odd.iter().for_each(|line| println!("{line}"));
        }
        assert!(data || tally.missed.is_empty(), "{:#?}", tally.missed);
    }
}

fn many(all: &[Variant], data: bool, count: usize, seeds: u64) -> Tally {
    let next = AtomicUsize::new(0);
    let sum = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut tally = Tally::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    one(all, data, number, seeds, &mut tally);
                }
                sum.lock().expect("no thread panics").join(tally);
            });
        }
    });
    sum.into_inner().expect("no thread panics")
}

/// Draws until a mutant comes of it.
fn one(all: &[Variant], data: bool, number: usize, seeds: u64, tally: &mut Tally) {
    let mut random = Random::new(number as u64 * 2 + u64::from(data));
    let variant = &all[number % all.len()];
    for _ in 0..64 {
        if let Some(mutant) = mutate(variant, data, &mut random) {
            tally.add(variant, &mutant, &judge(variant, &mutant, seeds));
            return;
        }
    }
}

fn report(data: bool, tally: &Tally, seconds: f64) -> String {
    let share = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
    format!(
        "{} {} mutants in {seconds:.0} s\n  shown to be wrong by running   {}\n  refused                        {}\n  shown and refused              {}\n  shown and accepted             {}\n  other values in every order    {:?}\n  refused and not shown          {}\n  right class                    {:.1} % of {}\n  right source line              {:.1} %",
        tally.count,
        if data { "data" } else { "sync" },
        tally.exposed,
        tally.refused,
        tally.both,
        tally.missed.len(),
        tally.values,
        tally.beyond,
        share(tally.class, tally.classed),
        tally.classed,
        share(tally.line, tally.both),
    )
}
