//! Questions that every reader of the algorithm IR asks: operands, indices, loads, the reduction of a definition.

use std::collections::{BTreeMap, BTreeSet};

use super::{Affine, Atom, Expr, ExprKind, Func, Index, Reduce, ReduceOp, Tensor};

impl ExprKind {
    /// The direct operands: of a reduction mask and body, of a load its border, of a gather its index and border.
    pub fn operands(&self) -> impl Iterator<Item = Expr> {
        let three = match self {
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

    /// Shows the indices that the expression names itself, not through its operands.
    pub fn visit_indices(&self, see: &mut dyn FnMut(Index)) {
        match self {
            ExprKind::Index(index) => see(*index),
            ExprKind::Load { at, .. } | ExprKind::Gather { at, .. } => {
                at.iter().for_each(|affine| affine.visit_indices(see));
            }
            ExprKind::Float(_)
            | ExprKind::Int(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. }
            | ExprKind::Reduce(_) => {}
        }
    }
}

impl Affine {
    /// Shows the indices of the expression, those inside atoms included; one as often as it stands there.
    pub fn visit_indices(&self, see: &mut dyn FnMut(Index)) {
        for (_, atom) in &self.terms {
            match atom {
                Atom::Index(index) => see(*index),
                Atom::Div(inner, _) | Atom::Mod(inner, _) | Atom::Clamp(inner, _, _) => {
                    inner.visit_indices(see);
                }
            }
        }
    }

    /// The value for given values of the indices; an index without one is 0.
    pub(crate) fn value(&self, values: &BTreeMap<Index, i64>) -> i64 {
        let mut sum = self.constant;
        for (coefficient, atom) in &self.terms {
            let value = match atom {
                Atom::Index(index) => values.get(index).copied().unwrap_or(0),
                Atom::Div(inner, by) => inner.value(values).div_euclid(*by),
                Atom::Mod(inner, by) => inner.value(values).rem_euclid(*by),
                Atom::Clamp(inner, low, high) => inner.value(values).clamp(*low, *high),
            };
            sum = sum.wrapping_add(coefficient.wrapping_mul(value));
        }
        sum
    }
}

impl ReduceOp {
    /// The word of the language.
    pub const fn name(self) -> &'static str {
        match self {
            ReduceOp::Sum => "sum",
            ReduceOp::Prod => "prod",
            ReduceOp::Max => "max",
            ReduceOp::Min => "min",
            ReduceOp::Any => "any",
            ReduceOp::All => "all",
            ReduceOp::ArgMax => "argmax",
            ReduceOp::ArgMin => "argmin",
        }
    }
}

impl Func {
    /// The expressions below one, itself included, each once, in the order of the arena.
    pub fn reachable(&self, root: Expr) -> Vec<Expr> {
        let mut seen = BTreeSet::from([root]);
        let mut open = vec![root];
        while let Some(expr) = open.pop() {
            let operands = self.exprs[expr].kind.operands();
            open.extend(operands.filter(|&operand| seen.insert(operand)));
        }
        seen.into_iter().collect()
    }

    /// Every load and gather below an expression, each once.
    pub fn accesses(&self, root: Expr) -> Vec<Expr> {
        let mut below = self.reachable(root);
        below.retain(|&expr| self.access(expr).is_some());
        below
    }

    /// The reduction at the root of a definition, given by its number.
    pub fn root_reduce(&self, def: usize) -> Option<&Reduce> {
        if let ExprKind::Reduce(reduce) = &self.exprs[self.defs[def].value].kind {
            Some(reduce)
        } else {
            None
        }
    }

    /// Tensor, coordinates and border of a load.
    pub fn load(&self, expr: Expr) -> Option<(Tensor, &[Affine], Option<Expr>)> {
        if let ExprKind::Load { tensor, at, border } = &self.exprs[expr].kind {
            Some((*tensor, at, *border))
        } else {
            None
        }
    }

    /// Tensor and coordinates of a load or gather; of a gather without what data adds.
    pub fn access(&self, expr: Expr) -> Option<(Tensor, &[Affine])> {
        if let ExprKind::Gather { tensor, at, .. } = &self.exprs[expr].kind {
            return Some((*tensor, at));
        }
        self.load(expr).map(|(tensor, at, _)| (tensor, at))
    }
}
