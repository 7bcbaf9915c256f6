//! Copies of a machine to go back to. Cores and tensors that have not changed since the last copy are shared with it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::watch::Writers;
use super::{Machine, Round};
use crate::core::{Core, CrossSet};
use crate::cross::Shared;
use crate::gm::Image;
use crate::schedule::Adversary;

/// The whole state of a machine at one moment.
#[derive(Clone, Debug)]
pub struct Checkpoint<'s> {
    cores: Vec<Arc<Core<'s>>>,
    regions: Vec<Option<Arc<Image>>>,
    shared: Shared,
    round: Round,
    adversary: Option<Adversary>,
    sets: Vec<VecDeque<CrossSet>>,
    ended: bool,
    out_of_turn: bool,
    writers: Writers,
    steps: u64,
}

impl Checkpoint<'_> {
    /// How many steps the machine had taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

impl<'s> Machine<'s> {
    /// Copies the machine. `before`, an earlier copy of the same machine, lets the two share what has not changed.
    pub fn checkpoint(&self, before: Option<&Checkpoint<'s>>) -> Checkpoint<'s> {
        let cores = self.cores.iter().enumerate();
        let cores = cores.map(|(number, core)| {
            let old = before.and_then(|before| before.cores.get(number));
            match old {
                Some(old) if old.version == core.version => Arc::clone(old),
                Some(_) | None => Arc::new(core.clone()),
            }
        });
        let regions = self.setup.gm.regions().iter().enumerate();
        let regions = regions.map(|(number, region)| {
            let image = region.image()?;
            let old = before.and_then(|before| before.regions.get(number)?.as_ref());
            Some(match old {
                Some(old) if **old == image => Arc::clone(old),
                Some(_) | None => Arc::new(image),
            })
        });
        Checkpoint {
            cores: cores.collect(),
            regions: regions.collect(),
            shared: self.shared.clone(),
            round: self.round,
            adversary: self.adversary.clone(),
            sets: self.sets.clone(),
            ended: self.ended,
            out_of_turn: self.out_of_turn,
            writers: self.writers.clone(),
            steps: self.steps,
        }
    }

    /// Makes the machine what it was when it was copied. What is written from outside afterwards is forgotten.
    pub fn restore(&mut self, to: &Checkpoint<'s>) {
        self.cores = to.cores.iter().map(|core| Core::clone(core)).collect();
        for (region, image) in self.setup.gm.regions().iter().zip(&to.regions) {
            if let Some(image) = image {
                region.restore(image);
            }
        }
        self.shared = to.shared.clone();
        self.round = to.round;
        self.adversary = to.adversary.clone();
        self.sets = to.sets.clone();
        self.ended = to.ended;
        self.out_of_turn = to.out_of_turn;
        self.writers = to.writers.clone();
        self.steps = to.steps;
        self.furnished = to.cores.iter().all(|core| core.has_room || core.ended);
        if self.watches {
            self.cores.iter_mut().for_each(Core::watch_accesses);
        }
    }
}
