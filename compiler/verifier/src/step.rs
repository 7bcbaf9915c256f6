//! What the scalar unit does by itself: arithmetic, loads and stores, control flow; a branch on data goes both ways.

use isa::effects::ScalarAccess;
use isa::inst::{Cond, Lanes, Reg, Regs as _, Spr, XVal};
use isa::types::{PAST_L2, Pipe, Space};

use crate::core::{Core, DEPTH, Frame};
use crate::order::{SCALAR, STORES};
use crate::program::{Calc, Op, Program};
use crate::refusal::Reason;
use crate::scalar::{NOWHERE, calculate, compare, holds};
use crate::work::Stop;
use crate::world::{Assumed, World};

type Done = Result<(), Stop>;

fn stop<T>(reason: Reason) -> Result<T, Stop> {
    Err((reason, None))
}

fn flow<T>(what: &'static str) -> Result<T, Stop> {
    stop(Reason::ControlFlow(what))
}

impl Core {
    /// Executes an instruction of the scalar unit and goes on behind it.
    pub(crate) fn execute_scalar(&mut self, world: &mut World<'_>, op: Op) -> Done {
        let pc = self.pc;
        self.pc = pc + 1;
        match op {
            Op::Nop => {}
            Op::End => self.ended = true,
            Op::Trap(code) => return stop(Reason::Trap(code)),
            Op::Put(dst, value) => self.regs.put(dst, value),
            Op::Calc(calc, dst, a, b) => return self.calc(world, (calc, dst), a, b),
            Op::Madd(dst, a, b, c) => self.madd(world, dst, a, (b, c)),
            Op::Cmp(cond, ty, dst, a, b) => {
                let known = self.regs.value(a).zip(self.regs.value(b));
                match known.and_then(|(a, b)| compare(cond, ty, a, b)) {
                    Some(holds) => self.regs.put(dst, holds.into()),
                    None => self.regs.put_unknown(dst, NOWHERE),
                }
            }
            Op::Sel(dst, c, a, b) => self.select(dst, c, a, b),
            Op::Opaque(dst) => self.regs.put_unknown(dst, NOWHERE),
            Op::Load(access, dst) => return self.load(world, pc, &access, dst),
            Op::Store(access) => {
                self.pc = pc;
                self.touch_scalar(world, &access)?;
                self.pc = pc + 1;
            }
            Op::Rdspr(dst, spr) => return self.read_spr(dst, spr),
            Op::Wrspr(spr, src) => {
                let value = self.regs.value(src).map(|value| value as u64);
                self.regs.write_spr(spr, value);
            }
            Op::Mask(lo, hi) => {
                if self.regs.is_unknown(lo) || self.regs.is_unknown(hi) {
                    self.regs.lanes_unknown = true;
                } else {
                    let (lo, hi) = (self.regs.reg(lo), self.regs.reg(hi));
                    self.regs.set_lanes(Lanes::Mask(lo, hi));
                }
            }
            Op::Count(count) => match self.regs.value(count) {
                None => self.regs.lanes_unknown = true,
                Some(count @ 0..) => self.regs.set_lanes(Lanes::Count(count as u64)),
                Some(_) => return flow("a negative count of elements"),
            },
            Op::Va(va, lo, hi) => {
                let va = (va & 7) as usize;
                let vague = self.regs.is_unknown(lo) || self.regs.is_unknown(hi);
                self.regs.va_unknown &= !(1 << va);
                self.regs.va_unknown |= u8::from(vague) << va;
                let (lo, hi) = (self.regs.reg(lo), self.regs.reg(hi));
                self.regs.va[va] = u128::from(hi) << 64 | u128::from(lo);
            }
            Op::Clean(place) => self.clean(pc, place),
            Op::Dsb => self.order.stores_done = self.order.issued[STORES],
            Op::Jmp(target) => self.pc = target,
            Op::Bcc(cond, a, b, target) => return self.branch(world, pc, (cond, a, b), target),
            Op::Loop(count, end) => return self.enter_loop(world, pc, count, end),
            Op::Endloop => return self.end_loop(world, pc),
            Op::Call(target) => return self.call(pc, target),
            Op::Ret => match self.calls.pop() {
                Some(back) => self.pc = back,
                None => return flow("a `ret` outside a subroutine"),
            },
            Op::JumpTo(reg) => self.pc = self.destination(world, reg)?,
            Op::CallTo(reg) => {
                let target = self.destination(world, reg)?;
                return self.call(pc, target);
            }
            Op::Set(..)
            | Op::Wait(..)
            | Op::Bar
            | Op::BarAll
            | Op::Xset(..)
            | Op::Xwait(..)
            | Op::Work => {}
        }
        Ok(())
    }

