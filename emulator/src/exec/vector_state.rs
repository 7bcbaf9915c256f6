//! What the vector unit keeps between instructions: CMPMASK and the counts that instructions leave, address registers,
//! and what the bits of CTRL say about lanes and overflow.
//!
//! CMPMASK is written and read in the order of the unit's own queue. A count is read by the scalar unit, which must be
//! ordered behind the instruction by a flag or a barrier.

use isa::inst::*;
use isa::num::Overflow;
use isa::types::Pipe;

use crate::core::{Context, Core};
use crate::fault::{FaultKind, Stop};

/// Registers of the vector unit itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct VectorState {
    /// Result of `vcmp`, one bit a lane.
    pub(super) cmpmask: u128,
    /// Elements that `vcompress` kept, and the number of that instruction in its queue.
    pub(super) kept: Count,
    /// Pairs that `vmrg4` took from each list.
    pub(super) merged: Count,
}

/// A count and who left it.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Count {
    value: u64,
    by: u32,
}

impl Core<'_> {
    /// A count that the instruction in progress leaves.
    pub(super) fn leave(&self, value: u64) -> Count {
        Count {
            value,
            by: self.order.issued[self.lane],
        }
    }

    /// The value of a special register as the scalar unit reads it.
    pub(super) fn special(&self, spr: Spr) -> Result<u64, Stop> {
        let count = if spr == Spr::RsvdCnt {
            self.vector.kept
        } else if spr == Spr::MrgCnt {
            self.vector.merged
        } else {
            return Ok(self.context.spr(spr));
        };
        let (scalar, vector) = (Pipe::S.index(), Pipe::V.index());
        if self.launch.sanitize.hazards && self.order.known[scalar][vector] < count.by {
            return Err(Box::new(FaultKind::UnorderedResult {
                spr: spr.name(),
                pc: self.order.pc_of(vector, count.by),
            }));
        }
        Ok(count.value)
    }

    /// What becomes of integers that a conversion cannot hold.
    pub(super) fn int_overflow(&self) -> Overflow {
        let ctrl = self.context.spr(Spr::Ctrl);
        let truncates = match ctrl & Spr::CTRL_CAST {
            0 => ctrl & Spr::CTRL_SATURATE == 0,
            _ => ctrl & Spr::CTRL_CAST_TRUNCATE != 0,
        };
        if truncates {
            Overflow::Wrap
        } else {
            Overflow::Saturate
        }
    }

    pub(super) fn set_addresses(&mut self, i: &Vseta) {
        let (low, high) = (self.context.reg(i.lo.0), self.context.reg(i.hi.0));
        self.context.va[(i.va.0 & 7) as usize] = u128::from(high) << 64 | u128::from(low);
    }
}

impl Context {
    /// Puts the lanes in force, and bit 56 of CTRL with them.
    pub(super) fn set_lanes(&mut self, lanes: Lanes) {
        self.lanes = lanes;
        let ctrl = &mut self.spr[Spr::Ctrl.index()];
        match lanes {
            Lanes::Mask(..) => *ctrl &= !Spr::CTRL_COUNT,
            Lanes::Count(_) => *ctrl |= Spr::CTRL_COUNT,
        }
    }

    /// Follows bit 56 of CTRL after a write of CTRL: the low 32 bits of the mask are the count.
    pub(super) fn follow_ctrl(&mut self) {
        let counts = self.spr(Spr::Ctrl) & Spr::CTRL_COUNT != 0;
        self.lanes = match self.lanes {
            Lanes::Mask(low, _) if counts => Lanes::Count(low & u64::from(u32::MAX)),
            Lanes::Count(count) if !counts => Lanes::Mask(count, 0),
            same @ (Lanes::Mask(..) | Lanes::Count(_)) => same,
        };
    }
}
