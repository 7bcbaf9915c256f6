//! The readable definition: one element at a time, one node at a time, straight from the IR's documentation.
//!
//! The fast evaluator must give the same bits; its tests compare the two. Nothing here is clever on purpose.

use std::collections::BTreeMap;

use isa::types::Elem;

use super::reduction::{self, Plan};
use super::scalar::{self, Value};
use super::{EvalError, EvalErrorKind, Inputs};
use crate::algo::data::{Data, element_count};
use crate::algo::{Affine, BinaryOp, Def, Expr, ExprKind, Func, Index, Reduce, ReduceOp, Tensor};

/// Evaluates a function element by element; see [`super::eval`], which gives the same answer sooner.
pub fn eval(func: &Func, params: &[Data]) -> Result<Vec<Data>, EvalError> {
    let mut tensors = Inputs::check(func, params)?.into_tensors();
    for def in &func.defs {
        let data = define(func, &tensors, def)?;
        tensors[def.target] = data;
    }
    Ok(func
        .results
        .iter()
        .map(|&result| std::mem::take(&mut tensors[result]))
        .collect())
}

type Tensors = cranelift_entity::SecondaryMap<Tensor, Data>;
type Point = BTreeMap<Index, i64>;

fn define(func: &Func, tensors: &Tensors, def: &Def) -> Result<Data, EvalError> {
    let target = &func.tensors[def.target];
    let count = element_count(&target.shape).unwrap_or(0);
    let mut data = Data::zeros(target.elem, count);
    let mut point = Point::new();
    for position in 0..count {
        set_point(func, &def.indices, position, &mut point);
        value(func, tensors, &mut point, def.value)?.store(target.elem, &mut data, position);
    }
    Ok(data)
}

/// Gives the indices the values of a flat position, the last index fastest.
fn set_point(func: &Func, indices: &[Index], position: usize, point: &mut Point) {
    let mut rest = position as i64;
    for &index in indices.iter().rev() {
        let extent = func.indices[index].extent;
        point.insert(index, rest % extent);
        rest /= extent;
    }
}

fn value(
    func: &Func,
    tensors: &Tensors,
    point: &mut Point,
    expr: Expr,
) -> Result<Value, EvalError> {
    let data = &func.exprs[expr];
    match &data.kind {
        ExprKind::Float(_) | ExprKind::Int(_) => {
            Ok(Value::constant(data.elem, &data.kind).unwrap_or(Value::Int(0)))
        }
        ExprKind::Index(index) => Ok(Value::Int(point.get(index).copied().unwrap_or(0))),
        ExprKind::Load { tensor, at, border } => match (position(func, *tensor, at, point), border)
        {
            (Some(position), _) => Ok(Value::load(data.elem, &tensors[*tensor], position)),
            (None, Some(border)) => value(func, tensors, point, *border),
            (None, None) => Err(EvalError::new(
                EvalErrorKind::Invalid,
                data.span,
                "an access without border is out of bounds",
            )),
        },
        ExprKind::Gather {
            tensor,
            index,
            dim,
            at,
            border,
        } => {
            let index = value(func, tensors, point, *index)?.int();
            let coordinates = at.iter().enumerate().map(|(d, affine)| {
                let from_data = if d == *dim { index } else { 0 };
                affine.value(point).wrapping_add(from_data)
            });
            let at: Vec<i64> = coordinates.collect();
            let at = at.into_iter();
            match (flat(&func.tensors[*tensor].shape, at), border) {
                (Some(position), _) => Ok(Value::load(data.elem, &tensors[*tensor], position)),
                (None, Some(border)) => value(func, tensors, point, *border),
                (None, None) => Err(EvalError::index_out_of_range(data.span)),
            }
        }
        ExprKind::Unary(op, a) => Ok(scalar::unary(
            *op,
            data.elem,
            value(func, tensors, point, *a)?,
        )),
        ExprKind::Binary(op, a, b) => {
            let a = value(func, tensors, point, *a)?;
            let b = value(func, tensors, point, *b)?;
            scalar::binary(*op, data.elem, a, b)
                .ok_or_else(|| EvalError::division_by_zero(data.span))
        }
        ExprKind::Compare(op, a, b) => {
            let elem = func.exprs[*a].elem;
            let a = value(func, tensors, point, *a)?;
            let b = value(func, tensors, point, *b)?;
            Ok(scalar::compare(*op, elem, a, b))
        }
        ExprKind::Select(condition, a, b) => {
            let chosen = if value(func, tensors, point, *condition)?.is_true() {
                a
            } else {
                b
            };
            value(func, tensors, point, *chosen)
        }
        ExprKind::Cast {
            value: operand,
            round,
            overflow,
        } => {
            let from = func.exprs[*operand].elem;
            let operand = value(func, tensors, point, *operand)?;
            Ok(scalar::cast(operand, from, data.elem, *round, *overflow))
        }
        ExprKind::Reduce(reduce) => match reduce.op {
            ReduceOp::ArgMax | ReduceOp::ArgMin => best_position(func, tensors, point, reduce),
            ReduceOp::Sum
            | ReduceOp::Prod
            | ReduceOp::Max
            | ReduceOp::Min
            | ReduceOp::Any
            | ReduceOp::All => reduced(func, tensors, point, reduce, data.elem),
        },
    }
}

