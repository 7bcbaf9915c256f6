//! Expressions of a definition at given coordinates.

use super::build::elem_of;
use super::{Binding, Frame, Lower, Lowered, Slot, Stop, View};
use crate::affine;
use crate::errors::{resolve, sizes};
use crate::hir::{self, ExprId, LocalId, Ty};
use crate::poly::Poly;
use diag::Span;
use ir::algo::{Affine, BinaryOp, Expr, ExprKind, Index, Order, Overflow, Reduce, ReduceOp, Round};
use isa::types::Elem;
use smallvec::SmallVec;

impl<'a> Lower<'a> {
    /// An operand that may be a whole tensor or one value: one value is broadcast.
    pub(super) fn operand(&mut self, f: &mut Frame<'a>, e: ExprId, at: &[Affine]) -> Lowered<Expr> {
        let rank = f.item.body[e].shape.len();
        self.expr(f, e, if rank == 0 { &[] } else { at })
    }

    /// The element of an expression at `at`, which has a coordinate for each of its dimensions.
    pub(super) fn expr(&mut self, f: &mut Frame<'a>, e: ExprId, at: &[Affine]) -> Lowered<Expr> {
        self.enter(f.item.body[e].span)?;
        let result = self.expr_inside(f, e, at);
        self.nesting -= 1;
        result
    }

    fn expr_inside(&mut self, f: &mut Frame<'a>, e: ExprId, at: &[Affine]) -> Lowered<Expr> {
        let item = f.item;
        let node = &item.body[e];
        let (elem, span) = (f.elem(node.ty), node.span);
        match &node.kind {
            // What stands along an index is only an argument of a fold.
            hir::ExprKind::Error | hir::ExprKind::Along(_) => Err(Stop),
            hir::ExprKind::Int(value) => self.integer_literal(*value, elem, span),
            hir::ExprKind::Float(value) => self.float_literal(*value, elem, span),
            hir::ExprKind::Bool(value) => self.integer(i64::from(*value), Elem::Bool, span),
            hir::ExprKind::Size(size) => {
                let value = self.size(f, size, span)?;
                self.integer(value, Elem::I64, span)
            }
            hir::ExprKind::Index(index) => match f.indices[index.0] {
                Some(index) => self.node(ExprKind::Index(index), Elem::I64, span),
                None => Err(Stop),
            },
            hir::ExprKind::Local(local) => self.read_local(f, *local, at, None, span),
            hir::ExprKind::Access { base, at: own } => {
                let at = self.coordinates(f, (*base, own), at, span, false)?;
                self.read(f, *base, &at, None, span)
            }
            hir::ExprKind::Border { access, otherwise } => {
                self.bordered(f, *access, *otherwise, span)
            }
            hir::ExprKind::Unary(op, a) => {
                let a = self.operand(f, *a, at)?;
                self.node(ExprKind::Unary(*op, a), elem, span)
            }
            hir::ExprKind::Binary(op, a, b) if node.ty == Ty::Size => {
                self.size_binary(f, *op, (*a, *b), span)
            }
            hir::ExprKind::Binary(op, a, b) => {
                let a = self.operand(f, *a, at)?;
                let b = self.operand(f, *b, at)?;
                self.node(ExprKind::Binary(*op, a, b), elem, span)
            }
            hir::ExprKind::Compare(op, a, b) => {
                let a = self.operand(f, *a, at)?;
                let b = self.operand(f, *b, at)?;
                self.node(ExprKind::Compare(*op, a, b), Elem::Bool, span)
            }
            hir::ExprKind::Select(c, a, b) => {
                let c = self.operand(f, *c, at)?;
                let a = self.operand(f, *a, at)?;
                let b = self.operand(f, *b, at)?;
                self.node(ExprKind::Select(c, a, b), elem, span)
            }
            hir::ExprKind::Cast {
                value,
                round,
                overflow,
            } => {
                let value = self.operand(f, *value, at)?;
                if node.ty == Ty::I4 {
                    return self.narrow(value, (*round, *overflow), span);
                }
                self.cast(value, (*round, *overflow), elem, span)
            }
            hir::ExprKind::Reduce(reduce) => self.reduce(f, reduce, elem, span),
            hir::ExprKind::ScalarCall(call) => self.scalar_call(f, call, at, span),
            hir::ExprKind::Gather { table, index } => {
                self.gather(f, (*table, *index), at, None, span)
            }
            hir::ExprKind::Scatter(scatter) => self.scatter(f, scatter, at, span),
            hir::ExprKind::TensorCall(call) => {
                let view = self.nested_call(f, call, span)?;
                self.load(f, &view, at, None, span)
            }
        }
    }

