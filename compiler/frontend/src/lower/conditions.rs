//! Sizes with their values, and the conditions on them.

use super::{Frame, Lower, Lowered, Stop};
use crate::errors::sizes;
use crate::hir::Item;
use crate::poly::{Atom, EvalError, Poly};
use diag::{Diagnostic, Span};
use ir::algo::ExprKind;

impl<'a> Lower<'a> {
    /// The value of a size.
    pub(super) fn size(&mut self, f: &Frame<'_>, size: &Poly, span: Span) -> Lowered<i64> {
        if !self.has_number(f, size) {
            let text = show_size(f.item, size);
            return self.stop(sizes::needs_fixed(
                &format!("`{text}` is no product of sizes"),
                span,
            ));
        }
        let value = size.eval(&|atom| match atom {
            Atom::Var(v) => f.sizes.get(*v as usize).copied(),
            Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
        });
        match value {
            Ok(value) if !size.is_poison() => Ok(value),
            Ok(_) | Err(EvalError::Overflow | EvalError::Unbound(_)) => {
                self.stop(sizes::size_overflow(span, "this size"))
            }
            Err(EvalError::Divisor(_)) => self.stop(sizes::division_by_zero_size(span)),
        }
    }

    /// The value of an extent, which is at least 1.
    pub(super) fn extent(&mut self, f: &Frame<'_>, size: &Poly, span: Span) -> Lowered<i64> {
        let value = self.size(f, size, span)?;
        if value < 1 {
            let text = show_size(f.item, size);
            return self.stop(sizes::size_below_one(&format!("`{text}`"), value, span));
        }
        Ok(value)
    }

    pub(super) fn extents(
        &mut self,
        f: &Frame<'_>,
        shape: &[Poly],
        span: Span,
    ) -> Lowered<Vec<i64>> {
        shape
            .iter()
            .map(|size| self.extent(f, size, span))
            .collect()
    }

    /// Checks `where`, `assert` and the equalities that inference left open; of a call with its place.
    pub(super) fn check_conditions(
        &mut self,
        f: &mut Frame<'a>,
        call: Option<Span>,
    ) -> Lowered<()> {
        let item = f.item;
        for equality in &item.body.equalities {
            if self.defer_equality(f, &equality.left, &equality.right) {
                continue;
            }
            let left = self.size(f, &equality.left, equality.left_span)?;
            let right = self.size(f, &equality.right, equality.right_span)?;
            if left != right {
                let place = |size: i64, span: Span| sizes::Sized {
                    size: size.to_string(),
                    span,
                };
                let (left, right) = (
                    place(left, equality.left_span),
                    place(right, equality.right_span),
                );
                self.diagnostics.push(in_call(
                    sizes::two_sizes(&equality.what, &left, &right),
                    call,
                ));
            }
        }
        for condition in &item.body.conditions {
            let span = item.body[*condition].span;
            if self.defer_condition(f, *condition)? {
                continue;
            }
            let arena = std::mem::take(&mut self.func.exprs);
            let depths = std::mem::take(&mut self.depths);
            let value = self
                .expr(f, *condition, &[])
                .map(|e| self.func.exprs[e].kind.clone());
            (self.func.exprs, self.depths) = (arena, depths);
            match value? {
                ExprKind::Int(1) => {}
                ExprKind::Int(_) => {
                    let facts = facts(f);
                    self.diagnostics
                        .push(in_call(sizes::condition_fails(span, &facts), call));
                }
                ExprKind::Float(_)
                | ExprKind::Index(_)
                | ExprKind::Load { .. }
                | ExprKind::Gather { .. }
                | ExprKind::Unary(..)
                | ExprKind::Binary(..)
                | ExprKind::Compare(..)
                | ExprKind::Select(..)
                | ExprKind::Cast { .. }
                | ExprKind::Reduce(_) => self.diagnostics.push(sizes::condition_not_on_sizes(span)),
            }
        }
        if self.diagnostics.is_empty() {
            Ok(())
        } else {
            Err(Stop)
        }
    }
}

/// A size as the author wrote it, more or less.
fn show_size(item: &Item, size: &Poly) -> String {
    size.display(&|atom| match atom {
        Atom::Var(v) => item
            .sizes
            .get(*v as usize)
            .map_or_else(|| "?".to_owned(), |s| s.name.clone()),
        Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => "_".to_owned(),
    })
}

/// The sizes of a frame, for a note.
fn facts(f: &Frame<'_>) -> String {
    let pairs = f.item.sizes.iter().zip(&f.sizes);
    pairs
        .map(|(s, value)| format!("{} = {value}", s.name))
        .collect::<Vec<_>>()
        .join(", ")
}

fn in_call(diagnostic: Diagnostic, call: Option<Span>) -> Diagnostic {
    match call {
        Some(span) => diagnostic.label(span, "in this call"),
        None => diagnostic,
    }
}
