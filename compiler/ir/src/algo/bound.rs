//! What a function's results should be in real arithmetic, and how far the typed computation may be off.
//!
//! Every value is followed in f64 together with a bound on the error of the typed value: each operation adds half an
//! ulp of its own type at the magnitude reached, and passes on the errors of its operands ([`near`] has the rules).
//! Reductions add up the bound of their order (`sums`). Nothing here shares code with the evaluator except the loading
//! of elements, so it is an independent check of it and of the machine below.
//!
//! Results can be restricted to a sample; then only what the sample needs is computed. An error of infinity means that
//! nothing can be promised: an uncertain comparison decides a division by zero, a sum may overflow. Integers are exact
//! up to 2^53.

mod dots;
mod near;
mod real;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cranelift_entity::SecondaryMap;
use isa::types::Elem;

use self::dots::Stored;
use self::near::Near;
use self::sums::FloatSum;
use super::data::{Data, element_count};
use super::eval::{EvalError, Inputs};
use super::facts::Facts;
use super::{
    Affine, Atom, BinaryOp, Expr, ExprData, ExprKind, Func, Index, Reduce, ReduceOp, Tensor,
};

/// How far results are from their reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Deviation {
    /// Elements compared.
    pub checked: usize,
    /// Elements beyond their bound.
    pub outside: usize,
    /// The greatest absolute deviation.
    pub max_abs: f64,
    /// The greatest deviation relative to the reference value, where that is not 0.
    pub max_rel: f64,
    /// The deviation allowed at [`Deviation::worst_index`].
    pub allowed: f64,
    /// The element that comes closest to its bound, or exceeds it by the greatest factor.
    pub worst_index: usize,
    /// Whether every element is within its bound.
    pub within: bool,
}

/// Evaluates in f64: for each result the real value and the allowed absolute error of each element.
///
/// A sample lists, for each result, the flat positions wanted; without one, all elements come in order.
pub fn eval_bounded(
    func: &Func,
    params: &[Data],
    sample: Option<&[Vec<usize>]>,
) -> Result<Vec<Vec<(f64, f64)>>, EvalError> {
    let mut shadow = Shadow::new(func, Inputs::check(func, params)?.into_tensors());
    // A long chain of definitions would be a deep recursion; one after the other none is deep.
    if sample.is_none() || func.defs.len() > MOST_NESTED_DEFINITIONS {
        shadow.define_all()?;
    }
    let mut results = Vec::new();
    for (position, &tensor) in func.results.iter().enumerate() {
        let count = element_count(&func.tensors[tensor].shape).unwrap_or(0);
        let all: Vec<usize>;
        let wanted = match sample {
            Some(sample) => sample.get(position).map_or(&[] as &[usize], Vec::as_slice),
            None => {
                all = (0..count).collect();
                &all
            }
        };
        let mut values = Vec::with_capacity(wanted.len());
        for &element in wanted.iter().filter(|&&element| element < count) {
            let near = shadow.element(tensor, element)?;
            values.push((near.value, near.error));
        }
        results.push(values);
    }
    Ok(results)
}

/// Compares elements with their reference: position, real value, allowed error.
pub fn compare(elem: Elem, got: &Data, reference: &[(usize, f64, f64)]) -> Deviation {
    let mut deviation = Deviation {
        checked: reference.len(),
        outside: 0,
        max_abs: 0.0,
        max_rel: 0.0,
        allowed: 0.0,
        worst_index: 0,
        within: true,
    };
    let mut worst = -1.0;
    for &(position, value, allowed) in reference {
        let off = distance(got.get_f64(elem, position), value);
        if off > allowed {
            deviation.outside += 1;
            deviation.within = false;
        }
        if allowed == f64::INFINITY {
            continue;
        }
        deviation.max_abs = deviation.max_abs.max(off);
        if value != 0.0 && value.is_finite() {
            deviation.max_rel = deviation.max_rel.max(off / value.abs());
        }
        let share = if off == 0.0 { 0.0 } else { off / allowed };
        if share > worst {
            worst = share;
            (deviation.worst_index, deviation.allowed) = (position, allowed);
        }
    }
    deviation
}

