//! The way up: the best so far, what is tried next, and how much may still be.

use std::collections::BTreeSet;

use backend::schedule::space::Candidate;
use backend::{Compiled, Knob, Resolver, Schedule, StepSpace, Tiled, Values};
use rayon::prelude::*;

use crate::explain::{Confirmed, Outcome, StepExplanation, Tried};
use crate::reduced::{FEW, Rounds};
use crate::time::{Timed, first_message};
use crate::{Task, time};

/// Candidates of a step that are timed at first, and neighbours of the winner at a time.
const FIRST: usize = 16;
/// Rounds of neighbours of the best.
const ROUNDS: usize = 6;
/// Candidates that are timed at least, however many instructions each has.
const LEAST: usize = 6;
/// The best that are timed once more, with as many blocks as so many instructions go through, or all.
const CONFIRMED: usize = 2;
const CLOSELY: u64 = 9_000_000;
/// How many thousandths more than the rule's schedule one may seem to take and be looked at again.
const DOUBT: u64 = 30;
/// By how many thousandths another schedule must be better than that of the rule, if not all blocks were gone through.
const MARGIN: u64 = 3;

/// The best so far.
pub(crate) struct Climb<'a> {
    task: &'a Task<'a>,
    best: Schedule,
    /// Cycles of the best, reckoned alike for all.
    cycles: u64,
    /// What its first rounds say, if it was reckoned from a few.
    cold: Option<u64>,
    /// Everything that was timed, the decisions by rule first.
    standings: Vec<(Timed, Schedule)>,
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

/// What the climb came to.
pub(crate) struct Top {
    pub(crate) compiled: Compiled,
    /// Cycles of the default decisions and of the best ones, as they were confirmed.
    pub(crate) default_cycles: u64,
    pub(crate) cycles: u64,
    /// What was timed more closely.
    pub(crate) confirmed: Vec<Confirmed>,
}

