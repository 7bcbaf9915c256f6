//! A real value and how far the typed value may be from it: the rules for each operation.
//!
//! Errors are propagated to first order and exactly where that is easy: linear terms and their product for `*` and
//! `/`, the values at both ends of the interval for monotone functions. Then the operation's own rounding is added: at
//! most half an ulp of its type at the greatest magnitude in reach, and nothing where operands are exact and the result
//! is representable.

use isa::num;
use isa::types::Elem;

use super::real;
use crate::algo::data::int_format;
use crate::algo::{BinaryOp, CmpOp, Overflow, ReduceOp, Round, UnaryOp};

/// A real value; the typed value is at most `error` away.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(super) struct Near {
    /// The value in real arithmetic.
    pub(super) value: f64,
    /// The bound; infinity if there is none.
    pub(super) error: f64,
}

/// Half ulps by which `exp` and `ln` of `isa::num` may be off, and a little for f64.
const ELEMENTARY: f64 = 1.03;

impl Near {
    /// A value without error.
    pub(super) fn exact(value: f64) -> Near {
        Near { value, error: 0.0 }
    }

    /// A value of which nothing is known.
    pub(super) fn unknown() -> Near {
        Near {
            value: 0.0,
            error: f64::INFINITY,
        }
    }

    pub(super) fn is_true(self) -> bool {
        self.value != 0.0
    }

    fn low(self) -> f64 {
        self.value - self.error
    }

    fn high(self) -> f64 {
        self.value + self.error
    }

    fn is_exact(self) -> bool {
        self.error == 0.0
    }

    /// This value, where the typed computation may have taken the other instead.
    pub(super) fn or(self, other: Near) -> Near {
        let apart = if self.value == other.value {
            0.0
        } else {
            (self.value - other.value).abs()
        };
        let apart = if apart.is_nan() { f64::INFINITY } else { apart };
        Near {
            value: self.value,
            error: self.error.max(apart + other.error),
        }
    }

    /// The image under a monotone function; without a bound if an end has no image.
    fn through(self, function: impl Fn(f64) -> f64) -> Near {
        let value = function(self.value);
        if self.is_exact() {
            return Near::exact(value);
        }
        let (low, high) = (function(self.low()), function(self.high()));
        let error = distance(value, low).max(distance(value, high));
        Near { value, error }
    }
}

/// The distance of two values; infinite if one is NaN.
fn distance(a: f64, b: f64) -> f64 {
    let distance = if a == b { 0.0 } else { (a - b).abs() };
    if distance.is_nan() {
        f64::INFINITY
    } else {
        distance
    }
}

/// `x * e` where no error stays none, even of an infinite value.
fn scaled(x: f64, error: f64) -> f64 {
    if error == 0.0 { 0.0 } else { x.abs() * error }
}

/// Digits and least exponent of a float type.
fn format(elem: Elem) -> (i32, i32) {
    match elem {
        Elem::F16 => (11, -14),
        Elem::Bf16 => (8, -126),
        Elem::F32 | Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
            (24, -126)
        }
    }
}

/// The largest finite value of a float type.
fn largest(elem: Elem) -> f64 {
    match elem {
        Elem::F16 => 65504.0,
        Elem::Bf16 => f64::from(num::bf16_to_f32(num::BF16_MAX)),
        Elem::F32 | Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
            f64::from(f32::MAX)
        }
    }
}

/// Half a unit in the last place at a magnitude.
fn half_ulp(elem: Elem, magnitude: f64) -> f64 {
    let (digits, least) = format(elem);
    if magnitude == f64::INFINITY {
        return f64::INFINITY;
    }
    let exponent = (magnitude.to_bits() >> 52) as i32 - 1023;
    real::power_of_two(exponent.max(least) - digits)
}

fn is_representable(elem: Elem, x: f64) -> bool {
    let nearest = match elem {
        Elem::F16 => f64::from(num::f16_to_f32(num::f64_to_f16(
            x,
            Round::Even,
            Overflow::Keep,
        ))),
        Elem::Bf16 => f64::from(num::bf16_to_f32(num::f64_to_bf16(
            x,
            Round::Even,
            Overflow::Keep,
        ))),
        Elem::F32 | Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
            f64::from(x as f32)
        }
    };
    nearest == x
}

