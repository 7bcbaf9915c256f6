//! A program as the verifier runs it: each scalar instruction in one of few forms, every other one as work for a queue.
//!
//! Made once from the instruction table's values, so that the loop that runs it is a plain match. Knows no state.

use isa::effects::ScalarAccess;
use isa::inst::*;
use isa::types::Pipe;

/// What the scalar unit does with an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Nothing that matters here.
    Nop,
    End,
    Trap(u16),
    Put(Reg, u64),
    Calc(Calc, Reg, XVal, XVal),
    Madd(Reg, Reg, XVal, XVal),
    Cmp(Cond, ScalarTy, Reg, XVal, XVal),
    Sel(Reg, Reg, XVal, XVal),
    /// A result that is not followed: floating point.
    Opaque(Reg),
    Load(ScalarAccess, Reg),
    Store(ScalarAccess),
    Rdspr(Reg, Spr),
    Wrspr(Spr, XVal),
    Jmp(u32),
    Bcc(Cond, Reg, XVal, u32),
    Loop(XVal, u32),
    Endloop,
    Call(u32),
    Ret,
    JumpTo(Reg),
    CallTo(Reg),
    Mask(Reg, Reg),
    Count(XVal),
    Va(u64, Reg, Reg),
    Dsb,
    /// Of the line of the data cache that holds an address, or of all lines.
    Clean(Option<(Reg, i64)>),
    /// Of a flag of a pair of pipes, by its place in [`Program::pairs`].
    Set(usize, Val<3>),
    Wait(usize, Val<3>),
    Bar,
    BarAll,
    Xset(u8, Val<4>),
    Xwait(Val<4>),
    /// For the queue of its pipe.
    Work,
}

/// Integer arithmetic of two operands; those of one ignore the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calc {
    Mov,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Udiv,
    Urem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Sar,
    Min,
    Max,
    Not,
    Abs,
    Neg,
    Clz,
    Ones,
    Zeros,
    FirstOne,
    FirstZero,
    SetBit,
    ClearBit,
}

/// An instruction, its form and its queue.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) lane: Pipe,
    /// Registers that decide what it touches: all it reads but plain values and addresses of global memory.
    pub(crate) shaping: u32,
    /// Registers that it reads, and those it writes.
    pub(crate) reads: u32,
    pub(crate) writes: u32,
    /// The register whose value goes into the data, as a bit.
    pub(crate) value: u32,
}

/// A program of one kind of core.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) code: Vec<Inst>,
    pub(crate) steps: Vec<Step>,
    /// The pairs of pipes that have flags.
    pub(crate) pairs: Vec<(Pipe, Pipe)>,
}

impl Program {
    pub(crate) fn new(code: &[Inst]) -> Program {
        let mut pairs = Vec::new();
        Program {
            code: code.to_vec(),
            steps: code.iter().map(|inst| step(inst, &mut pairs)).collect(),
            pairs,
        }
    }

    /// Whether any instruction gathers, so that integers in UB matter.
    pub(crate) fn gathers(&self) -> bool {
        let gathers = |inst: &Inst| matches!(inst, Inst::Vgather(_) | Inst::Vgatherb(_));
        self.code.iter().any(gathers)
    }

    /// Whether any instruction sets counters of cores in other groups.
    pub(crate) fn crosses_groups(&self) -> bool {
        let crosses = |step: &Step| matches!(step.op, Op::Xset(0, _));
        self.steps.iter().any(crosses)
    }

    /// Whether any instruction sets or awaits a counter of another core.
    pub(crate) fn crosses(&self) -> bool {
        let crosses = |step: &Step| matches!(step.op, Op::Xset(..) | Op::Xwait(..));
        self.steps.iter().any(crosses)
    }
}

fn step(inst: &Inst, pairs: &mut Vec<(Pipe, Pipe)>) -> Step {
    let lane = inst.queue();
    let op = op(inst, lane, pairs);
    let mut uses = Uses::default();
    inst.visit(&mut uses);
    let value = value_of(inst);
    let registers = inst.registers();
    Step {
        op,
        lane,
        shaping: uses.shaping(value),
        reads: registers.reads,
        writes: registers.writes,
        value: value.map_or(0, |reg| 1 << reg.index()),
    }
}

/// How often each register is read, and as what.
#[derive(Default)]
struct Uses {
    reads: [u8; Reg::COUNT],
    global: [u8; Reg::COUNT],
}

impl Visitor for Uses {
    fn reads(&mut self, reg: Reg) {
        self.reads[reg.index()] += 1;
    }

    fn memory(&mut self, memory: MemRef) {
        if let (isa::types::Space::Gm, Addr::Reg(reg)) = (memory.space, memory.at) {
            self.global[reg.index()] += 1;
        }
    }
}

impl Uses {
    /// Those that are read for more than their value and more than a global address.
    fn shaping(&self, value: Option<Reg>) -> u32 {
        let mut shaping = 0;
        for index in 0..Reg::COUNT {
            let as_value = u8::from(value.is_some_and(|reg| reg.index() == index));
            let left = self.reads[index].saturating_sub(as_value);
            if left > self.global[index] {
                shaping |= 1 << index;
            }
        }
        shaping
    }
}