impl<'a> Climb<'a> {
    /// Begins at the decisions by rule; or says why they cannot be timed.
    pub(crate) fn new(task: &'a Task<'a>, default: &Compiled) -> Result<Climb<'a>, String> {
        let timed = time::reckoned(task, &default.tiled, FEW, None)?;
        let affordable = task.budget.instructions / timed.instructions.max(1);
        let affordable = usize::try_from(affordable).unwrap_or(usize::MAX);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(task.budget.threads);
        Ok(Climb {
            task,
            seen: [default.schedule.to_string()].into(),
            best: default.schedule.clone(),
            cycles: timed.cycles,
            cold: timed.cold,
            standings: vec![(timed, default.schedule.clone())],
            neighbours: Vec::new(),
            left: affordable.max(LEAST).min(task.budget.timed),
            pool: pool.build().ok(),
        })
    }

    /// Candidates that were timed.
    pub(crate) fn timed(&self) -> usize {
        self.standings.len()
    }

    /// Times the best candidates of a step by price, beside the best of the other steps so far.
    pub(crate) fn step(&mut self, space: &StepSpace, steps: usize) -> StepExplanation {
        let mut order: Vec<&Candidate> = space.candidates.iter().collect();
        order.sort_by_key(|candidate| candidate.cycles);
        let reached = i64::try_from(self.cycles).unwrap_or(i64::MAX);
        let candidates: Vec<Candidate> = order.iter().map(|&known| known.clone()).collect();
        order.retain(|candidate| candidate.bound < reached);
        let pruned = candidates.len() - order.len();
        order.retain(|candidate| candidate.planned);
        // Half of what is left is for neighbours and later steps.
        let share = (self.left / 2 / steps.max(1))
            .clamp(2, FIRST)
            .min(self.left);
        let attempts = self.attempts(space, distinct(&order, share));
        let tried = self.try_all(attempts);
        StepExplanation {
            name: space.name.clone(),
            candidates,
            pruned,
            tried,
            chosen: Values::new(),
            lack: space.lack.clone(),
        }
    }

    fn attempts(&self, space: &StepSpace, candidates: Vec<&Candidate>) -> Vec<Attempt> {
        let attempt = |candidate: &Candidate| {
            let mut schedule = self.best.clone();
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

    /// Looks around the decisions by rule, then steps from the best to what differs from it in one decision, as long as
    /// that is better.
    pub(crate) fn neighbours(&mut self) {
        let rule = self.standings[0].1.clone();
        if rule != self.best {
            self.around(&rule);
        }
        for _ in 0..ROUNDS {
            let before = self.cycles;
            self.around(&self.best.clone());
            if self.cycles >= before || self.left == 0 {
                return;
            }
        }
    }

    /// Times what lies next to a schedule.
    fn around(&mut self, schedule: &Schedule) {
        let mut attempts = self.next_to(schedule);
        attempts.truncate(self.left.min(FIRST));
        let steps: Vec<String> = attempts.iter().map(|a| a.step.clone()).collect();
        let tried = self.try_all(attempts);
        self.neighbours.extend(steps.into_iter().zip(tried));
    }

    /// What differs from a schedule in one decision, as the decision says, and blocks laid on their side.
    fn next_to(&self, known: &Schedule) -> Vec<Attempt> {
        let mut all = Vec::new();
        for (number, step) in known.steps.iter().enumerate() {
            let one = step.values.iter().flat_map(|(&knob, &value)| {
                let near = knob.near(value, &step.values).into_iter();
                near.map(move |other| vec![(knob, other)])
            });
            for changes in on_its_side(&step.values).into_iter().chain(one) {
                let mut schedule = known.clone();
                let values = &mut schedule.steps[number].values;
                for (knob, other) in changes {
                    values.insert(knob, other);
                    for freed in knob.frees() {
                        values.remove(freed);
                    }
                }
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
        all
    }

    /// Tiles and times attempts, and keeps the best of all.
    fn try_all(&mut self, attempts: Vec<Attempt>) -> Vec<Tried> {
        let attempts: Vec<Attempt> = (attempts.into_iter())
            .filter(|attempt| self.seen.insert(attempt.schedule.to_string()))
            .collect();
        let task = self.task;
        let tiled = self.each(&attempts, |attempt| {
            let wanted = Some(&attempt.schedule);
            let tiled = backend::tile_as(task.func, task.chip, task.options.level, wanted);
            tiled.map_err(first_message)
        });
        // Different decisions may leave the same open and come to the same.
        let new: Vec<bool> = (attempts.iter().zip(&tiled))
            .map(|(attempt, tiled)| match tiled {
                Ok(tiled) => {
                    let text = tiled.schedule.to_string();
                    attempt.schedule.to_string() == text || self.seen.insert(text)
                }
                Err(_) => false,
            })
            .collect();
        let cold = self.cold;
        let timed: Vec<(&Result<Tiled, String>, bool)> = tiled.iter().zip(new).collect();
        let results = self.each(&timed, |(tiled, new)| match (tiled, new) {
            (Ok(tiled), true) => Some(time::reckoned(task, &tiled.func, FEW, cold)),
            (Ok(_), false) | (Err(_), _) => None,
        });
        let mut tried = Vec::new();
        for ((attempt, tiled), result) in attempts.into_iter().zip(&tiled).zip(results) {
            let outcome = match (tiled, result) {
                (Ok(_), None) => continue,
                (Ok(tiled), Some(Ok(timed))) => {
                    self.note(timed, &tiled.schedule);
                    Outcome::Timed(timed.cycles)
                }
                (Ok(_), Some(Err(why))) => {
                    self.left = self.left.saturating_sub(1);
                    Outcome::Refused(why)
                }
                (Err(why), _) => Outcome::Refused(why.clone()),
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

    fn note(&mut self, timed: Timed, schedule: &Schedule) {
        self.left = self.left.saturating_sub(1);
        self.standings.push((timed, schedule.clone()));
        if timed.cycles < self.cycles {
            (self.cycles, self.best) = (timed.cycles, schedule.clone());
            self.cold = timed.cold;
        }
    }

    /// The same for all, on as many threads as there may be, in the same order.
    fn each<T: Sync, R: Send>(&self, all: &[T], run: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
        match &self.pool {
            Some(pool) if self.task.budget.threads != 1 => {
                pool.install(|| all.par_iter().map(&run).collect())
            }
            Some(_) | None => all.iter().map(run).collect(),
        }
    }

    /// Times the best few more closely, beside the decisions by rule, and compiles the first of them.
    pub(crate) fn top(
        &self,
        default: Compiled,
        resolve: Resolver<'_>,
    ) -> Result<Top, Vec<diag::Diagnostic>> {
        let task = self.task;
        let mut order: Vec<&(Timed, Schedule)> = self.standings.iter().skip(1).collect();
        order.sort_by_key(|(timed, _)| timed.cycles);
        // What follows from a few blocks is not exact.
        let rule = self.standings[0].0.cycles;
        order.retain(|(timed, _)| timed.cycles <= rule + rule / 1000 * DOUBT);
        order.truncate(CONFIRMED);
        order.insert(0, &self.standings[0]);
        // What stands alone needs no closer look.
        let timed = match order.len() {
            1 => vec![Some(order[0].0)],
            _ => self.each(&order, |(timed, schedule)| closely(task, timed, schedule)),
        };
        let confirmed: Vec<Confirmed> = (order.iter().zip(&timed))
            .filter_map(|((first, schedule), timed)| {
                Some(Confirmed {
                    schedule: schedule.clone(),
                    reckoned: first.cycles,
                    cycles: (*timed)?.cycles,
                    whole: (*timed)?.rounds.is_none(),
                })
            })
            .collect();
        let rule = confirmed.first().map_or(0, |first| first.cycles);
        // Of equals the first: what a rule says stays unless something is better.
        let best = confirmed.iter().min_by_key(|known| known.cycles);
        let better = |best: &&Confirmed| match best.whole {
            true => best.cycles < rule,
            false => best.cycles < rule - rule / 1000 * MARGIN,
        };
        let best = best.filter(better);
        let compiled = match best {
            Some(best) => backend::compile_as(
                task.func,
                task.chip,
                task.options,
                Some(&best.schedule),
                resolve,
            )?,
            None => default,
        };
        Ok(Top {
            compiled,
            default_cycles: rule,
            cycles: best.map_or(rule, |best| best.cycles),
            confirmed,
        })
    }
}

/// Times a schedule again, with more rounds if it was one of many blocks.
fn closely(task: &Task<'_>, timed: &Timed, schedule: &Schedule) -> Option<Timed> {
    let Some(few) = timed.rounds else {
        return Some(*timed);
    };
    let gone_through = u64::try_from(2 * few.first + few.further).unwrap_or(1);
    let a_round = (timed.instructions / gone_through).max(1);
    let affordable = i64::try_from(CLOSELY / a_round).unwrap_or(0) / 3;
    if affordable <= few.first {
        return Some(*timed);
    }
    let more = Rounds {
        first: affordable,
        further: affordable,
    };
    let tiled = backend::tile_as(task.func, task.chip, task.options.level, Some(schedule));
    time::reckoned(task, &tiled.ok()?.func, more, None).ok()
}

/// Rows for columns and columns for rows, where a block has more of one than of the other.
fn on_its_side(values: &Values) -> Option<Vec<(Knob, i64)>> {
    let (&rows, &cols) = (values.get(&Knob::Rows)?, values.get(&Knob::Cols)?);
    (rows != cols).then(|| vec![(Knob::Rows, cols), (Knob::Cols, rows)])
}

/// The cheapest candidates: first of each shape of block one, then of each length of packet one, then the rest.
fn distinct<'c>(order: &[&'c Candidate], count: usize) -> Vec<&'c Candidate> {
    let of = |c: &Candidate, knob: Knob| c.values.get(&knob).copied();
    let (mut shapes, mut packets) = (BTreeSet::new(), BTreeSet::new());
    let mut tiers = [const { Vec::new() }; 3];
    for &candidate in order {
        let shape = (of(candidate, Knob::Rows), of(candidate, Knob::Cols));
        let packet = packets.insert((shape, of(candidate, Knob::Packet)));
        let tier = match (shapes.insert(shape), packet) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        tiers[tier].push(candidate);
    }
    tiers.into_iter().flatten().take(count).collect()
}
