//! Conditions as bit masks: comparisons, logic, selection.

use super::lanes::solid;
use super::{Emitter, Kind, Result, Val, float_bits, full, rep};
use crate::errors;
use crate::tiling::builder::whole;
use ir::algo::{BinaryOp, CmpOp, Expr};
use ir::tile::{Arg, Buf, EwOp, Op, Operand, ScalarOp};
use isa::types::Elem;

impl Emitter<'_> {
    pub(super) fn compare(&mut self, op: CmpOp, of: Elem, a: Val, b: Val) -> Result<Val> {
        if let (Val::Scalar(x), Val::Scalar(y)) = (a, b)
            && of.is_int()
        {
            return Ok(Val::Scalar(self.b.cmp(op, x, y)));
        }
        match rep(of) {
            Elem::Bool => {
                let (a, b) = (self.as_number(a), self.as_number(b));
                Ok(self.compare_floats(op, Elem::F32, a, b))
            }
            Elem::I32 => Ok(self.compare_ints(op, a, b)),
            rep @ (Elem::F32
            | Elem::F16
            | Elem::Bf16
            | Elem::I64
            | Elem::I16
            | Elem::I8
            | Elem::U8) => Ok(self.compare_floats(op, rep, a, b)),
        }
    }

    pub(super) fn compare_floats(&mut self, op: CmpOp, rep: Elem, a: Val, b: Val) -> Val {
        match (a, b) {
            (Val::Bits(_) | Val::Scalar(_), Val::Buf(..)) => {
                self.ew2(EwOp::Cmp(flip(op)), rep, b, a)
            }
            _ => self.ew2(EwOp::Cmp(op), rep, a, b),
        }
    }

    /// The machine compares i32 for equality only: `a <= b` is `max(a, b) == b`.
    pub(super) fn compare_ints(&mut self, op: CmpOp, a: Val, b: Val) -> Val {
        match op {
            CmpOp::Eq => self.equal_ints(a, b),
            CmpOp::Ne => {
                let equal = self.equal_ints(a, b);
                self.ew1(EwOp::Not, Elem::Bool, equal)
            }
            CmpOp::Le => {
                let top = self.ew2(EwOp::Max, Elem::I32, a, b);
                self.equal_ints(top, b)
            }
            CmpOp::Ge => self.compare_ints(CmpOp::Le, b, a),
            CmpOp::Lt | CmpOp::Gt => {
                let (lo, hi) = if op == CmpOp::Lt { (a, b) } else { (b, a) };
                let at_least = self.compare_ints(CmpOp::Le, hi, lo);
                self.ew1(EwOp::Not, Elem::Bool, at_least)
            }
        }
    }

    pub(super) fn equal_ints(&mut self, a: Val, b: Val) -> Val {
        let (a, b) = if matches!(a, Val::Buf(..)) {
            (a, b)
        } else {
            (b, a)
        };
        self.ew2(EwOp::Cmp(CmpOp::Eq), Elem::I32, a, b)
    }

    pub(super) fn logic(&mut self, expr: Expr, op: BinaryOp, a: Val, b: Val) -> Result<Val> {
        if let (Val::Scalar(x), Val::Scalar(y)) = (a, b)
            && let BinaryOp::And | BinaryOp::Or = op
        {
            let op = if op == BinaryOp::And {
                ScalarOp::And
            } else {
                ScalarOp::Or
            };
            return Ok(Val::Scalar(self.b.scalar(op, x, y)));
        }
        let op = match op {
            BinaryOp::And => EwOp::And,
            BinaryOp::Or => EwOp::Or,
            BinaryOp::Xor => return Ok(self.xor_masks(a, b)),
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Rem
            | BinaryOp::Max
            | BinaryOp::Min
            | BinaryOp::Shl
            | BinaryOp::Shr => {
                let span = self.algo.exprs[expr].span;
                return Err(errors::not_compiled(
                    span,
                    "arithmetic on bool is not compiled",
                ));
            }
        };
        let kind = solid(Self::kind_of(a).join(Self::kind_of(b)));
        let (a, b) = (self.mask_at(kind, a), self.mask_at(kind, b));
        Ok(self.ew2(op, Elem::Bool, a, b))
    }

    pub(super) fn xor_masks(&mut self, a: Val, b: Val) -> Val {
        let kind = solid(Self::kind_of(a).join(Self::kind_of(b)));
        let (a, b) = (self.mask_at(kind, a), self.mask_at(kind, b));
        self.xor(Elem::Bool, a, b)
    }

    pub(super) fn not_mask(&mut self, a: Val) -> Result<Val> {
        Ok(match a {
            Val::Bits(x) => Val::Bits(x ^ 1),
            Val::Scalar(x) => Val::Scalar(self.b.cmp(CmpOp::Eq, x, 0)),
            Val::Buf(..) => self.ew1(EwOp::Not, Elem::Bool, a),
        })
    }

    /// A bool as f32 0 or 1 of its own kind.
    pub(super) fn as_number(&mut self, val: Val) -> Val {
        match val {
            Val::Bits(x) => Val::Bits(float_bits(f64::from(x), Elem::F32)),
            Val::Scalar(x) => {
                let one = i64::from(float_bits(1.0, Elem::F32));
                Val::Scalar(self.b.mul(x, one))
            }
            Val::Buf(kind, mask) => {
                let one = self.fill(kind, Elem::F32, Operand::Bits(float_bits(1.0, Elem::F32)));
                let zero = self.fill(kind, Elem::F32, Operand::Bits(0));
                let dst = self.temp(kind, Elem::F32);
                self.push_select(dst, kind, mask, full(one), full(zero));
                Val::Buf(kind, dst)
            }
        }
    }

    /// A bool as a mask of a wider kind.
    pub(super) fn mask_at(&mut self, kind: Kind, val: Val) -> Val {
        let val = self.in_one_row(kind, val);
        if matches!(val, Val::Buf(k, _) if k == kind) || kind == Kind::Uniform {
            return val;
        }
        let number = self.as_number(val);
        let wide = self.materialise(kind, Elem::F32, number);
        self.ew2(
            EwOp::Cmp(CmpOp::Ne),
            Elem::F32,
            Val::Buf(kind, wide),
            Val::Bits(0),
        )
    }

    pub(super) fn select(&mut self, elem: Elem, c: Val, a: Val, b: Val) -> Result<Val> {
        if let Val::Bits(c) = c {
            return Ok(if c != 0 { a } else { b });
        }
        if let (Val::Scalar(c), Val::Scalar(x), Val::Scalar(y)) = (c, a, b)
            && elem == Elem::I64
        {
            let difference = self.b.sub(x, y);
            let chosen = self.b.mul(c, difference);
            return Ok(Val::Scalar(self.b.add(y, chosen)));
        }
        if elem == Elem::Bool {
            let not = self.not_mask(c)?;
            let joined = [c, a, b]
                .into_iter()
                .map(Self::kind_of)
                .fold(Kind::Uniform, Kind::join);
            let kind = solid(joined);
            let [c, not, a, b] = [c, not, a, b].map(|v| self.mask_at(kind, v));
            let yes = self.ew2(EwOp::And, Elem::Bool, c, a);
            let no = self.ew2(EwOp::And, Elem::Bool, not, b);
            return Ok(self.ew2(EwOp::Or, Elem::Bool, yes, no));
        }
        Ok(self.pick(rep(elem), c, a, b))
    }

    /// Chooses between values held as `rep`, which is no mask.
    pub(super) fn pick(&mut self, rep: Elem, c: Val, a: Val, b: Val) -> Val {
        let joined = [c, a, b]
            .into_iter()
            .map(Self::kind_of)
            .fold(Kind::Uniform, Kind::join);
        let kind = solid(joined);
        let mask = self.mask_at(kind, c);
        let mask = self.materialise(kind, Elem::Bool, mask);
        let (a, b) = (
            self.materialise(kind, rep, a),
            self.materialise(kind, rep, b),
        );
        let dst = self.temp(kind, rep);
        self.push_select(dst, kind, mask, full(a), full(b));
        Val::Buf(kind, dst)
    }

    pub(super) fn push_select(&mut self, dst: Buf, kind: Kind, mask: Buf, a: Operand, b: Operand) {
        let (rows, cols) = self.dims(kind);
        self.b.push(Op::Ew {
            op: EwOp::Select,
            dst: whole(dst),
            a: full(mask),
            b: Some(a),
            c: Some(b),
            rows,
            cols,
        });
    }
}

pub(super) fn flip(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Lt => CmpOp::Gt,
        CmpOp::Le => CmpOp::Ge,
        CmpOp::Gt => CmpOp::Lt,
        CmpOp::Ge => CmpOp::Le,
        CmpOp::Eq | CmpOp::Ne => op,
    }
}

pub(super) fn zero_of(elem: Elem) -> Val {
    if elem.is_float() {
        Val::Bits(0)
    } else {
        Val::Scalar(Arg::Const(0))
    }
}
