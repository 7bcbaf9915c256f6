//! What a reduction means: identities, single steps, and where an item goes. Shared by both evaluators.

use isa::num;
use isa::types::Elem;

use super::scalar::{self, Value};
use crate::algo::data::int_format;
use crate::algo::{BinaryOp, Order, Overflow, Reduce, ReduceOp, Round};

/// How many lanes an order that leaves the choice open gets.
pub(crate) const FREE_LANES: u32 = 64;

/// How the items of a reduction are combined.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Item `i` goes to accumulator `i mod n`; accumulators are joined by adjacent pairs.
    Lanes(usize),
    /// Adjacent pairs of items.
    Tree,
}

/// The order that matters: only sums and products have one, everything else ascends.
pub(crate) fn plan(reduce: &Reduce) -> Plan {
    match (reduce.op, reduce.order) {
        (ReduceOp::Sum | ReduceOp::Prod, Order::Tree) => Plan::Tree,
        (ReduceOp::Sum | ReduceOp::Prod, Order::Lanes(n)) => Plan::Lanes(n.max(1) as usize),
        (ReduceOp::Sum | ReduceOp::Prod, Order::Free) => Plan::Lanes(FREE_LANES as usize),
        (ReduceOp::Sum | ReduceOp::Prod, Order::Ascending)
        | (
            ReduceOp::Max
            | ReduceOp::Min
            | ReduceOp::Any
            | ReduceOp::All
            | ReduceOp::ArgMax
            | ReduceOp::ArgMin,
            _,
        ) => Plan::Lanes(1),
    }
}

/// The value of a reduction of no items, in the accumulator's type.
pub(crate) fn identity(op: ReduceOp, elem: Elem) -> Value {
    let (float, int) = match (op, int_format(elem)) {
        (ReduceOp::Sum | ReduceOp::Any | ReduceOp::ArgMax | ReduceOp::ArgMin, _) => (0.0, 0),
        (ReduceOp::Prod | ReduceOp::All, _) => (1.0, 1),
        (ReduceOp::Max, Some((bits, signed))) => (0.0, num::saturate_int(i64::MIN, bits, signed)),
        (ReduceOp::Min, Some((bits, signed))) => (0.0, num::saturate_int(i64::MAX, bits, signed)),
        (ReduceOp::Max, None) => (f32::NEG_INFINITY, 0),
        (ReduceOp::Min, None) => (f32::INFINITY, 0),
    };
    match elem {
        Elem::F32 => Value::F32(float),
        Elem::F16 => Value::Half(num::f32_to_f16(float, Round::Even, Overflow::Keep)),
        Elem::Bf16 => Value::Half(num::f32_to_bf16(float, Round::Even, Overflow::Keep)),
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => Value::Int(int),
    }
}

/// The operation that combines two accumulators, or an accumulator and a widened item.
pub(crate) fn combiner(op: ReduceOp) -> BinaryOp {
    match op {
        ReduceOp::Sum => BinaryOp::Add,
        ReduceOp::Prod => BinaryOp::Mul,
        ReduceOp::Max | ReduceOp::ArgMax => BinaryOp::Max,
        ReduceOp::Min | ReduceOp::ArgMin => BinaryOp::Min,
        ReduceOp::Any => BinaryOp::Or,
        ReduceOp::All => BinaryOp::And,
    }
}

/// Combines two values of the accumulator's type.
pub(crate) fn join(op: ReduceOp, elem: Elem, a: Value, b: Value) -> Value {
    scalar::binary(combiner(op), elem, a, b).unwrap_or(a)
}

/// The order of values that `argmax` and `argmin` go by, as an integer.
///
/// It is the order of `max` and `min`: -0 is below +0. NaN is the greatest of all for `argmax` and the least of all
/// for `argmin`, so that either finds the position at which `max` or `min` would give NaN.
pub(crate) fn rank(op: ReduceOp, elem: Elem, value: Value) -> i64 {
    if !elem.is_float() {
        return value.int();
    }
    rank_f32(op, value.widened(elem))
}

/// [`rank`] of a float widened to f32.
#[inline]
pub(crate) fn rank_f32(op: ReduceOp, x: f32) -> i64 {
    let bits = x.to_bits() as i32;
    let ordered = i64::from(bits ^ (((bits >> 31) as u32) >> 1) as i32);
    match (x.is_nan(), op) {
        (false, _) => ordered,
        (true, ReduceOp::ArgMin) => i64::MIN,
        (
            true,
            ReduceOp::Sum
            | ReduceOp::Prod
            | ReduceOp::Max
            | ReduceOp::Min
            | ReduceOp::Any
            | ReduceOp::All
            | ReduceOp::ArgMax,
        ) => i64::MAX,
    }
}

/// Whether an item of rank `new` takes the place of an earlier one of rank `old`.
#[inline]
pub(crate) fn beats(op: ReduceOp, new: i64, old: i64) -> bool {
    if op == ReduceOp::ArgMin {
        new < old
    } else {
        new > old
    }
}
