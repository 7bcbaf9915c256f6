//! Operators: which types meet (rules S6 and S7), and lifting over equal shapes (S4).

use super::cx::Cx;
use super::expr::has_index;
use crate::errors::{sizes, types};
use crate::hir::{Class, ExprId, ExprKind, Ty};
use crate::poly::Poly;
use diag::Span;
use ir::algo::{BinaryOp, CmpOp};
use isa::types::Elem;
use syntax::ast;

/// The highest power that a size may be raised to.
const HIGHEST_POWER: i128 = 16;

impl Cx<'_, '_> {
    pub(crate) fn binary(
        &mut self,
        op: ast::BinaryOp,
        operands: (ast::ExprId, ast::ExprId),
        span: Span,
        whole: bool,
    ) -> ExprId {
        let a = self.expr(operands.0, whole);
        let b = self.expr(operands.1, whole);
        match op {
            ast::BinaryOp::Add => self.arithmetic(BinaryOp::Add, "+", a, b, span),
            ast::BinaryOp::Sub => self.arithmetic(BinaryOp::Sub, "-", a, b, span),
            ast::BinaryOp::Mul => self.arithmetic(BinaryOp::Mul, "*", a, b, span),
            ast::BinaryOp::Div => self.arithmetic(BinaryOp::Div, "/", a, b, span),
            ast::BinaryOp::Rem => self.arithmetic(BinaryOp::Rem, "%", a, b, span),
            ast::BinaryOp::Pow => self.power(a, b, span),
            ast::BinaryOp::And => self.logic(BinaryOp::And, a, b, span),
            ast::BinaryOp::Or => self.logic(BinaryOp::Or, a, b, span),
            ast::BinaryOp::Eq => self.compare(CmpOp::Eq, "==", a, b, span),
            ast::BinaryOp::Ne => self.compare(CmpOp::Ne, "!=", a, b, span),
            ast::BinaryOp::Lt => self.compare(CmpOp::Lt, "<", a, b, span),
            ast::BinaryOp::Le => self.compare(CmpOp::Le, "<=", a, b, span),
            ast::BinaryOp::Gt => self.compare(CmpOp::Gt, ">", a, b, span),
            ast::BinaryOp::Ge => self.compare(CmpOp::Ge, ">=", a, b, span),
        }
    }

    /// `+ - * / %`, `max`, `min` and the operations on bits.
    pub(crate) fn arithmetic(
        &mut self,
        op: BinaryOp,
        word: &str,
        a: ExprId,
        b: ExprId,
        span: Span,
    ) -> ExprId {
        let ty = self.join_types(word, a, b);
        let Some(shape) = self.join_shapes(a, b).filter(|_| ty != Ty::Error) else {
            return self.error(span);
        };
        if (op, ty) == (BinaryOp::Mul, Ty::I4) {
            let product = self.push(ExprKind::Binary(op, a, b), ty, shape, span);
            self.products.insert(product);
            return product;
        }
        let integers = matches!(
            op,
            BinaryOp::Rem
                | BinaryOp::And
                | BinaryOp::Or
                | BinaryOp::Xor
                | BinaryOp::Shl
                | BinaryOp::Shr
        );
        let allowed = match (ty, self.class(ty)) {
            (Ty::Size, _) => !matches!(
                op,
                BinaryOp::And | BinaryOp::Or | BinaryOp::Xor | BinaryOp::Shl | BinaryOp::Shr
            ),
            (_, Some(Class::Int)) => true,
            (_, Some(Class::Float | Class::Num)) => !integers,
            (_, None) => false,
        };
        if !allowed && ty == Ty::I4 {
            return self.fail(types::i4_operand(word, span));
        }
        if !allowed {
            let found = self.ty_name(ty);
            let d = match (op, integers) {
                (BinaryOp::Rem, _) => types::needs_integer_remainder(&found, self.span(a)),
                (_, true) => {
                    types::wrong_operand(&format!("`{word}`"), "integers", &found, self.span(a))
                }
                (_, false) => {
                    types::wrong_operand(&format!("`{word}`"), "numbers", &found, self.span(a))
                }
            };
            return self.fail(d);
        }
        if ty == Ty::Size {
            return self.size_arithmetic(op, a, b, span);
        }
        self.push(ExprKind::Binary(op, a, b), ty, shape, span)
    }