/// An arithmetic result in a float type: its rounding, `halves` half ulps, on top of the error so far.
pub(super) fn rounded(elem: Elem, value: f64, error: f64, halves: f64) -> Near {
    let overflow = if elem == Elem::F32 {
        Overflow::Keep
    } else {
        Overflow::Saturate
    };
    stored(elem, value, error, halves, overflow)
}

fn stored(elem: Elem, value: f64, error: f64, halves: f64, overflow: Overflow) -> Near {
    let saturates = overflow == Overflow::Saturate;
    if value.is_nan() {
        return Near {
            value: if saturates { 0.0 } else { value },
            error,
        };
    }
    // What is a finite distance away from an infinity is that infinity: a masked score less a maximum.
    let error = if value.is_infinite() && error.is_finite() {
        0.0
    } else {
        error
    };
    let near = Near { value, error };
    let total = if error == 0.0 && (value.is_infinite() || is_representable(elem, value)) {
        0.0
    } else {
        let reach = value.abs() + error;
        error + halves * half_ulp(elem, reach) + reach * f64::EPSILON
    };
    let limit = largest(elem);
    let widened = Near {
        error: total,
        ..near
    };
    if saturates {
        return widened.through(|x| x.clamp(-limit, limit));
    }
    match value.abs() {
        // Rounds to infinity for certain, or may.
        magnitude if magnitude.is_finite() && magnitude - total > limit * (1.0 + 1e-7) => Near {
            value: f64::INFINITY.copysign(value),
            error: 0.0,
        },
        magnitude if magnitude.is_finite() && magnitude + total > limit => Near {
            value,
            error: f64::INFINITY,
        },
        _ => widened,
    }
}

/// A product in real arithmetic.
pub(super) fn product(a: Near, b: Near) -> Near {
    let error = scaled(a.value, b.error) + scaled(b.value, a.error) + scaled(a.error, b.error);
    Near {
        value: a.value * b.value,
        error,
    }
}

fn quotient(a: Near, b: Near) -> Near {
    let value = a.value / b.value;
    if !b.is_exact() && b.value.abs() <= b.error {
        return Near {
            value,
            error: f64::INFINITY,
        };
    }
    if a.is_exact() && b.is_exact() {
        return Near::exact(value);
    }
    let error = (a.error + scaled(value, b.error)) / (b.value.abs() - b.error);
    Near { value, error }
}

/// Applies a unary operation in type `elem`.
/// Half a unit in the last place of hf32, relative to the value.
const HALF_HF32: f64 = 1.0 / 4096.0;

pub(super) fn unary(op: UnaryOp, elem: Elem, a: Near) -> Near {
    if let Some((bits, signed)) = int_format(elem) {
        return unary_int(op, a, bits, signed);
    }
    match op {
        UnaryOp::Neg => Near {
            value: -a.value,
            ..a
        },
        UnaryOp::Abs => Near {
            value: a.value.abs(),
            ..a
        },
        UnaryOp::Exp => elementary(elem, a.through(real::exp)),
        UnaryOp::Ln => elementary(elem, a.through(real::ln)),
        UnaryOp::Sqrt => {
            let root = a.through(f64::sqrt);
            rounded(elem, root.value, root.error, 1.0)
        }
        UnaryOp::Hf32 => Near {
            error: a.error + (a.value.abs() + a.error) * HALF_HF32,
            ..a
        },
        UnaryOp::Round(round) => a.through(|x| whole(x, round)),
        UnaryOp::Not | UnaryOp::BitNot => a,
    }
}

fn elementary(elem: Elem, near: Near) -> Near {
    // exp(0) and ln(1) are exact.
    rounded(elem, near.value, near.error, ELEMENTARY)
}

