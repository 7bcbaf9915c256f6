//! The fast evaluator: expressions over chunks of elements, one column of values per node.
//!
//! A *scope* is a chunk: index values for each lane. A definition is computed in scopes of consecutive elements; a
//! reduction opens an inner scope in which each lane of the outer one becomes several, one per item of the current run
//! of items. Nodes that do not depend on the items are computed in the outer scope and spread. Laziness matters for
//! faults only, so a mask of *active* lanes goes along and is looked at by integer division alone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use cranelift_entity::SecondaryMap;

use super::column::{self, Column};
use super::contract::{self, Stored};
use super::reduce::Accumulators;
use super::scalar::Value;
use super::{EvalError, Inputs};
use crate::algo::data::{Data, element_count};
use crate::algo::facts::Facts;
use crate::algo::{
    Affine, Atom, BinaryOp, Def, Expr, ExprData, ExprKind, Func, Index, Reduce, Tensor,
};

/// Lanes of a full chunk.
pub(super) const CHUNK: usize = 1024;
/// Elements of a definition with reductions that are computed at once; the rest of a chunk is items.
const REDUCED_CHUNK: usize = 32;

/// Evaluates a function chunk by chunk.
pub(super) fn eval(func: &Func, inputs: Inputs<'_>) -> Result<Vec<Data>, EvalError> {
    let tensors = inputs.into_tensors();
    let mut machine = Machine {
        func,
        facts: Facts::new(func),
        tensors,
        stored: BTreeMap::new(),
    };
    for def in &func.defs {
        machine.stored.clear();
        // Inner reductions first: the outer ones read them.
        for expr in func.reachable(def.value) {
            if let Some(stored) = contract::contract(&machine, expr)? {
                machine.stored.insert(expr, stored);
            }
        }
        let data = machine.define(def)?;
        machine.tensors[def.target] = data;
    }
    let tensors = &mut machine.tensors;
    Ok(func
        .results
        .iter()
        .map(|&result| std::mem::take(&mut tensors[result]))
        .collect())
}

/// What evaluation of one definition reads.
pub(super) struct Machine<'f> {
    pub(super) func: &'f Func,
    pub(super) facts: Facts,
    tensors: SecondaryMap<Tensor, Data>,
    /// Reductions of the current definition that were computed as a whole.
    stored: BTreeMap<Expr, Stored>,
}

/// Index values of a chunk, and values already computed in it.
pub(super) struct Scope<'s> {
    lanes: usize,
    indices: Vec<(Index, Vec<i64>)>,
    /// The scope around a reduction's, the lanes that each of its lanes became, and the indices added since.
    outer: Option<(&'s Scope<'s>, usize, &'s [Index])>,
    memo: RefCell<Vec<(Expr, Rc<Column>)>>,
}

type Active<'a> = Option<&'a [bool]>;

impl<'s> Scope<'s> {
    /// A scope that no other is around.
    pub(super) fn new(lanes: usize, indices: Vec<(Index, Vec<i64>)>) -> Scope<'s> {
        Scope {
            lanes,
            indices,
            outer: None,
            memo: RefCell::default(),
        }
    }

    fn values(&self, index: Index) -> &[i64] {
        let found = self.indices.iter().find(|(bound, _)| *bound == index);
        found.map_or(&[], |(_, values)| values)
    }

    fn recall(&self, expr: Expr) -> Option<Rc<Column>> {
        let memo = self.memo.borrow();
        memo.iter()
            .rev()
            .find(|(known, _)| *known == expr)
            .map(|(_, column)| column.clone())
    }

    fn remember(&self, expr: Expr, column: &Rc<Column>) {
        self.memo.borrow_mut().push((expr, column.clone()));
    }
}

