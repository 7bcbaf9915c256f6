//! The way up: the best so far, what is tried next, and how much may still be.

use std::collections::BTreeSet;

use backend::schedule::space::Candidate;
use backend::{Compiled, Knob, Schedule, StepSpace, Values};
use rayon::prelude::*;

use crate::explain::{Outcome, StepExplanation, Tried};
use crate::time::Timed;
use crate::{Task, time};

/// Candidates of a step that are timed at first, and neighbours of the winner at a time.
const FIRST: usize = 12;
/// Rounds of neighbours of the best.
const ROUNDS: usize = 4;
/// Candidates that are timed at least, however many instructions each has.
const LEAST: usize = 4;

/// The best so far.
pub(crate) struct Climb<'a> {
    task: &'a Task<'a>,
    pub(crate) best: Compiled,
    pub(crate) cycles: u64,
    /// Candidates that were timed.
    pub(crate) timed: usize,
    /// Neighbours that were tried, with the step of each.
    pub(crate) neighbours: Vec<(String, Tried)>,
    /// Candidates that may still be timed.
    left: usize,
    /// Decisions that were tried already, as they are printed.
    seen: BTreeSet<String>,
    pool: Option<rayon::ThreadPool>,
}

/// A step with decisions that differ from the best so far.
struct Attempt {
    step: String,
    schedule: Schedule,
    values: Values,
    candidate: Option<Candidate>,
}

impl<'a> Climb<'a> {
    pub(crate) fn new(task: &'a Task<'a>, default: Compiled, timed: Timed) -> Climb<'a> {
        let affordable = task.budget.instructions / timed.instructions.max(1);
        let affordable = usize::try_from(affordable).unwrap_or(usize::MAX);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(task.budget.threads);
        Climb {
            task,
            seen: [default.schedule.to_string()].into(),
            best: default,
            cycles: timed.cycles,
            timed: 0,
            neighbours: Vec::new(),
            left: affordable.max(LEAST).min(task.budget.timed),
            pool: pool.build().ok(),
        }
    }

    /// Times the best candidates of a step by price, beside the best of the other steps so far.
    pub(crate) fn step(&mut self, space: &StepSpace, steps: usize) -> StepExplanation {
        let mut order: Vec<&Candidate> = space.candidates.iter().collect();
        order.sort_by_key(|candidate| candidate.cycles);
        let reached = i64::try_from(self.cycles).unwrap_or(i64::MAX);
        let all = order.len();
        order.retain(|candidate| candidate.bound < reached);
        let pruned = all - order.len();
        // Half of what is left is for neighbours and later steps.
        let share = (self.left / 2 / steps.max(1))
            .clamp(2, FIRST)
            .min(self.left);
        let attempts = self.attempts(space, distinct(&order, share));
        let tried = self.try_all(attempts);
        StepExplanation {
            name: space.name.clone(),
            priced: all,
            pruned,
            tried,
            chosen: Values::new(),
            binds: None,
            lack: None,
        }
    }

    fn attempts(&self, space: &StepSpace, candidates: Vec<&Candidate>) -> Vec<Attempt> {
        let attempt = |candidate: &Candidate| {
            let mut schedule = self.best.schedule.clone();
            let known = schedule
                .steps
                .iter_mut()
                .find(|step| step.name == space.name)?;
            let epilogue = known.values.get(&Knob::Epilogue).copied();
            known.values = candidate.values.clone();
            let epilogue = epilogue.map(|engine| (Knob::Epilogue, engine));
            known.values.extend(epilogue);
            Some(Attempt {
                step: space.name.clone(),
                schedule,
                values: candidate.values.clone(),
                candidate: Some(candidate.clone()),
            })
        };
        candidates.into_iter().filter_map(attempt).collect()
    }

    /// Steps from the best to what differs from it in one decision, as long as that is better.
    pub(crate) fn neighbours(&mut self) {
        for _ in 0..ROUNDS {
            let before = self.cycles;
            let mut attempts = self.around();
            attempts.truncate(self.left.min(FIRST));
            let steps: Vec<String> = attempts.iter().map(|a| a.step.clone()).collect();
            let tried = self.try_all(attempts);
            self.neighbours.extend(steps.into_iter().zip(tried));
            if self.cycles >= before || self.left == 0 {
                return;
            }
        }
    }

    /// What differs from the best in one decision: twice or half as much, or one more or less.
    fn around(&self) -> Vec<Attempt> {
        let mut all = Vec::new();
        for (number, step) in self.best.schedule.steps.iter().enumerate() {
            for (&knob, &value) in &step.values {
                for other in near(knob, value) {
                    let mut schedule = self.best.schedule.clone();
                    let values = &mut schedule.steps[number].values;
                    values.insert(knob, other);
                    follow(values, knob);
                    let values = values.clone();
                    let new = !self.seen.contains(&schedule.to_string());
                    all.extend(new.then_some(Attempt {
                        step: step.name.clone(),
                        schedule,
                        values,
                        candidate: None,
                    }));
                }
            }
        }
        all
    }

    /// Compiles and times attempts, and keeps the best of all.
    fn try_all(&mut self, attempts: Vec<Attempt>) -> Vec<Tried> {
        let attempts: Vec<Attempt> = (attempts.into_iter())
            .filter(|attempt| self.seen.insert(attempt.schedule.to_string()))
            .collect();
        let task = self.task;
        let run = |attempt: &Attempt| one(task, attempt);
        let results: Vec<_> = match &self.pool {
            Some(pool) if task.budget.threads != 1 => {
                pool.install(|| attempts.par_iter().map(run).collect())
            }
            Some(_) | None => attempts.iter().map(run).collect(),
        };
        let mut tried = Vec::new();
        for (attempt, result) in attempts.into_iter().zip(results) {
            let outcome = match result {
                Ok((compiled, cycles)) => {
                    self.timed += 1;
                    self.left = self.left.saturating_sub(1);
                    if cycles < self.cycles {
                        (self.cycles, self.best) = (cycles, *compiled);
                    }
                    Outcome::Timed(cycles)
                }
                Err(why) => Outcome::Refused(why),
            };
            tried.push(Tried {
                values: attempt.values,
                reckoned: attempt.candidate.as_ref().map(|known| known.cycles),
                binds: attempt.candidate.as_ref().map(|known| known.binds),
                outcome,
            });
        }
        tried
    }
}

