//! The search behind `-O3`: which decisions about a kernel take the fewest cycles.
//!
//! The back end says what can be decided ([`backend::space`]) with the cycles that the shared cost function reckons, what
//! cannot be decided for want of memory, and a bound that each candidate cannot beat; the cheapest have gone through the
//! real planner. The best few by price are compiled and timed by the emulator on a reduced problem (`reduced`: a few
//! blocks a core), step by step, each beside the best of the others so far; then the neighbours of the winner. The best of all these are timed
//! once more with more blocks, beside what the rules decide. Bounded by numbers and never by time, so that the winner is
//! the same on every host and with any number of threads. Knows no shape, no kernel and no target; reads no files. Start
//! with [`search()`].

mod climb;
mod explain;
mod reduced;
mod time;

use backend::{Compiled, Options, Resolver, Schedule, StepSpace, Values};
use diag::Diagnostic;
use ir::algo::Func;
use isa::chip::Chip;

pub use explain::{Confirmed, Explanation, Outcome, StepExplanation, Tried};

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
            timed: 64,
            instructions: 30_000_000,
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
    let mut explanation = Explanation::new(task, &default);
    // Sizes or values that only the launch has: nothing can be timed, and the rule stands.
    let Ok(mut climb) = Climb::new(task, &default) else {
        return Ok(Found {
            compiled: default,
            explanation,
        });
    };
    let spaces = backend::space(task.func, task.chip, Some(&open(&default.schedule)))?;
    for number in by_weight(&spaces) {
        let step = climb.step(&spaces[number], spaces.len());
        explanation.steps.push(step);
    }
    climb.neighbours();
    let top = climb.top(default, resolve)?;
    explanation.finish(&climb, &top);
    Ok(Found {
        compiled: top.compiled,
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
