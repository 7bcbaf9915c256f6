//! Registers whose values nobody has computed, and who asks for them.

use std::cell::Cell;

use isa::inst::{Lanes, Reg, Regs, Spr};

use crate::core::Context;

/// Which registers hold a value that nobody has computed.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) x: u32,
    pub(super) spr: u32,
    pub(super) lanes: bool,
}

impl Unknown {
    pub(super) const NONE: Unknown = Unknown {
        x: 0,
        spr: 0,
        lanes: false,
    };

    /// Notes whether the registers of a mask are known.
    pub(super) fn set(&mut self, mask: u32, unknown: bool) {
        match unknown {
            true => self.x |= mask,
            false => self.x &= !mask,
        }
    }
}

/// Registers that notice when an unknown one is asked for.
pub(super) struct Watch<'a> {
    context: &'a Context,
    unknown: Unknown,
    asked: Cell<bool>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(context: &'a Context, unknown: Unknown) -> Watch<'a> {
        Watch {
            context,
            unknown,
            asked: Cell::new(false),
        }
    }

    /// Whether an unknown one was asked for.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.get()
    }

    fn note(&self, unknown: bool) {
        self.asked.set(self.asked.get() | unknown);
    }
}

impl Regs for Watch<'_> {
    fn reg(&self, reg: Reg) -> u64 {
        self.note(self.unknown.x >> reg.index() & 1 != 0);
        self.context.reg(reg)
    }

    fn spr(&self, spr: Spr) -> u64 {
        self.note(self.unknown.spr >> spr.index() & 1 != 0);
        self.context.spr(spr)
    }

    fn lanes(&self) -> Lanes {
        self.note(self.unknown.lanes);
        self.context.lanes()
    }
}