    /// A conversion; the ones that change nothing are left out: to the type that a value has, whatever the value.
    fn cast(
        &mut self,
        value: Expr,
        how: (Round, Overflow),
        elem: Elem,
        span: Span,
    ) -> Lowered<Expr> {
        if self.func.exprs[value].elem == elem {
            return Ok(value);
        }
        let widens = elem == Elem::F32 && self.func.exprs[value].elem.is_float();
        let round = if widens { Round::Even } else { how.0 };
        // f32 never saturates, so the two ways of overflow are one.
        let overflow = if elem == Elem::F32 {
            Overflow::Saturate
        } else {
            how.1
        };
        self.node(
            ExprKind::Cast {
                value,
                round,
                overflow,
            },
            elem,
            span,
        )
    }

    // ---- reading tensors ----

    /// All coordinates of an access: its own, and those that it leaves open from outside. Checks bounds unless inside
    /// a border.
    pub(super) fn coordinates(
        &mut self,
        f: &mut Frame<'a>,
        access: (ExprId, &[Option<ExprId>]),
        open: &[Affine],
        span: Span,
        bordered: bool,
    ) -> Lowered<Vec<Affine>> {
        let (base, own) = access;
        let body = &f.item.body;
        let (shape, declared, tensor) = described(&body[base], &f.item.body);
        let mut open = open.iter();
        let mut at = Vec::new();
        for (dimension, (coordinate, size)) in own.iter().zip(shape).enumerate() {
            let Some(e) = coordinate else {
                at.extend(open.next().cloned());
                continue;
            };
            let form = self.affine(f, *e)?;
            if !bordered {
                let size = self.extent(f, size, span)?;
                let place = sizes::Access {
                    tensor: tensor.to_owned(),
                    dimension,
                    size: String::new(),
                    span: f.item.body[*e].span,
                    whole: span,
                    declared,
                };
                self.check_bounds(&form, place, size);
            }
            at.push(form);
        }
        Ok(at)
    }

    fn bordered(
        &mut self,
        f: &mut Frame<'a>,
        access: ExprId,
        otherwise: ExprId,
        span: Span,
    ) -> Lowered<Expr> {
        if let hir::ExprKind::Gather { table, index } = &f.item.body[access].kind {
            let otherwise = self.expr(f, otherwise, &[])?;
            return self.gather(f, (*table, *index), &[], Some(otherwise), span);
        }
        let hir::ExprKind::Access { base, at: own } = &f.item.body[access].kind else {
            return Err(Stop);
        };
        let at = self.coordinates(f, (*base, own), &[], span, true)?;
        if let hir::ExprKind::Gather { table, index } = &f.item.body[*base].kind {
            let otherwise = self.expr(f, otherwise, &[])?;
            return self.gather(f, (*table, *index), &at, Some(otherwise), span);
        }
        let shape = f.item.body[*base].shape.clone();
        let mut inside = true;
        for (coordinate, size) in at.iter().zip(&shape) {
            let size = self.extent(f, size, span)?;
            inside &= self.stays_inside(coordinate, size);
        }
        let otherwise = if inside {
            None
        } else {
            Some(self.expr(f, otherwise, &[])?)
        };
        self.read(f, *base, &at, otherwise, span)
    }

