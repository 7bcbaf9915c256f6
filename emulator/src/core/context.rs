//! What belongs to the program a core runs: its registers and where its loops stand.

use isa::inst::{Lanes, Reg, Regs, Spr};

use super::Launch;
use crate::fault::CoreId;

/// The registers that operands are read from.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Context {
    pub(crate) x: [u64; 32],
    pub(crate) spr: [u64; Spr::COUNT],
    pub(crate) lanes: Lanes,
    /// Vector address registers.
    pub(crate) va: [u128; 8],
}

impl Regs for Context {
    #[inline]
    fn reg(&self, reg: Reg) -> u64 {
        self.x[reg.index()]
    }

    #[inline]
    fn spr(&self, spr: Spr) -> u64 {
        self.spr[spr.index()]
    }

    #[inline]
    fn lanes(&self) -> Lanes {
        self.lanes
    }

    #[inline]
    fn va(&self, number: u64) -> u128 {
        self.va[(number & 7) as usize]
    }
}

impl Regs for Box<Context> {
    #[inline]
    fn reg(&self, reg: Reg) -> u64 {
        Context::reg(self, reg)
    }

    #[inline]
    fn spr(&self, spr: Spr) -> u64 {
        Context::spr(self, spr)
    }

    #[inline]
    fn lanes(&self) -> Lanes {
        self.lanes
    }

    #[inline]
    fn va(&self, number: u64) -> u128 {
        Context::va(self, number)
    }
}

/// A hardware loop in progress.
#[derive(Copy, Clone, Debug)]
pub(crate) struct LoopFrame {
    pub(crate) body: usize,
    pub(crate) end: usize,
    pub(crate) left: i64,
}

/// The registers at launch.
pub(super) fn initial_context(id: CoreId, launch: &Launch<'_>) -> Context {
    let mut spr = [0; Spr::COUNT];
    spr[Spr::Ctrl.index()] = Spr::CTRL_RESET;
    spr[Spr::BlockId.index()] = u64::from(id.group);
    spr[Spr::BlockNum.index()] = u64::from(launch.groups);
    spr[Spr::SubBlockId.index()] = u64::from(id.vector.unwrap_or(0));
    spr[Spr::ParaBase.index()] = launch.para_base;
    Context {
        x: [0; 32],
        spr,
        lanes: Lanes::ALL,
        va: [0; 8],
    }
}
