//! Which blocks of items count at all, and which count as a whole: read from a mask of index comparisons.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is not of the form that is looked for"
)]

use std::collections::BTreeMap;

use ir::algo::{BinaryOp, CmpOp, Expr, ExprKind, Func, Index};
use ir::tile::Arg;
use isa::types::Elem;

use crate::pass::derive::Cascade;
use crate::tiling::builder::Builder;

/// Bounds on the item: `item <= bound` (upper) or `item >= bound`, all of which must hold.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// The condition.
    pub(super) condition: Expr,
    /// Which value of it counts.
    pub(super) holds: bool,
    bounds: Vec<Bound>,
}

#[derive(Clone, Debug)]
struct Bound {
    upper: bool,
    constant: i64,
    /// Factor of each row index, the last one's last.
    factors: Vec<i64>,
}

/// A linear form: constant and factor of each index.
type Form = (i64, BTreeMap<Index, i64>);

impl Limits {
    /// Reads a cascade's mask; none if it has none or is no comparison of indices.
    pub(super) fn of(algo: &Func, cascade: &Cascade) -> Option<Limits> {
        let (condition, holds) = cascade.mask?;
        let rows = cascade.rows.len();
        let mut bounds = Vec::new();
        collect(algo, condition, holds, rows, &mut bounds)?;
        Some(Limits {
            condition,
            holds,
            bounds,
        })
    }

    /// The first block with an item that counts for some row, and the one behind the last; one at least.
    pub(super) fn blocks(
        &self,
        b: &mut Builder,
        outer: &[Arg],
        rows: (Arg, Arg),
        (length, all): (i64, Arg),
    ) -> (Arg, Arg) {
        let (mut low, mut high) = (Arg::Const(0), all);
        for bound in &self.bounds {
            if bound.upper {
                let last = bound.end(b, outer, rows, true);
                let last = b.max(last, 0);
                let last = b.div(last, length);
                let behind = b.add(last, 1);
                high = b.min(high, behind);
            } else {
                let first = bound.end(b, outer, rows, false);
                let first = b.max(first, 0);
                let first = b.div(first, length);
                let last = b.sub(all, 1);
                let first = b.min(first, last);
                low = b.max(low, first);
            }
        }
        let behind = b.add(low, 1);
        (low, b.max(high, behind))
    }

    /// Whether every item of a block counts for every row.
    pub(super) fn whole(
        &self,
        b: &mut Builder,
        outer: &[Arg],
        rows: (Arg, Arg),
        (first, count): (Arg, Arg),
    ) -> Arg {
        let mut all = Arg::Const(1);
        for bound in &self.bounds {
            let fits = if bound.upper {
                let least = bound.end(b, outer, rows, false);
                let behind = b.add(first, count);
                let last = b.sub(behind, 1);
                b.cmp(CmpOp::Le, last, least)
            } else {
                let greatest = bound.end(b, outer, rows, true);
                b.cmp(CmpOp::Ge, first, greatest)
            };
            all = b.mul(all, fits);
        }
        all
    }
}

impl Bound {
    /// The greatest or least value over a block of rows.
    fn end(&self, b: &mut Builder, outer: &[Arg], (m0, m): (Arg, Arg), greatest: bool) -> Arg {
        let mut value = Arg::Const(self.constant);
        for (position, factor) in self.factors.iter().enumerate() {
            let last = position + 1 == self.factors.len();
            let at = match outer.get(position) {
                Some(at) if !last => *at,
                _ if (*factor > 0) == greatest => {
                    let end = b.add(m0, m);
                    b.sub(end, 1)
                }
                _ => m0,
            };
            let term = b.mul(at, *factor);
            value = b.add(value, term);
        }
        value
    }
}

/// Adds the bounds of a condition; none if it is more than bounds.
fn collect(algo: &Func, e: Expr, holds: bool, rows: usize, into: &mut Vec<Bound>) -> Option<()> {
    match &algo.exprs[e].kind {
        ExprKind::Binary(BinaryOp::And, a, b) if holds => {
            collect(algo, *a, true, rows, into)?;
            collect(algo, *b, true, rows, into)
        }
        ExprKind::Binary(BinaryOp::Or, a, b) if !holds => {
            collect(algo, *a, false, rows, into)?;
            collect(algo, *b, false, rows, into)
        }
        ExprKind::Compare(op, a, b) => {
            let (a, b) = (form(algo, *a)?, form(algo, *b)?);
            into.push(bound(algo, op_when(*op, holds)?, a, b, rows)?);
            Some(())
        }
        _ => None,
    }
}

