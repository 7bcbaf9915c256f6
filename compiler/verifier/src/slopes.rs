//! How registers change from one round of a loop, or one core, to the next: a slope beside each value.
//!
//! A *level* is one direction: the round of one loop in progress, or the number of the core. Along it a register is
//! `value + round × slope`, or *vague*. Sums and products with constants keep that; a comparison, a quotient or a choice
//! keeps it for as many rounds as it comes out the same way, which is the level's limit. What a slope must not reach, such
//! as a place on chip or a flag's number, fails the level: its loop is followed round by round then. Knows no order.

use isa::inst::{Cond, Reg, ScalarTy, XVal};
use smallvec::SmallVec;

use crate::program::Calc;
use crate::scalar::Registers;

/// Levels that a core has at most.
pub(crate) const LEVELS: usize = 4;
/// The slopes of a value along each level.
pub(crate) type Slopes = [i64; LEVELS];

/// Beyond this no value is followed.
const FAR: i64 = 1 << 60;

/// One direction.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) slope: [i64; Reg::COUNT],
    /// Registers that do not change evenly, one bit each.
    pub(crate) vague: u32,
    /// The slope of the core's number.
    pub(crate) id: i64,
    /// For so many rounds every decision comes out the same.
    pub(crate) limit: i64,
    pub(crate) failed: bool,
    /// Where its decisions begin in the core's list.
    pub(crate) decisions: usize,
}

impl Level {
    /// A level with these slopes.
    pub(crate) fn new(slope: [i64; Reg::COUNT], id: i64, decisions: usize) -> Level {
        Level {
            slope,
            vague: 0,
            id,
            limit: FAR,
            failed: false,
            decisions,
        }
    }

    fn of(&self, operand: XVal) -> Option<i64> {
        match operand {
            XVal::Imm(_) => Some(0),
            XVal::Reg(reg) if self.vague >> reg.index() & 1 == 1 => None,
            XVal::Reg(reg) => Some(self.slope[reg.index()]),
        }
    }

    /// Notes what a register is along this level.
    pub(crate) fn put(&mut self, dst: Reg, slope: Option<i64>) {
        self.slope[dst.index()] = slope.unwrap_or(0);
        self.vague &= !(1 << dst.index());
        self.vague |= u32::from(slope.is_none()) << dst.index();
    }

    /// Whether any of some registers changes along it.
    fn moves(&self, registers: u32) -> bool {
        let mut rest = registers;
        while rest != 0 {
            let index = rest.trailing_zeros() as usize;
            if self.vague >> index & 1 == 1 || self.slope[index] != 0 {
                return true;
            }
            rest &= rest - 1;
        }
        false
    }

    /// Keeps the rounds in which a value stays inside a range.
    fn hold(&mut self, value: i64, slope: i64, (low, high): (i64, i64)) {
        let room = match slope {
            0 => return,
            1.. => (i128::from(high) - i128::from(value)) / i128::from(slope),
            _ => (i128::from(value) - i128::from(low)) / -i128::from(slope),
        };
        let room = i64::try_from(room).unwrap_or(FAR);
        self.limit = self.limit.min(room.max(0));
    }
}

/// A value that decided something, and the range that decides it the same way.
#[derive(Clone, Copy, Debug)]
struct Decision {
    value: i64,
    slopes: Slopes,
    range: (i64, i64),
}

/// The levels of a core, outermost first, and what was decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Levels {
    pub(crate) all: SmallVec<[Level; LEVELS]>,
    decisions: Vec<Decision>,
}

impl Levels {
    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.decisions.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Opens a level inside the others; false if there are too many.
    pub(crate) fn open(&mut self, slope: [i64; Reg::COUNT], vague: u32, id: i64) -> bool {
        if self.all.len() == LEVELS {
            return false;
        }
        let mut level = Level::new(slope, id, self.decisions.len());
        level.vague = vague;
        self.all.push(level);
        true
    }

    /// Closes the innermost level. What was decided so many rounds later too binds those around it.
    pub(crate) fn close(&mut self, rounds: i64) {
        let Some(level) = self.all.pop() else { return };
        let inner = self.all.len();
        if rounds == 0 {
            if inner == 0 {
                self.decisions.clear();
            }
            return;
        }
        for at in level.decisions..self.decisions.len() {
            let mut last = self.decisions[at];
            if last.slopes[inner] == 0 {
                continue;
            }
            last.value += rounds.saturating_mul(last.slopes[inner]);
            last.slopes[inner] = 0;
            self.decisions[at].slopes[inner] = 0;
            for (outer, level) in self.all.iter_mut().enumerate() {
                level.hold(last.value, last.slopes[outer], last.range);
            }
            self.decisions.push(last);
        }
        if inner == 0 {
            self.decisions.clear();
        }
    }

