//! Declared accumulators as functions: a monoid becomes its identity, its `merge` and its `block`.
//!
//! `monoid attend { m: f32 = -inf; merge(p, q) { … } block<J>(s: f32[J]) { … } }` stands for three tensor functions
//! whose names nobody can write: `attend.identity() -> (identity.m: f32)`, `attend.merge(p.m: f32, q.m: f32) ->
//! (merge.m: f32)` and `attend.block<J>(s: f32[J]) -> (block.m: f32)`. A field of a record `p.m` is then the local of
//! that name. Works on syntax alone; what the functions mean is checked like any other body.

use crate::errors::resolve;
use diag::{Diagnostic, Span};
use syntax::ast;

/// Names of the functions that a monoid becomes.
pub(crate) const IDENTITY: &str = "identity";
/// The function that joins two records.
pub(crate) const MERGE: &str = "merge";
/// The function that absorbs items.
pub(crate) const BLOCK: &str = "block";

/// The name of a function of a monoid.
pub(crate) fn function(monoid: &str, part: &str) -> String {
    format!("{monoid}.{part}")
}

/// The file with the functions of its monoids behind its items; nothing if it has no monoid.
pub(crate) fn expand(file: &ast::File, diagnostics: &mut Vec<Diagnostic>) -> Option<ast::File> {
    let is_monoid = |item: &ast::Item| matches!(item.kind, ast::ItemKind::Monoid(_));
    if !file.items.iter().any(is_monoid) {
        return None;
    }
    let mut out = file.clone();
    for item in &file.items {
        if let ast::ItemKind::Monoid(monoid) = &item.kind {
            expand_monoid(monoid, item.span, &mut out, diagnostics);
        }
    }
    Some(out)
}

/// A field of the accumulator.
struct Field<'a> {
    name: &'a ast::Name,
    ty: &'a ast::Type,
    identity: ast::ExprId,
    span: Span,
}

fn expand_monoid(
    monoid: &ast::Monoid,
    span: Span,
    out: &mut ast::File,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut fields = Vec::new();
    let mut joined = None;
    let mut absorbed = None;
    for member in &monoid.members {
        match member {
            // The parser has said what is wrong; uses of the monoid stay silent.
            ast::Member::Error(_) => return,
            ast::Member::Field {
                name,
                ty,
                identity,
                span,
            } => fields.push(Field {
                name,
                ty,
                identity: *identity,
                span: *span,
            }),
            ast::Member::Merge { .. } => joined = Some(member),
            ast::Member::Block { .. } => absorbed = Some(member),
        }
    }
    let missing = match (fields.as_slice(), joined, absorbed) {
        ([], _, _) => Some("field"),
        (_, None, _) => Some("`merge`"),
        (_, _, None) => Some("`block`"),
        (_, Some(_), Some(_)) => None,
    };
    if let Some(missing) = missing {
        let name = &monoid.name;
        diagnostics.push(resolve::monoid_lacks(&name.text, missing, name.span));
        return;
    }
    identity_function(monoid, &fields, span, out);
    if let Some(ast::Member::Merge {
        left,
        right,
        body,
        span,
    }) = joined
    {
        merge_function(monoid, &fields, (left, right), body, *span, out);
    }
    if let Some(ast::Member::Block {
        length,
        params,
        body,
        span,
    }) = absorbed
    {
        for param in params.iter().filter(|p| !leads_with(out, p, length)) {
            diagnostics.push(resolve::block_without_length(
                &param.name.text,
                &length.text,
                param.span,
            ));
        }
        block_function(monoid, &fields, (length, params), body, *span, out);
    }
}

/// Whether the first dimension of a parameter is the number of items.
fn leads_with(file: &ast::File, param: &ast::Param, length: &ast::Name) -> bool {
    let Some(ast::Dim::Size(size)) = param.ty.dims.first() else {
        return false;
    };
    file.exprs.kind(file.exprs.unparen(*size)).as_name() == Some(&length.text)
}