/// The distance of two values; 0 between equal infinities and between NaNs.
fn distance(got: f64, value: f64) -> f64 {
    if got == value || (got.is_nan() && value.is_nan()) {
        0.0
    } else if got.is_nan() || value.is_nan() {
        f64::INFINITY
    } else {
        (got - value).abs()
    }
}

/// At most `wanted` positions of `count`: all, or evenly spread ones with the first and the last.
pub fn spread_sample(count: usize, wanted: usize) -> Vec<usize> {
    if count <= wanted || wanted < 2 {
        return (0..count.min(wanted.max(1))).collect();
    }
    let place = |i: usize| (i as u128 * (count - 1) as u128 / (wanted - 1) as u128) as usize;
    (0..wanted).map(place).collect()
}

/// Definitions that may be entered one inside the other.
const MOST_NESTED_DEFINITIONS: usize = 64;
/// Elements of a page of remembered values.
const PAGE: usize = 256;

/// Elements of a tensor: given, or computed when first needed.
enum Elements {
    /// Floats of a parameter, widened.
    Floats(Vec<f32>),
    /// Any other parameter.
    Given(Data),
    /// Pages of values; an error below 0 marks one that is not known yet.
    Computed(Vec<Option<Box<[Near; PAGE]>>>),
}

struct Shadow<'f> {
    func: &'f Func,
    facts: Facts,
    elements: Vec<Elements>,
    /// The position of each tensor's definition in the list.
    definition: SecondaryMap<Tensor, Option<usize>>,
    point: Vec<i64>,
    /// When each index got its value; grows with every assignment.
    assigned: Vec<u64>,
    clock: u64,
    /// Values of nodes with several users, and the latest assignment they depend on.
    known: Vec<Option<(u64, Near)>>,
    /// Reductions that were computed for all values of their free indices.
    stored: BTreeMap<Expr, Stored>,
}