/// The register whose value goes into the data and decides nothing else.
fn value_of(inst: &Inst) -> Option<Reg> {
    let scalar = if let Inst::Vadds(Vadds { scalar, .. })
    | Inst::Vmuls(Vmuls { scalar, .. })
    | Inst::Vmaxs(Vmaxs { scalar, .. })
    | Inst::Vmins(Vmins { scalar, .. })
    | Inst::Vshl(Vshl { scalar, .. })
    | Inst::Vshr(Vshr { scalar, .. })
    | Inst::Vaxpy(Vaxpy { scalar, .. })
    | Inst::Vlrelu(Vlrelu { scalar, .. })
    | Inst::Vcmpvs(Vcmpvs { scalar, .. }) = *inst
    {
        scalar
    } else if let Inst::Vdup(Vdup { scalar, .. }) | Inst::Viota(Viota { scalar, .. }) = *inst {
        scalar
    } else if let Inst::FillL0a(FillL0a { value, .. })
    | Inst::FillL0b(FillL0b { value, .. })
    | Inst::FillL1(FillL1 { value, .. }) = *inst
    {
        value
    } else {
        return None;
    };
    match scalar {
        VecScalar::Reg(reg) => Some(reg),
        VecScalar::Imm(_) => None,
    }
}

fn op(inst: &Inst, lane: Pipe, pairs: &mut Vec<(Pipe, Pipe)>) -> Op {
    arithmetic(inst)
        .or_else(|| control(inst))
        .or_else(|| memory(inst))
        .or_else(|| ordering(inst, lane, pairs))
        .unwrap_or(Op::Work)
}

fn arithmetic(inst: &Inst) -> Option<Op> {
    let none = XVal::Imm(0);
    let reg = |x: XIn| XVal::Reg(x.0);
    let calc = |calc, dst: XOut, a, b| Some(Op::Calc(calc, dst.0, a, b));
    if let Inst::Li(i) = inst {
        Some(Op::Put(i.dst.0, i.value.0 as u64))
    } else if let Inst::Mov(i) = inst {
        calc(Calc::Mov, i.dst, reg(i.a), none)
    } else if let Inst::Add(i) = inst {
        calc(Calc::Add, i.dst, i.a, i.b)
    } else if let Inst::Sub(i) = inst {
        calc(Calc::Sub, i.dst, i.a, i.b)
    } else if let Inst::Mul(i) = inst {
        calc(Calc::Mul, i.dst, i.a, i.b)
    } else if let Inst::Madd(i) = inst {
        Some(Op::Madd(i.dst.0, i.a.0, i.b, i.c))
    } else if let Inst::Div(i) = inst {
        calc(Calc::Div, i.dst, i.a, i.b)
    } else if let Inst::Rem(i) = inst {
        calc(Calc::Rem, i.dst, i.a, i.b)
    } else if let Inst::Udiv(i) = inst {
        calc(Calc::Udiv, i.dst, i.a, i.b)
    } else if let Inst::Urem(i) = inst {
        calc(Calc::Urem, i.dst, i.a, i.b)
    } else if let Inst::And(i) = inst {
        calc(Calc::And, i.dst, i.a, i.b)
    } else if let Inst::Or(i) = inst {
        calc(Calc::Or, i.dst, i.a, i.b)
    } else if let Inst::Xor(i) = inst {
        calc(Calc::Xor, i.dst, i.a, i.b)
    } else if let Inst::Shl(i) = inst {
        calc(Calc::Shl, i.dst, i.a, i.b)
    } else if let Inst::Shr(i) = inst {
        calc(Calc::Shr, i.dst, i.a, i.b)
    } else if let Inst::Sar(i) = inst {
        calc(Calc::Sar, i.dst, i.a, i.b)
    } else if let Inst::Min(i) = inst {
        calc(Calc::Min, i.dst, i.a, i.b)
    } else if let Inst::Max(i) = inst {
        calc(Calc::Max, i.dst, i.a, i.b)
    } else if let Inst::Cmp(i) = inst {
        Some(Op::Cmp(i.cond, i.ty, i.dst.0, i.a, i.b))
    } else if let Inst::Sel(i) = inst {
        Some(Op::Sel(i.dst.0, i.c.0, i.a, i.b))
    } else {
        single(inst)
    }
}

