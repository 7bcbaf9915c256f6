//! Index expressions: affine forms, bounds with concrete extents, and indices as values.

use super::{Frame, Lower, Lowered};
use crate::affine::{self, Within};
use crate::errors::sizes;
use crate::hir::{self, ExprId};
use diag::Span;
use ir::algo::{Affine, BinaryOp, CmpOp, Expr, ExprKind, UnaryOp};
use isa::types::Elem;

impl<'a> Lower<'a> {
    /// An index expression in its affine form; reports if it has none with these sizes.
    pub(super) fn affine(&mut self, f: &Frame<'a>, e: ExprId) -> Lowered<Affine> {
        let span = f.item.body[e].span;
        match self.try_affine(f, e)? {
            Some(form) => Ok(form),
            None => self.stop(sizes::size_overflow(span, "this index expression")),
        }
    }

    /// An index expression in its affine form; nothing if it leaves 64 bits or is not affine.
    fn try_affine(&mut self, f: &Frame<'a>, e: ExprId) -> Lowered<Option<Affine>> {
        let node = &f.item.body[e];
        let span = node.span;
        match &node.kind {
            hir::ExprKind::Size(size) => Ok(Some(Affine::constant(self.size(f, size, span)?))),
            hir::ExprKind::Int(value) => Ok(i64::try_from(*value).ok().map(Affine::constant)),
            hir::ExprKind::Index(index) => Ok(f.indices[index.0].map(Affine::index)),
            hir::ExprKind::Unary(UnaryOp::Neg, a) => {
                Ok(self.try_affine(f, *a)?.and_then(|a| affine::scale(&a, -1)))
            }
            hir::ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.try_affine(f, *a)?, self.try_affine(f, *b)?);
                match (a, b) {
                    (Some(a), Some(b)) => self.combine(*op, &a, &b, span),
                    _ => Ok(None),
                }
            }
            hir::ExprKind::Error
            | hir::ExprKind::Float(_)
            | hir::ExprKind::Bool(_)
            | hir::ExprKind::Local(_)
            | hir::ExprKind::Access { .. }
            | hir::ExprKind::Border { .. }
            | hir::ExprKind::Unary(..)
            | hir::ExprKind::Compare(..)
            | hir::ExprKind::Select(..)
            | hir::ExprKind::Cast { .. }
            | hir::ExprKind::Reduce(_)
            | hir::ExprKind::ScalarCall(_)
            | hir::ExprKind::TensorCall(_)
            | hir::ExprKind::Along(_)
            | hir::ExprKind::Gather { .. }
            | hir::ExprKind::Scatter(_) => Ok(None),
        }
    }

    fn combine(
        &mut self,
        op: BinaryOp,
        a: &Affine,
        b: &Affine,
        span: Span,
    ) -> Lowered<Option<Affine>> {
        let divides = matches!(op, BinaryOp::Div | BinaryOp::Rem);
        if divides && affine::as_constant(b).is_some_and(|by| by < 1) {
            return self.stop(sizes::division_by_zero_size(span));
        }
        let extent = |index| self.func.indices[index].extent;
        let (left, right) = (affine::as_constant(a), affine::as_constant(b));
        Ok(match (op, left, right) {
            (BinaryOp::Add, _, _) => affine::add_scaled(a, b, 1),
            (BinaryOp::Sub, _, _) => affine::add_scaled(a, b, -1),
            (BinaryOp::Mul, Some(factor), _) => affine::scale(b, factor),
            (BinaryOp::Mul, _, Some(factor)) => affine::scale(a, factor),
            (BinaryOp::Div, _, Some(by)) => affine::div(a, by, &extent),
            (BinaryOp::Rem, _, Some(by)) => affine::rem(a, by, &extent),
            (BinaryOp::Max, _, Some(low)) => bounded(a, Some(low), None, &extent),
            (BinaryOp::Max, Some(low), _) => bounded(b, Some(low), None, &extent),
            (BinaryOp::Min, _, Some(high)) => bounded(a, None, Some(high), &extent),
            (BinaryOp::Min, Some(high), _) => bounded(b, None, Some(high), &extent),
            (
                BinaryOp::Mul
                | BinaryOp::Div
                | BinaryOp::Rem
                | BinaryOp::Max
                | BinaryOp::Min
                | BinaryOp::And
                | BinaryOp::Or
                | BinaryOp::Xor
                | BinaryOp::Shl
                | BinaryOp::Shr,
                _,
                _,
            ) => None,
        })
    }

    /// Whether a coordinate stays inside its dimension; reports if not.
    pub(super) fn check_bounds(&mut self, at: &Affine, access: sizes::Access, size: i64) {
        let extent = |index| self.func.indices[index].extent;
        let access = sizes::Access {
            size: size.to_string(),
            ..access
        };
        if !self.func.symbols.is_empty() && !self.proved_inside(at, size) {
            return self.defer_bounds(at, &access, size);
        }
        match affine::within(at, size, &extent) {
            Within::Always => {}
            Within::Reaches(value) => self
                .diagnostics
                .push(sizes::out_of_bounds(&access, &value.to_string())),
            Within::MayReach(value) => {
                self.diagnostics
                    .push(sizes::bounds_unproved(&access, &value.to_string()));
            }
        }
    }

    /// Whether a coordinate is known to stay inside.
    pub(super) fn stays_inside(&self, at: &Affine, size: i64) -> bool {
        if !self.func.symbols.is_empty() {
            return self.proved_inside(at, size);
        }
        affine::within(at, size, &|index| self.func.indices[index].extent) == Within::Always
    }

    /// Arithmetic of indices and sizes as a value; quotients floor, and remainders are not negative.
    pub(super) fn size_binary(
        &mut self,
        f: &mut Frame<'a>,
        op: BinaryOp,
        operands: (ExprId, ExprId),
        span: Span,
    ) -> Lowered<Expr> {
        let dividend = self.try_affine(f, operands.0)?;
        let a = self.expr(f, operands.0, &[])?;
        let b = self.expr(f, operands.1, &[])?;
        if !matches!(op, BinaryOp::Div | BinaryOp::Rem) {
            return self.node(ExprKind::Binary(op, a, b), Elem::I64, span);
        }
        if matches!(self.func.exprs[b].kind, ExprKind::Int(by) if by < 1) {
            return self.stop(sizes::division_by_zero_size(span));
        }
        let extent = |index| self.func.indices[index].extent;
        let range = dividend.and_then(|a| affine::range(&a, &extent));
        self.floor_divide(op, (a, b), range.is_some_and(|(low, _)| low >= 0), span)
    }

    /// A quotient that floors, or a remainder that is not negative, of a positive divisor.
    pub(super) fn floor_divide(
        &mut self,
        op: BinaryOp,
        (a, b): (Expr, Expr),
        natural: bool,
        span: Span,
    ) -> Lowered<Expr> {
        let plain = self.node(ExprKind::Binary(op, a, b), Elem::I64, span)?;
        if natural {
            return Ok(plain);
        }
        let rest = self.node(ExprKind::Binary(BinaryOp::Rem, a, b), Elem::I64, span)?;
        let zero = self.integer(0, Elem::I64, span)?;
        let negative = self.node(ExprKind::Compare(CmpOp::Lt, rest, zero), Elem::Bool, span)?;
        let adjusted = if op == BinaryOp::Div {
            let one = self.integer(1, Elem::I64, span)?;
            self.node(ExprKind::Binary(BinaryOp::Sub, plain, one), Elem::I64, span)?
        } else {
            self.node(ExprKind::Binary(BinaryOp::Add, rest, b), Elem::I64, span)?
        };
        self.node(ExprKind::Select(negative, adjusted, plain), Elem::I64, span)
    }
}

/// `max(a, low)` or `min(a, high)` as a clamp.
fn bounded(
    a: &Affine,
    low: Option<i64>,
    high: Option<i64>,
    extent: &impl Fn(ir::algo::Index) -> i64,
) -> Option<Affine> {
    let (least, greatest) = affine::range(a, extent)?;
    let to = match (low, high) {
        (Some(low), _) => (low, greatest.max(low)),
        (None, Some(high)) => (least.min(high), high),
        (None, None) => (least, greatest),
    };
    affine::clamp(a, to, extent)
}