impl<'f> Shadow<'f> {
    fn new(func: &'f Func, mut tensors: SecondaryMap<Tensor, Data>) -> Shadow<'f> {
        let mut definition = SecondaryMap::new();
        for (position, def) in func.defs.iter().enumerate() {
            definition[def.target] = Some(position);
        }
        let elements = func.tensors.iter().map(|(tensor, data)| {
            let count = element_count(&data.shape).unwrap_or(0);
            let given = std::mem::take(&mut tensors[tensor]);
            match (definition[tensor], data.elem.is_float()) {
                (Some(_), _) => Elements::Computed(vec![None; count.div_ceil(PAGE)]),
                (None, true) => {
                    let float = |position| given.get_f64(data.elem, position) as f32;
                    Elements::Floats((0..count).map(float).collect())
                }
                (None, false) => Elements::Given(given),
            }
        });
        Shadow {
            func,
            facts: Facts::new(func),
            elements: elements.collect(),
            definition,
            point: vec![0; func.indices.len()],
            assigned: vec![0; func.indices.len()],
            clock: 0,
            known: vec![None; func.exprs.len()],
            stored: BTreeMap::new(),
        }
    }

    fn define_all(&mut self) -> Result<(), EvalError> {
        let func = self.func;
        for def in &func.defs {
            for expr in func.reachable(def.value) {
                if let Some(stored) = dots::all_dots(self, expr)? {
                    self.stored.insert(expr, stored);
                }
            }
            let count = element_count(&func.tensors[def.target].shape).unwrap_or(0);
            for position in 0..count {
                self.element(def.target, position)?;
            }
            self.stored.clear();
        }
        Ok(())
    }

    fn element(&mut self, tensor: Tensor, position: usize) -> Result<Near, EvalError> {
        let (page, place) = (position / PAGE, position % PAGE);
        match &self.elements[tensor.as_u32() as usize] {
            Elements::Floats(values) => return Ok(Near::exact(f64::from(values[position]))),
            Elements::Given(data) => {
                return Ok(Near::exact(
                    data.get_f64(self.func.tensors[tensor].elem, position),
                ));
            }
            Elements::Computed(pages) => {
                let known = pages[page].as_ref().map(|page| page[place]);
                if let Some(near) = known.filter(|near| near.error >= 0.0) {
                    return Ok(near);
                }
            }
        }
        let near = self.compute(tensor, position)?;
        if let Elements::Computed(pages) = &mut self.elements[tensor.as_u32() as usize] {
            let unknown = Near {
                value: 0.0,
                error: -1.0,
            };
            pages[page].get_or_insert_with(|| Box::new([unknown; PAGE]))[place] = near;
        }
        Ok(near)
    }

    fn compute(&mut self, tensor: Tensor, position: usize) -> Result<Near, EvalError> {
        let func = self.func;
        let Some(def) = self.definition[tensor].and_then(|position| func.defs.get(position)) else {
            return Ok(Near::unknown());
        };
        self.assign(&def.indices, position);
        self.value(def.value)
    }

    /// Gives indices the values of a flat position, the last fastest.
    fn assign(&mut self, indices: &[Index], position: usize) {
        let mut rest = position as i64;
        self.clock += 1;
        for &index in indices.iter().rev() {
            let (place, extent) = (index.as_u32() as usize, self.func.indices[index].extent);
            if std::mem::replace(&mut self.point[place], rest % extent) != rest % extent {
                self.assigned[place] = self.clock;
            }
            rest /= extent;
        }
    }

    fn value(&mut self, expr: Expr) -> Result<Near, EvalError> {
        if !self.facts.shared(expr) {
            return self.node(expr, &self.func.exprs[expr]);
        }
        let free = self.facts.free(expr).iter();
        let latest = free
            .map(|index| self.assigned[index.as_u32() as usize])
            .max()
            .unwrap_or(0);
        if let Some((then, near)) = self.known[expr.as_u32() as usize]
            && then == latest
        {
            return Ok(near);
        }
        let near = self.node(expr, &self.func.exprs[expr])?;
        self.known[expr.as_u32() as usize] = Some((latest, near));
        Ok(near)
    }

    fn node(&mut self, expr: Expr, data: &'f ExprData) -> Result<Near, EvalError> {
        match &data.kind {
            ExprKind::Float(x) => Ok(Near::exact(*x)),
            ExprKind::Int(x) => Ok(Near::exact(*x as f64)),
            ExprKind::Index(index) => Ok(Near::exact(self.point[index.as_u32() as usize] as f64)),
            ExprKind::Load { tensor, at, border } => match (self.place(*tensor, at), border) {
                (Some(position), _) => self.element(*tensor, position),
                (None, Some(border)) => self.value(*border),
                (None, None) => Ok(Near::unknown()),
            },
            ExprKind::Gather {
                tensor,
                index,
                dim,
                at,
                border,
            } => {
                let index = self.value(*index)?;
                if index.error != 0.0 {
                    return Ok(Near::unknown());
                }
                let coordinates = at.iter().enumerate().map(|(d, affine)| {
                    let from_data = if d == *dim { index.value as i64 } else { 0 };
                    self.affine(affine).wrapping_add(from_data)
                });
                let at: Vec<i64> = coordinates.collect();
                let at = at.into_iter();
                match (self.flat(*tensor, at), border) {
                    (Some(position), _) => self.element(*tensor, position),
                    (None, Some(border)) => self.value(*border),
                    (None, None) => Err(EvalError::index_out_of_range(data.span)),
                }
            }
            ExprKind::Unary(op, a) => Ok(near::unary(*op, data.elem, self.value(*a)?)),
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.value(*a)?, self.value(*b)?);
                near::binary(*op, data.elem, a, b)
                    .ok_or_else(|| EvalError::division_by_zero(data.span))
            }
            ExprKind::Compare(op, a, b) => Ok(near::compare(*op, self.value(*a)?, self.value(*b)?)),
            ExprKind::Select(condition, a, b) => {
                let condition = self.value(*condition)?;
                let (chosen, other) = if condition.is_true() {
                    (*a, *b)
                } else {
                    (*b, *a)
                };
                let value = self.value(chosen)?;
                if condition.error == 0.0 {
                    return Ok(value);
                }
                // The other side may have no value at all.
                let other = self.value(other).unwrap_or(Near::unknown());
                Ok(value.or(other))
            }
            ExprKind::Cast {
                value,
                round,
                overflow,
            } => {
                let from = self.func.exprs[*value].elem;
                Ok(near::cast(
                    self.value(*value)?,
                    from,
                    data.elem,
                    *round,
                    *overflow,
                ))
            }
            ExprKind::Reduce(reduce) => self.reduce(expr, reduce, data.elem),
        }
    }

    fn place(&self, tensor: Tensor, at: &[Affine]) -> Option<usize> {
        self.flat(tensor, at.iter().map(|affine| self.affine(affine)))
    }

    fn flat(&self, tensor: Tensor, at: impl Iterator<Item = i64>) -> Option<usize> {
        let mut place = 0;
        for (coordinate, &extent) in at.zip(&self.func.tensors[tensor].shape) {
            if !(0..extent).contains(&coordinate) {
                return None;
            }
            place = place * extent + coordinate;
        }
        usize::try_from(place).ok()
    }

    fn affine(&self, affine: &Affine) -> i64 {
        let mut sum = affine.constant;
        for (coefficient, atom) in &affine.terms {
            let value = match atom {
                Atom::Index(index) => self.point[index.as_u32() as usize],
                Atom::Div(inner, by) => self.affine(inner).div_euclid(*by),
                Atom::Mod(inner, by) => self.affine(inner).rem_euclid(*by),
                Atom::Clamp(inner, low, high) => self.affine(inner).clamp(*low, *high),
            };
            sum = sum.wrapping_add(coefficient.wrapping_mul(value));
        }
        sum
    }

    fn reduce(&mut self, expr: Expr, reduce: &'f Reduce, elem: Elem) -> Result<Near, EvalError> {
        if let Some(stored) = self.stored.get(&expr) {
            return Ok(stored.at(&self.point));
        }
        match reduce.op {
            ReduceOp::Sum if elem == Elem::F32 => match self.dot(reduce) {
                Some(near) => Ok(near),
                None => self.float_sum(reduce),
            },
            ReduceOp::ArgMax | ReduceOp::ArgMin => self.best_position(reduce),
            ReduceOp::Sum
            | ReduceOp::Prod
            | ReduceOp::Max
            | ReduceOp::Min
            | ReduceOp::Any
            | ReduceOp::All => self.fold(reduce, elem),
        }
    }

    fn item_count(&self, reduce: &Reduce) -> usize {
        reduce
            .axes
            .iter()
            .map(|&axis| self.func.indices[axis].extent as usize)
            .product()
    }

    /// Sets the axes to an item; its mask.
    fn enter(&mut self, reduce: &'f Reduce, item: usize) -> Result<Near, EvalError> {
        self.assign(&reduce.axes, item);
        match reduce.mask {
            Some(mask) => self.value(mask),
            None => Ok(Near::exact(1.0)),
        }
    }

    fn item(&mut self, reduce: &'f Reduce) -> Result<Near, EvalError> {
        let func = self.func;
        match (&func.exprs[reduce.body].kind, reduce.exact_product) {
            (ExprKind::Binary(BinaryOp::Mul, a, b), true) => {
                Ok(near::product(self.value(*a)?, self.value(*b)?))
            }
            _ => self.value(reduce.body),
        }
    }

    fn float_sum(&mut self, reduce: &'f Reduce) -> Result<Near, EvalError> {
        let mut sum = FloatSum::default();
        let count = self.item_count(reduce);
        for item in 0..count {
            let mask = self.enter(reduce, item)?;
            if mask == Near::exact(0.0) {
                continue;
            }
            let value = match self.item(reduce) {
                Err(_) if mask.error > 0.0 => Near::unknown(),
                value => value?,
            };
            sum.add(if mask.error == 0.0 {
                value
            } else {
                value.or(Near::exact(0.0))
            });
        }
        Ok(sum.finish(reduce.order, count))
    }

    fn fold(&mut self, reduce: &'f Reduce, elem: Elem) -> Result<Near, EvalError> {
        let (op, mut total) = near::fold_start(reduce.op, elem);
        let mut partial = near::PartialProducts::default();
        for item in 0..self.item_count(reduce) {
            let mask = self.enter(reduce, item)?;
            if mask == Near::exact(0.0) {
                continue;
            }
            let value = match self.item(reduce) {
                Err(_) if mask.error > 0.0 => Near::unknown(),
                value => value?,
            };
            if reduce.op == ReduceOp::Prod && elem.is_float() {
                partial.multiply(value);
            }
            let joined = near::binary(op, elem, total, value).unwrap_or(Near::unknown());
            total = if mask.error == 0.0 {
                joined
            } else {
                joined.or(total)
            };
        }
        Ok(partial.widen(total))
    }

    fn best_position(&mut self, reduce: &'f Reduce) -> Result<Near, EvalError> {
        let mut candidates = Vec::new();
        let mut certain = true;
        for item in 0..self.item_count(reduce) {
            let mask = self.enter(reduce, item)?;
            certain &= mask.error == 0.0;
            if mask.error > 0.0 || mask.is_true() {
                candidates.push((item, self.item(reduce)?));
            }
        }
        let position = near::best_position(reduce.op, &candidates);
        Ok(if certain {
            position
        } else {
            Near {
                error: f64::INFINITY,
                ..position
            }
        })
    }

    /// A sum of products of float parameters with plain accesses, without a walk over nodes for each item.
    fn dot(&mut self, reduce: &'f Reduce) -> Option<Near> {
        let body = &self.func.exprs[reduce.body];
        let ExprKind::Binary(BinaryOp::Mul, a, b) = body.kind else {
            return None;
        };
        if reduce.mask.is_some() || !(reduce.exact_product || body.elem == Elem::F32) {
            return None;
        }
        self.assign(&reduce.axes, 0);
        let (from_a, from_b) = (self.walk(reduce, a)?, self.walk(reduce, b)?);
        let (Elements::Floats(a), Elements::Floats(b)) = (
            &self.elements[from_a.tensor.as_u32() as usize],
            &self.elements[from_b.tensor.as_u32() as usize],
        ) else {
            return None;
        };
        let extents: Vec<usize> = reduce
            .axes
            .iter()
            .map(|&axis| self.func.indices[axis].extent as usize)
            .collect();
        let mut sum = FloatSum::default();
        let (&inner, outer) = extents.split_last()?;
        let (inner_a, inner_b) = (*from_a.strides.last()?, *from_b.strides.last()?);
        for position in 0..outer.iter().product() {
            let mut at_a = from_a.start + from_a.offset(outer, position);
            let mut at_b = from_b.start + from_b.offset(outer, position);
            for _ in 0..inner {
                let (x, y) = (a.get(at_a as usize)?, b.get(at_b as usize)?);
                let product = f64::from(*x) * f64::from(*y);
                sum.add(match reduce.exact_product {
                    true => Near::exact(product),
                    false => near::rounded(Elem::F32, product, 0.0, 1.0),
                });
                (at_a, at_b) = (at_a + inner_a, at_b + inner_b);
            }
        }
        Some(sum.finish(reduce.order, extents.iter().product()))
    }

    /// Where an operand of a dot product lies, if its position is linear in the axes.
    fn walk(&self, reduce: &Reduce, operand: Expr) -> Option<Stride> {
        let ExprKind::Load {
            tensor,
            at,
            border: None,
        } = &self.func.exprs[operand].kind
        else {
            return None;
        };
        let mut strides = vec![0; reduce.axes.len()];
        let mut unit = 1;
        for (affine, extent) in at.iter().zip(&self.func.tensors[*tensor].shape).rev() {
            for (coefficient, atom) in &affine.terms {
                match atom {
                    Atom::Index(index) => {
                        if let Some(axis) = reduce.axes.iter().position(|axis| axis == index) {
                            strides[axis] += coefficient * unit;
                        }
                    }
                    Atom::Div(inner, _) | Atom::Mod(inner, _) | Atom::Clamp(inner, _, _) => {
                        let mut inside = Vec::new();
                        inner.visit_indices(&mut |index| inside.push(index));
                        if inside.iter().any(|index| reduce.axes.contains(index)) {
                            return None;
                        }
                    }
                }
            }
            unit *= extent;
        }
        let start = self.place(*tensor, at)? as i64;
        Some(Stride {
            tensor: *tensor,
            start,
            strides,
        })
    }
}

/// A linear walk through a tensor: the place of the first item, and the step along each axis.
struct Stride {
    tensor: Tensor,
    start: i64,
    strides: Vec<i64>,
}

impl Stride {
    /// The offset of a flat position of the outer axes.
    fn offset(&self, outer: &[usize], position: usize) -> i64 {
        let mut rest = position;
        let mut offset = 0;
        for (extent, stride) in outer.iter().zip(&self.strides).rev() {
            offset += (rest % extent) as i64 * stride;
            rest /= extent;
        }
        offset
    }
}
