//! A chunk of values of one type, and the operations on whole chunks.
//!
//! The same mapping to `isa::num` as `scalar`, with the choice of operation outside the loop. Faults are not raised
//! here: integer division reports the lanes that divide by zero through its mask.

use isa::num::{self, apply_slice, apply2_slice};
use isa::types::Elem;

use super::scalar::{self, Value};
use crate::algo::data::{Data, int_format};
use crate::algo::{BinaryOp, CmpOp, Overflow, Round, UnaryOp};

/// Values of one element type, one a lane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Column {
    /// Values of binary32.
    F32(Vec<f32>),
    /// Bits of f16 or bf16.
    Half(Vec<u16>),
    /// Integers in range of their type.
    Int(Vec<i64>),
    /// Truth values.
    Bool(Vec<bool>),
}

/// A lane divided an integer by zero.
#[derive(Debug)]
pub(crate) struct DividedByZero;

fn mapped<T: Copy + Default, S: Copy>(source: &[S], function: impl Fn(S) -> T) -> Vec<T> {
    let mut result = vec![T::default(); source.len()];
    apply_slice(&mut result, source, function);
    result
}

fn mapped2<T: Copy + Default, A: Copy, B: Copy>(
    a: &[A],
    b: &[B],
    function: impl Fn(A, B) -> T,
) -> Vec<T> {
    let mut result = vec![T::default(); a.len()];
    apply2_slice(&mut result, a, b, function);
    result
}

impl Column {
    /// The same value in each lane.
    pub(crate) fn filled(elem: Elem, value: Value, lanes: usize) -> Column {
        match elem {
            Elem::F32 => Column::F32(vec![value.f32(); lanes]),
            Elem::F16 | Elem::Bf16 => Column::Half(vec![value.half(); lanes]),
            Elem::Bool => Column::Bool(vec![value.is_true(); lanes]),
            Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 => {
                Column::Int(vec![value.int(); lanes])
            }
        }
    }

    /// Elements at the given places.
    pub(crate) fn gathered(elem: Elem, data: &Data, places: &[usize]) -> Column {
        let bytes = data.bytes.as_slice();
        let (one, two) = (bytes, bytes.as_chunks::<2>().0);
        let (four, eight) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<8>().0);
        match elem {
            Elem::F32 => Column::F32(gather(four, places, f32::from_le_bytes)),
            Elem::F16 | Elem::Bf16 => Column::Half(gather(two, places, u16::from_le_bytes)),
            Elem::I64 => Column::Int(gather(eight, places, i64::from_le_bytes)),
            Elem::I32 => Column::Int(gather(four, places, |w| i64::from(i32::from_le_bytes(w)))),
            Elem::I16 => Column::Int(gather(two, places, |w| i64::from(i16::from_le_bytes(w)))),
            Elem::I8 => Column::Int(gather(one, places, |w| i64::from(w as i8))),
            Elem::U8 => Column::Int(gather(one, places, i64::from)),
            Elem::Bool => Column::Bool(gather(one, places, |w| w != 0)),
        }
    }

    /// Writes the values as consecutive elements from `start`.
    pub(crate) fn store(&self, elem: Elem, data: &mut Data, start: usize) {
        let size = elem.bytes() as usize;
        let place = data.bytes.get_mut(start * size..).unwrap_or_default();
        match self {
            Column::F32(x) => scatter(place.as_chunks_mut::<4>().0, x, f32::to_le_bytes),
            Column::Half(x) => scatter(place.as_chunks_mut::<2>().0, x, u16::to_le_bytes),
            Column::Bool(x) => scatter(place, x, u8::from),
            Column::Int(x) => match size {
                1 => scatter(place, x, |x| x as u8),
                2 => scatter(place.as_chunks_mut::<2>().0, x, |x| {
                    (x as u16).to_le_bytes()
                }),
                4 => scatter(place.as_chunks_mut::<4>().0, x, |x| {
                    (x as u32).to_le_bytes()
                }),
                _ => scatter(place.as_chunks_mut::<8>().0, x, i64::to_le_bytes),
            },
        }
    }

    /// Each lane repeated `times` times in a row.
    pub(crate) fn expanded(&self, times: usize) -> Column {
        match self {
            Column::F32(x) => Column::F32(repeat(x, times)),
            Column::Half(x) => Column::Half(repeat(x, times)),
            Column::Int(x) => Column::Int(repeat(x, times)),
            Column::Bool(x) => Column::Bool(repeat(x, times)),
        }
    }

    /// Truth values; empty for other types, which the verifier excludes.
    pub(crate) fn bools(&self) -> &[bool] {
        if let Column::Bool(x) = self { x } else { &[] }
    }

    /// Integers; empty for other types.
    pub(crate) fn ints(&self) -> &[i64] {
        if let Column::Int(x) = self { x } else { &[] }
    }

    /// Bits of f16 or bf16; empty for other types.
    pub(crate) fn halves(&self) -> &[u16] {
        if let Column::Half(x) = self { x } else { &[] }
    }

    /// Floats widened to f32, which is exact; empty for other types.
    pub(crate) fn widened(&self, elem: Elem) -> Vec<f32> {
        match self {
            Column::F32(x) => x.clone(),
            Column::Half(x) => {
                let mut wide = vec![0.0; x.len()];
                if elem == Elem::F16 {
                    num::f16_to_f32_slice(&mut wide, x);
                } else {
                    num::bf16_to_f32_slice(&mut wide, x);
                }
                wide
            }
            Column::Int(_) | Column::Bool(_) => Vec::new(),
        }
    }

    /// The number of lanes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Column::F32(x) => x.len(),
            Column::Half(x) => x.len(),
            Column::Int(x) => x.len(),
            Column::Bool(x) => x.len(),
        }
    }

    /// Consecutive lanes from `start`; as many as there are.
    pub(crate) fn part(&self, start: usize, lanes: usize) -> Column {
        match self {
            Column::F32(x) => Column::F32(part(x, start, lanes)),
            Column::Half(x) => Column::Half(part(x, start, lanes)),
            Column::Int(x) => Column::Int(part(x, start, lanes)),
            Column::Bool(x) => Column::Bool(part(x, start, lanes)),
        }
    }

    /// Takes the value of `other` where `chosen` is false.
    pub(crate) fn select(chosen: &[bool], a: &Column, b: &Column) -> Column {
        match (a, b) {
            (Column::F32(a), Column::F32(b)) => Column::F32(choose(chosen, a, b)),
            (Column::Half(a), Column::Half(b)) => Column::Half(choose(chosen, a, b)),
            (Column::Int(a), Column::Int(b)) => Column::Int(choose(chosen, a, b)),
            (Column::Bool(a), Column::Bool(b)) => Column::Bool(choose(chosen, a, b)),
            (Column::F32(_) | Column::Half(_) | Column::Int(_) | Column::Bool(_), _) => a.clone(),
        }
    }
}

