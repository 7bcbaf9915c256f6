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
    /// Set for one of several statements that define a result together.
    pub(super) part: Option<PartInfo>,
}

/// What the parts of a result have in common.
pub(super) struct PartInfo {
    /// How many parts there are.
    pub(super) count: usize,
    /// For each dimension, whether every part has an index alone there.
    pub(super) plain: Vec<bool>,
}

/// Declares every `let` and finds the result that each other statement defines.
pub(super) fn declare_definitions(cx: &mut Cx<'_, '_>, body: &ast::Body) -> Vec<Definition> {
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
                ..Definition::default()
            },
            ast::StmtKind::LetTuple { names, .. } => Definition {
                targets: names.iter().map(|name| declare_let(cx, name)).collect(),
                ..Definition::default()
            },
            ast::StmtKind::Assign { target, .. } => declare_assign(cx, *target),
        };
        definitions.push(definition);
    }
    find_parts(cx, body, &mut definitions);
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

fn declare_assign(cx: &mut Cx<'_, '_>, target: ast::ExprId) -> Definition {
    let broken = Definition {
        broken: true,
        ..Definition::default()
    };
    let Some((name, span, _)) = assigned(cx.ast, target) else {
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
    Definition {
        targets: vec![local],
        ..Definition::default()
    }
}

/// Tells definitions in parts from definitions that stand twice.
fn find_parts(cx: &mut Cx<'_, '_>, body: &ast::Body, definitions: &mut [Definition]) {
    let mut by_target: BTreeMap<LocalId, Vec<usize>> = BTreeMap::new();
    for (number, definition) in definitions.iter().enumerate() {
        if let [target] = definition.targets.as_slice()
            && assigned_args(cx.ast, &body.stmts[number]).is_some()
        {
            by_target.entry(*target).or_default().push(number);
        }
    }
    for (target, numbers) in by_target {
        let args = |n: &usize| assigned_args(cx.ast, &body.stmts[*n]).unwrap_or(&[]);
        let plain = |n: &usize, d: usize| args(n).get(d).is_some_and(|arg| is_plain(cx.ast, arg));
        let rank = numbers.iter().map(|n| args(n).len()).max().unwrap_or(0);
        let plain: Vec<bool> = (0..rank)
            .map(|d| numbers.iter().all(|n| plain(n, d)))
            .collect();
        if plain.contains(&false) {
            for number in &numbers {
                let count = numbers.len();
                definitions[*number].part = Some(PartInfo {
                    count,
                    plain: plain.clone(),
                });
            }
            continue;
        }
        for number in &numbers[1..] {
            let first = body.stmts[numbers[0]].span;
            let name = cx.item.body[target].name.clone();
            let again = left_side(cx.ast, &body.stmts[*number]);
            cx.report(resolve::result_redefined(&name, again, first));
            definitions[*number].broken = true;
        }
    }
}

/// The indices on the left side of an assignment.
fn assigned_args<'b>(file: &'b ast::File, stmt: &ast::Stmt) -> Option<&'b [ast::IndexArg]> {
    let ast::StmtKind::Assign { target, .. } = &stmt.kind else {
        return None;
    };
    assigned(file, *target).map(|(_, _, args)| args)
}

fn left_side(file: &ast::File, stmt: &ast::Stmt) -> Span {
    let ast::StmtKind::Assign { target, .. } = &stmt.kind else {
        return stmt.span;
    };
    assigned(file, *target).map_or(stmt.span, |(_, span, _)| span)
}

fn is_plain(file: &ast::File, arg: &ast::IndexArg) -> bool {
    let ast::IndexArg::Expr(e) = arg else {
        return false;
    };
    matches!(
        file.exprs.kind(file.exprs.unparen(*e)),
        ast::ExprKind::Name(_)
    )
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
    let mut defined_by: BTreeMap<LocalId, Vec<usize>> = BTreeMap::new();
    for (number, definition) in definitions.iter().enumerate() {
        for target in &definition.targets {
            defined_by.entry(*target).or_default().push(number);
        }
    }
    let needs = |stmt: &ast::Stmt| {
        let mut needed = Vec::new();
        cycles::stmt_exprs(stmt, &mut |e| {
            cycles::walk(cx.ast, e, &mut |kind| {
                if let ast::ExprKind::Name(name) = kind
                    && let Some((Meaning::Local(local), _)) = cx.names.get(name)
                    && let Some(numbers) = defined_by.get(local)
                {
                    needed.extend(numbers);
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
