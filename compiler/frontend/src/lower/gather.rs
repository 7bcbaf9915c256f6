//! Access by data: gathers, and scatters as reductions over the items that point at an element.
//!
//! A scatter reads every item for every element of its base and takes those whose place is the element's. The place is
//! looked up in a tensor of places, so that an index that is out of range faults like that of a gather.

use super::build::elem_of;
use super::{Frame, Lower, Lowered, Slot, View};
use crate::errors::sizes;
use crate::hir::{self, ExprId, ScatterOp};
use diag::Span;
use ir::algo::{
    Affine, BinaryOp, CmpOp, Expr, ExprKind, Index, Order, Overflow, Reduce, ReduceOp, Round,
};
use isa::types::Elem;
use smallvec::SmallVec;

/// A scatter on its way down: what it reads, and the element that is computed.
struct Place {
    base: View,
    index: View,
    source: View,
    /// The numbers of the rows of the base.
    numbers: View,
    at: Vec<Affine>,
    /// How many items there are.
    items: i64,
    elem: Elem,
    span: Span,
}

impl<'a> Lower<'a> {
    /// An element of what `gather(table, index)` gives.
    pub(super) fn gather(
        &mut self,
        f: &mut Frame<'a>,
        (table, index): (ExprId, ExprId),
        at: &[Affine],
        border: Option<Expr>,
        span: Span,
    ) -> Lowered<Expr> {
        let view = self.view(f, table, "table")?;
        let index = self.expr(f, index, &[])?;
        self.gather_from(f, &view, index, at, border, span)
    }

    fn gather_from(
        &mut self,
        f: &Frame<'a>,
        view: &View,
        index: Expr,
        at: &[Affine],
        border: Option<Expr>,
        span: Span,
    ) -> Lowered<Expr> {
        let view = &self.unpacked(f, view)?;
        let open = |slot: &Slot| matches!(slot, Slot::Open | Slot::Shifted(_));
        let dim = view.at.iter().position(open).unwrap_or(0);
        let at: Vec<Affine> = [Affine::default()].iter().chain(at).cloned().collect();
        let at = self.full_coordinates(f, view, &at, span)?;
        let kind = ExprKind::Gather {
            tensor: view.tensor,
            index,
            dim,
            at,
            border,
        };
        let elem = elem_of(&self.func, view.tensor);
        self.node(kind, elem, span)
    }

    /// An element of what a scatter gives.
    pub(super) fn scatter(
        &mut self,
        f: &mut Frame<'a>,
        scatter: &'a hir::Scatter,
        at: &[Affine],
        span: Span,
    ) -> Lowered<Expr> {
        let body = &f.item.body;
        let rows = self.extent(f, &body[scatter.base].shape[0], span)?;
        let items = self.extent(f, &body[scatter.index].shape[0], span)?;
        let place = Place {
            base: self.view(f, scatter.base, "base")?,
            index: self.view(f, scatter.index, "places")?,
            source: self.view(f, scatter.source, "source")?,
            numbers: self.numbers(rows, span)?,
            at: at.to_vec(),
            items,
            elem: f.elem(f.item.body[scatter.base].ty),
            span,
        };
        match scatter.op {
            ScatterOp::Set => self.scatter_set(f, &place),
            ScatterOp::Add => self.scatter_add(f, &place),
            ScatterOp::Max => self.scatter_extreme(f, &place, ReduceOp::Max, BinaryOp::Max),
            ScatterOp::Min => self.scatter_extreme(f, &place, ReduceOp::Min, BinaryOp::Min),
        }
    }

    /// The tensor 0, 1, 2 ….
    fn numbers(&mut self, rows: i64, span: Span) -> Lowered<View> {
        let index = self.index("n", rows, span);
        let value = self.node(ExprKind::Index(index), Elem::I64, span)?;
        let value = self.as_i32(value, span)?;
        self.store(value, &[], &[index], "numbers".to_owned(), span)
    }

    fn as_i32(&mut self, value: Expr, span: Span) -> Lowered<Expr> {
        let kind = ExprKind::Cast {
            value,
            round: Round::Even,
            overflow: Overflow::Saturate,
        };
        self.node(kind, Elem::I32, span)
    }

