//! Arithmetic in the type an element is held in, and what brings results back into narrow types.

use super::{Emitter, Result, Val, float_bits, rep};
use crate::errors;
use ir::algo::{BinaryOp, CmpOp, Expr, Overflow, Round, UnaryOp};
use ir::tile::{Arg, EwOp, ScalarOp};
use isa::types::Elem;

impl Emitter<'_> {
    pub(super) fn unary(&mut self, expr: Expr, op: UnaryOp, a: Val) -> Result<Val> {
        let elem = self.algo.exprs[expr].elem;
        let rep = rep(elem);
        let out = match op {
            UnaryOp::Not => return self.not_mask(a),
            UnaryOp::Neg if elem.is_float() => return Ok(self.negate(rep, a)),
            UnaryOp::Neg => self.ew2(EwOp::Mul, rep, a, Val::Scalar(Arg::Const(-1))),
            UnaryOp::Abs if elem.is_float() => return Ok(self.ew1(EwOp::Abs, rep, a)),
            UnaryOp::Abs => {
                let neg = self.ew2(EwOp::Mul, rep, a, Val::Scalar(Arg::Const(-1)));
                self.ew2(EwOp::Max, rep, a, neg)
            }
            UnaryOp::Exp => self.ew1(EwOp::Exp, rep, a),
            UnaryOp::Ln => self.ew1(EwOp::Ln, rep, a),
            UnaryOp::Sqrt => self.ew1(EwOp::Sqrt, rep, a),
            UnaryOp::Round(round) => return Ok(self.round_integral(rep, a, round)),
            UnaryOp::Hf32 => {
                let span = self.algo.exprs[expr].span;
                return Err(Box::new(errors::hf32_alone(span)));
            }
            UnaryOp::BitNot => self.ew1(EwOp::Not, rep, a),
        };
        Ok(self.settle(elem, out))
    }

    /// Of f16 the machine turns the sign bit alone; the maximum makes a NaN the usual one and changes nothing else.
    pub(super) fn negate(&mut self, rep: Elem, a: Val) -> Val {
        let turned = self.ew1(EwOp::Neg, rep, a);
        if rep != Elem::F16 {
            return turned;
        }
        let least = Val::Bits(float_bits(f64::NEG_INFINITY, rep));
        self.ew2(EwOp::Max, rep, turned, least)
    }

    pub(super) fn round_integral(&mut self, rep: Elem, a: Val, round: Round) -> Val {
        if rep == Elem::F32 {
            return self.ew1(EwOp::Round(round), rep, a);
        }
        let wide = self.convert(a, rep, Elem::F32, Round::Even, Overflow::Keep);
        let whole = self.ew1(EwOp::Round(round), Elem::F32, wide);
        self.convert(whole, Elem::F32, rep, Round::Even, Overflow::Keep)
    }

    pub(super) fn binary(&mut self, expr: Expr, op: BinaryOp, a: Val, b: Val) -> Result<Val> {
        let data = &self.algo.exprs[expr];
        let elem = data.elem;
        if elem == Elem::Bool {
            return self.logic(expr, op, a, b);
        }
        if let (Val::Scalar(x), Val::Scalar(y)) = (a, b)
            && elem == Elem::I64
            && let Some(op) = scalar_op(op)
        {
            return Ok(Val::Scalar(self.b.scalar(op, x, y)));
        }
        let rep = rep(elem);
        let out = match op {
            BinaryOp::Add => self.ew2(EwOp::Add, rep, a, b),
            BinaryOp::Sub => self.subtract(rep, a, b),
            BinaryOp::Mul => self.ew2(EwOp::Mul, rep, a, b),
            // These give an operand, or bits of operands of one width: nothing to bring back into range.
            BinaryOp::Max => return Ok(self.ew2(EwOp::Max, rep, a, b)),
            BinaryOp::Min => return Ok(self.ew2(EwOp::Min, rep, a, b)),
            BinaryOp::Div if elem.is_float() => match inverse(rep, b) {
                Some(inverse) => self.ew2(EwOp::Mul, rep, a, inverse),
                None => self.ew2(EwOp::Div, rep, a, b),
            },
            BinaryOp::And => return Ok(self.ew2(EwOp::And, rep, a, b)),
            BinaryOp::Or => return Ok(self.ew2(EwOp::Or, rep, a, b)),
            BinaryOp::Xor => return Ok(self.xor(rep, a, b)),
            BinaryOp::Shl | BinaryOp::Shr if matches!(b, Val::Scalar(Arg::Const(_))) => {
                let op = if op == BinaryOp::Shl {
                    EwOp::Shl
                } else {
                    EwOp::Shr
                };
                self.ew2(op, rep, a, shift_amount(b, elem))
            }
            BinaryOp::Div => self.divide_ints(elem, a, b).0,
            BinaryOp::Rem => self.divide_ints(elem, a, b).1,
            BinaryOp::Shl => self.shift_ints(EwOp::Shl, elem, a, b),
            BinaryOp::Shr => self.shift_ints(EwOp::Shr, elem, a, b),
        };
        Ok(self.settle(elem, out))
    }

    pub(super) fn subtract(&mut self, rep: Elem, a: Val, b: Val) -> Val {
        // a - c is a + (-c) bit for bit: negation is exact.
        match b {
            Val::Bits(c) => {
                let sign = if rep == Elem::F16 {
                    0x8000
                } else {
                    0x8000_0000
                };
                self.ew2(EwOp::Add, rep, a, Val::Bits(c ^ sign))
            }
            Val::Scalar(Arg::Const(c)) if rep == Elem::I32 => {
                self.ew2(EwOp::Add, rep, a, Val::Scalar(Arg::Const(c.wrapping_neg())))
            }
            Val::Scalar(_) | Val::Buf(..) => self.ew2(EwOp::Sub, rep, a, b),
        }
    }

    pub(super) fn xor(&mut self, rep: Elem, a: Val, b: Val) -> Val {
        let either = self.ew2(EwOp::Or, rep, a, b);
        let both = self.ew2(EwOp::And, rep, a, b);
        let not_both = self.ew1(EwOp::Not, rep, both);
        self.ew2(EwOp::And, rep, either, not_both)
    }

    /// Quotient and remainder of integers, which the vector unit does not divide: in f32, truncated.
    ///
    /// Up to 16 bits the f32 quotient truncates to the right integer. Of 32 bits it is off by up to 2^9, so what remains
    /// is divided once more; that leaves an error of at most one, which the signs of the remainder show.
    pub(super) fn divide_ints(&mut self, elem: Elem, a: Val, b: Val) -> (Val, Val) {
        let first = self.rough_quotient(a, b);
        let rest = self.remainder(a, first, b);
        if elem.bytes() < 4 {
            return (first, rest);
        }
        let second = self.rough_quotient(rest, b);
        let quotient = self.ew2(EwOp::Add, Elem::I32, first, second);
        let rest = self.remainder(rest, second, b);
        let step = self.missing_step(a, rest, b);
        let quotient = self.ew2(EwOp::Add, Elem::I32, quotient, step);
        (quotient, self.remainder(rest, step, b))
    }

    pub(super) fn rough_quotient(&mut self, a: Val, b: Val) -> Val {
        let [a, b] =
            [a, b].map(|v| self.convert(v, Elem::I32, Elem::F32, Round::Even, Overflow::Keep));
        let quotient = self.ew2(EwOp::Div, Elem::F32, a, b);
        self.convert(
            quotient,
            Elem::F32,
            Elem::I32,
            Round::Trunc,
            Overflow::Saturate,
        )
    }

    /// `a - q * b` in the low 32 bits.
    pub(super) fn remainder(&mut self, a: Val, q: Val, b: Val) -> Val {
        let taken = self.ew2(EwOp::Mul, Elem::I32, q, b);
        self.ew2(EwOp::Sub, Elem::I32, a, taken)
    }

    /// 1 or -1 where `rest` still holds a `b` or has not the sign of the dividend `a`, else 0.
    pub(super) fn missing_step(&mut self, a: Val, rest: Val, b: Val) -> Val {
        let int = Elem::I32;
        let minus_one = Val::Scalar(Arg::Const(-1));
        // Magnitudes are compared as negative numbers: those have room for the least integer.
        let [rest_below, b_below] = [rest, b].map(|v| {
            let flipped = self.ew2(EwOp::Mul, int, v, minus_one);
            self.ew2(EwOp::Min, int, v, flipped)
        });
        let holds = self.compare_ints(CmpOp::Le, rest_below, b_below);
        let crossed = self.xor(int, rest, a);
        let zero = Val::Scalar(Arg::Const(0));
        let other_sign = self.compare_ints(CmpOp::Lt, crossed, zero);
        let some = self.compare_ints(CmpOp::Ne, rest, zero);
        let turned = self.both(other_sign, some);
        let kind = Self::kind_of(holds).join(Self::kind_of(turned));
        let [holds, turned] = [holds, turned].map(|m| self.mask_at(kind, m));
        let needed = self.ew2(EwOp::Or, Elem::Bool, holds, turned);
        let signs = self.xor(int, rest, b);
        let side = self.ew2(EwOp::Shr, int, signs, Val::Scalar(Arg::Const(31)));
        let twice = self.ew2(EwOp::Add, int, side, side);
        let step = self.ew2(EwOp::Add, int, twice, Val::Scalar(Arg::Const(1)));
        self.pick(int, needed, step, zero)
    }

    pub(super) fn both(&mut self, a: Val, b: Val) -> Val {
        let kind = Self::kind_of(a).join(Self::kind_of(b));
        let [a, b] = [a, b].map(|m| self.mask_at(kind, m));
        self.ew2(EwOp::And, Elem::Bool, a, b)
    }

    /// A shift by an amount that differs per element: one step for each bit of the amount modulo the width.
    pub(super) fn shift_ints(&mut self, op: EwOp, elem: Elem, a: Val, amount: Val) -> Val {
        let width = 8 * i64::try_from(elem.bytes()).unwrap_or(4);
        let mut value = a;
        let mut bit = 1;
        while bit < width {
            let constant = Val::Scalar(Arg::Const(bit));
            let present = self.ew2(EwOp::And, Elem::I32, amount, constant);
            let present = self.compare_ints(CmpOp::Eq, present, constant);
            let shifted = self.ew2(op, Elem::I32, value, constant);
            value = self.pick(Elem::I32, present, shifted, value);
            bit *= 2;
        }
        value
    }

    /// Brings the result of one operation into the value set of its element type.
    pub(super) fn settle(&mut self, elem: Elem, val: Val) -> Val {
        match elem {
            Elem::Bf16 => {
                let narrow =
                    self.convert(val, Elem::F32, Elem::Bf16, Round::Even, Overflow::Saturate);
                self.convert(
                    narrow,
                    Elem::Bf16,
                    Elem::F32,
                    Round::Even,
                    Overflow::Saturate,
                )
            }
            Elem::I8 | Elem::I16 | Elem::U8 => self.wrap(elem, val),
            Elem::F32 | Elem::F16 | Elem::I64 | Elem::I32 | Elem::Bool => val,
        }
    }

    /// Keeps the low bits of an i32 as a narrower integer.
    pub(super) fn wrap(&mut self, elem: Elem, val: Val) -> Val {
        let unused = 32 - 8 * i64::try_from(elem.bytes()).unwrap_or(4);
        if elem == Elem::U8 {
            return self.ew2(EwOp::And, Elem::I32, val, Val::Scalar(Arg::Const(0xff)));
        }
        let up = self.ew2(EwOp::Shl, Elem::I32, val, Val::Scalar(Arg::Const(unused)));
        self.ew2(EwOp::Shr, Elem::I32, up, Val::Scalar(Arg::Const(unused)))
    }
}

