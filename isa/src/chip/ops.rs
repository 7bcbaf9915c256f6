//! Costs of the vector instructions: one line of the chip file each.

use crate::inst::Opcode;

/// Cost of one vector instruction, without bank conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VecCost {
    /// Cycles a repeat on 16-bit lanes.
    pub per_repeat_16: u64,
    /// Cycles a repeat on 32-bit lanes.
    pub per_repeat_32: u64,
    /// Cycles before the first repeat after idleness.
    pub head: u64,
    /// Cycles from the end of occupancy to visible results.
    pub tail: u64,
    /// Fewest cycles of occupancy.
    pub floor: u64,
}

/// The cost of every vector instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VecCosts(Vec<VecCost>);

impl VecCosts {
    pub(super) fn new(costs: Vec<VecCost>) -> VecCosts {
        debug_assert_eq!(costs.len(), 256, "one entry an opcode");
        VecCosts(costs)
    }

    /// The cost of that instruction; meaningless for other pipes.
    pub fn get(&self, opcode: Opcode) -> VecCost {
        self.0[opcode as usize]
    }

    /// The same costs changed alike: what a chip with another vector unit would need.
    pub fn map(&self, change: impl Fn(VecCost) -> VecCost) -> VecCosts {
        VecCosts(self.0.iter().copied().map(change).collect())
    }
}