fn unary_int(op: UnaryOp, a: Near, bits: u32, signed: bool) -> Near {
    if !a.is_exact() {
        return match op {
            UnaryOp::Neg => in_range(
                Near {
                    value: -a.value,
                    ..a
                },
                bits,
                signed,
            ),
            UnaryOp::Abs => in_range(
                Near {
                    value: a.value.abs(),
                    ..a
                },
                bits,
                signed,
            ),
            UnaryOp::Not => Near {
                value: 1.0 - a.value,
                ..a
            },
            UnaryOp::BitNot => in_range(
                Near {
                    value: -1.0 - a.value,
                    ..a
                },
                bits,
                signed,
            ),
            UnaryOp::Exp | UnaryOp::Ln | UnaryOp::Sqrt | UnaryOp::Hf32 | UnaryOp::Round(_) => a,
        };
    }
    let x = a.value as i64;
    let value = match op {
        UnaryOp::Neg => num::int_neg(x, bits, signed),
        UnaryOp::Abs => num::int_abs(x, bits, signed),
        UnaryOp::Not | UnaryOp::BitNot => num::wrap_int(!x, bits, signed),
        UnaryOp::Exp | UnaryOp::Ln | UnaryOp::Sqrt | UnaryOp::Hf32 | UnaryOp::Round(_) => x,
    };
    integer(value)
}

/// An integer as f64, with the error of that.
fn integer(x: i64) -> Near {
    let value = x as f64;
    let exact = x.unsigned_abs() <= 1 << 53;
    Near {
        value,
        error: if exact {
            0.0
        } else {
            value.abs() * f64::EPSILON
        },
    }
}

/// The least and greatest value of an integer type.
fn int_range(bits: u32, signed: bool) -> (f64, f64) {
    let low = num::saturate_int(i64::MIN, bits, signed);
    let high = num::saturate_int(i64::MAX, bits, signed);
    (low as f64, high as f64)
}

/// A value that wraps if it leaves its type, about which nothing is known then.
fn in_range(near: Near, bits: u32, signed: bool) -> Near {
    let (low, high) = int_range(bits, signed);
    let fits = near.low() >= low && near.high() <= high;
    if fits {
        near
    } else {
        Near {
            error: f64::INFINITY,
            ..near
        }
    }
}

/// A float rounded to a whole number.
fn whole(x: f64, round: Round) -> f64 {
    match round {
        Round::Even => x.round_ties_even(),
        Round::Away => x.round(),
        Round::Floor => x.floor(),
        Round::Ceil => x.ceil(),
        Round::Trunc => x.trunc(),
        Round::Odd => {
            let (low, high) = (x.floor(), x.ceil());
            if low == high || low % 2.0 != 0.0 {
                low
            } else {
                high
            }
        }
    }
}

/// Applies a binary operation in type `elem`; `None` is an integer division by zero.
pub(super) fn binary(op: BinaryOp, elem: Elem, a: Near, b: Near) -> Option<Near> {
    match int_format(elem) {
        Some((1, _)) => Some(binary_bool(op, a, b)),
        Some((bits, signed)) => binary_int(op, a, b, bits, signed),
        None => Some(binary_float(op, elem, a, b)),
    }
}

fn binary_float(op: BinaryOp, elem: Elem, a: Near, b: Near) -> Near {
    let result = match op {
        BinaryOp::Add => Near {
            value: a.value + b.value,
            error: a.error + b.error,
        },
        BinaryOp::Sub => Near {
            value: a.value - b.value,
            error: a.error + b.error,
        },
        BinaryOp::Mul => product(a, b),
        BinaryOp::Div => quotient(a, b),
        BinaryOp::Max => return extreme(a, b, f64::max),
        BinaryOp::Min => return extreme(a, b, f64::min),
        BinaryOp::Rem
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr => return Near::unknown(),
    };
    rounded(elem, result.value, result.error, 1.0)
}

fn extreme(a: Near, b: Near, choose: impl Fn(f64, f64) -> f64) -> Near {
    if a.value.is_nan() || b.value.is_nan() {
        return Near {
            value: f64::NAN,
            error: a.error.max(b.error),
        };
    }
    let value = choose(a.value, b.value);
    let low = choose(a.low(), b.low());
    let high = choose(a.high(), b.high());
    Near {
        value,
        error: distance(value, low).max(distance(value, high)),
    }
}

/// Truth values: an uncertain one has error 1.
fn binary_bool(op: BinaryOp, a: Near, b: Near) -> Near {
    let settles = |near: Near, value: bool| near.is_exact() && near.is_true() == value;
    let (value, certain) = match op {
        BinaryOp::And => (
            a.is_true() && b.is_true(),
            settles(a, false) || settles(b, false),
        ),
        BinaryOp::Or => (
            a.is_true() || b.is_true(),
            settles(a, true) || settles(b, true),
        ),
        BinaryOp::Xor => (a.is_true() != b.is_true(), false),
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::Rem
        | BinaryOp::Max
        | BinaryOp::Min
        | BinaryOp::Shl
        | BinaryOp::Shr => (false, false),
    };
    truth(value, certain || (a.is_exact() && b.is_exact()))
}

