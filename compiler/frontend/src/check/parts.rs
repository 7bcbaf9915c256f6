//! Definitions in parts: left sides such as `y[i, 2*p]` and `y[i, 2*p + 1]`.
//!
//! Whether the parts are disjoint and cover the tensor is decided with the values of the sizes, in `lower::parts`.

use super::cx::{Cx, Meaning, Pending};
use super::definitions::{PartInfo, assigned};
use crate::errors::{resolve, sizes};
use crate::hir::{ExprId, ExprKind, IndexId, LocalId, Part, Stmt, StmtKind, Ty};
use diag::Span;
use syntax::ast;

/// Checks one part; the last one makes the definition.
pub(super) fn check(
    cx: &mut Cx<'_, '_>,
    target: LocalId,
    (left, info): (ast::ExprId, &PartInfo),
    value: ast::ExprId,
    span: Span,
) {
    let file = cx.ast;
    let local = cx.item.body[target].clone();
    let left_span = file.exprs.span(left);
    let args = assigned(file, left).map_or(&[][..], |(_, _, args)| args);
    let indices: Vec<IndexId> = new_indices(cx, args);
    let shape = local.shape.clone().unwrap_or_default();
    if shape.len() != args.len() {
        let (found, wanted) = (args.len(), shape.len());
        cx.report(sizes::index_count(
            &local.name,
            found,
            wanted,
            left_span,
            local.span,
        ));
        cx.scope.clear();
        return;
    }
    let mut coordinates = Vec::new();
    for (dimension, (arg, size)) in args.iter().zip(&shape).enumerate() {
        let Some(e) = coordinate(cx, arg) else {
            continue;
        };
        coordinates.push(e);
        let at = cx.span(e);
        if let ExprKind::Index(index) = &cx.item.body[e].kind
            && info.plain.get(dimension) == Some(&true)
        {
            let index = *index;
            cx.unify_index(index, size, at);
            continue;
        }
        let access = sizes::Access {
            tensor: local.name.clone(),
            dimension,
            size: String::new(),
            span: at,
            whole: Span::NONE,
            declared: local.span,
        };
        cx.pending.push(Pending {
            at: e,
            size: size.clone(),
            access,
        });
    }
    let value = cx.expr(value, false);
    cx.scope.clear();
    cx.coerce(
        value,
        local.ty,
        Some((local.span, "because of this result")),
    );
    let part = Part {
        left: coordinates,
        indices,
        value,
        span,
    };
    let parts = cx.parts.entry(target).or_default();
    parts.push(part);
    if parts.len() == info.count {
        let parts = std::mem::take(parts);
        cx.body().stmts.push(Stmt {
            kind: StmtKind::Parts { target, parts },
            span,
        });
    }
}

/// Every name of the left side that means nothing yet is an index of the part.
fn new_indices(cx: &mut Cx<'_, '_>, args: &[ast::IndexArg]) -> Vec<IndexId> {
    let file = cx.ast;
    let mut indices = Vec::new();
    for arg in args {
        let ast::IndexArg::Expr(e) = arg else {
            continue;
        };
        let mut names = Vec::new();
        let mut open = vec![*e];
        while let Some(id) = open.pop() {
            if let ast::ExprKind::Name(text) = file.exprs.kind(id) {
                names.push(ast::Name {
                    text: text.clone(),
                    span: file.exprs.span(id),
                });
            }
            file.exprs.kind(id).operands(|operand| open.push(operand));
        }
        let plain = matches!(
            file.exprs.kind(file.exprs.unparen(*e)),
            ast::ExprKind::Name(_)
        );
        for name in names {
            let size = matches!(cx.names.get(&name.text), Some((Meaning::Size(_), _)));
            let known = size
                || cx
                    .world
                    .lookup(cx.file, &name.text)
                    .is_some_and(|s| s.is_constant());
            if (known && !plain) || cx.index_named(&name.text).is_some() {
                continue;
            }
            indices.push(cx.bind_index(&name, None));
        }
    }
    indices
}

fn coordinate(cx: &mut Cx<'_, '_>, arg: &ast::IndexArg) -> Option<ExprId> {
    match arg {
        ast::IndexArg::Expr(e) => {
            let e = cx.index_expr(*e);
            (cx.ty(e) != Ty::Error).then_some(e)
        }
        ast::IndexArg::All(colon) => {
            cx.report(sizes::slice_not_allowed(*colon));
            None
        }
        ast::IndexArg::Open(name) => {
            cx.report(resolve::not_compiled_yet(
                "an open list of indices",
                name.span,
            ));
            None
        }
    }
}