/// Arithmetic of one operand, bits, and what is not followed.
fn single(inst: &Inst) -> Option<Op> {
    let none = XVal::Imm(0);
    let reg = |x: XIn| XVal::Reg(x.0);
    let calc = |calc, dst: XOut, a, b| Some(Op::Calc(calc, dst.0, a, b));
    let chosen = |kind, ones, zeros| match kind {
        BitKind::Ones => ones,
        BitKind::Zeros => zeros,
    };
    if let Inst::Not(i) = inst {
        calc(Calc::Not, i.dst, reg(i.a), none)
    } else if let Inst::Abs(i) = inst {
        calc(Calc::Abs, i.dst, reg(i.a), none)
    } else if let Inst::Neg(i) = inst {
        calc(Calc::Neg, i.dst, reg(i.a), none)
    } else if let Inst::Clz(i) = inst {
        calc(Calc::Clz, i.dst, reg(i.a), none)
    } else if let Inst::Popc(i) = inst {
        let kind = chosen(i.bit, Calc::Ones, Calc::Zeros);
        calc(kind, i.dst, reg(i.a), none)
    } else if let Inst::Ffs(i) = inst {
        let kind = chosen(i.bit, Calc::FirstOne, Calc::FirstZero);
        calc(kind, i.dst, reg(i.a), none)
    } else if let Inst::Bset(i) = inst {
        let kind = chosen(i.bit, Calc::SetBit, Calc::ClearBit);
        calc(kind, i.dst, reg(i.a), i.b)
    } else if let Inst::Fadd(Fadd { dst, .. })
    | Inst::Fsub(Fsub { dst, .. })
    | Inst::Fmul(Fmul { dst, .. })
    | Inst::Fdiv(Fdiv { dst, .. })
    | Inst::Fmax(Fmax { dst, .. })
    | Inst::Fmin(Fmin { dst, .. })
    | Inst::Fsqrt(Fsqrt { dst, .. })
    | Inst::Cvt(Cvt { dst, .. }) = *inst
    {
        Some(Op::Opaque(dst.0))
    } else {
        None
    }
}

fn control(inst: &Inst) -> Option<Op> {
    Some(if matches!(inst, Inst::Nop(_)) {
        Op::Nop
    } else if matches!(inst, Inst::End(_)) {
        Op::End
    } else if let Inst::Trap(i) = inst {
        Op::Trap(i.code.0 as u16)
    } else if let Inst::Jmp(i) = inst {
        Op::Jmp(i.target.0)
    } else if let Inst::Bcc(i) = inst {
        Op::Bcc(i.cond, i.a.0, i.b, i.target.0)
    } else if let Inst::Loop(i) = inst {
        Op::Loop(i.count, i.end.0)
    } else if matches!(inst, Inst::Endloop(_)) {
        Op::Endloop
    } else if let Inst::Call(i) = inst {
        Op::Call(i.target.0)
    } else if matches!(inst, Inst::Ret(_)) {
        Op::Ret
    } else if let Inst::Jmpr(i) = inst {
        Op::JumpTo(i.target.0)
    } else if let Inst::Callr(i) = inst {
        Op::CallTo(i.target.0)
    } else {
        return None;
    })
}

fn memory(inst: &Inst) -> Option<Op> {
    Some(if let Some(access) = ScalarAccess::of(inst) {
        if matches!(inst, Inst::St(_)) {
            Op::Store(access)
        } else if let Inst::Ld(Ld { dst, .. })
        | Inst::Lds(Lds { dst, .. })
        | Inst::LdPost(LdPost { dst, .. }) = *inst
        {
            Op::Load(access, dst.0)
        } else {
            return None;
        }
    } else if let Inst::Rdspr(i) = inst {
        Op::Rdspr(i.dst.0, i.spr)
    } else if let Inst::Wrspr(i) = inst {
        Op::Wrspr(i.spr, i.src)
    } else if let Inst::Vsetmask(i) = inst {
        Op::Mask(i.lo.0, i.hi.0)
    } else if let Inst::Vsetcount(i) = inst {
        Op::Count(i.count)
    } else if let Inst::Vseta(i) = inst {
        Op::Va(i.va.0, i.lo.0, i.hi.0)
    } else if let Inst::DcciLine(i) = inst {
        Op::Clean(Some((i.base.0, i.offset.0)))
    } else if matches!(inst, Inst::Dcci(_)) {
        Op::Clean(None)
    } else if matches!(inst, Inst::Dsb(_) | Inst::DsbKind(_)) {
        Op::Dsb
    } else {
        return None;
    })
}

/// Flags, barriers and counters. A flag without two pipes of its own is not legal, which is found elsewhere.
fn ordering(inst: &Inst, lane: Pipe, pairs: &mut Vec<(Pipe, Pipe)>) -> Option<Op> {
    let mut pair = |src: PipeOp, dst: PipeOp| {
        let named = |pipe: PipeOp| pipe.pipe().unwrap_or(lane);
        let pair = (named(src), named(dst));
        let known = pairs.iter().position(|known| *known == pair);
        known.unwrap_or_else(|| {
            pairs.push(pair);
            pairs.len() - 1
        })
    };
    Some(if let Inst::SetFlag(i) = inst {
        Op::Set(pair(i.src, i.dst), i.id)
    } else if let Inst::WaitFlag(i) = inst {
        Op::Wait(pair(i.src, i.dst), i.id)
    } else if let Inst::Bar(i) = inst {
        match i.pipe.pipe() {
            Some(_) => Op::Bar,
            None => Op::BarAll,
        }
    } else if let Inst::Xset(i) = inst {
        Op::Xset(i.mode.0 as u8, i.id)
    } else if let Inst::Xwait(i) = inst {
        Op::Xwait(i.id)
    } else {
        return None;
    })
}