fn gather<W: Copy, T: Default>(words: &[W], places: &[usize], read: impl Fn(W) -> T) -> Vec<T> {
    places
        .iter()
        .map(|&place| words.get(place).map_or_else(T::default, |&w| read(w)))
        .collect()
}

fn scatter<W, T: Copy>(words: &mut [W], values: &[T], write: impl Fn(T) -> W) {
    for (word, &value) in words.iter_mut().zip(values) {
        *word = write(value);
    }
}

fn repeat<T: Copy>(values: &[T], times: usize) -> Vec<T> {
    values
        .iter()
        .flat_map(|&value| std::iter::repeat_n(value, times))
        .collect()
}

fn part<T: Copy>(values: &[T], start: usize, lanes: usize) -> Vec<T> {
    values.iter().skip(start).take(lanes).copied().collect()
}

fn choose<T: Copy>(chosen: &[bool], a: &[T], b: &[T]) -> Vec<T> {
    chosen
        .iter()
        .zip(a.iter().zip(b))
        .map(|(&c, (&a, &b))| if c { a } else { b })
        .collect()
}

/// The lane `at` of each column, side by side; columns are of one type.
pub(crate) fn across(columns: &[Column], at: usize) -> Column {
    let lanes = columns.iter().map(|column| column.part(at, 1));
    lanes
        .reduce(|mut all, lane| {
            match (&mut all, lane) {
                (Column::F32(all), Column::F32(lane)) => all.extend(lane),
                (Column::Half(all), Column::Half(lane)) => all.extend(lane),
                (Column::Int(all), Column::Int(lane)) => all.extend(lane),
                (Column::Bool(all), Column::Bool(lane)) => all.extend(lane),
                (
                    Column::F32(_) | Column::Half(_) | Column::Int(_) | Column::Bool(_),
                    Column::F32(_) | Column::Half(_) | Column::Int(_) | Column::Bool(_),
                ) => {}
            }
            all
        })
        .unwrap_or(Column::Bool(Vec::new()))
}

