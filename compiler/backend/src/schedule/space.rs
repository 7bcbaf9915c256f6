//! What can be decided about the steps of a kernel: the space of a search.
//!
//! A tiler lists what it can make, what it reckons each to take, and the best of what it cannot make for want of memory.
//! The numbers rank candidates of one step; what a whole kernel takes, the emulator says.

use isa::types::Space;

use super::Values;

/// What takes longest in a candidate.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// Multiply-adds.
    Cube,
    /// Loads of fractals to L0.
    LoadL0,
    /// Packets to L1.
    LoadL1,
    /// The way out of L0C.
    Drain,
    /// The vector units with their copies.
    Vector,
}

impl Term {
    /// A word for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Term::Cube => "cube",
            Term::LoadL0 => "loads to L0",
            Term::LoadL1 => "packets to L1",
            Term::Drain => "drain of L0C",
            Term::Vector => "vector",
        }
    }
}

/// Decisions about a step that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The decisions.
    pub values: Values,
    /// Cycles by the shared cost function, if nothing waits that need not.
    pub cycles: i64,
    /// Cycles that no order of its instructions can beat.
    pub bound: i64,
    /// What takes longest.
    pub binds: Term,
    /// Whether it was written in tile form and every buffer has an address.
    pub planned: bool,
}

/// Decisions that memory is too small for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The decisions.
    pub values: Values,
    /// Cycles that they would take.
    pub cycles: i64,
    /// The memory.
    pub space: Space,
    /// Bytes that are needed at once.
    pub needed: u64,
    /// Bytes that there are.
    pub available: u64,
}

/// What can be decided about a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepSpace {
    /// The definition that names the step.
    pub name: String,
    /// What can be made.
    pub candidates: Vec<Candidate>,
    /// The best of what cannot be made.
    pub lack: Option<Lack>,
}

impl StepSpace {
    /// Notes decisions that memory is too small for; the one with the least cycles is kept.
    pub(crate) fn lacks(&mut self, lack: Lack) {
        if self
            .lack
            .as_ref()
            .is_none_or(|known| lack.cycles < known.cycles)
        {
            self.lack = Some(lack);
        }
    }
}