fn identity_function(monoid: &ast::Monoid, fields: &[Field<'_>], span: Span, out: &mut ast::File) {
    let stmts = fields.iter().map(|field| {
        let target = result_name(IDENTITY, field.name);
        let target = name_expr(out, &target);
        ast::Stmt {
            kind: ast::StmtKind::Assign {
                target,
                value: field.identity,
            },
            span: field.span,
        }
    });
    let stmts = stmts.collect();
    let generics = monoid.generics.clone();
    push(
        monoid,
        IDENTITY,
        (generics, Vec::new()),
        fields,
        stmts,
        span,
        out,
    );
}

fn merge_function(
    monoid: &ast::Monoid,
    fields: &[Field<'_>],
    (left, right): (&ast::Name, &ast::Name),
    body: &ast::RecBody,
    span: Span,
    out: &mut ast::File,
) {
    let sides = [left, right].into_iter();
    let params = sides.flat_map(|side| fields.iter().map(move |field| side_field(side, field)));
    let params = params.collect();
    let stmts = record(MERGE, body, out);
    let generics = monoid.generics.clone();
    push(monoid, MERGE, (generics, params), fields, stmts, span, out);
}

/// `p.m: f32`, a field of a record that is merged.
fn side_field(side: &ast::Name, field: &Field<'_>) -> ast::Param {
    ast::Param {
        name: ast::Name {
            text: format!("{}.{}", side.text, field.name.text),
            span: side.span,
        },
        ty: field.ty.clone(),
        span: side.span,
    }
}

fn block_function(
    monoid: &ast::Monoid,
    fields: &[Field<'_>],
    (length, params): (&ast::Name, &[ast::Param]),
    body: &ast::RecBody,
    span: Span,
    out: &mut ast::File,
) {
    let mut generics = monoid.generics.clone();
    generics.push(ast::Generic {
        name: length.clone(),
        kind: ast::GenericKind::Size,
    });
    let stmts = record(BLOCK, body, out);
    push(
        monoid,
        BLOCK,
        (generics, params.to_vec()),
        fields,
        stmts,
        span,
        out,
    );
}

/// The definitions of a record body, and an assignment for each field.
fn record(part: &str, body: &ast::RecBody, out: &mut ast::File) -> Vec<ast::Stmt> {
    let mut stmts = body.lets.clone();
    for field in &body.fields {
        let target = result_name(part, &field.name);
        let base = name_expr(out, &target);
        let target = match &field.indices {
            None => base,
            Some(indices) => {
                let args = indices
                    .iter()
                    .map(|index| ast::IndexArg::Expr(name_expr(out, index)));
                let args = args.collect();
                out.exprs.push(ast::Expr {
                    kind: ast::ExprKind::Index { base, args },
                    span: field.name.span,
                })
            }
        };
        let value = match field.value {
            Some(value) => value,
            None => name_expr(out, &field.name),
        };
        stmts.push(ast::Stmt {
            kind: ast::StmtKind::Assign { target, value },
            span: field.span,
        });
    }
    stmts
}

fn result_name(part: &str, field: &ast::Name) -> ast::Name {
    ast::Name {
        text: format!("{part}.{}", field.text),
        span: field.span,
    }
}

fn name_expr(out: &mut ast::File, name: &ast::Name) -> ast::ExprId {
    out.exprs.push(ast::Expr {
        kind: ast::ExprKind::Name(name.text.clone()),
        span: name.span,
    })
}

fn push(
    monoid: &ast::Monoid,
    part: &str,
    (generics, params): (Vec<ast::Generic>, Vec<ast::Param>),
    fields: &[Field<'_>],
    stmts: Vec<ast::Stmt>,
    span: Span,
    out: &mut ast::File,
) {
    let result = |field: &Field<'_>| ast::Param {
        name: result_name(part, field.name),
        ty: field.ty.clone(),
        span: field.span,
    };
    let callable = ast::Callable {
        kind: ast::CallableKind::Fn,
        name: ast::Name {
            text: function(&monoid.name.text, part),
            span: monoid.name.span,
        },
        generics,
        params,
        returns: ast::Returns::Named(fields.iter().map(result).collect()),
        conditions: Vec::new(),
        order: None,
        body: ast::Body {
            stmts,
            tail: None,
            span,
        },
        signature_span: span,
    };
    out.items.push(ast::Item {
        docs: Vec::new(),
        public: false,
        kind: ast::ItemKind::Callable(callable),
        span,
    });
}