/// Compiles and times one attempt.
fn one(task: &Task<'_>, attempt: &Attempt) -> Result<(Box<Compiled>, u64), String> {
    let wanted = Some(&attempt.schedule);
    let nowhere = |_| None;
    let compiled = backend::compile_as(task.func, task.chip, task.options, wanted, &nowhere);
    let compiled = compiled.map_err(|found| {
        let first = found.into_iter().next();
        first.map_or_else(String::new, |found| found.message)
    })?;
    match time::of(task, &compiled) {
        Some(timed) => Ok((Box::new(compiled), timed.cycles)),
        None => Err("its cycles depend on values".to_owned()),
    }
}

/// The first candidates whose blocks differ, then the rest.
fn distinct<'c>(order: &[&'c Candidate], count: usize) -> Vec<&'c Candidate> {
    let sides = |c: &Candidate| {
        let side = |knob: Knob| c.values.get(&knob).copied();
        (side(Knob::Rows), side(Knob::Cols))
    };
    let mut known = BTreeSet::new();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for &candidate in order {
        match known.insert(sides(candidate)) {
            true => first.push(candidate),
            false => rest.push(candidate),
        }
    }
    first.extend(rest);
    first.truncate(count);
    first
}

/// Values next to one.
fn near(knob: Knob, value: i64) -> Vec<i64> {
    match knob {
        Knob::OutDepth
        | Knob::PacketDepth
        | Knob::StepDepth
        | Knob::AccDepth
        | Knob::StripDepth => [value + 1, value - 1]
            .into_iter()
            .filter(|v| *v >= 1)
            .collect(),
        Knob::Rows
        | Knob::Cols
        | Knob::Packet
        | Knob::Step
        | Knob::Strip
        | Knob::Scores
        | Knob::Weights => {
            let half = (value % 2 == 0 && value > 1).then_some(value / 2);
            [Some(2 * value), half].into_iter().flatten().collect()
        }
        Knob::Epilogue => vec![1 - value],
        Knob::Pitch => Vec::new(),
    }
}

/// Lets go of what is decided by another decision that has changed.
fn follow(values: &mut Values, changed: Knob) {
    match changed {
        Knob::Cols => {
            values.remove(&Knob::Pitch);
        }
        Knob::Rows | Knob::Epilogue => {
            values.remove(&Knob::Strip);
        }
        Knob::Pitch
        | Knob::OutDepth
        | Knob::Packet
        | Knob::PacketDepth
        | Knob::Step
        | Knob::StepDepth
        | Knob::AccDepth
        | Knob::Strip
        | Knob::StripDepth
        | Knob::Scores
        | Knob::Weights => {}
    }
}
