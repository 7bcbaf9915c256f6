//! Conversions between element types, and between what is stored and what is computed with.

use super::lanes::solid;
use super::masks::zero_of;
use super::{Emitter, Kind, Result, Val, full, rep};
use ir::algo::{CmpOp, Overflow, Round};
use ir::tile::{Arg, Buf, EwOp};
use isa::num;
use isa::types::Elem;

impl Emitter<'_> {
    /// One conversion instruction between machine types, on a value of any kind.
    pub(crate) fn convert(
        &mut self,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Val {
        let kind = solid(Self::kind_of(val));
        let source = self.materialise(kind, from, val);
        let dst = self.temp(kind, to);
        let dims = self.dims(kind);
        self.b
            .ew(EwOp::Cast(round, overflow), dst, full(source), None, dims);
        Val::Buf(kind, dst)
    }

    pub(super) fn cast(
        &mut self,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Result<Val> {
        if from == to {
            return Ok(val);
        }
        match (from, to) {
            (Elem::Bool, _) => {
                let one_or_zero = self.as_number(val);
                self.cast(one_or_zero, Elem::F32, to, Round::Even, Overflow::Saturate)
            }
            (_, Elem::Bool) => self.compare(CmpOp::Ne, from, val, zero_of(from)),
            _ if from.is_int() && to.is_int() => Ok(self.int_to_int(val, to, overflow)),
            _ if from.is_int() => Ok(self.int_to_float(val, from, to, round, overflow)),
            _ if to.is_int() => Ok(self.float_to_int(val, from, to, round, overflow)),
            _ => Ok(self.float_to_float(val, from, to, round, overflow)),
        }
    }

    pub(super) fn float_to_float(
        &mut self,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Val {
        let held = rep(from);
        match to {
            Elem::Bf16 => {
                let wide = self.widen(val, held);
                if round == Round::Odd {
                    return self.odd_bf16(wide, overflow);
                }
                let narrow = self.convert(wide, Elem::F32, Elem::Bf16, round, overflow);
                self.convert(narrow, Elem::Bf16, Elem::F32, Round::Even, Overflow::Keep)
            }
            Elem::F16 => self.convert(val, Elem::F32, Elem::F16, round, overflow),
            Elem::F32 | Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
                self.widen(val, held)
            }
        }
    }

    /// An f32 rounded to odd in bf16, which no instruction does. Of the two bf16 around it the even one is the middle
    /// rounded to even; the odd one is what remains of their sum. An exact one is both.
    fn odd_bf16(&mut self, val: Val, overflow: Overflow) -> Val {
        let wide = Elem::F32;
        let [low, high] = [Round::Floor, Round::Ceil].map(|round| {
            let narrow = self.convert(val, wide, Elem::Bf16, round, Overflow::Saturate);
            self.convert(narrow, Elem::Bf16, wide, Round::Even, Overflow::Keep)
        });
        let half = Val::Bits(0.5f32.to_bits());
        let [a, b] = [low, high].map(|end| self.ew2(EwOp::Mul, wide, end, half));
        let middle = self.ew2(EwOp::Add, wide, a, b);
        let even = self.convert(middle, wide, Elem::Bf16, Round::Even, Overflow::Saturate);
        let even = self.convert(even, Elem::Bf16, wide, Round::Even, Overflow::Keep);
        let rest = self.ew2(EwOp::Sub, wide, low, even);
        let odd = self.ew2(EwOp::Add, wide, rest, high);
        // Keeps the sign of a zero, which the sum loses.
        let odd = self.ew2(EwOp::Min, wide, odd, high);
        let odd = self.ew2(EwOp::Max, wide, odd, low);
        if overflow == Overflow::Saturate {
            return odd;
        }
        // Infinities and NaN stay: their difference with themselves is no number.
        let nothing = self.ew2(EwOp::Sub, wide, val, val);
        let finite = self.compare_floats(CmpOp::Eq, wide, nothing, Val::Bits(0));
        self.pick(wide, finite, odd, val)
    }

    /// A float held in f16 or f32 as f32.
    pub(crate) fn widen(&mut self, val: Val, held: Elem) -> Val {
        match (held, val) {
            (Elem::F16, Val::Bits(bits)) => {
                let half = u16::try_from(bits & 0xffff).unwrap_or(0);
                Val::Bits(num::f16_to_f32(half).to_bits())
            }
            (Elem::F16, _) => self.convert(val, Elem::F16, Elem::F32, Round::Even, Overflow::Keep),
            _ => val,
        }
    }

    pub(super) fn float_to_int(
        &mut self,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Val {
        let wide = self.widen(val, rep(from));
        let int = self.convert(wide, Elem::F32, Elem::I32, round, overflow);
        match to {
            Elem::I8 | Elem::U8 | Elem::I16 if overflow == Overflow::Wrap => self.wrap(to, int),
            Elem::I8 | Elem::U8 | Elem::I16 => self.clamp(int, to),
            Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I32 | Elem::Bool => int,
        }
    }

    pub(super) fn clamp(&mut self, val: Val, to: Elem) -> Val {
        let (lo, hi) = int_range(to);
        let low = self.ew2(EwOp::Max, Elem::I32, val, Val::Scalar(Arg::Const(lo)));
        self.ew2(EwOp::Min, Elem::I32, low, Val::Scalar(Arg::Const(hi)))
    }

    pub(super) fn int_to_int(&mut self, val: Val, to: Elem, overflow: Overflow) -> Val {
        match to {
            Elem::I8 | Elem::U8 | Elem::I16 if overflow == Overflow::Wrap => self.wrap(to, val),
            Elem::I8 | Elem::U8 | Elem::I16 => self.clamp(val, to),
            Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I32 | Elem::Bool => val,
        }
    }

    pub(super) fn int_to_float(
        &mut self,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Val {
        let small = matches!(from, Elem::I8 | Elem::U8 | Elem::I16);
        let val = if to == Elem::Bf16 && !small {
            self.sticky(val)
        } else {
            val
        };
        // i32 → f32 → f16 rounds once: what f32 cannot hold exactly is beyond the range of f16.
        let first = if to == Elem::F32 { round } else { Round::Even };
        let wide = self.convert(val, Elem::I32, Elem::F32, first, Overflow::Saturate);
        self.float_to_float(wide, Elem::F32, to, round, overflow)
    }

    /// An integer that f32 holds exactly and that rounds to bf16 as the given one does: where f32 does not hold it, the
    /// low eight bits are replaced by one above them that says whether any was set.
    pub(super) fn sticky(&mut self, val: Val) -> Val {
        let int = Elem::I32;
        let constant = |x| Val::Scalar(Arg::Const(x));
        let float = self.convert(val, int, Elem::F32, Round::Even, Overflow::Keep);
        let back = self.convert(float, Elem::F32, int, Round::Even, Overflow::Saturate);
        let exact = self.compare_ints(CmpOp::Eq, val, back);
        let low = self.ew2(EwOp::And, int, val, constant(0xff));
        let none = self.compare_ints(CmpOp::Eq, low, constant(0));
        let mark = self.pick(int, none, constant(0), constant(0x100));
        let high = self.ew2(EwOp::And, int, val, constant(!0xff));
        let marked = self.ew2(EwOp::Or, int, high, mark);
        self.pick(int, exact, val, marked)
    }

    /// A value as loaded, brought into its representation.
    pub(super) fn as_computed(&mut self, elem: Elem, kind: Kind, buf: Buf) -> Val {
        let val = Val::Buf(kind, buf);
        match elem {
            Elem::F32 | Elem::F16 | Elem::I32 | Elem::I64 => val,
            Elem::Bf16 => self.convert(val, Elem::Bf16, Elem::F32, Round::Even, Overflow::Keep),
            Elem::I8 | Elem::U8 => {
                let half = self.convert(val, elem, Elem::F16, Round::Even, Overflow::Saturate);
                self.convert(half, Elem::F16, Elem::I32, Round::Even, Overflow::Saturate)
            }
            Elem::I16 => {
                let wide = self.convert(val, Elem::I16, Elem::F32, Round::Even, Overflow::Saturate);
                self.convert(wide, Elem::F32, Elem::I32, Round::Even, Overflow::Saturate)
            }
            Elem::Bool => {
                let half = self.convert(val, Elem::U8, Elem::F16, Round::Even, Overflow::Saturate);
                self.ew2(EwOp::Cmp(CmpOp::Ne), Elem::F16, half, Val::Bits(0))
            }
        }
    }

    /// A value brought from its representation into a buffer that can be stored.
    pub(crate) fn as_stored(&mut self, elem: Elem, kind: Kind, val: Val) -> Buf {
        let held = rep(elem);
        let round = Round::Even;
        match elem {
            Elem::Bool => {
                let number = self.mask_at(kind, val);
                let number = self.as_number(number);
                let half = self.convert(number, Elem::F32, Elem::F16, round, Overflow::Saturate);
                let dst = self.out_buf("y", kind, Elem::U8);
                self.convert_into(dst, kind, Elem::F16, half)
            }
            Elem::F32 | Elem::F16 | Elem::I32 | Elem::I64 => {
                let buf = self.materialise(kind, held, val);
                let depth = self.out_depth;
                let data = &mut self.b.func.bufs[buf];
                data.depth = data.depth.max(depth);
                buf
            }
            Elem::Bf16 => {
                // The value is a bf16 already, perhaps an infinity: nothing may saturate.
                let source = self.materialise(kind, held, val);
                let dst = self.out_buf("y", kind, Elem::Bf16);
                let dims = self.dims(kind);
                let exact = EwOp::Cast(Round::Even, Overflow::Keep);
                self.b.ew(exact, dst, full(source), None, dims);
                dst
            }
            Elem::I8 | Elem::U8 => {
                let source = self.materialise(kind, held, val);
                let wide = self.convert(
                    Val::Buf(kind, source),
                    Elem::I32,
                    Elem::F32,
                    round,
                    Overflow::Saturate,
                );
                let half = self.convert(wide, Elem::F32, Elem::F16, round, Overflow::Saturate);
                let dst = self.out_buf("y", kind, elem);
                self.convert_into(dst, kind, Elem::F16, half)
            }
            Elem::I16 => {
                let source = self.materialise(kind, held, val);
                let wide = self.convert(
                    Val::Buf(kind, source),
                    Elem::I32,
                    Elem::F32,
                    round,
                    Overflow::Saturate,
                );
                let dst = self.out_buf("y", kind, elem);
                self.convert_into(dst, kind, Elem::F32, wide)
            }
        }
    }

    pub(super) fn convert_into(&mut self, dst: Buf, kind: Kind, from: Elem, val: Val) -> Buf {
        let source = self.materialise(kind, from, val);
        let dims = self.dims(kind);
        self.b.ew(
            EwOp::Cast(Round::Even, Overflow::Saturate),
            dst,
            full(source),
            None,
            dims,
        );
        dst
    }
}

/// The least and greatest value of an integer type.
pub(crate) fn int_range(elem: Elem) -> (i64, i64) {
    match elem {
        Elem::I8 => (-128, 127),
        Elem::U8 => (0, 255),
        Elem::I16 => (-32768, 32767),
        Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I32 | Elem::Bool => {
            (i64::from(i32::MIN), i64::from(i32::MAX))
        }
    }
}

pub(super) fn storage(elem: Elem) -> Elem {
    if elem == Elem::Bool { Elem::U8 } else { elem }
}

pub(super) fn storage_bits(bits: u32, elem: Elem) -> i64 {
    let held = i64::from(bits);
    if elem == Elem::Bf16 { held >> 16 } else { held }
}