    /// Arithmetic of indices and sizes; without indices it is folded into one polynomial.
    fn size_arithmetic(&mut self, op: BinaryOp, a: ExprId, b: ExprId, span: Span) -> ExprId {
        let divides = matches!(op, BinaryOp::Div | BinaryOp::Rem);
        if divides
            && self
                .to_poly(b)
                .and_then(|p| p.as_constant())
                .is_some_and(|n| n < 1)
        {
            let at = self.span(b);
            return self.fail(sizes::division_by_zero_size(at));
        }
        let node = self.scalar(ExprKind::Binary(op, a, b), Ty::Size, span);
        match self.to_poly(node) {
            Some(size) if size.is_poison() => {
                let known = |e| self.to_poly(e).is_some_and(|p: Poly| p.is_poison());
                if known(a) || known(b) {
                    return self.error(span);
                }
                self.fail(sizes::size_overflow(span, "this size"))
            }
            Some(size) if !has_index(&size) && !self.mentions_index(node) => {
                self.scalar(ExprKind::Size(size), Ty::Size, span)
            }
            _ => node,
        }
    }

    /// `i - i` is the size 0, but it is still an index expression.
    fn mentions_index(&self, e: ExprId) -> bool {
        match &self.item.body[e].kind {
            ExprKind::Index(_) => true,
            ExprKind::Binary(_, a, b) => self.mentions_index(*a) || self.mentions_index(*b),
            ExprKind::Unary(_, a) => self.mentions_index(*a),
            ExprKind::Error
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Size(_)
            | ExprKind::Local(_)
            | ExprKind::Access { .. }
            | ExprKind::Border { .. }
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. }
            | ExprKind::Reduce(_)
            | ExprKind::ScalarCall(_)
            | ExprKind::TensorCall(_)
            | ExprKind::Along(_)
            | ExprKind::Gather { .. }
            | ExprKind::Scatter(_) => false,
        }
    }

    fn power(&mut self, a: ExprId, b: ExprId, span: Span) -> ExprId {
        let exponent = match (self.ty(b), &self.item.body[b].kind) {
            (Ty::Int, ExprKind::Int(n)) if (0..=HIGHEST_POWER).contains(n) => *n,
            (Ty::Error, _) => return self.error(span),
            _ => return self.fail(types::power_of_sizes(span)),
        };
        match (self.ty(a), &self.item.body[a].kind) {
            (Ty::Error, _) => self.error(span),
            (Ty::Int, ExprKind::Int(base)) => {
                let power = (0..exponent).try_fold(1i128, |p, _| p.checked_mul(*base));
                match power {
                    Some(value) => self.scalar(ExprKind::Int(value), Ty::Int, span),
                    None => self.fail(sizes::size_overflow(span, "this number")),
                }
            }
            (Ty::Size, ExprKind::Size(base)) => {
                let power = (0..exponent).fold(Poly::constant(1), |p, _| p.mul(base));
                if power.is_poison() && !base.is_poison() {
                    return self.fail(sizes::size_overflow(span, "this size"));
                }
                self.scalar(ExprKind::Size(power), Ty::Size, span)
            }
            _ => self.fail(types::power_of_sizes(span)),
        }
    }

    fn logic(&mut self, op: BinaryOp, a: ExprId, b: ExprId, span: Span) -> ExprId {
        let bool_type = Ty::Elem(Elem::Bool);
        // Both, so that both are reported.
        let good = self.coerce(a, bool_type, None) & self.coerce(b, bool_type, None);
        if !good {
            return self.error(span);
        }
        match self.join_shapes(a, b) {
            Some(shape) => self.push(ExprKind::Binary(op, a, b), bool_type, shape, span),
            None => self.error(span),
        }
    }

    fn compare(&mut self, op: CmpOp, word: &str, a: ExprId, b: ExprId, span: Span) -> ExprId {
        let joined = self.join_types(word, a, b);
        let Some(shape) = self.join_shapes(a, b) else {
            return self.error(span);
        };
        let bool_type = Ty::Elem(Elem::Bool);
        if matches!(joined, Ty::Int | Ty::Float) {
            self.settle(a);
            self.settle(b);
        }
        let equality = matches!(op, CmpOp::Eq | CmpOp::Ne);
        if joined == Ty::Error {
            return self.error(span);
        }
        if joined == Ty::I4 {
            return self.fail(types::i4_operand(word, span));
        }
        if joined == bool_type && !equality {
            let at = self.span(a);
            return self.fail(types::wrong_operand(
                &format!("`{word}`"),
                "numbers",
                "bool",
                at,
            ));
        }
        self.push(ExprKind::Compare(op, a, b), bool_type, shape, span)
    }

    /// The common type of two operands: literals follow, other types must be equal.
    pub(crate) fn join_types(&mut self, op: &str, a: ExprId, b: ExprId) -> Ty {
        match (self.ty(a), self.ty(b)) {
            (Ty::Error, _) | (_, Ty::Error) => Ty::Error,
            (Ty::Int, Ty::Int) => Ty::Int,
            (Ty::Int | Ty::Float, Ty::Int | Ty::Float) => Ty::Float,
            (ty, Ty::Int | Ty::Float) => self.follow(b, ty),
            (Ty::Int | Ty::Float, ty) => self.follow(a, ty),
            (left, right) if left == right => left,
            (left, right) => {
                let names = (self.ty_name(left), self.ty_name(right));
                let (at, bt) = (
                    (names.0.as_str(), self.span(a)),
                    (names.1.as_str(), self.span(b)),
                );
                let d = types::operands_differ(op, at, bt);
                let fix = match (
                    self.loses_nothing(left, right),
                    self.loses_nothing(right, left),
                ) {
                    (true, false) => Some(self.conversion(a, &names.1)),
                    (false, true) => Some(self.conversion(b, &names.0)),
                    (true, true) | (false, false) => None,
                };
                self.report(match (fix, left, right) {
                    (Some(fix), ..) => types::converted(d, fix),
                    (None, Ty::Size, _) => types::size_converted(d, self.conversion(a, &names.1)),
                    (None, _, Ty::Size) => types::size_converted(d, self.conversion(b, &names.0)),
                    (None, ..) => d,
                });
                Ty::Error
            }
        }
    }

    /// Whether every value of a type is one of another: sizes are small enough for that, and a narrow type fits a wide one.
    fn loses_nothing(&self, from: Ty, to: Ty) -> bool {
        match (from, to) {
            (Ty::Size, Ty::Elem(to)) => to == Elem::F32 || to == Elem::I32,
            (Ty::Elem(from), Ty::Elem(to)) => {
                from.is_float() && to == Elem::F32 && from.bytes() < to.bytes()
            }
            (Ty::Param(_), Ty::Elem(to)) => {
                to == Elem::F32 && self.class(from) == Some(Class::Float)
            }
            (
                Ty::Error
                | Ty::Size
                | Ty::Elem(_)
                | Ty::I4
                | Ty::Param(_)
                | Ty::Acc(_)
                | Ty::Int
                | Ty::Float,
                _,
            ) => false,
        }
    }

    /// The edits that convert an expression.
    pub(crate) fn conversion(&self, e: ExprId, to: &str) -> Vec<(Span, String)> {
        let span = self.span(e);
        let alone = matches!(
            self.item.body[e].kind,
            ExprKind::Local(_)
                | ExprKind::Access { .. }
                | ExprKind::Size(_)
                | ExprKind::Index(_)
                | ExprKind::Int(_)
                | ExprKind::ScalarCall(_)
        );
        let behind = |text: String| (span.shrink_to_end(), text);
        match alone {
            true => vec![behind(format!(" as {to}"))],
            false => vec![
                (span.shrink_to_start(), "(".to_owned()),
                behind(format!(") as {to}")),
            ],
        }
    }

    fn follow(&mut self, literal: ExprId, ty: Ty) -> Ty {
        if self.coerce(literal, ty, None) {
            ty
        } else {
            Ty::Error
        }
    }

    /// The shape of an operation: equal shapes, or one value with anything.
    ///
    /// Nothing if they differ, which was reported.
    pub(crate) fn join_shapes(&mut self, a: ExprId, b: ExprId) -> Option<Vec<Poly>> {
        let (left, right) = (
            self.item.body[a].shape.clone(),
            self.item.body[b].shape.clone(),
        );
        if left.is_empty() {
            return Some(right);
        }
        if right.is_empty() {
            return Some(left);
        }
        let spans = (self.span(a), self.span(b));
        if !self.unify_shapes((&left, spans.0), (&right, spans.1)) {
            let texts = (self.show_shape(&left), self.show_shape(&right));
            self.report(sizes::rank_mismatch(
                (&texts.0, spans.0),
                (&texts.1, spans.1),
            ));
            return None;
        }
        Some(left)
    }
}
