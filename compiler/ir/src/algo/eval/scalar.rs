//! One value and the operations on it: the mapping from the IR's operations to `isa::num`, one element at a time.
//!
//! Decides nothing about numbers: every rule is a call. Operand types are those the verifier demands; a value of
//! another type reads as zero.

use isa::num::{self, Compare};
use isa::types::Elem;

use crate::algo::data::{Data, int_format};
use crate::algo::{BinaryOp, CmpOp, ExprKind, Overflow, Round, UnaryOp};

/// A value; its element type says which integer or float it is. A bool is the integer 0 or 1.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A binary32.
    F32(f32),
    /// The bits of an f16 or bf16.
    Half(u16),
    /// An integer or bool, in range of its type.
    Int(i64),
}

impl Value {
    /// A constant node's value; `None` for other nodes.
    pub(crate) fn constant(elem: Elem, kind: &ExprKind) -> Option<Value> {
        match (kind, elem) {
            (ExprKind::Float(x), Elem::F32) => Some(Value::F32(num::f64_to_f32(*x, Round::Even))),
            (ExprKind::Float(x), Elem::F16) => Some(Value::Half(num::f64_to_f16(
                *x,
                Round::Even,
                Overflow::Keep,
            ))),
            (ExprKind::Float(x), _) => Some(Value::Half(num::f64_to_bf16(
                *x,
                Round::Even,
                Overflow::Keep,
            ))),
            (ExprKind::Int(x), _) => Some(Value::Int(*x)),
            _ => None,
        }
    }

    /// Reads an element; a NaN keeps its bits until it is computed with.
    pub(crate) fn load(elem: Elem, data: &Data, position: usize) -> Value {
        let bits = data.bits(elem, position);
        match elem {
            Elem::F32 => Value::F32(f32::from_bits(bits as u32)),
            Elem::F16 | Elem::Bf16 => Value::Half(bits as u16),
            Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
                Value::Int(data.get_i64(elem, position))
            }
        }
    }

    /// Writes an element.
    pub(crate) fn store(self, elem: Elem, data: &mut Data, position: usize) {
        let bits = match self {
            Value::F32(x) => u64::from(x.to_bits()),
            Value::Half(x) => u64::from(x),
            Value::Int(x) => x as u64,
        };
        data.set_bits(elem, position, bits);
    }

    /// Whether a bool is true.
    pub(crate) fn is_true(self) -> bool {
        self.int() != 0
    }

    pub(crate) fn int(self) -> i64 {
        if let Value::Int(x) = self { x } else { 0 }
    }

    pub(crate) fn f32(self) -> f32 {
        if let Value::F32(x) = self { x } else { 0.0 }
    }

    pub(crate) fn half(self) -> u16 {
        if let Value::Half(x) = self { x } else { 0 }
    }

    /// A float widened to f32, which is exact.
    pub(crate) fn widened(self, elem: Elem) -> f32 {
        match elem {
            Elem::F16 => num::f16_to_f32(self.half()),
            Elem::Bf16 => num::bf16_to_f32(self.half()),
            Elem::F32 | Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
                self.f32()
            }
        }
    }
}

/// The comparison of `isa::num` with this meaning.
pub(crate) fn relation(op: CmpOp) -> Compare {
    match op {
        CmpOp::Eq => Compare::Eq,
        CmpOp::Ne => Compare::Ne,
        CmpOp::Lt => Compare::Lt,
        CmpOp::Le => Compare::Le,
        CmpOp::Gt => Compare::Gt,
        CmpOp::Ge => Compare::Ge,
    }
}

/// Compares two integers.
pub(crate) fn compare_ints(op: CmpOp, a: i64, b: i64) -> bool {
    match op {
        CmpOp::Eq => a == b,
        CmpOp::Ne => a != b,
        CmpOp::Lt => a < b,
        CmpOp::Le => a <= b,
        CmpOp::Gt => a > b,
        CmpOp::Ge => a >= b,
    }
}

/// Compares two values of type `elem`.
pub(crate) fn compare(op: CmpOp, elem: Elem, a: Value, b: Value) -> Value {
    let holds = if elem.is_float() {
        num::cmp_f32(relation(op), a.widened(elem), b.widened(elem))
    } else {
        compare_ints(op, a.int(), b.int())
    };
    Value::Int(i64::from(holds))
}