    /// Fails every level along which one of some registers changes.
    pub(crate) fn pin(&mut self, registers: u32) {
        for level in &mut self.all {
            level.failed |= level.moves(registers);
        }
    }

    /// Begins again along the innermost level: what was decided before binds it no more.
    pub(crate) fn begin_again(&mut self) {
        if let Some(level) = self.all.last_mut() {
            level.limit = FAR;
            level.failed = false;
            level.decisions = self.decisions.len();
        }
    }

    /// Fails all levels.
    pub(crate) fn fail(&mut self) {
        self.all.iter_mut().for_each(|level| level.failed = true);
    }

    /// Fails the levels along which a register changes by anything but a multiple of a number.
    pub(crate) fn pin_but_for(&mut self, reg: Reg, step: u64) {
        for level in &mut self.all {
            let even = |slope: i64| slope.unsigned_abs().is_multiple_of(step.max(1));
            level.failed |= !level.of(XVal::Reg(reg)).is_some_and(even);
        }
    }

    /// Whether some level has not failed.
    pub(crate) fn is_any_left(&self) -> bool {
        self.all.iter().any(|level| !level.failed)
    }

    /// Binds all levels to the rounds in which a register that holds a value stays in a range.
    pub(crate) fn stay(&mut self, reg: Reg, value: i64, range: (i64, i64)) {
        let slopes = self.of(reg);
        self.decide(value, slopes, range);
    }

    /// Notes a result that is the same along every level.
    pub(crate) fn put(&mut self, dst: Reg) {
        self.all
            .iter_mut()
            .for_each(|level| level.put(dst, Some(0)));
    }

    /// Notes that a register holds the core's number.
    pub(crate) fn put_id(&mut self, dst: Reg) {
        self.all
            .iter_mut()
            .for_each(|level| level.put(dst, Some(level.id)));
    }

    /// The slopes of a register; a level along which it is vague fails.
    pub(crate) fn of(&mut self, reg: Reg) -> Slopes {
        let mut slopes = [0; LEVELS];
        for (slope, level) in slopes.iter_mut().zip(&mut self.all) {
            match level.of(XVal::Reg(reg)) {
                Some(known) => *slope = known,
                None => level.failed = true,
            }
        }
        slopes
    }

    /// Slopes of two operands; vague ones are named by bits.
    fn both(&self, a: XVal, b: XVal) -> (Slopes, Slopes, u8) {
        let (mut of_a, mut of_b, mut vague) = ([0; LEVELS], [0; LEVELS], 0);
        for (n, level) in self.all.iter().enumerate() {
            match (level.of(a), level.of(b)) {
                (Some(a), Some(b)) => (of_a[n], of_b[n]) = (a, b),
                (None, _) | (_, None) => vague |= 1 << n,
            }
        }
        (of_a, of_b, vague)
    }

    /// Binds all levels to the rounds in which a value stays in a range.
    fn decide(&mut self, value: i64, slopes: Slopes, range: (i64, i64)) {
        if slopes == [0; LEVELS] {
            return;
        }
        for (level, slope) in self.all.iter_mut().zip(slopes) {
            level.hold(value, slope, range);
        }
        self.decisions.push(Decision {
            value,
            slopes,
            range,
        });
    }

    /// Binds all levels to the rounds in which two values are no larger than what differences of them can be formed of;
    /// false if they are larger now. Sides that go on alike may pass the end of the range one after the other.
    fn stay_near(&mut self, (x, of_x): (i64, Slopes), (y, of_y): (i64, Slopes)) -> bool {
        let near = |value: i64| value.unsigned_abs() <= FAR as u64;
        if !near(x) || !near(y) {
            return false;
        }
        self.decide(x, of_x, (-FAR, FAR));
        self.decide(y, of_y, (-FAR, FAR));
        true
    }

    /// Binds all levels to the sign of a difference.
    fn decide_order(&mut self, difference: i64, slopes: Slopes) {
        let range = match difference {
            ..0 => (-FAR, -1),
            0 => (0, 0),
            _ => (1, FAR),
        };
        self.decide(difference, slopes, range);
    }

