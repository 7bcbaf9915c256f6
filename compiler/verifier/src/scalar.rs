//! Registers as far as they are known, and the arithmetic of the scalar unit on them.
//!
//! A value is known exactly or not at all: a value that comes from memory is *unknown*, and so is all that is computed from
//! it. Of an unknown address it is remembered in which tensor its known part lies. Knows no memory and no order.

use isa::inst::*;

use crate::program::Calc;

/// No tensor.
pub(crate) const NOWHERE: u8 = u8::MAX;

/// The registers of a core.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Registers {
    pub(crate) x: [u64; Reg::COUNT],
    /// General registers whose value is not known, one bit each.
    pub(crate) unknown: u32,
    /// For an unknown register the region of global memory that it points into, if it does.
    pub(crate) region: [u8; Reg::COUNT],
    pub(crate) spr: [u64; Spr::COUNT],
    /// Special registers whose value is not known.
    pub(crate) spr_unknown: u32,
    pub(crate) lanes: Lanes,
    pub(crate) lanes_unknown: bool,
    pub(crate) va: [u128; 8],
    pub(crate) va_unknown: u8,
}

impl Regs for Registers {
    fn reg(&self, reg: Reg) -> u64 {
        self.x[reg.index()]
    }

    fn spr(&self, spr: Spr) -> u64 {
        self.spr[spr.index()]
    }

    fn lanes(&self) -> Lanes {
        self.lanes
    }

    fn va(&self, number: u64) -> u128 {
        self.va[(number & 7) as usize]
    }
}

impl Registers {
    /// As at launch.
    pub(crate) fn new() -> Registers {
        let mut spr = [0; Spr::COUNT];
        spr[Spr::Ctrl.index()] = Spr::CTRL_RESET;
        Registers {
            x: [0; Reg::COUNT],
            unknown: 0,
            region: [NOWHERE; Reg::COUNT],
            spr,
            spr_unknown: 0,
            lanes: Lanes::ALL,
            lanes_unknown: false,
            va: [0; 8],
            va_unknown: 0,
        }
    }

    pub(crate) fn is_unknown(&self, reg: Reg) -> bool {
        self.unknown >> reg.index() & 1 == 1
    }

    /// The value, if it is known.
    pub(crate) fn value(&self, operand: XVal) -> Option<i64> {
        match operand {
            XVal::Reg(reg) if self.is_unknown(reg) => None,
            XVal::Reg(_) | XVal::Imm(_) => Some(operand.get(self)),
        }
    }

    pub(crate) fn put(&mut self, dst: Reg, value: u64) {
        self.x[dst.index()] = value;
        self.unknown &= !(1 << dst.index());
        self.region[dst.index()] = NOWHERE;
    }

    pub(crate) fn put_unknown(&mut self, dst: Reg, region: u8) {
        self.x[dst.index()] = 0;
        self.unknown |= 1 << dst.index();
        self.region[dst.index()] = region;
    }

    /// Puts the lanes in force, and bit 56 of CTRL with them.
    pub(crate) fn set_lanes(&mut self, lanes: Lanes) {
        self.lanes = lanes;
        self.lanes_unknown = false;
        let ctrl = &mut self.spr[Spr::Ctrl.index()];
        match lanes {
            Lanes::Mask(..) => *ctrl &= !Spr::CTRL_COUNT,
            Lanes::Count(_) => *ctrl |= Spr::CTRL_COUNT,
        }
    }

    /// Writes a special register; bit 56 of CTRL says what the mask means.
    pub(crate) fn write_spr(&mut self, spr: Spr, value: Option<u64>) {
        let bit = 1 << spr.index();
        self.spr[spr.index()] = value.unwrap_or(0);
        match value {
            Some(_) => self.spr_unknown &= !bit,
            None => self.spr_unknown |= bit,
        }
        if spr == Spr::Ctrl {
            let counts = self.spr(Spr::Ctrl) & Spr::CTRL_COUNT != 0;
            self.lanes = match self.lanes {
                Lanes::Mask(low, _) if counts => Lanes::Count(low & u64::from(u32::MAX)),
                Lanes::Count(count) if !counts => Lanes::Mask(count, 0),
                same @ (Lanes::Mask(..) | Lanes::Count(_)) => same,
            };
            self.lanes_unknown |= value.is_none();
        }
    }
}

/// The result of integer arithmetic; none for a division by zero.
pub(crate) fn calculate(calc: Calc, a: i64, b: i64) -> Option<i64> {
    Some(match calc {
        Calc::Mov => a,
        Calc::Add => a.wrapping_add(b),
        Calc::Sub => a.wrapping_sub(b),
        Calc::Mul => a.wrapping_mul(b),
        Calc::Div | Calc::Rem | Calc::Udiv | Calc::Urem if b == 0 => return None,
        Calc::Div => a.wrapping_div(b),
        Calc::Rem => a.wrapping_rem(b),
        Calc::Udiv => (a as u64 / b as u64) as i64,
        Calc::Urem => (a as u64 % b as u64) as i64,
        Calc::And => a & b,
        Calc::Or => a | b,
        Calc::Xor => a ^ b,
        Calc::Shl => a.wrapping_shl(b as u32),
        Calc::Shr => (a as u64).wrapping_shr(b as u32) as i64,
        Calc::Sar => a.wrapping_shr(b as u32),
        Calc::Min => a.min(b),
        Calc::Max => a.max(b),
        Calc::Not => !a,
        Calc::Abs => a.wrapping_abs(),
        Calc::Neg => a.wrapping_neg(),
        Calc::Clz => i64::from(a.leading_zeros()),
        Calc::Ones => i64::from(a.count_ones()),
        Calc::Zeros => i64::from(a.count_zeros()),
        Calc::FirstOne => lowest(a),
        Calc::FirstZero => lowest(!a),
        Calc::SetBit => a | 1_i64.wrapping_shl(b as u32),
        Calc::ClearBit => a & !1_i64.wrapping_shl(b as u32),
    })
}

fn lowest(bits: i64) -> i64 {
    match bits {
        0 => -1,
        _ => i64::from(bits.trailing_zeros()),
    }
}

/// What a comparison gives; none for floats, which are not followed.
pub(crate) fn compare(cond: Cond, ty: ScalarTy, a: i64, b: i64) -> Option<bool> {
    match ty {
        ScalarTy::S64 => Some(holds(cond, &a, &b)),
        ScalarTy::U64 => Some(holds(cond, &(a as u64), &(b as u64))),
        ScalarTy::F32 => None,
    }
}

/// Whether a condition holds of two ordered values.
pub(crate) fn holds<T: Ord>(cond: Cond, a: &T, b: &T) -> bool {
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
    }
}
