//! Orders: which functions call themselves, and in which order the definitions of a body can be checked.

use super::{Symbol, World, monoids};
use crate::errors::resolve;
use crate::hir::ItemId;
use diag::{Diagnostic, Span};
use syntax::ast;

/// Reports every ring of functions that call each other, once.
pub(crate) fn report_recursion(world: &World<'_>, diagnostics: &mut Vec<Diagnostic>) {
    // What is checked already is in no ring with the rest: it calls only itself.
    let edges: Vec<Vec<(usize, Span)>> = (0..world.callables.len())
        .map(|n| match n < world.checked {
            true => Vec::new(),
            false => calls(world, n),
        })
        .collect();
    let plain: Vec<Vec<usize>> = edges
        .iter()
        .map(|e| e.iter().map(|(to, _)| *to).collect())
        .collect();
    for ring in rings(&plain) {
        let place = |from: usize, to: usize| {
            edges[from]
                .iter()
                .find(|(t, _)| *t == to)
                .map_or(Span::NONE, |(_, span)| *span)
        };
        let next = |n: usize| ring[(n + 1) % ring.len()];
        let cycle: Vec<(&str, Span)> = (0..ring.len())
            .map(|n| {
                (
                    world.signatures[ring[n]].name.as_str(),
                    place(ring[n], next(n)),
                )
            })
            .collect();
        diagnostics.push(resolve::recursion(&cycle));
    }
}

fn calls(world: &World<'_>, number: usize) -> Vec<(usize, Span)> {
    let callable = &world.callables[number];
    let file = world.files[callable.file];
    let mut found = Vec::new();
    let mut visit = |kind: &ast::ExprKind| {
        if let ast::ExprKind::Call { callee, .. } = kind
            && let Some(Symbol::Item(ItemId(to))) = world.lookup(callable.file, &callee.text)
        {
            found.push((to, callee.span));
        }
        if let ast::ExprKind::Call { callee, .. } = kind
            && let Some(Symbol::Open(first)) = world.lookup(callable.file, &callee.text)
        {
            let all = world.instances(first);
            found.extend(all.map(|ItemId(to)| (to, callee.span)));
        }
        if let Some(monoid) = used_monoid(kind) {
            let parts = [monoids::BLOCK, monoids::MERGE].into_iter();
            let items =
                parts.filter_map(|p| world.monoid_function(callable.file, &monoid.name.text, p));
            found.extend(items.map(|ItemId(to)| (to, monoid.name.span)));
        }
    };
    let body = &callable.ast.body;
    for stmt in &body.stmts {
        stmt_exprs(stmt, &mut |e| walk(file, e, &mut visit));
    }
    body.tail.iter().for_each(|e| walk(file, *e, &mut visit));
    found
}

/// The monoid of a fold or scan.
fn used_monoid(kind: &ast::ExprKind) -> Option<&ast::MonoidUse> {
    if let ast::ExprKind::Fold { monoid, .. }
    | ast::ExprKind::Scan {
        body: ast::ScanBody::Monoid(monoid),
        ..
    } = kind
    {
        return Some(monoid);
    }
    None
}

/// Calls `visit` with the expressions of a statement: extents and value, not the left side.
pub(crate) fn stmt_exprs(stmt: &ast::Stmt, visit: &mut impl FnMut(ast::ExprId)) {
    match &stmt.kind {
        ast::StmtKind::Error => {}
        ast::StmtKind::Let { indices, value, .. } => {
            indices
                .iter()
                .flatten()
                .filter_map(|ix| ix.extent)
                .for_each(&mut *visit);
            visit(*value);
        }
        ast::StmtKind::LetTuple { value, .. } | ast::StmtKind::Assign { value, .. } => {
            visit(*value)
        }
        ast::StmtKind::Assert(condition) => visit(*condition),
    }
}

/// Visits an expression and everything in it, without recursion. The order of a reduction and the operation of a
/// scatter are left out: their words (`lanes(8)`, `free`, `add`) name neither functions nor definitions.
pub(crate) fn walk(file: &ast::File, root: ast::ExprId, visit: &mut impl FnMut(&ast::ExprKind)) {
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        let kind = file.exprs.kind(id);
        visit(kind);
        let mut order = None;
        if let ast::ExprKind::Reduce { head, .. } | ast::ExprKind::Fold { head, .. } = kind {
            order = head.order;
        }
        if let ast::ExprKind::Call { callee, args } = kind
            && callee.text == "scatter"
        {
            let is_op = |arg: &&ast::Arg| arg.name.as_ref().is_some_and(|n| n.text == "op");
            order = args.iter().find(is_op).map(|arg| arg.value);
        }
        kind.operands(|e| {
            if Some(e) != order {
                open.push(e);
            }
        });
    }
}

/// The rings of a graph: for each group of nodes that reach each other, one shortest way around.
pub(crate) fn rings(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let (_, left) = order(edges);
    let mut done = vec![false; edges.len()];
    let mut found = Vec::new();
    for start in left {
        if done[start] {
            continue;
        }
        let Some(ring) = way_back(edges, start) else {
            continue;
        };
        ring.iter().for_each(|n| done[*n] = true);
        found.push(ring);
    }
    found
}

/// A shortest way from `start` to itself, without the final return.
fn way_back(edges: &[Vec<usize>], start: usize) -> Option<Vec<usize>> {
    let mut from = vec![None; edges.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &next in &edges[node] {
            if next == start {
                let mut ring = vec![node];
                while let Some(previous) =
                    ring.last().filter(|n| **n != start).and_then(|n| from[*n])
                {
                    ring.push(previous);
                }
                ring.reverse();
                return Some(ring);
            }
            if from[next].is_none() {
                from[next] = Some(node);
                queue.push_back(next);
            }
        }
    }
    None
}

/// Nodes such that each comes after those it has edges to, smallest number first; and those that have no place,
/// because they are on a ring or need one.
pub(crate) fn order(edges: &[Vec<usize>]) -> (Vec<usize>, Vec<usize>) {
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    let mut waiting: Vec<usize> = vec![0; edges.len()];
    for (node, needs) in edges.iter().enumerate() {
        for &need in needs {
            needed_by[need].push(node);
            waiting[node] += 1;
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..edges.len()).filter(|n| waiting[*n] == 0).collect();
    let mut sorted = Vec::new();
    while let Some(node) = ready.pop_first() {
        sorted.push(node);
        for &user in &needed_by[node] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.insert(user);
            }
        }
    }
    let left = (0..edges.len()).filter(|n| waiting[*n] > 0).collect();
    (sorted, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_by_need_then_by_number() {
        let edges = vec![vec![2], vec![], vec![1], vec![3], vec![3]];
        assert_eq!(order(&edges), (vec![1, 2, 0], vec![3, 4]));
        assert_eq!(rings(&edges), vec![vec![3]]);
        assert_eq!(
            rings(&[vec![1], vec![2], vec![0], vec![0]]),
            vec![vec![0, 1, 2]]
        );
    }
}