/// Applies a unary operation in type `elem`.
pub(crate) fn unary(op: UnaryOp, elem: Elem, a: Value) -> Value {
    match (elem, int_format(elem)) {
        (_, Some((bits, signed))) => Value::Int(unary_int(op, a.int(), bits, signed)),
        (Elem::F16, None) => Value::Half(unary_f16(op, a.half())),
        (Elem::Bf16, None) => Value::Half(unary_bf16(op, a.half())),
        (_, None) => Value::F32(unary_f32(op, a.f32())),
    }
}

fn unary_f32(op: UnaryOp, a: f32) -> f32 {
    match op {
        UnaryOp::Neg => num::neg_f32(a),
        UnaryOp::Abs => num::abs_f32(a),
        UnaryOp::Exp => num::exp_f32(a),
        UnaryOp::Ln => num::ln_f32(a),
        UnaryOp::Sqrt => num::sqrt_f32(a),
        UnaryOp::Hf32 => num::round_hf32(a, num::Hf32::Even),
        UnaryOp::Round(round) => num::round_to_integral(a, round),
        UnaryOp::Not | UnaryOp::BitNot => a,
    }
}

fn unary_f16(op: UnaryOp, a: u16) -> u16 {
    match op {
        UnaryOp::Neg => num::f16_neg(a),
        UnaryOp::Abs => num::f16_abs(a),
        UnaryOp::Exp => num::exp_f16(a, Overflow::Saturate),
        UnaryOp::Ln => num::ln_f16(a, Overflow::Saturate),
        UnaryOp::Sqrt => num::f16_sqrt(a, Overflow::Saturate),
        UnaryOp::Round(round) => num::round_to_integral_f16(a, round),
        UnaryOp::Not | UnaryOp::BitNot | UnaryOp::Hf32 => a,
    }
}

fn unary_bf16(op: UnaryOp, a: u16) -> u16 {
    match op {
        UnaryOp::Neg => num::bf16_neg(a),
        UnaryOp::Abs => num::bf16_abs(a),
        UnaryOp::Exp => num::exp_bf16(a, Overflow::Saturate),
        UnaryOp::Ln => num::ln_bf16(a, Overflow::Saturate),
        UnaryOp::Sqrt => num::bf16_sqrt(a, Overflow::Saturate),
        UnaryOp::Round(round) => round_to_integral_bf16(a, round),
        UnaryOp::Not | UnaryOp::BitNot | UnaryOp::Hf32 => a,
    }
}

/// Rounds a bf16 to a whole number; exact, because from 128 on all bf16 are whole.
pub(crate) fn round_to_integral_bf16(a: u16, round: Round) -> u16 {
    let whole = num::round_to_integral(num::bf16_to_f32(a), round);
    num::f32_to_bf16(whole, Round::Even, Overflow::Keep)
}

/// Applies a unary operation to an integer or bool.
pub(crate) fn unary_int(op: UnaryOp, a: i64, bits: u32, signed: bool) -> i64 {
    match op {
        UnaryOp::Neg => num::int_neg(a, bits, signed),
        UnaryOp::Abs => num::int_abs(a, bits, signed),
        UnaryOp::Not | UnaryOp::BitNot => num::wrap_int(!a, bits, signed),
        UnaryOp::Exp | UnaryOp::Ln | UnaryOp::Sqrt | UnaryOp::Hf32 | UnaryOp::Round(_) => a,
    }
}

/// Applies a binary operation in type `elem`; `None` is an integer division by zero.
pub(crate) fn binary(op: BinaryOp, elem: Elem, a: Value, b: Value) -> Option<Value> {
    match (elem, int_format(elem)) {
        (_, Some((bits, signed))) => binary_int(op, a.int(), b.int(), bits, signed).map(Value::Int),
        (Elem::F16, None) => Some(Value::Half(binary_f16(op, a.half(), b.half()))),
        (Elem::Bf16, None) => Some(Value::Half(binary_bf16(op, a.half(), b.half()))),
        (_, None) => Some(Value::F32(binary_f32(op, a.f32(), b.f32()))),
    }
}

fn binary_f32(op: BinaryOp, a: f32, b: f32) -> f32 {
    match op {
        BinaryOp::Add => num::add_f32(a, b),
        BinaryOp::Sub => num::sub_f32(a, b),
        BinaryOp::Mul => num::mul_f32(a, b),
        BinaryOp::Div => num::div_f32(a, b),
        BinaryOp::Max => num::max_f32(a, b),
        BinaryOp::Min => num::min_f32(a, b),
        BinaryOp::Rem
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr => a,
    }
}

