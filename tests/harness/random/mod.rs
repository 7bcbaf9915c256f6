//! Programs at random: a typed generator, rewritten forms of the same meaning, what each is held to, and a minimiser.
//!
//! Deterministic by seed. A sample runs with `cargo test`; `cargo bench -p tests --bench random_programs` runs them all.
//! Start with `model.rs` (what a program is), then `generate.rs` and `check.rs`.

pub(crate) mod check;
mod draw;
mod generate;
mod minimise;
mod model;
mod print;
mod rewrite;

use std::path::Path;

use check::{Verdict, check, forms};

/// What became of some programs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Programs that agreed with the evaluator.
    pub(crate) agreed: usize,
    /// Of those, programs that reduce, use the cube, leave an order free.
    pub(crate) reducing: usize,
    /// See `reducing`.
    pub(crate) cube: usize,
    /// See `reducing`.
    pub(crate) free: usize,
    /// Rewritten forms that were accepted and agreed.
    pub(crate) forms: usize,
    /// Seeds of forms that were refused, with the reasons.
    pub(crate) refused_forms: Vec<(u64, String)>,
    /// Seeds and reasons of programs that were refused.
    pub(crate) refused: Vec<(u64, String)>,
    /// Seeds and failures.
    pub(crate) failed: Vec<(u64, String)>,
}

impl Tally {
    /// Programs in all.
    pub(crate) fn count(&self) -> usize {
        self.agreed + self.refused.len() + self.failed.len()
    }

    /// Adds what another counted.
    pub(crate) fn add(&mut self, other: Tally) {
        self.agreed += other.agreed;
        self.reducing += other.reducing;
        self.cube += other.cube;
        self.free += other.free;
        self.forms += other.forms;
        self.refused_forms.extend(other.refused_forms);
        self.refused.extend(other.refused);
        self.failed.extend(other.failed);
    }
}

/// Checks the program of a seed; a failing one is made smaller and written to a folder.
pub(crate) fn check_seed(seed: u64, folder: &Path, tally: &mut Tally) {
    let program = generate::program(seed);
    match check(&program, seed) {
        Verdict::Agrees(facts) => {
            tally.agreed += 1;
            tally.reducing += usize::from(facts.reduces);
            tally.cube += usize::from(facts.cube);
            tally.free += usize::from(facts.free);
            tally.forms += facts.forms;
            let refused = facts.refused.into_iter().map(|why| (seed, why));
            tally.refused_forms.extend(refused);
        }
        Verdict::Refused(why) => tally.refused.push((seed, why)),
        Verdict::Fails(kind, what) => {
            let small = minimise::minimise(&program, seed, &kind);
            let what_small = match check(&small, seed) {
                Verdict::Fails(_, what) => what,
                Verdict::Agrees(_) | Verdict::Refused(_) => what,
            };
            let mut text = print::print(&small);
            text.push_str(&format!(
                "\n// seed {seed}, {kind}: {}\n",
                what_small.replace('\n', "\n// ")
            ));
            let form = match kind.as_str() {
                "turned form" => Some(0),
                "cut form" => Some(1),
                _ => None,
            };
            if let Some(number) = form {
                let form = print::print(&forms(&small, seed)[number]);
                text.push_str(
                    &form
                        .lines()
                        .map(|line| format!("// {line}\n"))
                        .collect::<String>(),
                );
            }
            std::fs::create_dir_all(folder).expect("a folder for failures");
            let file = folder.join(format!("{}_{seed}.vn", kind.replace(' ', "_")));
            std::fs::write(&file, text).expect("a folder that takes files");
            tally
                .failed
                .push((seed, format!("{kind}: {what_small} ({})", file.display())));
        }
    }
}

/// The text of a seed's program, or of one of its rewritten forms.
pub(crate) fn text(seed: u64, form: usize) -> String {
    let program = generate::program(seed);
    print::print(forms(&program, seed).get(form).unwrap_or(&program))
}