    /// Cleans a line of the data cache, or all; one that data chooses may be any, so none is surely cleaned.
    fn clean(&mut self, pc: u32, place: Option<(Reg, i64)>) {
        let count = match self.cached.has_stores() {
            true => self.begin(SCALAR, pc),
            // Nothing has to be written back, so nobody asks when it was.
            false => 0,
        };
        match place {
            None => self.cached.clean(None, count),
            Some((base, _)) if self.regs.is_unknown(base) => {}
            Some((base, offset)) => {
                let address = self.regs.reg(base).wrapping_add_signed(offset);
                let line = self.cached.line(address);
                self.cached.clean(Some(line), count);
            }
        }
    }

    fn calc(&mut self, world: &mut World<'_>, (calc, dst): (Calc, Reg), a: XVal, b: XVal) -> Done {
        let divides = matches!(calc, Calc::Div | Calc::Rem | Calc::Udiv | Calc::Urem);
        match (self.regs.value(a), self.regs.value(b)) {
            (Some(a), Some(b)) => match calculate(calc, a, b) {
                Some(value) => self.regs.put(dst, value as u64),
                None => return stop(Reason::DivisionByZero),
            },
            (_, Some(0)) if divides => return stop(Reason::DivisionByZero),
            (_, divisor) => {
                if divides && divisor.is_none() {
                    world.assume(self.name.kind(), self.pc - 1, Assumed::Divisor);
                }
                let region = match calc {
                    Calc::Mov => self.region(world, a),
                    Calc::Add => self.region(world, a).min(self.region(world, b)),
                    Calc::Sub => self.region(world, a),
                    Calc::Mul
                    | Calc::Div
                    | Calc::Rem
                    | Calc::Udiv
                    | Calc::Urem
                    | Calc::And
                    | Calc::Or
                    | Calc::Xor
                    | Calc::Shl
                    | Calc::Shr
                    | Calc::Sar
                    | Calc::Min
                    | Calc::Max
                    | Calc::Not
                    | Calc::Abs
                    | Calc::Neg
                    | Calc::Clz
                    | Calc::Ones
                    | Calc::Zeros
                    | Calc::FirstOne
                    | Calc::FirstZero
                    | Calc::SetBit
                    | Calc::ClearBit => NOWHERE,
                };
                self.regs.put_unknown(dst, region);
            }
        }
        Ok(())
    }

    fn madd(&mut self, world: &World<'_>, dst: Reg, a: Reg, (b, c): (XVal, XVal)) {
        let a = self.regs.value(XVal::Reg(a));
        match (a, self.regs.value(b), self.regs.value(c)) {
            (Some(a), Some(b), Some(c)) => {
                let value = a.wrapping_mul(b).wrapping_add(c);
                self.regs.put(dst, value as u64);
            }
            _ => {
                let region = self.region(world, c);
                self.regs.put_unknown(dst, region);
            }
        }
    }

    /// Binds levels to the rounds in which the known parts of an address that data gives point into the same tensor.
    pub(crate) fn stay_in_region(&mut self, world: &World<'_>, parts: &[XVal]) {
        if parts.iter().all(|&part| self.regs.value(part).is_some()) {
            return;
        }
        for &part in parts {
            if let (XVal::Reg(reg), Some(value)) = (part, self.regs.value(part)) {
                let address = value as u64 & !PAST_L2;
                let range = world.gm.around(address);
                self.levels.stay(reg, address as i64, range);
            }
        }
    }

    /// The tensor that a value points into, if it does.
    fn region(&self, world: &World<'_>, value: XVal) -> u8 {
        match value {
            XVal::Reg(reg) if self.regs.is_unknown(reg) => self.regs.region[reg.index()],
            XVal::Reg(reg) => {
                let address = self.regs.reg(reg) & !PAST_L2;
                let region = world.gm.region_of(address);
                region
                    .and_then(|region| u8::try_from(region).ok())
                    .unwrap_or(NOWHERE)
            }
            XVal::Imm(_) => NOWHERE,
        }
    }

    fn select(&mut self, dst: Reg, c: Reg, a: XVal, b: XVal) {
        let (x, y) = (self.regs.value(a), self.regs.value(b));
        let chosen = match self.regs.is_unknown(c) {
            true => x.filter(|_| x == y),
            false if self.regs.reg(c) != 0 => x,
            false => y,
        };
        match chosen {
            Some(value) => self.regs.put(dst, value as u64),
            None => self.regs.put_unknown(dst, NOWHERE),
        }
    }