/// Applies a unary operation in type `elem`.
pub(crate) fn unary(op: UnaryOp, elem: Elem, a: &Column) -> Column {
    match (a, int_format(elem)) {
        (Column::F32(a), _) => Column::F32(unary_f32(op, a)),
        (Column::Half(a), _) => Column::Half(mapped(a, |a| {
            scalar::unary(op, elem, Value::Half(a)).half()
        })),
        (Column::Int(a), Some((bits, signed))) => {
            Column::Int(mapped(a, |a| scalar::unary_int(op, a, bits, signed)))
        }
        (Column::Bool(a), _) => Column::Bool(a.iter().map(|&a| !a).collect()),
        (Column::Int(_), None) => a.clone(),
    }
}

fn unary_f32(op: UnaryOp, a: &[f32]) -> Vec<f32> {
    match op {
        UnaryOp::Neg => mapped(a, num::neg_f32),
        UnaryOp::Abs => mapped(a, num::abs_f32),
        UnaryOp::Exp => mapped(a, num::exp_f32),
        UnaryOp::Ln => mapped(a, num::ln_f32),
        UnaryOp::Sqrt => mapped(a, num::sqrt_f32),
        UnaryOp::Hf32 => mapped(a, |a| num::round_hf32(a, num::Hf32::Even)),
        UnaryOp::Round(round) => mapped(a, |a| num::round_to_integral(a, round)),
        UnaryOp::Not | UnaryOp::BitNot => a.to_vec(),
    }
}

/// Applies a binary operation in type `elem`; only lanes in `active` (all if `None`) may fault.
pub(crate) fn binary(
    op: BinaryOp,
    elem: Elem,
    a: &Column,
    b: &Column,
    active: Option<&[bool]>,
) -> Result<Column, DividedByZero> {
    match (a, b) {
        (Column::F32(a), Column::F32(b)) => Ok(Column::F32(binary_f32(op, a, b))),
        (Column::Half(a), Column::Half(b)) => Ok(Column::Half(binary_half(op, elem, a, b))),
        (Column::Bool(a), Column::Bool(b)) => Ok(Column::Bool(binary_bool(op, a, b))),
        (Column::Int(a), Column::Int(b)) => binary_int(op, elem, a, b, active).map(Column::Int),
        (Column::F32(_) | Column::Half(_) | Column::Int(_) | Column::Bool(_), _) => Ok(a.clone()),
    }
}

fn binary_f32(op: BinaryOp, a: &[f32], b: &[f32]) -> Vec<f32> {
    match op {
        BinaryOp::Add => mapped2(a, b, num::add_f32),
        BinaryOp::Sub => mapped2(a, b, num::sub_f32),
        BinaryOp::Mul => mapped2(a, b, num::mul_f32),
        BinaryOp::Div => mapped2(a, b, num::div_f32),
        BinaryOp::Max => mapped2(a, b, num::max_f32),
        BinaryOp::Min => mapped2(a, b, num::min_f32),
        BinaryOp::Rem
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr => a.to_vec(),
    }
}

fn binary_half(op: BinaryOp, elem: Elem, a: &[u16], b: &[u16]) -> Vec<u16> {
    const SATURATE: Overflow = Overflow::Saturate;
    match (op, elem) {
        (BinaryOp::Add, Elem::F16) => mapped2(a, b, |a, b| num::f16_add(a, b, SATURATE)),
        (BinaryOp::Sub, Elem::F16) => mapped2(a, b, |a, b| num::f16_sub(a, b, SATURATE)),
        (BinaryOp::Mul, Elem::F16) => mapped2(a, b, |a, b| num::f16_mul(a, b, SATURATE)),
        (BinaryOp::Div, Elem::F16) => mapped2(a, b, |a, b| num::f16_div(a, b, SATURATE)),
        (BinaryOp::Max, Elem::F16) => mapped2(a, b, num::f16_max),
        (BinaryOp::Min, Elem::F16) => mapped2(a, b, num::f16_min),
        (BinaryOp::Add, _) => mapped2(a, b, |a, b| num::bf16_add(a, b, SATURATE)),
        (BinaryOp::Sub, _) => mapped2(a, b, |a, b| num::bf16_sub(a, b, SATURATE)),
        (BinaryOp::Mul, _) => mapped2(a, b, |a, b| num::bf16_mul(a, b, SATURATE)),
        (BinaryOp::Div, _) => mapped2(a, b, |a, b| num::bf16_div(a, b, SATURATE)),
        (BinaryOp::Max, _) => mapped2(a, b, num::bf16_max),
        (BinaryOp::Min, _) => mapped2(a, b, num::bf16_min),
        (
            BinaryOp::Rem
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Xor
            | BinaryOp::Shl
            | BinaryOp::Shr,
            _,
        ) => a.to_vec(),
    }
}

