//! What instructions do to slopes, and to what a round of a loop reads and writes of registers.
//!
//! Called with an instruction before it is executed. A register that decides what must not change (a place on chip, a
//! count, a flag's number, a special register) is pinned: a level along which it changes fails.

use isa::inst::{Reg, Spr, Val, XVal};

use crate::core::Core;
use crate::program::{Calc, Op, Step};
use crate::world::World;

fn bit(reg: Reg) -> u32 {
    1 << reg.index()
}

fn bits(operand: XVal) -> u32 {
    match operand {
        XVal::Reg(reg) => bit(reg),
        XVal::Imm(_) => 0,
    }
}

fn number<const N: u32>(id: Val<N>) -> u32 {
    match id {
        Val::Reg(reg) => bit(reg),
        Val::Imm(_) => 0,
    }
}

impl Core {
    /// Notes which registers an instruction reads and writes, for the innermost loop.
    pub(crate) fn note_registers(&mut self, step: &Step) {
        if let Some(frame) = self.loops.last_mut() {
            frame.read |= step.reads & !frame.written;
            frame.written |= step.writes;
        }
    }

    /// Follows the slopes through an instruction.
    pub(crate) fn follow(&mut self, world: &World<'_>, step: &Step) {
        if let Op::Calc(Calc::Mov | Calc::Add | Calc::Sub, _, a, b) = step.op {
            self.stay_in_region(world, &[a, b]);
        } else if let Op::Madd(_, a, b, c) = step.op {
            self.stay_in_region(world, &[XVal::Reg(a), b, c]);
        }
        let (levels, regs) = (&mut self.levels, &self.regs);
        match step.op {
            Op::Nop | Op::End | Op::Trap(_) | Op::Dsb | Op::Bar | Op::BarAll => {}
            // What it cleans matters only where lines are touched.
            Op::Clean(_) => {}
            Op::Jmp(_) | Op::Endloop | Op::Call(_) | Op::Ret => {}
            Op::Put(dst, _) | Op::Opaque(dst) => levels.put(dst),
            Op::Calc(calc, dst, a, b) => levels.calc(regs, (calc, dst), a, b),
            Op::Madd(dst, a, b, c) => levels.madd(regs, dst, XVal::Reg(a), (b, c)),
            Op::Cmp(_, ty, dst, a, b) => levels.compare_into(regs, dst, ty, (a, b)),
            Op::Sel(dst, c, a, b) => levels.select(regs, dst, c, (a, b)),
            // The address of an access to global memory may change; one in UB is pinned where it is touched.
            Op::Load(..) | Op::Store(_) => {}
            Op::Rdspr(dst, Spr::BlockId) => levels.put_id(dst),
            Op::Rdspr(dst, _) => levels.put(dst),
            Op::Wrspr(_, src) | Op::Count(src) | Op::Loop(src, _) => levels.pin(bits(src)),
            Op::Mask(lo, hi) | Op::Va(_, lo, hi) => levels.pin(bit(lo) | bit(hi)),
            Op::Bcc(cond, a, b, _) => levels.branch(regs, cond, XVal::Reg(a), b),
            Op::JumpTo(reg) | Op::CallTo(reg) => levels.pin(bit(reg)),
            Op::Set(_, id) | Op::Wait(_, id) => levels.pin(number(id)),
            Op::Xset(_, id) | Op::Xwait(id) => levels.pin(number(id)),
            Op::Work => {
                let values = if self.ranges.is_some() { step.value } else { 0 };
                levels.pin(step.shaping | values);
            }
        }
    }
}