    /// Whether an item points at the element. Outside of the items it does.
    fn hits(&mut self, f: &Frame<'a>, place: &Place, item: &Affine) -> Lowered<Expr> {
        let span = place.span;
        let row = place.at.first().cloned().unwrap_or_default();
        let own = self.load(f, &place.numbers, std::slice::from_ref(&row), None, span)?;
        let index = elem_of(&self.func, place.index.tensor);
        let inside = self.stays_inside(item, place.items);
        let border = match inside {
            true => None,
            false => Some(self.cast_value(own, index, span)?),
        };
        let found = self.load(f, &place.index, std::slice::from_ref(item), border, span)?;
        let found = self.gather_from(f, &place.numbers, found, &[], None, span)?;
        self.node(ExprKind::Compare(CmpOp::Eq, found, own), Elem::Bool, span)
    }

    fn cast_value(&mut self, value: Expr, elem: Elem, span: Span) -> Lowered<Expr> {
        if self.func.exprs[value].elem == elem {
            return Ok(value);
        }
        let overflow = if elem.is_float() {
            Overflow::Saturate
        } else {
            Overflow::Wrap
        };
        let round = Round::Even;
        let kind = ExprKind::Cast {
            value,
            round,
            overflow,
        };
        self.node(kind, elem, span)
    }

    fn over(
        &mut self,
        place: &Place,
        op: ReduceOp,
        axis: Index,
        (mask, body): (Expr, Expr),
    ) -> Lowered<Expr> {
        let item = self.func.exprs[body].elem;
        let elem = match op {
            ReduceOp::Sum if item.is_float() => Elem::F32,
            ReduceOp::Sum => Elem::I32,
            ReduceOp::Max
            | ReduceOp::Min
            | ReduceOp::Prod
            | ReduceOp::Any
            | ReduceOp::All
            | ReduceOp::ArgMax
            | ReduceOp::ArgMin => item,
        };
        let kind = ExprKind::Reduce(Box::new(Reduce {
            op,
            axes: SmallVec::from_iter([axis]),
            mask: Some(mask),
            body,
            order: Order::Ascending,
            exact_product: false,
        }));
        self.node(kind, elem, place.span)
    }

    fn row_at(&self, place: &Place, item: &Affine) -> Vec<Affine> {
        let rest = place.at.iter().skip(1);
        [item].into_iter().chain(rest).cloned().collect()
    }

    /// The last item that points here, or the base.
    fn scatter_set(&mut self, f: &Frame<'a>, place: &Place) -> Lowered<Expr> {
        let span = place.span;
        let axis = self.index("i", place.items, span);
        let hit = self.hits(f, place, &Affine::index(axis))?;
        let number = self.node(ExprKind::Index(axis), Elem::I64, span)?;
        let number = self.as_i32(number, span)?;
        let last = self.over(place, ReduceOp::Max, axis, (hit, number))?;
        let zero = self.integer(0, Elem::I32, span)?;
        let any = self.node(ExprKind::Compare(CmpOp::Ge, last, zero), Elem::Bool, span)?;
        let safe = self.node(ExprKind::Binary(BinaryOp::Max, last, zero), Elem::I32, span)?;
        let rest = self.row_at(place, &Affine::default());
        let new = self.gather_from(f, &place.source, safe, &rest[1..], None, span)?;
        let old = self.load(f, &place.base, &place.at, None, span)?;
        self.node(ExprKind::Select(any, new, old), place.elem, span)
    }

    /// The base and then the items, ascending: item 0 of the sum is the base.
    fn scatter_add(&mut self, f: &Frame<'a>, place: &Place) -> Lowered<Expr> {
        let span = place.span;
        let Some(count) = place.items.checked_add(1) else {
            return self.stop(sizes::size_overflow(span, "the number of items"));
        };
        let axis = self.index("i", count, span);
        let item = Affine {
            constant: -1,
            ..Affine::index(axis)
        };
        let hit = self.hits(f, place, &item)?;
        let old = self.load(f, &place.base, &place.at, None, span)?;
        let at = self.row_at(place, &item);
        let value = self.load(f, &place.source, &at, Some(old), span)?;
        let sum = self.over(place, ReduceOp::Sum, axis, (hit, value))?;
        self.cast_value(sum, place.elem, span)
    }

    fn scatter_extreme(
        &mut self,
        f: &Frame<'a>,
        place: &Place,
        op: ReduceOp,
        join: BinaryOp,
    ) -> Lowered<Expr> {
        let axis = self.index("i", place.items, place.span);
        let item = Affine::index(axis);
        let hit = self.hits(f, place, &item)?;
        let at = self.row_at(place, &item);
        let value = self.load(f, &place.source, &at, None, place.span)?;
        let best = self.over(place, op, axis, (hit, value))?;
        let old = self.load(f, &place.base, &place.at, None, place.span)?;
        self.node(ExprKind::Binary(join, old, best), place.elem, place.span)
    }
}