/// The flat position of an access; `None` if a coordinate is out of range.
fn position(func: &Func, tensor: Tensor, at: &[Affine], point: &Point) -> Option<usize> {
    let at = at.iter().map(|affine| affine.value(point));
    flat(&func.tensors[tensor].shape, at)
}

/// The flat position of coordinates; `None` if one is out of range.
fn flat(shape: &[i64], at: impl Iterator<Item = i64>) -> Option<usize> {
    let mut position = 0;
    for (coordinate, &extent) in at.zip(shape) {
        if !(0..extent).contains(&coordinate) {
            return None;
        }
        position = position * extent + coordinate;
    }
    usize::try_from(position).ok()
}

/// The number of items of a reduction.
fn item_count(func: &Func, reduce: &Reduce) -> usize {
    reduce
        .axes
        .iter()
        .map(|&axis| func.indices[axis].extent as usize)
        .product()
}

fn is_masked(
    func: &Func,
    tensors: &Tensors,
    point: &mut Point,
    reduce: &Reduce,
) -> Result<bool, EvalError> {
    match reduce.mask {
        Some(mask) => Ok(!value(func, tensors, point, mask)?.is_true()),
        None => Ok(false),
    }
}

/// An item, or what becomes of an accumulator when it meets the item.
fn step(
    func: &Func,
    tensors: &Tensors,
    point: &mut Point,
    reduce: &Reduce,
    accumulator: Option<Value>,
    elem: Elem,
) -> Result<Value, EvalError> {
    let item_elem = func.exprs[reduce.body].elem;
    if let (true, ExprKind::Binary(BinaryOp::Mul, a, b)) =
        (reduce.exact_product, &func.exprs[reduce.body].kind)
    {
        let a = value(func, tensors, point, *a)?;
        let b = value(func, tensors, point, *b)?;
        let start = accumulator.unwrap_or(reduction::identity(ReduceOp::Sum, elem));
        return Ok(scalar::multiply_add(item_elem, start, a, b));
    }
    let item = value(func, tensors, point, reduce.body)?;
    let item = scalar::cast(
        item,
        item_elem,
        elem,
        super::Round::Even,
        super::Overflow::Keep,
    );
    Ok(match accumulator {
        Some(accumulator) => reduction::join(reduce.op, elem, accumulator, item),
        None => item,
    })
}

fn reduced(
    func: &Func,
    tensors: &Tensors,
    point: &mut Point,
    reduce: &Reduce,
    elem: Elem,
) -> Result<Value, EvalError> {
    let identity = reduction::identity(reduce.op, elem);
    let count = item_count(func, reduce);
    let mut parts = match reduction::plan(reduce) {
        Plan::Lanes(lanes) => vec![identity; lanes],
        Plan::Tree => vec![identity; count.next_power_of_two()],
    };
    for item in 0..count {
        set_point(func, &reduce.axes, item, point);
        if is_masked(func, tensors, point, reduce)? {
            continue;
        }
        let (place, old) = match reduction::plan(reduce) {
            Plan::Lanes(lanes) => (item % lanes, Some(parts[item % lanes])),
            Plan::Tree => (item, None),
        };
        parts[place] = step(func, tensors, point, reduce, old, elem)?;
    }
    while parts.len() > 1 {
        parts = parts
            .chunks(2)
            .map(|pair| {
                reduction::join(reduce.op, elem, pair[0], *pair.last().unwrap_or(&identity))
            })
            .collect();
    }
    Ok(parts.first().copied().unwrap_or(identity))
}

fn best_position(
    func: &Func,
    tensors: &Tensors,
    point: &mut Point,
    reduce: &Reduce,
) -> Result<Value, EvalError> {
    let elem = func.exprs[reduce.body].elem;
    let mut best: Option<(i64, usize)> = None;
    for item in 0..item_count(func, reduce) {
        set_point(func, &reduce.axes, item, point);
        if is_masked(func, tensors, point, reduce)? {
            continue;
        }
        let rank = reduction::rank(reduce.op, elem, value(func, tensors, point, reduce.body)?);
        if best.is_none_or(|(old, _)| reduction::beats(reduce.op, rank, old)) {
            best = Some((rank, item));
        }
    }
    Ok(Value::Int(best.map_or(0, |(_, item)| item as i64)))
}