fn truth(value: bool, certain: bool) -> Near {
    Near {
        value: f64::from(u8::from(value)),
        error: f64::from(u8::from(!certain)),
    }
}

fn binary_int(op: BinaryOp, a: Near, b: Near, bits: u32, signed: bool) -> Option<Near> {
    if a.is_exact() && b.is_exact() {
        return exact_int(op, a.value as i64, b.value as i64, bits, signed).map(integer);
    }
    let near = match op {
        BinaryOp::Add => Near {
            value: a.value + b.value,
            error: a.error + b.error,
        },
        BinaryOp::Sub => Near {
            value: a.value - b.value,
            error: a.error + b.error,
        },
        BinaryOp::Mul => product(a, b),
        BinaryOp::Div => {
            let real = quotient(a, b);
            Near {
                value: real.value.trunc(),
                error: real.error + 1.0,
            }
        }
        BinaryOp::Max => extreme(a, b, f64::max),
        BinaryOp::Min => extreme(a, b, f64::min),
        BinaryOp::Rem
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr => Near::unknown(),
    };
    Some(in_range(near, bits, signed))
}

fn exact_int(op: BinaryOp, a: i64, b: i64, bits: u32, signed: bool) -> Option<i64> {
    let amount = b & i64::from(bits - 1);
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
        BinaryOp::Shl => num::int_shl(a, amount, bits, signed),
        BinaryOp::Shr => num::int_shr(a, amount, bits),
    })
}

/// Compares; uncertain if the intervals meet and either has a width.
pub(super) fn compare(op: CmpOp, a: Near, b: Near) -> Near {
    let (x, y) = (a.value, b.value);
    let value = match op {
        CmpOp::Eq => x == y,
        CmpOp::Ne => x != y,
        CmpOp::Lt => x < y,
        CmpOp::Le => x <= y,
        CmpOp::Gt => x > y,
        CmpOp::Ge => x >= y,
    };
    let errors = a.error + b.error;
    let certain = errors == 0.0 || (errors.is_finite() && (x.is_nan() || y.is_nan()));
    truth(value, certain || distance(x, y) > errors)
}

/// Converts from type `from` to type `to`.
pub(super) fn cast(a: Near, from: Elem, to: Elem, round: Round, overflow: Overflow) -> Near {
    match int_format(to) {
        Some((1, _)) => {
            let certain = a.is_exact() || a.value.abs() > a.error;
            truth(a.value != 0.0, certain)
        }
        Some((bits, signed)) => cast_to_int(a, from.is_float(), round, overflow, bits, signed),
        None => cast_to_float(a, from, to, round, overflow),
    }
}

fn cast_to_int(
    a: Near,
    from_float: bool,
    round: Round,
    overflow: Overflow,
    bits: u32,
    signed: bool,
) -> Near {
    if a.value.is_nan() {
        return Near {
            value: 0.0,
            error: a.error,
        };
    }
    if a.is_exact() {
        return integer(if from_float {
            num::f64_to_int(a.value, round, overflow, bits, signed)
        } else {
            num::int_to_int(a.value as i64, overflow, bits, signed)
        });
    }
    let near = a.through(|x| whole(x, round));
    let (low, high) = int_range(bits, signed);
    match overflow {
        Overflow::Saturate | Overflow::Keep => near.through(|x| x.clamp(low, high)),
        Overflow::Wrap => in_range(near, bits, signed),
    }
}

fn cast_to_float(a: Near, from: Elem, to: Elem, round: Round, overflow: Overflow) -> Near {
    let overflow = if to == Elem::F32 {
        Overflow::Keep
    } else {
        overflow
    };
    let widens = from == to || (to == Elem::F32 && from.is_float());
    let halves = match (widens, round) {
        (true, _) => 0.0,
        (false, Round::Even | Round::Away) => 1.0,
        (false, Round::Floor | Round::Ceil | Round::Trunc | Round::Odd) => 2.0,
    };
    if widens && overflow != Overflow::Saturate {
        return a;
    }
    stored(to, a.value, a.error, halves, overflow)
}

