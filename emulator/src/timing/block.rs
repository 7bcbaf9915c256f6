//! Runs of scalar arithmetic, executed in one go.
//!
//! Between two instructions of queues a loop computes addresses: a run of instructions that each take a known time and go
//! on to the next. From every instruction on it is known how long the run is, what it takes in all, and which registers it
//! needs from before. If those are known, so is all that the run computes, and nothing has to be asked on the way.

use isa::inst::{Inst, Registers};

/// The run that begins at an instruction; of no instructions, if that is none of its sort.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) len: u32,
    /// Cycles of all.
    pub(super) cycles: u32,
    /// Registers that are read before the run has written them, and those that it writes.
    pub(super) registers: Registers,
}

impl Block {
    /// The run of an instruction and of those behind it.
    fn before(self, cycles: u32, registers: Registers) -> Option<Block> {
        Some(Block {
            len: self.len + 1,
            cycles: self.cycles.checked_add(cycles)?,
            registers: Registers {
                reads: registers.reads | self.registers.reads & !registers.writes,
                writes: registers.writes | self.registers.writes,
            },
        })
    }
}

/// The run from every instruction on. `cycles` are those of an instruction that may be in one.
pub(super) fn blocks(code: &[Inst], cycles: impl Fn(usize) -> Option<u32>) -> Vec<Block> {
    let mut blocks = vec![Block::default(); code.len()];
    let mut behind = Block::default();
    for (at, inst) in code.iter().enumerate().rev() {
        let alone = |cycles| Block::default().before(cycles, inst.registers());
        let cycles = cycles(at).filter(|_| is_plain(inst));
        behind = cycles
            .and_then(|cycles| {
                behind
                    .before(cycles, inst.registers())
                    .or_else(|| alone(cycles))
            })
            .unwrap_or_default();
        blocks[at] = behind;
    }
    blocks
}

/// Whether an instruction does nothing but compute a register from others, and goes on to the next.
pub(super) fn is_plain(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::Li(_)
            | Inst::Mov(_)
            | Inst::Add(_)
            | Inst::Sub(_)
            | Inst::Mul(_)
            | Inst::Madd(_)
            | Inst::Div(_)
            | Inst::Rem(_)
            | Inst::Udiv(_)
            | Inst::Urem(_)
            | Inst::And(_)
            | Inst::Or(_)
            | Inst::Xor(_)
            | Inst::Not(_)
            | Inst::Shl(_)
            | Inst::Shr(_)
            | Inst::Sar(_)
            | Inst::Min(_)
            | Inst::Max(_)
            | Inst::Abs(_)
            | Inst::Neg(_)
            | Inst::Cmp(_)
            | Inst::Sel(_)
            | Inst::Clz(_)
            | Inst::Popc(_)
            | Inst::Ffs(_)
            | Inst::Bset(_)
    )
}