fn binary_bool(op: BinaryOp, a: &[bool], b: &[bool]) -> Vec<bool> {
    match op {
        BinaryOp::And => mapped2(a, b, |a, b| a & b),
        BinaryOp::Or => mapped2(a, b, |a, b| a | b),
        BinaryOp::Xor => mapped2(a, b, |a, b| a ^ b),
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::Rem
        | BinaryOp::Max
        | BinaryOp::Min
        | BinaryOp::Shl
        | BinaryOp::Shr => a.to_vec(),
    }
}

fn binary_int(
    op: BinaryOp,
    elem: Elem,
    a: &[i64],
    b: &[i64],
    active: Option<&[bool]>,
) -> Result<Vec<i64>, DividedByZero> {
    let (bits, signed) = int_format(elem).unwrap_or((64, true));
    match op {
        BinaryOp::Add => Ok(mapped2(a, b, |a, b| num::int_add(a, b, bits, signed))),
        BinaryOp::Sub => Ok(mapped2(a, b, |a, b| num::int_sub(a, b, bits, signed))),
        BinaryOp::Mul => Ok(mapped2(a, b, |a, b| num::int_mul(a, b, bits, signed))),
        BinaryOp::Div | BinaryOp::Rem => (0..a.len())
            .map(
                |lane| match scalar::binary_int(op, a[lane], b[lane], bits, signed) {
                    Some(quotient) => Ok(quotient),
                    None if active.is_some_and(|active| !active[lane]) => Ok(0),
                    None => Err(DividedByZero),
                },
            )
            .collect(),
        BinaryOp::Max
        | BinaryOp::Min
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr => {
            let apply = |a, b| scalar::binary_int(op, a, b, bits, signed).unwrap_or(a);
            Ok(a.iter().zip(b).map(|(&a, &b)| apply(a, b)).collect())
        }
    }
}

/// Compares lane by lane; the operands have type `elem`.
pub(crate) fn compare(op: CmpOp, elem: Elem, a: &Column, b: &Column) -> Column {
    let relation = scalar::relation(op);
    Column::Bool(match (a, b) {
        (Column::Int(a), Column::Int(b)) => mapped2(a, b, |a, b| scalar::compare_ints(op, a, b)),
        (Column::Bool(a), Column::Bool(b)) => {
            mapped2(a, b, |a, b| scalar::compare_ints(op, a.into(), b.into()))
        }
        (Column::F32(_) | Column::Half(_) | Column::Int(_) | Column::Bool(_), _) => {
            let (a, b) = (a.widened(elem), b.widened(elem));
            mapped2(&a, &b, |a, b| num::cmp_f32(relation, a, b))
        }
    })
}

/// Converts a column of type `from` to type `to`.
pub(crate) fn cast(a: &Column, from: Elem, to: Elem, round: Round, overflow: Overflow) -> Column {
    match (a, to) {
        (Column::F32(a), Elem::F16) if round == Round::Even => {
            let mut narrow = vec![0; a.len()];
            num::f32_to_f16_slice(&mut narrow, a, overflow);
            Column::Half(narrow)
        }
        (Column::F32(a), Elem::Bf16) if round == Round::Even => {
            let mut narrow = vec![0; a.len()];
            num::f32_to_bf16_slice(&mut narrow, a, overflow);
            Column::Half(narrow)
        }
        (Column::Half(_), Elem::F32) => Column::F32(a.widened(from)),
        (Column::F32(_) | Column::Half(_), _) => cast_values(to, &a.widened(from), |x| {
            scalar::cast(Value::F32(x), Elem::F32, to, round, overflow)
        }),
        (Column::Int(a), _) => cast_values(to, a, |x| {
            scalar::cast(Value::Int(x), from, to, round, overflow)
        }),
        (Column::Bool(a), _) => cast_values(to, a, |x| {
            scalar::cast(Value::Int(x.into()), from, to, round, overflow)
        }),
    }
}

fn cast_values<T: Copy>(to: Elem, values: &[T], convert: impl Fn(T) -> Value) -> Column {
    let values = values.iter().map(|&x| convert(x));
    match to {
        Elem::F32 => Column::F32(values.map(Value::f32).collect()),
        Elem::F16 | Elem::Bf16 => Column::Half(values.map(Value::half).collect()),
        Elem::Bool => Column::Bool(values.map(Value::is_true).collect()),
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 => {
            Column::Int(values.map(Value::int).collect())
        }
    }
}