    fn load(&mut self, world: &mut World<'_>, pc: u32, access: &ScalarAccess, dst: Reg) -> Done {
        self.pc = pc;
        let value = self.touch_scalar(world, access)?;
        self.pc = pc + 1;
        if access.step != 0 {
            match self.regs.is_unknown(access.base) {
                true => {
                    let region = self.regs.region[access.base.index()];
                    self.regs.put_unknown(access.base, region);
                }
                false => {
                    let next = self.regs.reg(access.base).wrapping_add_signed(access.step);
                    self.regs.put(access.base, next);
                }
            }
        }
        if !self.levels.is_empty() {
            self.levels.put(dst);
        }
        match value {
            // A word of the parameter block fills the register, so its sign needs no care.
            Some(word) => self.regs.put(dst, word),
            None => self.regs.put_unknown(dst, NOWHERE),
        }
        Ok(())
    }

    fn read_spr(&mut self, dst: Reg, spr: Spr) -> Done {
        if matches!(spr, Spr::RsvdCnt | Spr::MrgCnt) {
            if self.order.known[SCALAR][Pipe::V.index()] < self.counted {
                return stop(Reason::UnorderedResult);
            }
            self.regs.put_unknown(dst, NOWHERE);
        } else if self.regs.spr_unknown >> spr.index() & 1 == 1 {
            self.regs.put_unknown(dst, NOWHERE);
        } else {
            self.regs.put(dst, self.regs.spr(spr));
        }
        Ok(())
    }

    fn enter_loop(&mut self, world: &World<'_>, pc: u32, count: XVal, end: u32) -> Done {
        let steps = &world.programs[self.name.kind() as usize].steps;
        let closes = steps
            .get(end as usize)
            .map(|step| matches!(step.op, Op::Endloop));
        if end <= pc || closes != Some(true) {
            return flow("a loop does not name its `endloop`");
        }
        let Some(left) = self.regs.value(count) else {
            return stop(Reason::Unknown("data decides how often a loop runs"));
        };
        if left < 1 {
            self.pc = end + 1;
            return Ok(());
        }
        if self.loops.len() >= DEPTH {
            return flow("more than 16 nested hardware loops");
        }
        let body = pc + 1;
        self.entered += 1;
        self.loops.push(Frame::new((body, end), left, self.entered));
        Ok(())
    }

    /// Leaves the innermost loop; what it has read and written counts for the one around.
    fn leave_loop(&mut self, world: &mut World<'_>) {
        let Some(mut frame) = self.loops.pop() else {
            return;
        };
        frame.end_round();
        let (read, written) = frame.all();
        if let Some(around) = self.loops.last_mut() {
            around.read |= read & !around.written;
            around.written |= written;
        }
        self.unwatch(world, frame.watch);
    }

    fn end_loop(&mut self, world: &mut World<'_>, pc: u32) -> Done {
        match self.loops.last_mut() {
            Some(frame) if frame.end == pc => {
                frame.left -= 1;
                if frame.left > 0 {
                    self.pc = frame.body;
                } else {
                    self.leave_loop(world);
                }
                Ok(())
            }
            Some(_) | None => flow("an `endloop` outside its loop"),
        }
    }

    fn call(&mut self, pc: u32, target: u32) -> Done {
        if self.calls.len() >= DEPTH {
            return flow("more than 16 nested calls");
        }
        self.calls.push(pc + 1);
        self.pc = target;
        Ok(())
    }

    fn destination(&self, world: &World<'_>, reg: Reg) -> Result<u32, Stop> {
        if self.regs.is_unknown(reg) {
            return stop(Reason::Unknown("data decides where a jump goes"));
        }
        let length = world.programs[self.name.kind() as usize].code.len() as u64;
        match self.regs.reg(reg) {
            target if target < length => Ok(target as u32),
            _ => flow("a jump leaves the section"),
        }
    }

    fn branch(
        &mut self,
        world: &mut World<'_>,
        pc: u32,
        (cond, a, b): (Cond, Reg, XVal),
        target: u32,
    ) -> Done {
        let known = self.regs.value(XVal::Reg(a)).zip(self.regs.value(b));
        if let Some((a, b)) = known {
            if holds(cond, &a, &b) {
                self.pc = target;
            }
            return Ok(());
        }
        let program = &world.programs[self.name.kind() as usize];
        match arms(program, pc, target) {
            Some((arms, end)) => self.both_ways(world, arms, end),
            None => stop(Reason::Unknown(
                "data decides a branch around more than scalar work",
            )),
        }
    }

