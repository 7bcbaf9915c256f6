//! Sizes in a body: polynomials from expressions, unification of extents and shapes, and how sizes are shown.

use super::cx::Cx;
use super::unify::Unified;
use crate::errors::sizes::{self, Sized};
use crate::hir::{Equality, ExprId, ExprKind, IndexId, Ty};
use crate::poly::{Atom, Poly};
use diag::Span;
use ir::algo::{BinaryOp, UnaryOp};
use syntax::ast;

impl Cx<'_, '_> {
    pub(crate) fn show(&self, size: &Poly) -> String {
        let size = self.unifier.resolve(size);
        size.display(&|atom| match atom {
            Atom::Var(v) => self
                .item
                .sizes
                .get(*v as usize)
                .map_or_else(|| "?".to_owned(), |s| s.name.clone()),
            Atom::Index(i) => self
                .item
                .body
                .indices
                .get(*i as usize)
                .map_or_else(|| "?".to_owned(), |i| i.name.clone()),
            Atom::Unknown(_) | Atom::Div(..) | Atom::Mod(..) => "_".to_owned(),
        })
    }

    pub(crate) fn show_shape(&self, shape: &[Poly]) -> String {
        format!(
            "[{}]",
            shape
                .iter()
                .map(|s| self.show(s))
                .collect::<Vec<_>>()
                .join(", ")
        )
    }

    /// A size without indices, from syntax.
    pub(crate) fn size(&mut self, id: ast::ExprId) -> Poly {
        let e = self.expr(id, false);
        if !self.coerce(e, Ty::Size, None) || self.ty(e) == Ty::Error {
            return Poly::poison();
        }
        match self.to_poly(e) {
            Some(size) if !size.any_atom(|a| matches!(a, Atom::Index(_))) => size,
            _ => {
                self.report(sizes::size_depends_on_index(self.span(e)));
                Poly::poison()
            }
        }
    }

    /// An expression over indices and sizes as a polynomial; nothing if it is something else.
    pub(crate) fn to_poly(&self, e: ExprId) -> Option<Poly> {
        match &self.item.body[e].kind {
            ExprKind::Error => Some(Poly::poison()),
            ExprKind::Size(size) => Some(size.clone()),
            ExprKind::Int(value) => {
                Some(i64::try_from(*value).map_or_else(|_| Poly::poison(), Poly::constant))
            }
            ExprKind::Index(id) => Some(Poly::atom(Atom::Index(u32::try_from(id.0).ok()?))),
            ExprKind::Unary(UnaryOp::Neg, a) => Some(self.to_poly(*a)?.scale(-1)),
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.to_poly(*a)?, self.to_poly(*b)?);
                match op {
                    BinaryOp::Add => Some(a.add(&b)),
                    BinaryOp::Sub => Some(a.sub(&b)),
                    BinaryOp::Mul => Some(a.mul(&b)),
                    BinaryOp::Div => Some(a.div(&b)),
                    BinaryOp::Rem => Some(a.rem(&b)),
                    BinaryOp::Max
                    | BinaryOp::Min
                    | BinaryOp::And
                    | BinaryOp::Or
                    | BinaryOp::Xor
                    | BinaryOp::Shl
                    | BinaryOp::Shr => None,
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
            | ExprKind::Scatter(_) => None,
        }
    }

    /// An index stands alone in a dimension: they have one size.
    pub(crate) fn unify_index(&mut self, index: IndexId, size: &Poly, span: Span) {
        let extent = self.item.body[index].extent.clone();
        let verdict = self.unifier.unify(&extent, size);
        let first = self.origins[index.0].clone();
        match (verdict, first) {
            (Unified::Same, None) => self.origins[index.0] = Some((size.clone(), span)),
            (Unified::Same, Some(_)) => {}
            (Unified::Different, _) if !self.conflicted.insert(index) => {}
            (Unified::Different, first) => {
                let (old, at) = first.unwrap_or((extent, self.item.body[index].span));
                let new = Sized {
                    size: self.show(size),
                    span,
                };
                let old = Sized {
                    size: self.show(&old),
                    span: at,
                };
                let d = sizes::index_two_sizes(&self.item.body[index].name, &new, &old);
                self.report(d);
            }
            (Unified::Later, first) => {
                let left_span = first.map_or(self.item.body[index].span, |f| f.1);
                let what = format!("index `{}`", self.item.body[index].name);
                self.later(what, (extent, left_span), (size.clone(), span));
            }
        }
    }

    /// Leaves an equality to the values of the sizes.
    pub(crate) fn later(&mut self, what: String, left: (Poly, Span), right: (Poly, Span)) {
        let equality = Equality {
            what,
            left: left.0,
            left_span: left.1,
            right: right.0,
            right_span: right.1,
        };
        self.body().equalities.push(equality);
    }

    /// Makes two shapes equal; reports if they are not.
    pub(crate) fn unify_shapes(&mut self, left: (&[Poly], Span), right: (&[Poly], Span)) -> bool {
        let mut same = left.0.len() == right.0.len();
        for (a, b) in left.0.iter().zip(right.0) {
            match self.unifier.unify(a, b) {
                Unified::Same => {}
                Unified::Different => same = false,
                Unified::Later => {
                    self.later(
                        "this dimension".to_owned(),
                        (a.clone(), left.1),
                        (b.clone(), right.1),
                    );
                }
            }
        }
        same
    }
}