impl Machine<'_> {
    fn define(&self, def: &Def) -> Result<Data, EvalError> {
        let target = &self.func.tensors[def.target];
        let count = element_count(&target.shape).unwrap_or(0);
        let mut data = Data::zeros(target.elem, count);
        let chunk = if self.reduces(def.value) {
            REDUCED_CHUNK
        } else {
            CHUNK
        };
        for start in (0..count).step_by(chunk) {
            let lanes = chunk.min(count - start);
            let scope = Scope::new(lanes, self.unflatten(&def.indices, start, lanes));
            let values = self.evaluate(&scope, def.value, None)?;
            values.store(target.elem, &mut data, start);
        }
        Ok(data)
    }

    /// Whether a reduction is inside that is not stored.
    fn reduces(&self, expr: Expr) -> bool {
        let mut open = vec![expr];
        let mut seen = vec![false; expr.as_u32() as usize + 1];
        while let Some(expr) = open.pop() {
            if std::mem::replace(&mut seen[expr.as_u32() as usize], true) {
                continue;
            }
            if self.stored.contains_key(&expr) {
                continue;
            }
            let kind = &self.func.exprs[expr].kind;
            if matches!(kind, ExprKind::Reduce(_)) {
                return true;
            }
            open.extend(kind.operands());
        }
        false
    }

    /// The values of the indices at `lanes` consecutive flat positions, the last index fastest.
    fn unflatten(&self, indices: &[Index], start: usize, lanes: usize) -> Vec<(Index, Vec<i64>)> {
        let mut columns: Vec<(Index, Vec<i64>)> = indices
            .iter()
            .map(|&index| (index, Vec::with_capacity(lanes)))
            .collect();
        let mut rest = start as i64;
        let mut point = vec![0; indices.len()];
        for (value, &index) in point.iter_mut().zip(indices).rev() {
            let extent = self.func.indices[index].extent;
            *value = rest % extent;
            rest /= extent;
        }
        for _ in 0..lanes {
            for ((_, column), &value) in columns.iter_mut().zip(&point) {
                column.push(value);
            }
            for (value, &index) in point.iter_mut().zip(indices).rev() {
                *value += 1;
                if *value < self.func.indices[index].extent {
                    break;
                }
                *value = 0;
            }
        }
        columns
    }

    /// The value of a node in each lane; lanes that are not active hold anything.
    pub(super) fn evaluate(
        &self,
        scope: &Scope<'_>,
        expr: Expr,
        active: Active<'_>,
    ) -> Result<Rc<Column>, EvalError> {
        let data = &self.func.exprs[expr];
        if let Some(value) = Value::constant(data.elem, &data.kind) {
            return Ok(Rc::new(Column::filled(data.elem, value, scope.lanes)));
        }
        let remembered = self.facts.shared(expr);
        if remembered && let Some(column) = scope.recall(expr) {
            return Ok(column);
        }
        let column = match self.hoist(scope, expr)? {
            Some(column) => column,
            None => Rc::new(self.compute(scope, expr, data, active)?),
        };
        if remembered {
            scope.remember(expr, &column);
        }
        Ok(column)
    }

    /// A node that does not depend on a reduction's items, computed outside and spread.
    fn hoist(&self, scope: &Scope<'_>, expr: Expr) -> Result<Option<Rc<Column>>, EvalError> {
        let Some((outer, times, axes)) = scope.outer else {
            return Ok(None);
        };
        let depends = self
            .facts
            .free(expr)
            .iter()
            .any(|index| axes.contains(index));
        if depends || self.facts.may_fault(expr) {
            return Ok(None);
        }
        let column = match outer.recall(expr) {
            Some(column) => column,
            None => {
                let column = self.evaluate(outer, expr, None)?;
                if !self.facts.shared(expr) {
                    outer.remember(expr, &column);
                }
                column
            }
        };
        Ok(Some(if times == 1 {
            column
        } else {
            Rc::new(column.expanded(times))
        }))
    }

    fn compute(
        &self,
        scope: &Scope<'_>,
        expr: Expr,
        data: &ExprData,
        active: Active<'_>,
    ) -> Result<Column, EvalError> {
        let elem = data.elem;
        if let Some(stored) = self.stored.get(&expr) {
            let places = self.stored_places(scope, stored);
            return Ok(Column::gathered(elem, &stored.data, &places));
        }
        match &data.kind {
            ExprKind::Float(_) | ExprKind::Int(_) => {
                Ok(Column::filled(elem, Value::Int(0), scope.lanes))
            }
            ExprKind::Index(index) => Ok(Column::Int(scope.values(*index).to_vec())),
            ExprKind::Load {
                tensor,
                at,
                border: None,
            } => {
                let places = self.places(scope, *tensor, at);
                Ok(Column::gathered(elem, &self.tensors[*tensor], &places))
            }
            ExprKind::Load {
                tensor,
                at,
                border: Some(border),
            } => self.bordered(scope, *tensor, at, *border, active),
            ExprKind::Gather {
                tensor,
                index,
                dim,
                at,
                border,
            } => {
                let index = self.evaluate(scope, *index, active)?;
                let found = self.gathered(scope, *tensor, (index.ints(), *dim), at);
                match border {
                    Some(border) => self.or_border(scope, found, *border, active),
                    None => all_inside(found, active)
                        .ok_or_else(|| EvalError::index_out_of_range(data.span)),
                }
            }
            ExprKind::Unary(op, a) => Ok(column::unary(
                *op,
                elem,
                &*self.evaluate(scope, *a, active)?,
            )),
            ExprKind::Binary(op, a, b) => {
                let a = self.evaluate(scope, *a, active)?;
                let b = self.evaluate(scope, *b, active)?;
                column::binary(*op, elem, &a, &b, active)
                    .map_err(|_| EvalError::division_by_zero(data.span))
            }
            ExprKind::Compare(op, a, b) => {
                let operand_elem = self.func.exprs[*a].elem;
                let a = self.evaluate(scope, *a, active)?;
                let b = self.evaluate(scope, *b, active)?;
                Ok(column::compare(*op, operand_elem, &a, &b))
            }
            ExprKind::Select(condition, a, b) => {
                let chosen = self.evaluate(scope, *condition, active)?;
                self.select(scope, chosen.bools(), *a, *b, active)
            }
            ExprKind::Cast {
                value,
                round,
                overflow,
            } => {
                let from = self.func.exprs[*value].elem;
                let value = self.evaluate(scope, *value, active)?;
                Ok(column::cast(&value, from, elem, *round, *overflow))
            }
            ExprKind::Reduce(reduce) => self.reduce(scope, reduce, data, active),
        }
    }

    fn select(
        &self,
        scope: &Scope<'_>,
        chosen: &[bool],
        a: Expr,
        b: Expr,
        active: Active<'_>,
    ) -> Result<Column, EvalError> {
        if chosen.iter().all(|&chosen| chosen) {
            return Ok(self.evaluate(scope, a, active)?.as_ref().clone());
        }
        if chosen.iter().all(|&chosen| !chosen) {
            return Ok(self.evaluate(scope, b, active)?.as_ref().clone());
        }
        let unchosen: Vec<bool> = chosen.iter().map(|&chosen| !chosen).collect();
        let a = self.evaluate_where(scope, a, chosen, active)?;
        let b = self.evaluate_where(scope, b, &unchosen, active)?;
        Ok(Column::select(chosen, &a, &b))
    }

    /// Evaluates a side that only the `chosen` of the active lanes take.
    fn evaluate_where(
        &self,
        scope: &Scope<'_>,
        expr: Expr,
        chosen: &[bool],
        active: Active<'_>,
    ) -> Result<Rc<Column>, EvalError> {
        if !self.facts.may_fault(expr) {
            return self.evaluate(scope, expr, None);
        }
        let narrowed = both(Some(chosen), active);
        // What is remembered from here on is valid for the narrower mask only.
        let known = scope.memo.borrow().len();
        let column = self.evaluate(scope, expr, narrowed.as_deref());
        scope.memo.borrow_mut().truncate(known);
        column
    }

    fn bordered(
        &self,
        scope: &Scope<'_>,
        tensor: Tensor,
        at: &[Affine],
        border: Expr,
        active: Active<'_>,
    ) -> Result<Column, EvalError> {
        let data = &self.func.tensors[tensor];
        let mut inside = vec![true; scope.lanes];
        for (affine, &extent) in at.iter().zip(&data.shape) {
            let coordinates = affine_column(scope, affine);
            for (inside, coordinate) in inside.iter_mut().zip(coordinates) {
                *inside &= (0..extent).contains(&coordinate);
            }
        }
        let places = self.places(scope, tensor, at);
        let loaded = Column::gathered(data.elem, &self.tensors[tensor], &places);
        self.or_border(scope, (loaded, inside), border, active)
    }

    /// What an access by data finds, and in which lanes its coordinates are in range.
    fn gathered(
        &self,
        scope: &Scope<'_>,
        tensor: Tensor,
        (index, dim): (&[i64], usize),
        at: &[Affine],
    ) -> (Column, Vec<bool>) {
        let data = &self.func.tensors[tensor];
        let mut inside = vec![true; scope.lanes];
        let mut places: Vec<i64> = vec![0; scope.lanes];
        let mut unit = 1i64;
        for (d, (affine, &extent)) in at.iter().zip(&data.shape).enumerate().rev() {
            let mut coordinates = affine_column(scope, affine);
            if d == dim {
                add_scaled(&mut coordinates, index, 1);
            }
            for (inside, coordinate) in inside.iter_mut().zip(&coordinates) {
                *inside &= (0..extent).contains(coordinate);
            }
            add_scaled(&mut places, &coordinates, unit);
            unit = unit.wrapping_mul(extent);
        }
        let places = places.into_iter().zip(&inside);
        let places: Vec<usize> = places
            .map(|(place, inside)| if *inside { place as usize } else { 0 })
            .collect();
        let found = Column::gathered(data.elem, &self.tensors[tensor], &places);
        (found, inside)
    }

    /// Takes the border in lanes that are outside.
    fn or_border(
        &self,
        scope: &Scope<'_>,
        (loaded, inside): (Column, Vec<bool>),
        border: Expr,
        active: Active<'_>,
    ) -> Result<Column, EvalError> {
        if inside.iter().all(|&inside| inside) {
            return Ok(loaded);
        }
        let outside: Vec<bool> = inside.iter().map(|&inside| !inside).collect();
        let border = self.evaluate_where(scope, border, &outside, active)?;
        Ok(Column::select(&inside, &loaded, &border))
    }

    /// Flat positions of an access; of one out of bounds any.
    fn places(&self, scope: &Scope<'_>, tensor: Tensor, at: &[Affine]) -> Vec<usize> {
        let mut total = vec![0; scope.lanes];
        let mut stride = 1i64;
        for (affine, &extent) in at.iter().zip(&self.func.tensors[tensor].shape).rev() {
            add_affine(scope, affine, stride, &mut total);
            stride = stride.wrapping_mul(extent);
        }
        total.into_iter().map(|place| place as usize).collect()
    }

    fn stored_places(&self, scope: &Scope<'_>, stored: &Stored) -> Vec<usize> {
        let mut total = vec![0; scope.lanes];
        for &(index, stride) in &stored.strides {
            add_scaled(&mut total, scope.values(index), stride as i64);
        }
        total.into_iter().map(|place| place as usize).collect()
    }

    fn reduce(
        &self,
        scope: &Scope<'_>,
        reduce: &Reduce,
        data: &ExprData,
        active: Active<'_>,
    ) -> Result<Column, EvalError> {
        let items: usize = reduce
            .axes
            .iter()
            .map(|&axis| self.func.indices[axis].extent as usize)
            .product();
        let run = (CHUNK / scope.lanes).clamp(1, items.max(1));
        let item_elem = self.func.exprs[reduce.body].elem;
        let mut accumulators = Accumulators::new(reduce, data.elem, item_elem, scope.lanes, items);
        for start in (0..items).step_by(run) {
            let count = run.min(items - start);
            let inner = self.item_scope(scope, reduce, start, count);
            let mut taken = active.map(|active| spread(active, count));
            if let Some(mask) = reduce.mask {
                let mask = self.evaluate(&inner, mask, taken.as_deref())?;
                taken = both(Some(mask.bools()), taken.as_deref());
            }
            if taken
                .as_ref()
                .is_some_and(|taken| taken.iter().all(|&taken| !taken))
            {
                continue;
            }
            let taken = taken.as_deref();
            if let (true, ExprKind::Binary(BinaryOp::Mul, a, b)) =
                (reduce.exact_product, &self.func.exprs[reduce.body].kind)
            {
                let a = self.evaluate(&inner, *a, taken)?;
                let b = self.evaluate(&inner, *b, taken)?;
                accumulators.add_products(start, count, taken, &a, &b);
            } else {
                let body = self.evaluate(&inner, reduce.body, taken)?;
                accumulators.add(start, count, taken, &body);
            }
        }
        Ok(accumulators.finish())
    }

    /// The scope of a run of items: lane `p * count + c` is item `start + c` of the outer lane `p`.
    fn item_scope<'s>(
        &self,
        scope: &'s Scope<'s>,
        reduce: &'s Reduce,
        start: usize,
        count: usize,
    ) -> Scope<'s> {
        let body = self.facts.free(reduce.body);
        let mask = reduce
            .mask
            .map_or(&[] as &[Index], |mask| self.facts.free(mask));
        let mut indices: Vec<(Index, Vec<i64>)> = scope
            .indices
            .iter()
            .filter(|(index, _)| body.contains(index) || mask.contains(index))
            .map(|(index, values)| (*index, spread(values, count)))
            .collect();
        for (axis, values) in self.unflatten(&reduce.axes, start, count) {
            indices.push((axis, values.repeat(scope.lanes)));
        }
        Scope {
            lanes: scope.lanes * count,
            indices,
            outer: Some((scope, count, &reduce.axes)),
            memo: RefCell::default(),
        }
    }
}

