//! Why a schedule is what it is: as data, for reports and editors.

use backend::schedule::space::{Candidate, Lack, Term};
use backend::{Compiled, Schedule, Values};

use crate::Task;
use crate::climb::{Climb, Top};

/// What a search did and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The kernel.
    pub kernel: String,
    /// The chip.
    pub chip: String,
    /// Cycles with the default decisions; none if they depend on values or on the launch.
    pub default_cycles: Option<u64>,
    /// Cycles with the decisions that were found.
    pub cycles: Option<u64>,
    /// Candidates with a price.
    pub priced: usize,
    /// Those of them that were written in tile form and whose buffers have addresses.
    pub planned: usize,
    /// Candidates that were compiled and timed.
    pub timed: usize,
    /// Candidates that their bound left out.
    pub pruned: usize,
    /// The steps, those that take longest first.
    pub steps: Vec<StepExplanation>,
    /// What was timed more closely, the default decisions first.
    pub confirmed: Vec<Confirmed>,
}

/// Decisions that were timed more closely than others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The decisions.
    pub schedule: Schedule,
    /// Cycles that followed from a few blocks a core.
    pub reckoned: u64,
    /// Cycles that follow from more blocks, or from all.
    pub cycles: u64,
    /// Whether every block was gone through.
    pub whole: bool,
}

/// What was tried for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepExplanation {
    /// The definition that names the step.
    pub name: String,
    /// Everything with a price, the lowest first.
    pub candidates: Vec<Candidate>,
    /// Candidates that were left out because their bound is not below what was reached.
    pub pruned: usize,
    /// Candidates in the order of their price, as far as they were looked at more closely, then neighbours of the best.
    pub tried: Vec<Tried>,
    /// The decisions that were taken in the end.
    pub chosen: Values,
    /// The best of what memory is too small for.
    pub lack: Option<Lack>,
}

impl StepExplanation {
    /// What the cost function says about decisions, if they are among those that the tiler lists.
    pub fn candidate(&self, values: &Values) -> Option<&Candidate> {
        let same = |known: &&Candidate| known.values.iter().all(|(k, v)| values.get(k) == Some(v));
        self.candidates.iter().find(same)
    }

    /// What would be better than these decisions if a memory were larger.
    pub fn lacking(&self, values: &Values) -> Option<&Lack> {
        let reached = self.candidate(values)?.cycles;
        self.lack.as_ref().filter(|lack| lack.cycles < reached)
    }
}

/// A candidate that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The decisions.
    pub values: Values,
    /// Cycles of the step by the cost function; none for a neighbour.
    pub reckoned: Option<i64>,
    /// What takes longest by the cost function.
    pub binds: Option<Term>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was timed: cycles of the whole kernel, as they follow from a few blocks a core.
    Timed(u64),
    /// It did not compile: the message.
    Refused(String),
}

impl Explanation {
    pub(crate) fn new(task: &Task<'_>, default: &Compiled) -> Explanation {
        Explanation {
            kernel: default.schedule.kernel.clone(),
            chip: task.chip.name.clone(),
            default_cycles: None,
            cycles: None,
            priced: 0,
            planned: 0,
            timed: 0,
            pruned: 0,
            steps: Vec::new(),
            confirmed: Vec::new(),
        }
    }

    /// Adds what was known only at the end.
    pub(crate) fn finish(&mut self, climb: &Climb<'_>, top: &Top) {
        self.default_cycles = Some(top.default_cycles);
        self.cycles = Some(top.cycles);
        self.confirmed = top.confirmed.clone();
        self.timed = climb.timed();
        self.priced = self.steps.iter().map(|step| step.candidates.len()).sum();
        let all = self.steps.iter().flat_map(|step| &step.candidates);
        self.planned = all.filter(|candidate| candidate.planned).count();
        self.pruned = self.steps.iter().map(|step| step.pruned).sum();
        for step in &mut self.steps {
            let tried = climb
                .neighbours
                .iter()
                .filter(|(name, _)| *name == step.name);
            step.tried.extend(tried.map(|(_, tried)| tried.clone()));
            if let Some(known) = top.compiled.schedule.step(&step.name) {
                step.chosen = known.values.clone();
            }
        }
    }
}
