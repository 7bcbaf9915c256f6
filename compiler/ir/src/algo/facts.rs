//! Facts about the expressions of a function that printer-independent consumers need: free indices, faults, sharing.
//!
//! One pass over the arena, possible because operands precede their users. Assumes a verified function.

use std::collections::{BTreeMap, BTreeSet};

use super::{Affine, Atom, Expr, ExprKind, Func, Index};
use crate::algo::BinaryOp;

/// What is known of every expression.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Free indices of each expression, ascending.
    free: Vec<Vec<Index>>,
    faults: Vec<bool>,
    shared: Vec<bool>,
}

impl Facts {
    /// Computes the facts of every expression.
    pub(crate) fn new(func: &Func) -> Facts {
        let count = func.exprs.len();
        let mut facts = Facts {
            free: Vec::with_capacity(count),
            faults: Vec::with_capacity(count),
            shared: vec![false; count],
        };
        let mut uses = vec![0u32; count];
        for expr in func.exprs.keys() {
            let free = facts.free_of(func, expr);
            facts.free.push(free);
            let mut faults = can_fault_itself(func, expr);
            for operand in operands(&func.exprs[expr].kind) {
                faults |= facts.faults[operand.as_u32() as usize];
                uses[operand.as_u32() as usize] += 1;
            }
            facts.faults.push(faults);
        }
        for (shared, uses) in facts.shared.iter_mut().zip(uses) {
            *shared = uses > 1;
        }
        facts
    }

    /// The indices that the value depends on and does not bind, ascending.
    pub(crate) fn free(&self, expr: Expr) -> &[Index] {
        &self.free[expr.as_u32() as usize]
    }

    /// Whether evaluation may fault: an integer division or a gather is inside.
    pub(crate) fn may_fault(&self, expr: Expr) -> bool {
        self.faults[expr.as_u32() as usize]
    }

    /// Whether more than one node uses it.
    pub(crate) fn shared(&self, expr: Expr) -> bool {
        self.shared[expr.as_u32() as usize]
    }

    fn free_of(&self, func: &Func, expr: Expr) -> Vec<Index> {
        let kind = &func.exprs[expr].kind;
        let mut free = Vec::new();
        for operand in operands(kind) {
            free.extend_from_slice(&self.free[operand.as_u32() as usize]);
        }
        if let ExprKind::Index(index) = kind {
            free.push(*index);
        }
        if let ExprKind::Load { at, .. } | ExprKind::Gather { at, .. } = kind {
            at.iter()
                .for_each(|affine| affine_indices(affine, &mut free));
        }
        if let ExprKind::Reduce(reduce) = kind {
            free.retain(|index| !reduce.axes.contains(index));
        }
        free.sort_unstable();
        free.dedup();
        free
    }
}

fn can_fault_itself(func: &Func, expr: Expr) -> bool {
    let data = &func.exprs[expr];
    let divides = matches!(
        data.kind,
        ExprKind::Binary(BinaryOp::Div | BinaryOp::Rem, ..)
    );
    let seeks = matches!(data.kind, ExprKind::Gather { border: None, .. });
    seeks || divides && !data.elem.is_float()
}

/// The operands of a node: of a reduction mask and body, of a load its border.
pub(crate) fn operands(kind: &ExprKind) -> impl Iterator<Item = Expr> {
    let three = match kind {
        ExprKind::Float(_) | ExprKind::Int(_) | ExprKind::Index(_) => [None, None, None],
        ExprKind::Load { border, .. } => [*border, None, None],
        ExprKind::Gather { index, border, .. } => [Some(*index), *border, None],
        ExprKind::Unary(_, a) | ExprKind::Cast { value: a, .. } => [Some(*a), None, None],
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => [Some(*a), Some(*b), None],
        ExprKind::Select(c, a, b) => [Some(*c), Some(*a), Some(*b)],
        ExprKind::Reduce(reduce) => [reduce.mask, Some(reduce.body), None],
    };
    three.into_iter().flatten()
}

/// The nodes of an expression, each once, in the order of the arena.
pub(crate) fn reachable(func: &Func, root: Expr) -> Vec<Expr> {
    let mut seen = BTreeSet::from([root]);
    let mut open = vec![root];
    while let Some(expr) = open.pop() {
        open.extend(operands(&func.exprs[expr].kind).filter(|&operand| seen.insert(operand)));
    }
    seen.into_iter().collect()
}

/// Appends the indices of an affine expression, atoms included.
pub(crate) fn affine_indices(affine: &Affine, into: &mut Vec<Index>) {
    for (_, atom) in &affine.terms {
        match atom {
            Atom::Index(index) => into.push(*index),
            Atom::Div(inner, _) | Atom::Mod(inner, _) | Atom::Clamp(inner, _, _) => {
                affine_indices(inner, into);
            }
        }
    }
}

/// The value of an affine expression for given values of its indices.
pub(crate) fn affine_value(affine: &Affine, values: &BTreeMap<Index, i64>) -> i64 {
    let mut sum = affine.constant;
    for (coefficient, atom) in &affine.terms {
        let value = match atom {
            Atom::Index(index) => values.get(index).copied().unwrap_or(0),
            Atom::Div(inner, by) => affine_value(inner, values).div_euclid(*by),
            Atom::Mod(inner, by) => affine_value(inner, values).rem_euclid(*by),
            Atom::Clamp(inner, low, high) => affine_value(inner, values).clamp(*low, *high),
        };
        sum = sum.wrapping_add(coefficient.wrapping_mul(value));
    }
    sum
}
