//! What comes before what inside a core: eight lanes, what each knows of the others' completed work, and the flags.
//!
//! A lane is a queue of the core, or the stores of the scalar unit, which complete after it has gone on. Each counts its
//! work; `known[a][b]` is how much of lane b's work has completed before lane a's next piece starts. Only dispatch, flags,
//! barriers and counters pass this on. Knows no memory.

use isa::types::Pipe;

/// Lanes of a core: the pipes by their index, then the stores of the scalar unit.
pub(crate) const LANES: usize = 8;
/// The lane of those stores.
pub(crate) const STORES: usize = 7;
/// The lane of the scalar unit.
pub(crate) const SCALAR: usize = Pipe::S as usize;
/// Flags of a pair of pipes.
pub(crate) const FLAGS: usize = 8;

/// Up to which count the work of each lane has completed.
pub(crate) type Known = [u32; LANES];

/// Takes the later of two states of knowledge.
pub(crate) fn join(into: &mut Known, other: &Known) {
    for (mine, &theirs) in into.iter_mut().zip(other) {
        *mine = (*mine).max(theirs);
    }
}

/// The pipe of a lane.
pub(crate) fn lane_pipe(lane: usize) -> Pipe {
    Pipe::ALL.get(lane).copied().unwrap_or(Pipe::S)
}

/// Counts and knowledge of a core's lanes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    pub(crate) issued: Known,
    pub(crate) known: [Known; LANES],
    /// Stores of the scalar unit that are known to everybody it dispatches to.
    pub(crate) stores_done: u32,
}

impl Order {
    /// What waiting for all that a lane has done so far teaches.
    pub(crate) fn completion(&self, lane: usize) -> Known {
        let mut all = self.known[lane];
        all[lane] = self.issued[lane];
        if lane == SCALAR {
            all[STORES] = self.issued[STORES];
        }
        all
    }

    /// Tells a lane what another state knows.
    pub(crate) fn learn(&mut self, lane: usize, what: &Known) {
        join(&mut self.known[lane], what);
    }

    /// What a queue may rely on when it gets an instruction.
    pub(crate) fn dispatch(&self) -> Known {
        let mut known = self.known[SCALAR];
        known[SCALAR] = self.issued[SCALAR];
        known[STORES] = self.stores_done;
        known
    }
}

/// A flag of a pair of pipes.
#[derive(Clone, Debug)]
pub(crate) struct Flag<H> {
    /// What its setting tells of this core and of others, while it is set.
    pub(crate) set: Option<(Known, H)>,
    /// The instruction that set it last.
    pub(crate) by: u32,
    /// The piece of work of the waiting lane that took it last.
    pub(crate) taken: u32,
}

impl<H> Default for Flag<H> {
    fn default() -> Flag<H> {
        Flag {
            set: None,
            by: 0,
            taken: 0,
        }
    }
}
