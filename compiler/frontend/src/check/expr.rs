//! Expressions: one function per form of syntax; each gives a typed node with a shape.
//!
//! `whole` says whether a tensor without indices may stand here: in definitions without indices and in arguments.

use super::cx::Cx;
use crate::errors::{resolve, types};
use crate::hir::{Class, ExprId, ExprKind, Reduce, Ty};
use diag::Span;
use ir::algo::{Order, Overflow, ReduceOp, Round, UnaryOp};
use isa::types::Elem;
use syntax::ast;

impl<'a> Cx<'_, 'a> {
    /// Checks an expression of the current file.
    pub(crate) fn expr(&mut self, id: ast::ExprId, whole: bool) -> ExprId {
        let file: &'a ast::File = self.ast;
        let node = &file.exprs[id];
        let span = node.span;
        match &node.kind {
            ast::ExprKind::Error => self.error(span),
            ast::ExprKind::Paren(inner) => self.expr(*inner, whole),
            ast::ExprKind::Name(name) => self.name(name, span, whole),
            ast::ExprKind::Int(value) => self.integer(*value, span),
            ast::ExprKind::Float(text) => self.float_literal(text, span),
            ast::ExprKind::Bool(value) => {
                self.scalar(ExprKind::Bool(*value), Ty::Elem(Elem::Bool), span)
            }
            ast::ExprKind::NumLetters(text) => self.fail(types::wrong_operand(
                "an expression",
                "a number",
                text,
                span,
            )),
            ast::ExprKind::Hole => {
                self.fail(types::wrong_operand("an expression", "a value", "?", span))
            }
            ast::ExprKind::Call { callee, args } => self.call(callee, args, span, whole),
            ast::ExprKind::Reduce { op, head, body, .. } => self.reduce(*op, head, *body, span),
            ast::ExprKind::Fold { .. }
            | ast::ExprKind::Scan {
                body: ast::ScanBody::Monoid(_),
                ..
            } => self.fail(resolve::record_as_value("what a fold gives", span)),
            ast::ExprKind::Scan {
                index,
                body: ast::ScanBody::Reduce { op, body, .. },
            } => self.scan(index, reduce_op(*op), *body, span),
            ast::ExprKind::Field { base, field } => {
                self.field((*base, field), &[], (span, whole), false)
            }
            ast::ExprKind::Index { base, args } => self.access(*base, args, span, whole, false),
            ast::ExprKind::Border { access, otherwise } => self.border(*access, *otherwise, span),
            ast::ExprKind::Unary { op, operand } => self.unary(*op, *operand, span, whole),
            ast::ExprKind::Binary { op, lhs, rhs, .. } => {
                self.binary(*op, (*lhs, *rhs), span, whole)
            }
            ast::ExprKind::Cast { value, cast } => self.cast(*value, cast, span, whole),
            ast::ExprKind::If {
                condition,
                then,
                otherwise,
            } => self.choice(*condition, (*then, *otherwise), span, whole),
        }
    }

    fn integer(&mut self, value: u128, span: Span) -> ExprId {
        match i128::try_from(value) {
            Ok(value) => self.scalar(ExprKind::Int(value), Ty::Int, span),
            Err(_) => self.fail(types::literal_out_of_range(
                &value.to_string(),
                "i32",
                span,
                "no type is as large",
            )),
        }
    }

    fn unary(&mut self, op: ast::UnaryOp, operand: ast::ExprId, span: Span, whole: bool) -> ExprId {
        let e = self.expr(operand, whole);
        let shape = self.item.body[e].shape.clone();
        match (op, self.ty(e), &self.item.body[e].kind) {
            (_, Ty::Error, _) => self.error(span),
            // The sign belongs to the literal before its range is checked.
            (ast::UnaryOp::Neg, Ty::Int, ExprKind::Int(value)) => {
                let value = value.saturating_neg();
                self.scalar(ExprKind::Int(value), Ty::Int, span)
            }
            (ast::UnaryOp::Neg, Ty::Float, ExprKind::Float(value)) => {
                let mut value = *value;
                (value.double, value.single) = (-value.double, -value.single);
                self.scalar(ExprKind::Float(value), Ty::Float, span)
            }
            (ast::UnaryOp::Neg, Ty::Size, _) => {
                let kind = match self.to_poly(e).filter(|p| !has_index(p)) {
                    Some(size) => ExprKind::Size(size.scale(-1)),
                    None => ExprKind::Unary(UnaryOp::Neg, e),
                };
                self.push(kind, Ty::Size, shape, span)
            }
            (ast::UnaryOp::Neg, ty, _) if self.class(ty).is_some() => {
                self.push(ExprKind::Unary(UnaryOp::Neg, e), ty, shape, span)
            }
            (ast::UnaryOp::Not, Ty::Elem(Elem::Bool), _) => self.push(
                ExprKind::Unary(UnaryOp::Not, e),
                Ty::Elem(Elem::Bool),
                shape,
                span,
            ),
            (op, ty, _) => {
                let wanted = if op == ast::UnaryOp::Neg {
                    "a number"
                } else {
                    "a `bool`"
                };
                let (found, at) = (self.ty_name(ty), self.span(e));
                self.fail(types::wrong_operand(
                    &format!("`{}`", op.as_str()),
                    wanted,
                    &found,
                    at,
                ))
            }
        }
    }

    fn choice(
        &mut self,
        condition: ast::ExprId,
        branches: (ast::ExprId, ast::ExprId),
        span: Span,
        whole: bool,
    ) -> ExprId {
        let condition = self.condition(condition, whole);
        let (a, b) = (self.expr(branches.0, whole), self.expr(branches.1, whole));
        let ty = self.join_types("else", a, b);
        let shape = self.common_shape(&[condition, a, b]);
        match shape {
            Some(shape) if ty != Ty::Error => {
                self.push(ExprKind::Select(condition, a, b), ty, shape, span)
            }
            _ => self.error(span),
        }
    }

    /// A `bool` expression.
    pub(crate) fn condition(&mut self, id: ast::ExprId, whole: bool) -> ExprId {
        let e = self.expr(id, whole);
        self.coerce(e, Ty::Elem(Elem::Bool), None);
        e
    }

    fn cast(&mut self, value: ast::ExprId, cast: &'a ast::Cast, span: Span, whole: bool) -> ExprId {
        let e = self.expr(value, whole);
        if cast.to.text == "hf32" && !self.item.types.iter().any(|t| t.name == "hf32") {
            return self.hf32_cast(e, cast, span);
        }
        let to = self.elem_type(&cast.to);
        let from = self.settle(e);
        let round = self.rounding(cast.round.as_ref());
        let shape = self.item.body[e].shape.clone();
        if from == Ty::Error || to == Ty::Error {
            return self.error(span);
        }
        if self.class(to).is_none() && to != Ty::I4 {
            let name = self.ty_name(to);
            let d =
                types::wrong_operand("`as`", "a number type to convert to", &name, cast.to.span);
            return self.fail(if to == Ty::Size {
                d.help("an access that depends on data is written `gather(table, i)`")
            } else {
                d.help("compare the value: `x != 0`")
            });
        }
        let overflow = self.overflow(cast, to);
        self.push(
            ExprKind::Cast {
                value: e,
                round,
                overflow,
            },
            to,
            shape,
            span,
        )
    }

    /// `x as hf32`: an f32 that is rounded to fewer bits.
    fn hf32_cast(&mut self, e: ExprId, cast: &'a ast::Cast, span: Span) -> ExprId {
        if matches!(self.ty(e), Ty::Int | Ty::Float) {
            self.coerce(e, Ty::Elem(Elem::F32), None);
        }
        let from = self.settle(e);
        let shape = self.item.body[e].shape.clone();
        if from == Ty::Error {
            return self.error(span);
        }
        if from != Ty::Elem(Elem::F32) {
            let (found, at) = (self.ty_name(from), self.span(e));
            return self.fail(types::wrong_operand("`as hf32`", "an `f32`", &found, at));
        }
        let round = cast.round.as_ref().filter(|round| round.text != "even");
        if let Some(round) = round {
            let d = resolve::unknown_word("rounding", &round.text, round.span, &["even"]);
            self.report(d);
        }
        self.push(ExprKind::Unary(UnaryOp::Hf32, e), from, shape, span)
    }

    fn rounding(&mut self, word: Option<&ast::Name>) -> Round {
        let Some(word) = word else { return Round::Even };
        match word.text.as_str() {
            "even" => Round::Even,
            "floor" => Round::Floor,
            "ceil" => Round::Ceil,
            "trunc" => Round::Trunc,
            "away" => Round::Away,
            "odd" => Round::Odd,
            other => {
                let known = ["even", "floor", "ceil", "trunc", "away", "odd"];
                self.report(resolve::unknown_word("rounding", other, word.span, &known));
                Round::Even
            }
        }
    }

    fn overflow(&mut self, cast: &ast::Cast, to: Ty) -> Overflow {
        let class = self.class(to);
        let default = Overflow::Saturate;
        match cast.overflow {
            None => default,
            Some((ast::Overflow::Saturate, _)) => Overflow::Saturate,
            Some((ast::Overflow::Inf, _)) if class == Some(Class::Float) => Overflow::Keep,
            Some((ast::Overflow::Wrap, _)) if class == Some(Class::Int) || to == Ty::I4 => {
                Overflow::Wrap
            }
            Some((mode, at)) => {
                let name = self.ty_name(to);
                self.report(types::overflow_mode(mode.as_str(), &name, at));
                default
            }
        }
    }

    fn reduce(
        &mut self,
        op: ast::ReduceOp,
        head: &'a ast::ReduceHead,
        body: ast::ExprId,
        span: Span,
    ) -> ExprId {
        if head.indices.is_empty() {
            // The parser has said that an index is missing.
            self.expr(body, false);
            return self.error(span);
        }
        let outside = self.scope.len();
        // An index position around the reduction is not one inside it.
        let depth = std::mem::take(&mut self.index_depth);
        let axes: Vec<_> = head.indices.iter().map(|ix| self.binder(ix)).collect();
        let order = head.order.and_then(|order| self.reduction_order(order));
        let masks = head
            .masks
            .iter()
            .map(|mask| self.condition(*mask, false))
            .collect();
        let body = self.expr(body, false);
        self.scope.truncate(outside);
        self.index_depth = depth;
        let op = reduce_op(op);
        let ty = self.reduced_type(op, body);
        for (axis, binder) in axes.iter().zip(&head.indices) {
            if !self.used[axis.0] && binder.extent.is_none() && !binder.open {
                if self.ty(body) != Ty::Error {
                    self.report(resolve::unused_reduction_index(
                        &binder.name.text,
                        binder.name.span,
                    ));
                }
                self.give_up_on(*axis);
            }
        }
        let kind = ExprKind::Reduce(Box::new(Reduce {
            op,
            axes,
            masks,
            body,
            order,
        }));
        if ty == Ty::Error {
            return self.error(span);
        }
        self.scalar(kind, ty, span)
    }

    /// The type of a reduction, which is that of its accumulator.
    pub(super) fn reduced_type(&mut self, op: ReduceOp, body: ExprId) -> Ty {
        let bool_wanted = matches!(op, ReduceOp::Any | ReduceOp::All);
        let ty = self.settle(body);
        let class = self.class(ty);
        match (op, ty) {
            (_, Ty::Error) => Ty::Error,
            (ReduceOp::Sum, Ty::I4) if self.products.remove(&body) => Ty::Elem(Elem::I32),
            (ReduceOp::Any | ReduceOp::All, Ty::Elem(Elem::Bool)) => ty,
            (ReduceOp::Sum | ReduceOp::Prod, Ty::Param(p)) => match class {
                Some(Class::Float) => Ty::Elem(Elem::F32),
                Some(Class::Int) => Ty::Elem(Elem::I32),
                Some(Class::Num) | None => Ty::Acc(p),
            },
            (ReduceOp::Sum | ReduceOp::Prod, _) if class == Some(Class::Float) => {
                Ty::Elem(Elem::F32)
            }
            (ReduceOp::Sum | ReduceOp::Prod, _) if class == Some(Class::Int) => Ty::Elem(Elem::I32),
            (ReduceOp::Sum | ReduceOp::Prod, Ty::Acc(_)) => ty,
            (ReduceOp::Max | ReduceOp::Min, _) if class.is_some() => ty,
            (ReduceOp::ArgMax | ReduceOp::ArgMin, _) if class.is_some() => Ty::Elem(Elem::I32),
            (
                ReduceOp::Sum
                | ReduceOp::Prod
                | ReduceOp::Max
                | ReduceOp::Min
                | ReduceOp::Any
                | ReduceOp::All
                | ReduceOp::ArgMax
                | ReduceOp::ArgMin,
                _,
            ) => {
                let wanted = if bool_wanted { "`bool`" } else { "numbers" };
                let d = types::wrong_operand(
                    "this reduction",
                    wanted,
                    &self.ty_name(ty),
                    self.span(body),
                );
                self.report(if ty == Ty::Size {
                    d.help("convert the index: `… as i32`")
                } else {
                    d
                });
                Ty::Error
            }
        }
    }

    fn reduction_order(&mut self, id: ast::ExprId) -> Option<Order> {
        let file = self.ast;
        let id = file.exprs.unparen(id);
        let span = file.exprs.span(id);
        let kind = file.exprs.kind(id);
        let problem = if let ast::ExprKind::Name(name) = kind {
            match name.as_str() {
                "ascending" => return Some(Order::Ascending),
                "tree" => return Some(Order::Tree),
                "free" => return Some(Order::Free),
                other => format!("unknown order `{other}`"),
            }
        } else if let Some(lanes) = lanes_argument(kind) {
            let lanes = self
                .size(lanes)
                .as_constant()
                .and_then(|n| u32::try_from(n).ok());
            match lanes.filter(|n| n.is_power_of_two() && *n <= 1 << 16) {
                Some(lanes) => return Some(Order::Lanes(lanes)),
                None => "the number of lanes is a power of two".to_owned(),
            }
        } else if matches!(kind, ast::ExprKind::Error) {
            return None;
        } else {
            "unknown order".to_owned()
        };
        self.report(types::reduction_order(span, &problem));
        None
    }

    /// Declares the index of a reduction or a left side.
    pub(crate) fn binder(&mut self, ix: &ast::IxBinder) -> crate::hir::IndexId {
        if ix.open {
            self.report(resolve::not_compiled_yet(
                "an open list of indices",
                ix.name.span,
            ));
        }
        let extent = ix.extent.map(|e| (self.size(e), self.ast.exprs.span(e)));
        let id = self.bind_index(&ix.name, extent);
        if ix.open {
            self.give_up_on(id);
        }
        id
    }

    /// Something about this index was reported: do not ask for its size as well.
    pub(crate) fn give_up_on(&mut self, index: crate::hir::IndexId) {
        let extent = self.item.body[index].extent.clone();
        self.unifier.unify(&extent, &crate::poly::Poly::poison());
    }
}

/// The argument of `lanes(n)`.
fn lanes_argument(kind: &ast::ExprKind) -> Option<ast::ExprId> {
    let ast::ExprKind::Call { callee, args } = kind else {
        return None;
    };
    match args.as_slice() {
        [lanes] if callee.text == "lanes" => Some(lanes.value),
        _ => None,
    }
}

/// Whether a polynomial mentions an index.
pub(crate) fn has_index(p: &crate::poly::Poly) -> bool {
    p.any_atom(|a| matches!(a, crate::poly::Atom::Index(_)))
}

fn reduce_op(op: ast::ReduceOp) -> ReduceOp {
    match op {
        ast::ReduceOp::Sum => ReduceOp::Sum,
        ast::ReduceOp::Prod => ReduceOp::Prod,
        ast::ReduceOp::Max => ReduceOp::Max,
        ast::ReduceOp::Min => ReduceOp::Min,
        ast::ReduceOp::Any => ReduceOp::Any,
        ast::ReduceOp::All => ReduceOp::All,
        ast::ReduceOp::Argmax => ReduceOp::ArgMax,
        ast::ReduceOp::Argmin => ReduceOp::ArgMin,
    }
}
