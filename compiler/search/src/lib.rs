//! The search behind `-O3`: which decisions about a kernel take the fewest cycles.
//!
//! The back end says what can be decided ([`backend::space`]) with the cycles that the shared cost function reckons, what
//! cannot be decided for want of memory, and a bound that each candidate cannot beat. The best few by that price are
//! compiled by the real planner and timed by the emulator, step by step, each beside the best of the others so far; then
//! the neighbours of the winner. Bounded by numbers and never by time, so that the winner is the same on every host and
//! with any number of threads. Knows no shape, no kernel and no target; reads no files. Start with [`search()`].

mod climb;
mod explain;
mod time;

use backend::{Compiled, Options, Resolver, Schedule, StepSpace, Values};
use diag::Diagnostic;
use ir::algo::Func;
use isa::chip::Chip;

pub use explain::{Explanation, Outcome, StepExplanation, Tried};

use self::climb::Climb;

/// How much may be tried. Numbers, not times: the same on every host.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Candidates that are compiled and timed.
    pub timed: usize,
    /// Instructions that timing may go through, over all candidates. A kernel of many instructions is timed less often.
    pub instructions: u64,
    /// Host threads; 0 takes all. Changes no result.
    pub threads: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            timed: 48,
            instructions: 6_000_000,
            threads: 0,
        }
    }
}

/// The best schedule that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What came of it.
    pub compiled: Compiled,
    /// Why it is this one.
    pub explanation: Explanation,
}

/// What is searched for, and with what.
#[derive(Copy, Clone, Debug)]
pub struct Task<'a> {
    /// The kernel with bound sizes; what is written in its schedules stays as it is.
    pub func: &'a Func,
    /// The chip.
    pub chip: &'a Chip,
    /// How it is compiled.
    pub options: Options,
    /// How much may be tried.
    pub budget: Budget,
}

/// Searches the decisions that a kernel leaves open. `resolve` says where a span stands in the source.
///
/// # Errors
/// What does not compile with the default decisions.
pub fn search(task: &Task<'_>, resolve: Resolver<'_>) -> Result<Found, Vec<Diagnostic>> {
    let default = backend::compile(task.func, task.chip, task.options, resolve)?;
    let cycles = time::of(task, &default);
    let mut explanation = Explanation::new(task, &default, cycles);
    // Sizes or values that only the launch has: nothing can be timed, and the rule stands.
    let Some(timed) = cycles else {
        return Ok(Found {
            compiled: default,
            explanation,
        });
    };
    let spaces = backend::space(task.func, task.chip, Some(&open(&default.schedule)))?;
    explanation.priced = spaces.iter().map(|space| space.candidates.len()).sum();
    let mut climb = Climb::new(task, default, timed);
    for number in by_weight(&spaces) {
        let step = climb.step(&spaces[number], spaces.len());
        explanation.steps.push(step);
    }
    climb.neighbours();
    explanation.finish(&climb, &spaces);
    // Candidates have no line table.
    let best = Some(&climb.best.schedule);
    Ok(Found {
        compiled: backend::compile_as(task.func, task.chip, task.options, best, resolve)?,
        explanation,
    })
}

/// The same cut into steps, with nothing decided about them.
fn open(schedule: &Schedule) -> Schedule {
    let mut open = schedule.clone();
    for step in &mut open.steps {
        let epilogue = step.values.get(&backend::Knob::Epilogue).copied();
        step.values = Values::new();
        step.values
            .extend(epilogue.map(|engine| (backend::Knob::Epilogue, engine)));
    }
    open
}

/// The steps that take longest first.
fn by_weight(spaces: &[StepSpace]) -> Vec<usize> {
    let least = |space: &StepSpace| space.candidates.iter().map(|c| c.cycles).min().unwrap_or(0);
    let mut order: Vec<usize> = (0..spaces.len()).collect();
    order.sort_by_key(|&number| (std::cmp::Reverse(least(&spaces[number])), number));
    order
}
