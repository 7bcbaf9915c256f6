//! Where scalars live: a register from definition to last use, or a constant.
//!
//! Control flow is structured, so one number per operation orders all uses; a use in a loop counts as one at the end of
//! the outermost loop that does not contain the definition.

use std::collections::{BTreeMap, BTreeSet};

use ir::tile::{Arg, Block, Func, Inst, Op, Value};
use isa::inst::Reg;

use super::code::Num;

/// Numbers of operations and last uses of values of one block.
#[derive(Default)]
pub(super) struct Lives {
    ends: BTreeMap<Inst, u32>,
    last: BTreeMap<Value, u32>,
}

impl Lives {
    /// Numbers the operations of a block and of those nested in it. Where a value is computed `again`, what it is
    /// computed from is used.
    pub(super) fn of(func: &Func, root: Block, again: &BTreeSet<Value>) -> Lives {
        let mut walk = Walk {
            func,
            again,
            made_of: BTreeMap::new(),
            clock: 0,
            loops: Vec::new(),
            defined: BTreeMap::new(),
            lives: Lives::default(),
        };
        walk.block(root);
        walk.lives
    }

    /// The number at which an operation, with everything nested in it, is done.
    pub(super) fn end_of(&self, inst: Inst) -> u32 {
        self.ends.get(&inst).copied().unwrap_or(0)
    }

    /// The number of the last use of a value; none if nothing uses it.
    pub(super) fn last_use(&self, value: Value) -> Option<u32> {
        self.last.get(&value).copied()
    }
}

struct Walk<'f> {
    func: &'f Func,
    again: &'f BTreeSet<Value>,
    /// What values are computed from that have no register.
    made_of: BTreeMap<Value, Vec<Arg>>,
    clock: u32,
    /// Values used in each open loop that are defined outside of it.
    loops: Vec<Vec<Value>>,
    /// Number of loops around each definition.
    defined: BTreeMap<Value, usize>,
    lives: Lives,
}

impl Walk<'_> {
    fn block(&mut self, block: Block) {
        for &inst in &self.func.blocks[block].insts {
            let op = &self.func.insts[inst].op;
            self.clock += 1;
            for arg in op.args() {
                if let Arg::Val(value) = arg {
                    self.used(value);
                }
            }
            if let Some(value) = op.defines() {
                if self.again.contains(&value) {
                    self.made_of.insert(value, op.args().into_iter().collect());
                }
                self.defined.insert(value, self.loops.len());
            }
            if let Op::For { var, body, .. } = op {
                self.repeat(*var, *body);
            } else {
                op.blocks().into_iter().for_each(|inner| self.block(inner));
            }
            self.lives.ends.insert(inst, self.clock);
        }
    }

    fn repeat(&mut self, var: Value, body: Block) {
        self.loops.push(Vec::new());
        self.defined.insert(var, self.loops.len());
        self.block(body);
        self.clock += 1;
        let outside = self.loops.pop().unwrap_or_default();
        for value in outside.into_iter().chain([var]) {
            self.lives.last.insert(value, self.clock);
        }
    }

    fn used(&mut self, value: Value) {
        if let Some(made_of) = self.made_of.get(&value).cloned() {
            for arg in made_of {
                if let Arg::Val(value) = arg {
                    self.used(value);
                }
            }
        }
        self.lives.last.insert(value, self.clock);
        let level = self.defined.get(&value).copied().unwrap_or(0);
        if let Some(outside) = self.loops.get_mut(level) {
            outside.push(value);
        }
    }
}

/// Registers in use.
#[derive(Default)]
pub(super) struct Homes {
    taken: u32,
    peak: usize,
    values: BTreeMap<Value, Num>,
    /// Register, value in it, and number of the value's last use.
    active: Vec<(Reg, Value, u32)>,
    temporaries: Vec<Reg>,
}

impl Homes {
    /// A register that nothing uses.
    pub(super) fn take(&mut self) -> Option<Reg> {
        let free = (!self.taken).trailing_zeros();
        if free >= Reg::COUNT as u32 {
            return None;
        }
        self.taken |= 1 << free;
        self.peak = self.peak.max(self.taken.count_ones() as usize);
        Some(Reg(free as u8))
    }

    /// Gives a register back.
    pub(super) fn free(&mut self, reg: Reg) {
        self.taken &= !(1 << reg.index());
    }

    /// Most registers that were in use at once.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    /// A register until the end of the operation.
    pub(super) fn temporary(&mut self) -> Option<Reg> {
        let reg = self.take()?;
        self.temporaries.push(reg);
        Some(reg)
    }

    /// Frees the temporaries of an operation.
    pub(super) fn end_temporaries(&mut self) {
        for reg in std::mem::take(&mut self.temporaries) {
            self.free(reg);
        }
    }

    /// How many temporaries there are: a mark for [`Homes::cut`].
    pub(super) fn mark(&self) -> usize {
        self.temporaries.len()
    }

    /// Frees the temporaries taken since a mark.
    pub(super) fn cut(&mut self, mark: usize) {
        for reg in self.temporaries.split_off(mark.min(self.temporaries.len())) {
            self.free(reg);
        }
    }

    /// Gives a value a register until its last use.
    pub(super) fn settle(&mut self, value: Value, last: u32) -> Option<Reg> {
        let reg = self.take()?;
        self.active.push((reg, value, last));
        self.values.insert(value, Num::Reg(reg));
        Some(reg)
    }

    /// Makes a value a constant.
    pub(super) fn fold(&mut self, value: Value, constant: i64) {
        self.values.insert(value, Num::Const(constant));
    }

    /// Where a value is.
    pub(super) fn get(&self, value: Value) -> Option<Num> {
        self.values.get(&value).copied()
    }

    /// Frees the registers of values whose last use is over.
    pub(super) fn expire(&mut self, now: u32) {
        let mut over = 0;
        self.active.retain(|(reg, _, last)| {
            if *last <= now {
                over |= 1 << reg.index();
            }
            *last > now
        });
        self.taken &= !over;
    }

    /// The values that have registers, with the numbers of their last uses.
    pub(super) fn active(&self) -> impl Iterator<Item = (Value, u32)> {
        self.active.iter().map(|&(_, value, last)| (value, last))
    }

    /// Whether a value is a constant.
    pub(super) fn is_constant(&self, value: Value) -> bool {
        matches!(self.values.get(&value), Some(Num::Const(_)))
    }

    /// Frees every value, at the end of a phase.
    pub(super) fn clear(&mut self) {
        self.expire(u32::MAX);
        self.values.clear();
    }
}