    /// Goes both ways of a branch around scalar work and takes what holds either way.
    ///
    /// Loads and stores of both arms are entered one behind the other: the scalar unit keeps them in order among
    /// themselves, and to everybody else it is as if all had happened. A byte holds a value if both arms store it.
    fn both_ways(&mut self, world: &mut World<'_>, arms: [Arm; 2], end: u32) -> Done {
        if self.branch_stores.is_some() {
            return stop(Reason::Unknown(
                "data decides a branch inside such a branch",
            ));
        }
        self.levels.fail();
        let before = self.regs.clone();
        let (order, heard) = (self.order.known[SCALAR], self.heard[SCALAR].clone());
        let done = self.order.stores_done;
        let cached = self.cached.clone();
        let mut ways = Vec::new();
        let mut stored = Vec::new();
        let mut after = Vec::new();
        // What both arms have learned; of stores, how many are not known to be over.
        let (mut learned, mut open) = ([u32::MAX; crate::order::LANES], 0);
        for (from, to) in arms {
            self.regs = before.clone();
            self.order.known[SCALAR] = order;
            self.order.stores_done = done;
            self.cached = cached.clone();
            self.branch_stores = Some(Vec::new());
            self.pc = from;
            while self.pc < to {
                let op = world.programs[self.name.kind() as usize].steps[self.pc as usize].op;
                world.count_step().map_err(|reason| (reason, None))?;
                if matches!(op, Op::BarAll) {
                    if !self.bar_all() {
                        let what = "a branch that data decides waits for queues";
                        return stop(Reason::Unknown(what));
                    }
                    continue;
                }
                self.execute_scalar(world, op)?;
            }
            for (both, one) in learned.iter_mut().zip(&self.order.known[SCALAR]) {
                *both = (*both).min(*one);
            }
            open = open.max(self.order.issued[STORES] - self.order.stores_done);
            stored.push(self.branch_stores.take().unwrap_or_default());
            after.push(self.regs.clone());
            ways.push(self.cached.clone());
        }
        self.cached.clear();
        ways.iter().for_each(|way| self.cached.join(way));
        let stores = self.order.issued[STORES];
        learned[STORES] = stores;
        self.order.known[SCALAR] = learned;
        self.order.stores_done = match open {
            0 => stores,
            _ => done,
        };
        self.heard[SCALAR] = heard;
        for &(start, stop) in &stored[0] {
            if stored[1].contains(&(start, stop)) {
                self.local.set(Space::Ub, start, stop);
            }
        }
        self.regs = joined(&after[0], &after[1]);
        self.pc = end;
        Ok(())
    }

    /// Notes a store to UB in a branch that data decides; false outside of one.
    pub(crate) fn store_in_branch(&mut self, start: u32, end: u32) -> bool {
        match &mut self.branch_stores {
            Some(stores) => {
                stores.push((start, end));
                true
            }
            None => false,
        }
    }
}

/// First instruction of an arm and the one behind its last.
type Arm = (u32, u32);

/// The two arms of a branch and where they meet, if both are straight scalar work.
fn arms(program: &Program, pc: u32, target: u32) -> Option<([Arm; 2], u32)> {
    if target <= pc {
        return None;
    }
    let op = |at: u32| program.steps.get(at as usize).map(|step| step.op);
    let (first, end) = match op(target - 1) {
        Some(Op::Jmp(end)) if target - 1 > pc && end > target => ((pc + 1, target - 1), end),
        Some(_) | None => ((pc + 1, target), target),
    };
    let second = (target, end);
    let plain = |(from, to): Arm| (from..to).all(|at| op(at).is_some_and(is_plain));
    (plain(first) && plain(second)).then_some(([first, second], end))
}

/// Whether an instruction neither orders queues nor moves control.
fn is_plain(op: Op) -> bool {
    match op {
        Op::Nop
        | Op::Put(..)
        | Op::Calc(..)
        | Op::Madd(..)
        | Op::Cmp(..)
        | Op::Sel(..)
        | Op::Opaque(_)
        | Op::Load(..)
        | Op::Store(..)
        | Op::BarAll
        | Op::Clean(_)
        | Op::Dsb => true,
        Op::End
        | Op::Trap(_)
        | Op::Rdspr(..)
        | Op::Wrspr(..)
        | Op::Jmp(_)
        | Op::Bcc(..)
        | Op::Loop(..)
        | Op::Endloop
        | Op::Call(_)
        | Op::Ret
        | Op::JumpTo(_)
        | Op::CallTo(_)
        | Op::Mask(..)
        | Op::Count(_)
        | Op::Va(..)
        | Op::Set(..)
        | Op::Wait(..)
        | Op::Bar
        | Op::Xset(..)
        | Op::Xwait(..)
        | Op::Work => false,
    }
}

/// What is known of the registers either way. Only general registers differ: arms change no others.
fn joined(a: &crate::scalar::Registers, b: &crate::scalar::Registers) -> crate::scalar::Registers {
    let mut both = a.clone();
    for index in 0..Reg::COUNT {
        let reg = Reg(index as u8);
        let same = !a.is_unknown(reg) && !b.is_unknown(reg) && a.x[index] == b.x[index];
        if !same {
            let region = match a.region[index] == b.region[index] {
                true => a.region[index],
                false => NOWHERE,
            };
            both.put_unknown(reg, region);
        }
    }
    both
}