fn spread<T: Copy>(values: &[T], times: usize) -> Vec<T> {
    values
        .iter()
        .flat_map(|&value| std::iter::repeat_n(value, times))
        .collect()
}

/// Where both masks hold; no mask holds everywhere.
fn both(a: Active<'_>, b: Active<'_>) -> Option<Vec<bool>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.iter().zip(b).map(|(&a, &b)| a & b).collect()),
        (Some(one), None) | (None, Some(one)) => Some(one.to_vec()),
        (None, None) => None,
    }
}

/// What was found, if every active lane is inside.
fn all_inside((found, inside): (Column, Vec<bool>), active: Active<'_>) -> Option<Column> {
    let unseen = |lane: usize| active.is_some_and(|active| !active[lane]);
    let mut lanes = inside.iter().enumerate();
    lanes
        .all(|(lane, inside)| *inside || unseen(lane))
        .then_some(found)
}

fn affine_column(scope: &Scope<'_>, affine: &Affine) -> Vec<i64> {
    let mut total = vec![0; scope.lanes];
    add_affine(scope, affine, 1, &mut total);
    total
}

/// Adds `scale` times an affine expression. Sums that leave i64 belong to accesses that a border replaces.
fn add_affine(scope: &Scope<'_>, affine: &Affine, scale: i64, total: &mut [i64]) {
    let constant = affine.constant.wrapping_mul(scale);
    if constant != 0 {
        total
            .iter_mut()
            .for_each(|total| *total = total.wrapping_add(constant));
    }
    for (coefficient, atom) in &affine.terms {
        let scale = coefficient.wrapping_mul(scale);
        match atom {
            Atom::Index(index) => add_scaled(total, scope.values(*index), scale),
            Atom::Div(inner, by) => {
                let values: Vec<i64> = affine_column(scope, inner)
                    .iter()
                    .map(|v| v.div_euclid(*by))
                    .collect();
                add_scaled(total, &values, scale);
            }
            Atom::Mod(inner, by) => {
                let values: Vec<i64> = affine_column(scope, inner)
                    .iter()
                    .map(|v| v.rem_euclid(*by))
                    .collect();
                add_scaled(total, &values, scale);
            }
            Atom::Clamp(inner, low, high) => {
                let values: Vec<i64> = affine_column(scope, inner)
                    .iter()
                    .map(|v| *v.clamp(low, high))
                    .collect();
                add_scaled(total, &values, scale);
            }
        }
    }
}

fn add_scaled(total: &mut [i64], values: &[i64], scale: i64) {
    for (total, value) in total.iter_mut().zip(values) {
        *total = total.wrapping_add(value.wrapping_mul(scale));
    }
}