/// The operation that joins the items of a reduction, and the value it starts from.
pub(super) fn fold_start(op: ReduceOp, elem: Elem) -> (BinaryOp, Near) {
    let (least, greatest) = match int_format(elem) {
        Some((bits, signed)) => int_range(bits, signed),
        None => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let (op, start) = match op {
        ReduceOp::Sum => (BinaryOp::Add, 0.0),
        ReduceOp::Prod => (BinaryOp::Mul, 1.0),
        ReduceOp::Max | ReduceOp::ArgMax => (BinaryOp::Max, least),
        ReduceOp::Min | ReduceOp::ArgMin => (BinaryOp::Min, greatest),
        ReduceOp::Any => (BinaryOp::Or, 0.0),
        ReduceOp::All => (BinaryOp::And, 1.0),
    };
    (op, Near::exact(start))
}

/// What products of some of the items of a product may come to, in whatever order it joins them: one that leaves the range
/// of f32 is infinite, or loses digits that later items would show.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct PartialProducts {
    /// Sums of the binary logarithms of items above and below 1.
    above: f64,
    below: f64,
    items: f64,
}

impl PartialProducts {
    pub(super) fn multiply(&mut self, item: Near) {
        let most = item.value.abs() + item.error;
        let least = (item.value.abs() - item.error).max(0.0);
        self.items += 1.0;
        self.above += log2_within(most).1.max(0.0);
        // Zero is exact, and so is what it makes of the rest.
        if most > 0.0 {
            self.below += (-log2_within(least).0).max(0.0);
        }
    }

    /// A product with what its parts may have lost.
    pub(super) fn widen(self, product: Near) -> Near {
        if self.above > f64::from(f32::MAX_EXP - 1) {
            return Near::unknown();
        }
        match self.below > f64::from(1 - f32::MIN_EXP) {
            true => Near {
                error: product.error + SMALLEST * self.items * two_to(self.above),
                ..product
            },
            false => product,
        }
    }
}

/// Numbers between which the binary logarithm of a number that is not negative is: its chord between powers of two, and a
/// parabola above that.
fn log2_within(x: f64) -> (f64, f64) {
    if x == 0.0 || !x.is_finite() {
        let end = if x == 0.0 { f64::NEG_INFINITY } else { x };
        return (end, end);
    }
    let exponent = i32::try_from(x.to_bits() >> 52).unwrap_or(0) - 1023;
    let fraction = (x.to_bits() & ((1 << 52) - 1)) as f64 / (1_u64 << 52) as f64;
    let chord = f64::from(exponent) + fraction;
    (chord, chord + 0.4427 * fraction * (1.0 - fraction))
}

/// The next power of two to 2 to a number from 0 to 127.
fn two_to(x: f64) -> f64 {
    (1_u128 << (x.ceil().clamp(0.0, 127.0) as u32)) as f64
}

/// The distance of the smallest numbers of f32.
const SMALLEST: f64 = 1.0 / (1_u128 << 126) as f64 / (1 << 23) as f64;

/// The first position of the greatest or least item; every position that may be it is within the error.
pub(super) fn best_position(op: ReduceOp, items: &[(usize, Near)]) -> Near {
    let sign = if op == ReduceOp::ArgMin { -1.0 } else { 1.0 };
    let key = |near: &Near| {
        let directed = near.value * sign;
        if directed.is_nan() {
            f64::INFINITY
        } else {
            directed
        }
    };
    let better = |a: &Near, b: &Near| {
        let nan = (a.value.is_nan(), b.value.is_nan());
        match nan {
            (true, was) => !was,
            (false, true) => false,
            (false, false) => (a.value * sign).total_cmp(&(b.value * sign)).is_gt(),
        }
    };
    let mut best: Option<&(usize, Near)> = None;
    for item in items {
        if best.is_none_or(|best| better(&item.1, &best.1)) {
            best = Some(item);
        }
    }
    let Some((position, winner)) = best else {
        return Near::exact(0.0);
    };
    let mut error: f64 = 0.0;
    for (other, near) in items {
        let certain = near.is_exact() && winner.is_exact();
        if !certain && key(near) + near.error >= key(winner) - winner.error {
            error = error.max((*other as f64 - *position as f64).abs());
        }
    }
    Near {
        value: *position as f64,
        error,
    }
}