pub(super) fn shift_amount(b: Val, elem: Elem) -> Val {
    match b {
        Val::Scalar(Arg::Const(x)) => {
            let width = 8 * i64::try_from(elem.bytes()).unwrap_or(4);
            Val::Scalar(Arg::Const(x.rem_euclid(width)))
        }
        Val::Scalar(Arg::Val(_)) | Val::Bits(_) | Val::Buf(..) => b,
    }
}

pub(super) fn scalar_op(op: BinaryOp) -> Option<ScalarOp> {
    match op {
        BinaryOp::Add => Some(ScalarOp::Add),
        BinaryOp::Sub => Some(ScalarOp::Sub),
        BinaryOp::Mul => Some(ScalarOp::Mul),
        BinaryOp::Div => Some(ScalarOp::Div),
        BinaryOp::Rem => Some(ScalarOp::Rem),
        BinaryOp::Max => Some(ScalarOp::Max),
        BinaryOp::Min => Some(ScalarOp::Min),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Xor | BinaryOp::Shl | BinaryOp::Shr => None,
    }
}

/// What multiplies as a constant divides, to the same bits: one through a power of two, if it is a normal number.
fn inverse(rep: Elem, b: Val) -> Option<Val> {
    let Val::Bits(bits) = b else {
        return None;
    };
    let exponent = bits >> 23 & 0xff;
    let power = rep == Elem::F32 && bits & 0x007f_ffff == 0 && (1..=253).contains(&exponent);
    power.then(|| Val::Bits(bits & 0x8000_0000 | (254 - exponent) << 23))
}
