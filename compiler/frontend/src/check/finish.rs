//! The end of a body: results without definition, sizes that were not found, accesses that are always out of bounds.

use super::bounds::{Proof, prove};
use super::cx::Cx;
use super::definitions::Definition;
use crate::errors::{resolve, sizes};
use crate::hir::{ExprKind, IndexId, LocalId, StmtKind};
use crate::poly::{Atom, Poly};
use syntax::ast;

pub(super) fn report_undefined_results(
    cx: &mut Cx<'_, '_>,
    body: &ast::Body,
    definitions: &[Definition],
) {
    // A statement that could not be read or placed may have been the definition.
    if body.has_errors() || definitions.iter().any(|d| d.broken && d.targets.is_empty()) {
        return;
    }
    for number in cx.item.params..cx.item.params + cx.item.results {
        let id = LocalId(number);
        if !definitions.iter().any(|d| d.targets.contains(&id)) {
            let (name, span) = (cx.item.body[id].name.clone(), cx.item.body[id].span);
            cx.report(resolve::result_undefined(&name, span));
        }
    }
}

/// Fills in the sizes that inference found, and reports those it did not, and accesses that are always out of bounds.
pub(super) fn finish(cx: &mut Cx<'_, '_>) {
    report_unknown_extents(cx);
    resolve_sizes(cx);
    prove_accesses(cx);
}

fn report_unknown_extents(cx: &mut Cx<'_, '_>) {
    for number in 0..cx.item.body.indices.len() {
        let index = &cx.item.body.indices[number];
        let unknown = cx
            .unifier
            .resolve(&index.extent)
            .any_atom(|a| matches!(a, Atom::Unknown(_)));
        if unknown {
            let d = match of_a_part(cx, IndexId(number)) {
                true => sizes::part_without_extent(&index.name, index.span),
                false => sizes::index_without_extent(&index.name, index.span),
            };
            cx.report(d);
            cx.give_up_on(IndexId(number));
        }
    }
}

/// Whether an index stands in the left side of a definition in parts.
fn of_a_part(cx: &Cx<'_, '_>, index: IndexId) -> bool {
    cx.item.body.stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Parts { parts, .. } => parts.iter().any(|part| part.indices.contains(&index)),
        StmtKind::Whole { .. }
        | StmtKind::Indexed { .. }
        | StmtKind::Tuple { .. }
        | StmtKind::Fold(_) => false,
    })
}

fn resolve_sizes(cx: &mut Cx<'_, '_>) {
    let mut body = std::mem::take(&mut cx.item.body);
    let resolve = |size: &mut Poly| *size = cx.unifier.resolve(size);
    body.indices
        .iter_mut()
        .for_each(|index| resolve(&mut index.extent));
    body.locals
        .iter_mut()
        .flat_map(|l| l.shape.iter_mut().flatten())
        .for_each(resolve);
    for equality in &mut body.equalities {
        resolve(&mut equality.left);
        resolve(&mut equality.right);
    }
    for stmt in &mut body.stmts {
        if let StmtKind::Fold(fold) = &mut stmt.kind {
            fold.call
                .sizes
                .iter_mut()
                .chain(&mut fold.blocks)
                .for_each(resolve);
        }
    }
    for expr in &mut body.exprs {
        expr.shape.iter_mut().for_each(resolve);
        match &mut expr.kind {
            ExprKind::Size(size) => resolve(size),
            ExprKind::ScalarCall(call) | ExprKind::TensorCall(call) => {
                call.sizes.iter_mut().for_each(resolve)
            }
            ExprKind::Error
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Index(_)
            | ExprKind::Local(_)
            | ExprKind::Access { .. }
            | ExprKind::Border { .. }
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. }
            | ExprKind::Reduce(_)
            | ExprKind::Along(_)
            | ExprKind::Gather { .. }
            | ExprKind::Scatter(_) => {}
        }
    }
    cx.item.body = body;
}

fn prove_accesses(cx: &mut Cx<'_, '_>) {
    for pending in std::mem::take(&mut cx.pending) {
        let Some(index) = cx.to_poly(pending.at) else {
            continue;
        };
        let (index, size) = (
            cx.unifier.resolve(&index),
            cx.unifier.resolve(&pending.size),
        );
        let extent = |i: u32| {
            cx.item
                .body
                .indices
                .get(i as usize)
                .map_or_else(Poly::poison, |i| i.extent.clone())
        };
        if let Proof::Outside(reach) = prove(&index, &size, &extent) {
            let access = sizes::Access {
                size: format!("`{}`", cx.show(&size)),
                ..pending.access
            };
            let d = sizes::out_of_bounds(&access, &format!("`{}`", cx.show(&reach)));
            cx.report(d);
        }
    }
}