    fn put_all(&mut self, dst: Reg, slopes: Slopes, vague: u8) {
        for (n, level) in self.all.iter_mut().enumerate() {
            let known = vague >> n & 1 == 0;
            level.put(dst, known.then_some(slopes[n]));
        }
    }

    /// Follows integer arithmetic, before it is done.
    pub(crate) fn calc(&mut self, regs: &Registers, (calc, dst): (Calc, Reg), a: XVal, b: XVal) {
        if let (Calc::Div | Calc::Rem | Calc::Udiv | Calc::Urem, XVal::Reg(by)) = (calc, b) {
            // One that changed might become 0.
            self.pin(1 << by.index());
        }
        let (of_a, of_b, vague) = self.both(a, b);
        let still = [0; LEVELS];
        let (Some(x), Some(y)) = (regs.value(a), regs.value(b)) else {
            return self.put_all(dst, still, 0);
        };
        if of_a == still && of_b == still {
            return self.put_all(dst, still, vague);
        }
        let each = |f: &dyn Fn(i64, i64) -> i64| {
            let mut slopes = still;
            for n in 0..LEVELS {
                slopes[n] = f(of_a[n], of_b[n]);
            }
            slopes
        };
        let constant = of_b == still;
        let power = |bits: i64| 1_i64.checked_shl(bits as u32).filter(|&size| size > 0);
        let (slopes, vague) = match calc {
            Calc::Mov => (of_a, vague),
            Calc::Add => (each(&|a, b| a.wrapping_add(b)), vague),
            Calc::Sub => (each(&|a, b| a.wrapping_sub(b)), vague),
            Calc::Neg | Calc::Not => (each(&|a, _| a.wrapping_neg()), vague),
            Calc::Mul if constant => (each(&|a, _| a.wrapping_mul(y)), vague),
            Calc::Mul if of_a == still => (each(&|_, b| b.wrapping_mul(x)), vague),
            Calc::Shl if constant => (each(&|a, _| a.wrapping_shl(y as u32)), vague),
            Calc::Min | Calc::Max if !self.stay_near((x, of_a), (y, of_b)) => {
                (still, vague | moving(of_a, of_b))
            }
            Calc::Min | Calc::Max => {
                self.decide_order(x.wrapping_sub(y), each(&|a, b| a.wrapping_sub(b)));
                let first = (calc == Calc::Min) == (x <= y);
                (if first { of_a } else { of_b }, vague)
            }
            Calc::Abs => {
                self.decide_order(x, of_a);
                let sign = x.signum();
                (each(&|a, _| a.wrapping_mul(sign)), vague)
            }
            Calc::Div | Calc::Udiv if constant => {
                return self.quotient(dst, (x, of_a), y, vague, true);
            }
            Calc::Rem | Calc::Urem if constant => {
                return self.quotient(dst, (x, of_a), y, vague, false);
            }
            Calc::Shr | Calc::Sar if constant && power(y).is_some() => {
                return self.quotient(dst, (x, of_a), power(y).unwrap_or(1), vague, true);
            }
            Calc::And if constant && (0..FAR).contains(&y) && (y + 1) & y == 0 => {
                return self.quotient(dst, (x, of_a), y + 1, vague, false);
            }
            Calc::Mul
            | Calc::Shl
            | Calc::Div
            | Calc::Udiv
            | Calc::Rem
            | Calc::Urem
            | Calc::Shr
            | Calc::Sar
            | Calc::And
            | Calc::Or
            | Calc::Xor
            | Calc::Clz
            | Calc::Ones
            | Calc::Zeros
            | Calc::FirstOne
            | Calc::FirstZero
            | Calc::SetBit
            | Calc::ClearBit => (still, vague | moving(of_a, of_b)),
        };
        self.put_all(dst, slopes, vague);
    }

    /// A quotient or a remainder by a constant, of what is not negative.
    fn quotient(
        &mut self,
        dst: Reg,
        (value, of_value): (i64, Slopes),
        size: i64,
        vague: u8,
        whole: bool,
    ) {
        if value < 0 || size <= 0 {
            let vague = vague | moving(of_value, [0; LEVELS]);
            return self.put_all(dst, [0; LEVELS], vague);
        }
        let (mut even, mut rest, mut slopes) = ([0; LEVELS], [0; LEVELS], [0; LEVELS]);
        for n in 0..LEVELS {
            let slope = of_value[n];
            match slope % size {
                0 => {
                    even[n] = slope;
                    slopes[n] = if whole { slope / size } else { 0 };
                }
                _ => {
                    rest[n] = slope;
                    slopes[n] = if whole { 0 } else { slope };
                }
            }
        }
        self.decide(value, of_value, (0, FAR));
        let below = value % size;
        if rest != [0; LEVELS] {
            // Along the others whole multiples come to it, which change no remainder.
            self.decide(below, rest, (0, size - 1));
        }
        self.put_all(dst, slopes, vague);
    }