fn binary_f16(op: BinaryOp, a: u16, b: u16) -> u16 {
    match op {
        BinaryOp::Add => num::f16_add(a, b, Overflow::Saturate),
        BinaryOp::Sub => num::f16_sub(a, b, Overflow::Saturate),
        BinaryOp::Mul => num::f16_mul(a, b, Overflow::Saturate),
        BinaryOp::Div => num::f16_div(a, b, Overflow::Saturate),
        BinaryOp::Max => num::f16_max(a, b),
        BinaryOp::Min => num::f16_min(a, b),
        BinaryOp::Rem
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr => a,
    }
}

fn binary_bf16(op: BinaryOp, a: u16, b: u16) -> u16 {
    match op {
        BinaryOp::Add => num::bf16_add(a, b, Overflow::Saturate),
        BinaryOp::Sub => num::bf16_sub(a, b, Overflow::Saturate),
        BinaryOp::Mul => num::bf16_mul(a, b, Overflow::Saturate),
        BinaryOp::Div => num::bf16_div(a, b, Overflow::Saturate),
        BinaryOp::Max => num::bf16_max(a, b),
        BinaryOp::Min => num::bf16_min(a, b),
        BinaryOp::Rem
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr => a,
    }
}

/// Applies a binary operation to integers or bools; `None` is a division by zero.
#[inline]
pub(crate) fn binary_int(op: BinaryOp, a: i64, b: i64, bits: u32, signed: bool) -> Option<i64> {
    let modulo_width = b & i64::from(bits - 1);
    Some(match op {
        BinaryOp::Add => num::int_add(a, b, bits, signed),
        BinaryOp::Sub => num::int_sub(a, b, bits, signed),
        BinaryOp::Mul => num::int_mul(a, b, bits, signed),
        BinaryOp::Div => return num::int_div(a, b, bits, signed),
        BinaryOp::Rem => return num::int_rem(a, b, bits, signed),
        BinaryOp::Max => a.max(b),
        BinaryOp::Min => a.min(b),
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Shl => num::int_shl(a, modulo_width, bits, signed),
        BinaryOp::Shr => num::int_shr(a, modulo_width, bits),
    })
}

/// Converts a value of type `from` to type `to`. To bool: whether the value differs from 0.
pub(crate) fn cast(value: Value, from: Elem, to: Elem, round: Round, overflow: Overflow) -> Value {
    match int_format(from) {
        Some(_) => cast_int(value.int(), to, round, overflow),
        None => cast_float(value.widened(from), to, round, overflow),
    }
}

fn cast_int(x: i64, to: Elem, round: Round, overflow: Overflow) -> Value {
    match (to, int_format(to)) {
        (Elem::Bool, _) => Value::Int(i64::from(x != 0)),
        (_, Some((bits, signed))) => Value::Int(num::int_to_int(x, overflow, bits, signed)),
        (Elem::F16, None) => Value::Half(num::i64_to_f16(x, round, overflow)),
        (Elem::Bf16, None) => Value::Half(num::i64_to_bf16(x, round, overflow)),
        (_, None) => Value::F32(num::i64_to_f32(x, round)),
    }
}

fn cast_float(x: f32, to: Elem, round: Round, overflow: Overflow) -> Value {
    match (to, int_format(to)) {
        (Elem::Bool, _) => Value::Int(i64::from(num::cmp_f32(Compare::Ne, x, 0.0))),
        (_, Some((bits, signed))) => Value::Int(num::f32_to_int(x, round, overflow, bits, signed)),
        (Elem::F16, None) => Value::Half(num::f32_to_f16(x, round, overflow)),
        (Elem::Bf16, None) => Value::Half(num::f32_to_bf16(x, round, overflow)),
        (_, None) => Value::F32(num::canonical_f32(x)),
    }
}

/// One step of a sum whose products are exact: `accumulator + a · b` with operands of type `elem`.
pub(crate) fn multiply_add(elem: Elem, accumulator: Value, a: Value, b: Value) -> Value {
    match elem {
        Elem::F16 => Value::F32(num::mac_f16(accumulator.f32(), a.half(), b.half())),
        Elem::Bf16 => Value::F32(num::mac_bf16(accumulator.f32(), a.half(), b.half())),
        Elem::F32 => Value::F32(num::mac_f32(accumulator.f32(), a.f32(), b.f32())),
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
            let product = num::int_mul(a.int(), b.int(), 32, true);
            Value::Int(num::int_add(accumulator.int(), product, 32, true))
        }
    }
}
