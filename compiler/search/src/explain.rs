//! Why a schedule is what it is: as data, for reports and editors.

use backend::schedule::space::{Lack, Term};
use backend::{Compiled, StepSpace, Values};

use crate::Task;
use crate::climb::Climb;
use crate::time::Timed;

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
    /// Candidates that were compiled and timed.
    pub timed: usize,
    /// Candidates that their bound left out.
    pub pruned: usize,
    /// The steps, those that take longest first.
    pub steps: Vec<StepExplanation>,
}

/// What was tried for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepExplanation {
    /// The definition that names the step.
    pub name: String,
    /// Candidates with a price.
    pub priced: usize,
    /// Candidates that were left out because their bound is not below what was reached.
    pub pruned: usize,
    /// Candidates in the order of their price, as far as they were looked at more closely.
    pub tried: Vec<Tried>,
    /// The decisions that were taken in the end.
    pub chosen: Values,
    /// What takes longest in them, if the cost function says so.
    pub binds: Option<Term>,
    /// What would be better if a memory were larger.
    pub lack: Option<Lack>,
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
    /// It was timed: cycles of the whole kernel.
    Timed(u64),
    /// It did not compile: the message.
    Refused(String),
}

impl Explanation {
    pub(crate) fn new(task: &Task<'_>, default: &Compiled, timed: Option<Timed>) -> Explanation {
        let cycles = timed.map(|timed| timed.cycles);
        Explanation {
            kernel: default.schedule.kernel.clone(),
            chip: task.chip.name.clone(),
            default_cycles: cycles,
            cycles,
            priced: 0,
            timed: usize::from(timed.is_some()),
            pruned: 0,
            steps: Vec::new(),
        }
    }

    /// Adds what was known only at the end.
    pub(crate) fn finish(&mut self, climb: &Climb<'_>, spaces: &[StepSpace]) {
        self.cycles = Some(climb.cycles);
        self.timed += climb.timed;
        self.pruned = self.steps.iter().map(|step| step.pruned).sum();
        for step in &mut self.steps {
            let tried = climb
                .neighbours
                .iter()
                .filter(|(name, _)| *name == step.name);
            step.tried.extend(tried.map(|(_, tried)| tried.clone()));
            if let Some(known) = climb.best.schedule.step(&step.name) {
                step.chosen = known.values.clone();
            }
            let space = spaces.iter().find(|space| space.name == step.name);
            let candidates = space.into_iter().flat_map(|space| &space.candidates);
            let same = |values: &Values| values.iter().all(|(k, v)| step.chosen.get(k) == Some(v));
            let found = candidates.into_iter().find(|known| same(&known.values));
            step.binds = found.map(|known| known.binds);
            // Only what would be better is worth a word.
            let reached = found.map(|known| known.cycles);
            step.lack = (space.and_then(|space| space.lack.clone()))
                .filter(|lack| reached.is_some_and(|reached| lack.cycles < reached));
        }
    }
}