    fn read(
        &mut self,
        f: &mut Frame<'a>,
        base: ExprId,
        at: &[Affine],
        border: Option<Expr>,
        span: Span,
    ) -> Lowered<Expr> {
        match (&f.item.body[base].kind, border) {
            (hir::ExprKind::Local(local), _) => self.read_local(f, *local, at, border, span),
            (hir::ExprKind::TensorCall(call), _) => {
                let view = self.nested_call(f, call, span)?;
                self.load(f, &view, at, border, span)
            }
            (_, None) => self.expr(f, base, at),
            (_, Some(_)) => self.stop(resolve::not_compiled_yet("a border of an expression", span)),
        }
    }

    fn read_local(
        &mut self,
        f: &mut Frame<'a>,
        local: LocalId,
        at: &[Affine],
        border: Option<Expr>,
        span: Span,
    ) -> Lowered<Expr> {
        match f.locals[local.0].clone() {
            Some(Binding::View(view)) => self.load(f, &view, at, border, span),
            Some(Binding::Value(value)) => Ok(value),
            Some(Binding::Constant(kind, elem)) => self.node(kind, elem, span),
            None => Err(Stop),
        }
    }

    pub(super) fn load(
        &mut self,
        f: &Frame<'a>,
        view: &View,
        at: &[Affine],
        border: Option<Expr>,
        span: Span,
    ) -> Lowered<Expr> {
        if border.is_some() {
            let view = &self.unpacked(f, view)?;
            return self.load_plain(f, view, at, border, span);
        }
        if self.packed.contains_key(&view.tensor) {
            let coordinates = self.full_coordinates(f, view, at, span)?;
            return self.load_packed(view.tensor, &coordinates, span);
        }
        self.load_plain(f, view, at, border, span)
    }

    fn load_plain(
        &mut self,
        f: &Frame<'a>,
        view: &View,
        at: &[Affine],
        border: Option<Expr>,
        span: Span,
    ) -> Lowered<Expr> {
        let coordinates = self.full_coordinates(f, view, at, span)?;
        let elem = elem_of(&self.func, view.tensor);
        self.node(
            ExprKind::Load {
                tensor: view.tensor,
                at: coordinates,
                border,
            },
            elem,
            span,
        )
    }

    /// The coordinates of an element of a view, in the tensor.
    pub(super) fn full_coordinates(
        &mut self,
        f: &Frame<'a>,
        view: &View,
        at: &[Affine],
        span: Span,
    ) -> Lowered<SmallVec<[Affine; 4]>> {
        let mut open = at.iter();
        let mut coordinates: SmallVec<[Affine; 4]> = SmallVec::new();
        for slot in &view.at {
            match slot {
                Slot::Fixed(form) => coordinates.push(affine::rename(form, &f.map)),
                Slot::Open => coordinates.extend(open.next().cloned()),
                Slot::Shifted(by) => {
                    let by = affine::rename(by, &f.map);
                    let sum = open.next().map(|at| affine::add_scaled(at, &by, 1));
                    let Some(Some(sum)) = sum else {
                        return self.stop(sizes::size_overflow(span, "this index expression"));
                    };
                    coordinates.push(sum);
                }
            }
        }
        Ok(coordinates)
    }

    // ---- reductions ----