    /// Follows `a × b + c`.
    pub(crate) fn madd(&mut self, regs: &Registers, dst: Reg, a: XVal, (b, c): (XVal, XVal)) {
        let (of_a, of_b, vague) = self.both(a, b);
        let (of_c, _, more) = self.both(c, XVal::Imm(0));
        let still = [0; LEVELS];
        let (Some(x), Some(y), Some(_)) = (regs.value(a), regs.value(b), regs.value(c)) else {
            return self.put_all(dst, still, 0);
        };
        let mut vague = vague | more;
        let mut slopes = of_c;
        for n in 0..LEVELS {
            let product = match (of_a[n], of_b[n]) {
                (a, 0) => a.wrapping_mul(y),
                (0, b) => b.wrapping_mul(x),
                (_, _) => {
                    vague |= 1 << n;
                    0
                }
            };
            slopes[n] = slopes[n].wrapping_add(product);
        }
        // A product of what changes along two levels does not change evenly along both.
        if moving(of_a, still) != 0 && moving(still, of_b) != 0 {
            vague |= moving(of_a, of_b);
        }
        self.put_all(dst, slopes, vague);
    }

    /// Follows a comparison: it comes out as now. A vague one leaves a vague result.
    pub(crate) fn compare(&mut self, regs: &Registers, ty: ScalarTy, a: XVal, b: XVal) -> u8 {
        let (of_a, of_b, vague) = self.both(a, b);
        let (Some(x), Some(y)) = (regs.value(a), regs.value(b)) else {
            return 0;
        };
        if of_a == [0; LEVELS] && of_b == [0; LEVELS] {
            return vague;
        }
        if ty == ScalarTy::U64 {
            if x < 0 || y < 0 {
                return vague | moving(of_a, of_b);
            }
            self.decide(x, of_a, (0, FAR));
            self.decide(y, of_b, (0, FAR));
        }
        if !self.stay_near((x, of_a), (y, of_b)) {
            return vague | moving(of_a, of_b);
        }
        let mut slopes = [0; LEVELS];
        for n in 0..LEVELS {
            slopes[n] = of_a[n].wrapping_sub(of_b[n]);
        }
        self.decide_order(x - y, slopes);
        vague
    }

    /// Follows a comparison into a register.
    pub(crate) fn compare_into(
        &mut self,
        regs: &Registers,
        dst: Reg,
        ty: ScalarTy,
        (a, b): (XVal, XVal),
    ) {
        let vague = self.compare(regs, ty, a, b);
        self.put_all(dst, [0; LEVELS], vague);
    }

    /// Follows a branch; a vague one fails its levels.
    pub(crate) fn branch(&mut self, regs: &Registers, _: Cond, a: XVal, b: XVal) {
        let vague = self.compare(regs, ScalarTy::S64, a, b);
        for (n, level) in self.all.iter_mut().enumerate() {
            level.failed |= vague >> n & 1 == 1;
        }
    }

    /// Follows a choice between two values.
    pub(crate) fn select(&mut self, regs: &Registers, dst: Reg, c: Reg, (a, b): (XVal, XVal)) {
        let doubtful = self.compare(regs, ScalarTy::S64, XVal::Reg(c), XVal::Imm(0));
        let (of_a, of_b, vague) = self.both(a, b);
        if regs.is_unknown(c) {
            let differ = moving(of_a, of_b);
            return self.put_all(dst, [0; LEVELS], differ | vague);
        }
        let chosen = if regs.value(XVal::Reg(c)) == Some(0) {
            of_b
        } else {
            of_a
        };
        self.put_all(dst, chosen, vague | doubtful);
    }
}

/// Levels along which either of two values changes.
fn moving(a: Slopes, b: Slopes) -> u8 {
    (0..LEVELS).fold(0, |bits, n| bits | u8::from(a[n] != 0 || b[n] != 0) << n)
}
