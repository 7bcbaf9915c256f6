//! What the statements of a body define, and in which order they can be checked.

use super::cx::{Cx, Meaning};
use super::cycles;
use crate::errors::resolve;
use crate::hir::{Local, LocalId, Ty};
use diag::Span;
use std::collections::BTreeMap;
use syntax::ast;

/// What a statement defines.
#[derive(Default)]
pub(super) struct Definition {
    pub(super) targets: Vec<LocalId>,
    /// The statement cannot be checked: its target was reported.
    pub(super) broken: bool,
}

/// Declares every `let` and finds the result that each other statement defines.
pub(super) fn declare_definitions(cx: &mut Cx<'_, '_>, body: &ast::Body) -> Vec<Definition> {
    let mut first: BTreeMap<LocalId, Span> = BTreeMap::new();
    let mut definitions = Vec::new();
    for stmt in &body.stmts {
        let definition = match &stmt.kind {
            ast::StmtKind::Error => Definition {
                broken: true,
                ..Definition::default()
            },
            ast::StmtKind::Assert(_) => Definition::default(),
            ast::StmtKind::Let { name, .. } => Definition {
                targets: vec![declare_let(cx, name)],
                broken: false,
            },
            ast::StmtKind::LetTuple { names, .. } => Definition {
                targets: names.iter().map(|name| declare_let(cx, name)).collect(),
                broken: false,
            },
            ast::StmtKind::Assign { target, .. } => {
                declare_assign(cx, *target, stmt.span, &mut first)
            }
        };
        definitions.push(definition);
    }
    definitions
}

fn declare_let(cx: &mut Cx<'_, '_>, name: &ast::Name) -> LocalId {
    let id = LocalId(cx.item.body.locals.len());
    let local = Local {
        name: name.text.clone(),
        span: name.span,
        ty: Ty::Error,
        shape: None,
    };
    cx.body().locals.push(local);
    cx.declare(name, Meaning::Local(id));
    id
}

fn declare_assign(
    cx: &mut Cx<'_, '_>,
    target: ast::ExprId,
    stmt: Span,
    first: &mut BTreeMap<LocalId, Span>,
) -> Definition {
    let broken = Definition {
        broken: true,
        ..Definition::default()
    };
    let Some((name, span, indices)) = assigned(cx.ast, target) else {
        if !matches!(cx.ast.exprs.kind(target), ast::ExprKind::Error) {
            let span = cx.ast.exprs.span(target);
            cx.report(resolve::assigned_expression(span));
        }
        return broken;
    };
    let (params, results) = (cx.item.params, cx.item.results);
    let is_result = |id: LocalId| id.0 >= params && id.0 < params + results;
    let local = match cx.names.get(name) {
        Some((Meaning::Local(id), _)) if is_result(*id) => *id,
        Some((_, declared)) => {
            let declared = *declared;
            cx.report(resolve::assigned_not_result(name, span, declared));
            return broken;
        }
        None => {
            let results: Vec<&str> = cx
                .item
                .result_locals()
                .iter()
                .map(|l| l.name.as_str())
                .collect();
            let near = diag::similar(name, results);
            cx.report(resolve::unknown_target(name, span, near));
            return broken;
        }
    };
    let plain = |arg: &ast::IndexArg| match arg {
        ast::IndexArg::Expr(e) => matches!(
            cx.ast.exprs.kind(cx.ast.exprs.unparen(*e)),
            ast::ExprKind::Name(_)
        ),
        ast::IndexArg::All(_) | ast::IndexArg::Open(_) => false,
    };
    if !indices.iter().all(plain) {
        first.entry(local).or_insert(stmt);
        let at = cx.ast.exprs.span(target);
        cx.report(resolve::not_compiled_yet("a definition in parts", at));
        return broken_but_defined(local);
    }
    if let Some(first) = first.insert(local, stmt) {
        cx.report(resolve::result_redefined(name, span, first));
        return broken_but_defined(local);
    }
    Definition {
        targets: vec![local],
        broken: false,
    }
}

fn broken_but_defined(local: LocalId) -> Definition {
    Definition {
        targets: vec![local],
        broken: true,
    }
}

/// The name and indices of a left side.
pub(super) fn assigned(
    file: &ast::File,
    target: ast::ExprId,
) -> Option<(&str, Span, &[ast::IndexArg])> {
    let (base, args): (_, &[ast::IndexArg]) =
        if let ast::ExprKind::Index { base, args } = file.exprs.kind(target) {
            (*base, args)
        } else {
            (target, &[])
        };
    let ast::ExprKind::Name(name) = file.exprs.kind(base) else {
        return None;
    };
    Some((name, file.exprs.span(base), args))
}

/// The statements in an order in which each only reads what was checked before; rings are reported.
pub(super) fn definition_order(
    cx: &mut Cx<'_, '_>,
    body: &ast::Body,
    definitions: &[Definition],
) -> Vec<usize> {
    let mut defined_by: BTreeMap<LocalId, usize> = BTreeMap::new();
    for (number, definition) in definitions.iter().enumerate() {
        for target in &definition.targets {
            defined_by.entry(*target).or_insert(number);
        }
    }
    let needs = |stmt: &ast::Stmt| {
        let mut needed = Vec::new();
        cycles::stmt_exprs(stmt, &mut |e| {
            cycles::walk(cx.ast, e, &mut |kind| {
                if let ast::ExprKind::Name(name) = kind
                    && let Some((Meaning::Local(local), _)) = cx.names.get(name)
                    && let Some(number) = defined_by.get(local)
                {
                    needed.push(*number);
                }
            });
        });
        needed.sort_unstable();
        needed.dedup();
        needed
    };
    let edges: Vec<Vec<usize>> = body.stmts.iter().map(needs).collect();
    for ring in cycles::rings(&edges) {
        let cycle: Vec<(&str, Span)> = ring
            .iter()
            .filter_map(|n| {
                let local = definitions[*n].targets.first()?;
                Some((cx.item.body[*local].name.as_str(), body.stmts[*n].span))
            })
            .collect();
        let d = resolve::cyclic_definition(&cycle);
        cx.report(d);
    }
    let (sorted, left) = cycles::order(&edges);
    // What is on a ring, or needs one, has no type: locals of unknown shape keep later statements silent.
    for number in left {
        for target in &definitions[number].targets {
            cx.body()[*target].shape = None;
        }
    }
    sorted
}