/// The comparison that holds when one has this value.
fn op_when(op: CmpOp, holds: bool) -> Option<CmpOp> {
    Some(match (op, holds) {
        (CmpOp::Lt, true) | (CmpOp::Ge, false) => CmpOp::Lt,
        (CmpOp::Le, true) | (CmpOp::Gt, false) => CmpOp::Le,
        (CmpOp::Gt, true) | (CmpOp::Le, false) => CmpOp::Gt,
        (CmpOp::Ge, true) | (CmpOp::Lt, false) => CmpOp::Ge,
        (CmpOp::Eq | CmpOp::Ne, _) => return None,
    })
}

/// `a op b` as a bound on the item, which is the index at position `rows` of its definition.
fn bound(algo: &Func, op: CmpOp, a: Form, b: Form, rows: usize) -> Option<Bound> {
    let own = (0..algo.defs.len())
        .map(|def| {
            let axes = algo.root_reduce(def).map(|reduce| reduce.axes.to_vec());
            let own = algo.defs[def].indices.iter().copied();
            own.chain(axes.unwrap_or_default()).collect::<Vec<Index>>()
        })
        .find(|own| (a.1.keys().chain(b.1.keys())).all(|i| own.contains(i)))?;
    let item = *own.get(rows)?;
    let mut constant = a.0.checked_sub(b.0)?;
    let mut factors = a.1;
    for (index, factor) in b.1 {
        let entry = factors.entry(index).or_insert(0);
        *entry = entry.checked_sub(factor)?;
    }
    // `factor * item + rest op 0`
    let factor = factors.remove(&item)?;
    let (sign, upper) = match (factor, op) {
        (1, CmpOp::Lt | CmpOp::Le) => (-1, true),
        (-1, CmpOp::Lt | CmpOp::Le) => (1, false),
        (1, CmpOp::Gt | CmpOp::Ge) => (-1, false),
        (-1, CmpOp::Gt | CmpOp::Ge) => (1, true),
        _ => return None,
    };
    constant = constant.checked_mul(sign)?;
    let strict = matches!(op, CmpOp::Lt | CmpOp::Gt);
    constant += match (strict, upper) {
        (true, true) => -1,
        (true, false) => 1,
        (false, _) => 0,
    };
    let factor = |i: &Index| factors.get(i).copied().unwrap_or(0) * sign;
    Some(Bound {
        upper,
        constant,
        factors: own[..rows].iter().map(factor).collect(),
    })
}

/// An integer expression of indices.
fn form(algo: &Func, e: Expr) -> Option<Form> {
    let data = &algo.exprs[e];
    if !matches!(data.elem, Elem::I64 | Elem::I32) {
        return None;
    }
    let scaled = |(constant, factors): Form, by: i64| -> Option<Form> {
        let factors = factors.into_iter();
        let factors = factors.map(|(i, f)| Some((i, f.checked_mul(by)?)));
        Some((constant.checked_mul(by)?, factors.collect::<Option<_>>()?))
    };
    match &data.kind {
        ExprKind::Index(i) => Some((0, BTreeMap::from([(*i, 1)]))),
        // A number that stands for a size takes part in products alone.
        ExprKind::Int(x) if algo.symbols.is_symbolic(*x) => None,
        ExprKind::Int(x) => Some((*x, BTreeMap::new())),
        ExprKind::Cast { value, .. } => form(algo, *value),
        ExprKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
            let sign = if *op == BinaryOp::Sub { -1 } else { 1 };
            let mut a = form(algo, *a)?;
            let b = scaled(form(algo, *b)?, sign)?;
            a.0 = a.0.checked_add(b.0)?;
            for (index, factor) in b.1 {
                let entry = a.1.entry(index).or_insert(0);
                *entry = entry.checked_add(factor)?;
            }
            Some(a)
        }
        ExprKind::Binary(BinaryOp::Mul, a, b) => {
            let (a, b) = (form(algo, *a)?, form(algo, *b)?);
            match (a.1.is_empty(), b.1.is_empty()) {
                (true, _) => scaled(b, a.0),
                (false, true) => scaled(a, b.0),
                (false, false) => None,
            }
        }
        _ => None,
    }
}
