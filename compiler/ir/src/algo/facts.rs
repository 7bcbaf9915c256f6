//! Facts about the expressions of a function that printer-independent consumers need: free indices, faults, sharing.
//!
//! One pass over the arena, possible because operands precede their users. Assumes a verified function.

use super::{Expr, ExprKind, Func, Index};
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
            for operand in func.exprs[expr].kind.operands() {
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
        for operand in kind.operands() {
            free.extend_from_slice(&self.free[operand.as_u32() as usize]);
        }
        kind.visit_indices(&mut |index| free.push(index));
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