    fn reduce(
        &mut self,
        f: &mut Frame<'a>,
        reduce: &'a hir::Reduce,
        elem: Elem,
        span: Span,
    ) -> Lowered<Expr> {
        let mut axes: SmallVec<[Index; 2]> = SmallVec::new();
        let mut items = 1i64;
        for axis in &reduce.axes {
            let data = &f.item.body[*axis];
            let extent = self.extent(f, &data.extent, data.span)?;
            items = match items.checked_mul(extent) {
                Some(items) => items,
                None => return self.stop(sizes::size_overflow(span, "the number of items")),
            };
            let index = self.index(&data.name, extent, data.span);
            f.indices[axis.0] = Some(index);
            axes.push(index);
        }
        let mask = self.mask(f, &reduce.masks)?;
        let mask = self.masked_items(f, (&reduce.axes, &axes), mask, span)?;
        let body = self.expr(f, reduce.body, &[])?;
        let factors = self.two_factors(body);
        let narrow = self.func.exprs[body].elem.bytes() <= 2;
        let order = match (reduce.op, reduce.order) {
            (ReduceOp::Sum | ReduceOp::Prod, Some(order)) => order,
            (ReduceOp::Sum | ReduceOp::Prod, None) if self.func.order_free => Order::Free,
            (ReduceOp::Sum, None) if factors.is_some_and(|(a, b)| self.is_matrix_product(a, b)) => {
                Order::Ascending
            }
            (ReduceOp::Sum | ReduceOp::Prod, None) => Order::Lanes(64),
            (
                ReduceOp::Max
                | ReduceOp::Min
                | ReduceOp::Any
                | ReduceOp::All
                | ReduceOp::ArgMax
                | ReduceOp::ArgMin,
                _,
            ) => Order::Ascending,
        };
        let mut exact_product = reduce.op == ReduceOp::Sum && narrow && factors.is_some();
        let mut body = body;
        if let Some((a, b)) = factors.filter(|_| exact_product)
            && self.func.exprs[body].elem == Elem::Bf16
            && !(self.is_matrix_product(a, b) && one_sweep(&axes, mask, order))
        {
            body = self.product_in_f32(a, b, span)?;
            exact_product = false;
        }
        let kind = Reduce {
            op: reduce.op,
            axes,
            mask,
            body,
            order,
            exact_product,
        };
        self.node(ExprKind::Reduce(Box::new(kind)), elem, span)
    }

    /// Off the cube two bf16 are multiplied as f32, which is exact unless the product leaves the range of f32.
    fn product_in_f32(&mut self, a: Expr, b: Expr, span: Span) -> Lowered<Expr> {
        let how = (Round::Even, Overflow::Saturate);
        let a = self.cast(a, how, Elem::F32, span)?;
        let b = self.cast(b, how, Elem::F32, span)?;
        self.node(ExprKind::Binary(BinaryOp::Mul, a, b), Elem::F32, span)
    }

    /// The conjunction of the masks; nothing if all are always true.
    pub(super) fn mask(&mut self, f: &mut Frame<'a>, masks: &[ExprId]) -> Lowered<Option<Expr>> {
        let mut all: Option<Expr> = None;
        for mask in masks {
            let span = f.item.body[*mask].span;
            let mask = self.expr(f, *mask, &[])?;
            if self.func.exprs[mask].kind == ExprKind::Int(1) {
                continue;
            }
            all = Some(match all {
                None => mask,
                Some(other) => self.node(
                    ExprKind::Binary(BinaryOp::And, other, mask),
                    Elem::Bool,
                    span,
                )?,
            });
        }
        Ok(all)
    }

    /// The operands, if the expression is one product of exactly two.
    fn two_factors(&self, body: Expr) -> Option<(Expr, Expr)> {
        let compound = |e: Expr| {
            let kind = &self.func.exprs[e].kind;
            matches!(
                kind,
                ExprKind::Binary(BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem, ..)
            )
        };
        let ExprKind::Binary(BinaryOp::Mul, a, b) = self.func.exprs[body].kind else {
            return None;
        };
        (!compound(a) && !compound(b)).then_some((a, b))
    }

    /// Whether one operand carries an index of the left-hand side that the other lacks.
    fn is_matrix_product(&self, a: Expr, b: Expr) -> bool {
        let (a, b) = (self.free_indices(a), self.free_indices(b));
        self.left
            .iter()
            .any(|index| a.contains(index) != b.contains(index))
    }
}

/// Whether a sum takes all items one after the other, as the cube does.
fn one_sweep(axes: &[Index], mask: Option<Expr>, order: Order) -> bool {
    axes.len() == 1 && mask.is_none() && matches!(order, Order::Ascending | Order::Free)
}

/// Shape, place and name of what is accessed.
fn described<'b>(base: &'b hir::Expr, body: &'b hir::Body) -> (&'b [Poly], Span, &'b str) {
    if let hir::ExprKind::Local(local) = &base.kind {
        return (&base.shape, body[*local].span, &body[*local].name);
    }
    (&base.shape, Span::NONE, "this tensor")
}
