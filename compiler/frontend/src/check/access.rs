//! Accesses `x[i, j + 1, :]`, borders, and what may stand in an index position.

use super::agree::IndexUse;
use super::cx::{Cx, Meaning, Pending};
use super::expr::has_index;
use crate::errors::sizes::Access;
use crate::errors::{resolve, sizes, types};
use crate::hir::{ExprId, ExprKind, Ty};
use crate::poly::Poly;
use diag::Span;
use ir::algo::{BinaryOp, UnaryOp};
use syntax::ast;

/// What is indexed.
struct Base {
    id: ExprId,
    name: String,
    declared: Span,
    shape: Vec<Poly>,
    ty: Ty,
}

impl<'a> Cx<'_, 'a> {
    /// `base[args]`. Inside a border neither sizes nor bounds follow from the access.
    pub(crate) fn access(
        &mut self,
        base: ast::ExprId,
        args: &'a [ast::IndexArg],
        span: Span,
        whole: bool,
        bordered: bool,
    ) -> ExprId {
        let file: &'a ast::File = self.ast;
        if let ast::ExprKind::Field { base, field } = file.exprs.kind(file.exprs.unparen(base)) {
            return self.field((*base, field), args, (span, whole), bordered);
        }
        let Some(base) = self.access_base(base) else {
            args.iter().for_each(|arg| self.abandon(arg));
            return self.error(span);
        };
        let args: Vec<&'a ast::IndexArg> = args.iter().collect();
        self.access_to(base, &args, span, whole, bordered)
    }

    /// `st[h, i].o[d]`: a field is a local of its own, with the indices of the record in front.
    pub(super) fn field(
        &mut self,
        (base, field): (ast::ExprId, &'a ast::Name),
        more: &'a [ast::IndexArg],
        (span, whole): (Span, bool),
        bordered: bool,
    ) -> ExprId {
        let file: &'a ast::File = self.ast;
        let base = file.exprs.unparen(base);
        let (record, args): (_, &'a [ast::IndexArg]) =
            if let ast::ExprKind::Index { base, args } = file.exprs.kind(base) {
                (file.exprs.unparen(*base), args)
            } else {
                (base, &[])
            };
        let at = file.exprs.span(record);
        let Some(name) = file.exprs.kind(record).as_name() else {
            let d = resolve::unknown_field(&field.text, field.span, None);
            return self.fail(d.help("name the record with a `let` first"));
        };
        let all: Vec<&'a ast::IndexArg> = args.iter().chain(more).collect();
        let known = self.names.get(&format!("{name}.{}", field.text)).cloned();
        let Some((Meaning::Local(local), _)) = known else {
            all.iter().for_each(|arg| self.abandon(arg));
            return self.no_field(name, field, at);
        };
        let rank = self.records.get(name).copied().unwrap_or(0);
        let data = &self.item.body[local];
        let (declared, ty) = (data.span, data.ty);
        if args.len() != rank {
            self.report(sizes::index_count(name, args.len(), rank, at, declared));
            all.iter().for_each(|arg| self.abandon(arg));
            return self.error(span);
        }
        let Some(shape) = data.shape.clone() else {
            return self.error(span);
        };
        if all.is_empty() {
            return self.local(local, span, whole);
        }
        let name = data.name.clone();
        let id = self.push(ExprKind::Local(local), ty, shape.clone(), at);
        let base = Base {
            id,
            name,
            declared,
            shape,
            ty,
        };
        self.access_to(base, &all, span, whole, bordered)
    }

    /// What is wrong with a field that is not known.
    fn no_field(&mut self, record: &str, field: &ast::Name, at: Span) -> ExprId {
        let prefix = format!("{record}.");
        let known: Vec<&str> = (self.names.keys())
            .filter_map(|name| name.strip_prefix(&prefix))
            .collect();
        match (known.is_empty(), self.names.get(record)) {
            (false, _) => {
                let near = diag::similar(&field.text, known);
                self.fail(resolve::unknown_field(&field.text, field.span, near))
            }
            // Its definition was reported.
            (true, Some((Meaning::Local(local), _))) if self.item.body[*local].shape.is_none() => {
                self.error(at)
            }
            (true, Some(_)) => self.fail(resolve::unknown_field(&field.text, field.span, None)),
            (true, None) => self.name(record, at, true),
        }
    }

    fn access_to(
        &mut self,
        base: Base,
        args: &[&'a ast::IndexArg],
        span: Span,
        whole: bool,
        bordered: bool,
    ) -> ExprId {
        if base.shape.len() != args.len() {
            self.report(sizes::index_count(
                &base.name,
                args.len(),
                base.shape.len(),
                span,
                base.declared,
            ));
            args.iter().for_each(|arg| self.abandon(arg));
            return self.error(span);
        }
        let mut at = Vec::new();
        let mut shape = Vec::new();
        for (dimension, (arg, size)) in args.iter().zip(&base.shape).enumerate() {
            match arg {
                ast::IndexArg::Expr(e) => {
                    let coordinate = self.coordinate(*e, size, bordered, &base, dimension, span);
                    at.push(Some(coordinate));
                }
                ast::IndexArg::All(colon) => {
                    if !whole {
                        self.report(sizes::slice_not_allowed(*colon));
                    }
                    at.push(None);
                    shape.push(size.clone());
                }
                ast::IndexArg::Open(name) => {
                    self.report(resolve::not_compiled_yet(
                        "an open list of indices",
                        name.span,
                    ));
                    return self.error(span);
                }
            }
        }
        if !whole && !shape.is_empty() {
            return self.error(span);
        }
        self.push(ExprKind::Access { base: base.id, at }, base.ty, shape, span)
    }

    fn access_base(&mut self, base: ast::ExprId) -> Option<Base> {
        let depth = std::mem::take(&mut self.index_depth);
        let id = self.expr(base, true);
        self.index_depth = depth;
        let node = &self.item.body[id];
        let (ty, shape, span) = (node.ty, node.shape.clone(), node.span);
        if ty == Ty::Error {
            return None;
        }
        let (name, declared) = if let ExprKind::Local(local) = &node.kind {
            let local = &self.item.body[*local];
            (local.name.clone(), local.span)
        } else if let ExprKind::TensorCall(call) = &node.kind {
            (self.signature(call.item).name.clone(), span)
        } else if !shape.is_empty() {
            ("this tensor".to_owned(), span)
        } else {
            // An index with the name of a tensor was reported where it was bound.
            let known =
                matches!(&node.kind, ExprKind::Index(index) if self.conflicted.contains(index));
            if !known {
                let found = self.ty_name(ty);
                self.report(types::wrong_operand("`[…]`", "a tensor", &found, span));
            }
            return None;
        };
        Some(Base {
            id,
            name,
            declared,
            shape,
            ty,
        })
    }

    /// Checks the names of an index whose access was reported, and asks for no sizes.
    fn abandon(&mut self, arg: &'a ast::IndexArg) {
        let ast::IndexArg::Expr(e) = arg else { return };
        self.index_depth += 1;
        let e = self.expr(*e, false);
        self.index_depth -= 1;
        if let ExprKind::Index(index) = self.item.body[e].kind {
            self.give_up_on(index);
        }
    }

    fn coordinate(
        &mut self,
        e: ast::ExprId,
        size: &Poly,
        bordered: bool,
        base: &Base,
        dimension: usize,
        whole: Span,
    ) -> ExprId {
        let e = self.index_expr(e);
        let span = self.span(e);
        match (&self.item.body[e].kind, bordered) {
            (ExprKind::Index(index), false) => {
                let index = *index;
                self.uses.push(IndexUse {
                    index,
                    tensor: base.name.clone(),
                    dimension,
                    size: size.clone(),
                    span,
                    access: whole,
                    visible: self.scope.iter().map(|(_, index)| *index).collect(),
                });
                self.unify_index(index, size, span);
            }
            (_, false) if self.ty(e) != Ty::Error => {
                let access = Access {
                    tensor: base.name.clone(),
                    dimension,
                    size: String::new(),
                    span,
                    whole,
                    declared: base.declared,
                };
                self.pending.push(Pending {
                    at: e,
                    size: size.clone(),
                    access,
                });
            }
            _ => {}
        }
        e
    }

    /// An expression in an index position.
    pub(crate) fn index_expr(&mut self, id: ast::ExprId) -> ExprId {
        self.index_depth += 1;
        let e = self.expr(id, false);
        self.index_depth -= 1;
        match self.ty(e) {
            Ty::Error | Ty::Size => {}
            Ty::Int => {
                self.coerce(e, Ty::Size, None);
            }
            Ty::Float | Ty::Elem(_) | Ty::I4 | Ty::Param(_) | Ty::Acc(_) => {
                let found = self.ty_name(self.ty(e));
                let span = self.span(e);
                return self.fail(sizes::not_an_index(&found, span));
            }
        }
        if self.ty(e) != Ty::Error && !self.is_affine(e) {
            let span = self.span(e);
            return self.fail(sizes::not_affine(span));
        }
        e
    }

    /// Whether an index expression has the form that the IR knows.
    fn is_affine(&self, e: ExprId) -> bool {
        let fixed = |e: ExprId| self.to_poly(e).is_some_and(|p| !has_index(&p));
        match &self.item.body[e].kind {
            ExprKind::Error | ExprKind::Size(_) | ExprKind::Int(_) | ExprKind::Index(_) => true,
            ExprKind::Unary(UnaryOp::Neg, a) => self.is_affine(*a),
            ExprKind::Binary(op, a, b) => {
                let sides = self.is_affine(*a) && self.is_affine(*b);
                match op {
                    BinaryOp::Add | BinaryOp::Sub => sides,
                    BinaryOp::Mul | BinaryOp::Max | BinaryOp::Min => {
                        sides && (fixed(*a) || fixed(*b))
                    }
                    BinaryOp::Div | BinaryOp::Rem => sides && fixed(*b),
                    BinaryOp::And
                    | BinaryOp::Or
                    | BinaryOp::Xor
                    | BinaryOp::Shl
                    | BinaryOp::Shr => false,
                }
            }
            ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Local(_)
            | ExprKind::Access { .. }
            | ExprKind::Border { .. }
            | ExprKind::Unary(..)
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

    /// `(access else value)`.
    pub(crate) fn border(
        &mut self,
        access: ast::ExprId,
        otherwise: ast::ExprId,
        span: Span,
    ) -> ExprId {
        let file = self.ast;
        let at = file.exprs.span(access);
        let kind = file.exprs.kind(file.exprs.unparen(access));
        let access = if let ast::ExprKind::Index { base, args } = kind {
            self.access(*base, args, at, false, true)
        } else if matches!(kind, ast::ExprKind::Error) {
            self.error(at)
        } else if is_gather(kind) {
            self.expr(access, false)
        } else {
            self.fail(
                types::wrong_operand("a border", "one access", "expression", at)
                    .help("a cast or call goes outside the parentheses"),
            )
        };
        let otherwise = self.expr(otherwise, false);
        let ty = self.ty(access);
        let at = self.span(access);
        let good = self.coerce(otherwise, ty, Some((at, "the element's type")));
        if ty == Ty::Error || !good || self.ty(otherwise) == Ty::Error {
            return self.error(span);
        }
        self.scalar(ExprKind::Border { access, otherwise }, ty, span)
    }
}

/// Whether this is a gather from a vector, which has no brackets.
fn is_gather(kind: &ast::ExprKind) -> bool {
    matches!(kind, ast::ExprKind::Call { callee, .. } if callee.text == "gather")
}
