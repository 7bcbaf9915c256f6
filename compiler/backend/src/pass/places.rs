//! `any`, `all`, `argmax` and `argmin` as maxima and minima, which the vector unit has.
//!
//! Before: `y[i] = argmax(j where c) x[i, j]`.
//! After: `p = min(j where c && x[i, j] is max(j where c) x[i, j]) j as i32` and `y[i] = if p is the identity then 0 else p`.
//! An `any` is whether the maximum of its conditions as numbers is above zero; an `all` is the same of the minimum.
//!
//! The two reductions that stand for an `argmax` bind the same indices; the copy to normal form, which comes after,
//! gives each its own.

use ir::algo::{
    BinaryOp, CmpOp, Def, Expr, ExprData, ExprKind, Func, Index, Order, Overflow, Reduce, ReduceOp,
    Round,
};
use isa::types::Elem;

/// Returns the function without these reductions.
pub(crate) fn run(func: &Func) -> Func {
    let mut out = Func {
        exprs: cranelift_entity::PrimaryMap::new(),
        defs: Vec::new(),
        ..func.clone()
    };
    // Operands have smaller numbers than what uses them, so one walk in order sees them first.
    let mut moved: Vec<Expr> = Vec::with_capacity(func.exprs.len());
    for data in func.exprs.values() {
        let new = rewrite(&mut out, data, &moved);
        moved.push(new);
    }
    out.defs = func
        .defs
        .iter()
        .map(|def| Def {
            value: at(&moved, def.value),
            ..def.clone()
        })
        .collect();
    out
}

fn at(moved: &[Expr], old: Expr) -> Expr {
    let found = moved.get(old.as_u32() as usize).copied();
    debug_assert!(found.is_some(), "verified: operands come first");
    found.unwrap_or(old)
}

fn rewrite(out: &mut Func, data: &ExprData, moved: &[Expr]) -> Expr {
    let kind = renumbered(&data.kind, moved);
    let mut b = Nodes { out, like: data };
    match kind {
        ExprKind::Reduce(reduce) => match reduce.op {
            ReduceOp::Any => b.condition(*reduce, ReduceOp::Max),
            ReduceOp::All => b.condition(*reduce, ReduceOp::Min),
            ReduceOp::ArgMax => b.place(*reduce, ReduceOp::Max),
            ReduceOp::ArgMin => b.place(*reduce, ReduceOp::Min),
            ReduceOp::Sum | ReduceOp::Prod | ReduceOp::Max | ReduceOp::Min => {
                b.push(data.elem, ExprKind::Reduce(reduce))
            }
        },
        kind @ (ExprKind::Float(_)
        | ExprKind::Int(_)
        | ExprKind::Index(_)
        | ExprKind::Load { .. }
        | ExprKind::Gather { .. }
        | ExprKind::Unary(..)
        | ExprKind::Binary(..)
        | ExprKind::Compare(..)
        | ExprKind::Select(..)
        | ExprKind::Cast { .. }) => b.push(data.elem, kind),
    }
}

/// The node with its operands at their new numbers.
fn renumbered(kind: &ExprKind, moved: &[Expr]) -> ExprKind {
    let to = |e: Expr| at(moved, e);
    match kind.clone() {
        kind @ (ExprKind::Float(_) | ExprKind::Int(_) | ExprKind::Index(_)) => kind,
        ExprKind::Load {
            tensor,
            at: coordinates,
            border,
        } => ExprKind::Load {
            tensor,
            at: coordinates,
            border: border.map(to),
        },
        ExprKind::Gather {
            tensor,
            index,
            dim,
            at: coordinates,
            border,
        } => ExprKind::Gather {
            tensor,
            index: to(index),
            dim,
            at: coordinates,
            border: border.map(to),
        },
        ExprKind::Unary(op, a) => ExprKind::Unary(op, to(a)),
        ExprKind::Binary(op, a, b) => ExprKind::Binary(op, to(a), to(b)),
        ExprKind::Compare(op, a, b) => ExprKind::Compare(op, to(a), to(b)),
        ExprKind::Select(c, a, b) => ExprKind::Select(to(c), to(a), to(b)),
        ExprKind::Cast {
            value,
            round,
            overflow,
        } => ExprKind::Cast {
            value: to(value),
            round,
            overflow,
        },
        ExprKind::Reduce(reduce) => ExprKind::Reduce(Box::new(Reduce {
            mask: reduce.mask.map(to),
            body: to(reduce.body),
            ..*reduce
        })),
    }
}

/// Appends nodes that stand for one expression of the source.
struct Nodes<'a> {
    out: &'a mut Func,
    like: &'a ExprData,
}

impl Nodes<'_> {
    fn push(&mut self, elem: Elem, kind: ExprKind) -> Expr {
        debug_assert!(
            kind.operands()
                .all(|e| (e.as_u32() as usize) < self.out.exprs.len()),
            "operands come first"
        );
        let span = self.like.span;
        self.out.exprs.push(ExprData { kind, elem, span })
    }

    fn cast(&mut self, value: Expr, to: Elem) -> Expr {
        let kind = ExprKind::Cast {
            value,
            round: Round::Even,
            overflow: Overflow::Saturate,
        };
        self.push(to, kind)
    }

    fn compare(&mut self, op: CmpOp, a: Expr, b: Expr) -> Expr {
        self.push(Elem::Bool, ExprKind::Compare(op, a, b))
    }

    fn logic(&mut self, op: BinaryOp, a: Expr, b: Expr) -> Expr {
        self.push(Elem::Bool, ExprKind::Binary(op, a, b))
    }

    fn extreme(&mut self, op: ReduceOp, of: &Reduce, mask: Option<Expr>, body: Expr) -> Expr {
        let elem = self.out.exprs[body].elem;
        let kind = ExprKind::Reduce(Box::new(Reduce {
            op,
            axes: of.axes.clone(),
            mask,
            body,
            order: Order::Free,
            exact_product: false,
        }));
        self.push(elem, kind)
    }

    /// An empty `max` is -inf and an empty `min` is inf, so the empty cases come out right as well.
    fn condition(&mut self, reduce: Reduce, op: ReduceOp) -> Expr {
        let number = self.cast(reduce.body, Elem::F32);
        let best = self.extreme(op, &reduce, reduce.mask, number);
        let zero = self.push(Elem::F32, ExprKind::Float(0.0));
        self.compare(CmpOp::Gt, best, zero)
    }

    fn place(&mut self, reduce: Reduce, op: ReduceOp) -> Expr {
        // Floats widen to f32 exactly.
        let float = self.out.exprs[reduce.body].elem.is_float();
        let item = if float {
            self.cast(reduce.body, Elem::F32)
        } else {
            reduce.body
        };
        let best = self.extreme(op, &reduce, reduce.mask, item);
        let found = if float {
            self.same_float(item, best)
        } else {
            self.compare(CmpOp::Eq, item, best)
        };
        let mask = match reduce.mask {
            None => found,
            Some(mask) => self.logic(BinaryOp::And, mask, found),
        };
        let flat = self.flat(&reduce.axes);
        let position = self.cast(flat, Elem::I32);
        let first = self.extreme(ReduceOp::Min, &reduce, Some(mask), position);
        let nothing = self.push(Elem::I32, ExprKind::Int(i64::from(i32::MAX)));
        let empty = self.compare(CmpOp::Eq, first, nothing);
        let zero = self.push(Elem::I32, ExprKind::Int(0));
        self.push(Elem::I32, ExprKind::Select(empty, zero, first))
    }

    /// Whether an item is the extreme in the order of `max` and `min`: NaN is (an extreme among NaNs is NaN), and
    /// zeros of unlike sign, which compare as equal, differ in their reciprocals.
    fn same_float(&mut self, item: Expr, best: Expr) -> Expr {
        let one = self.push(Elem::F32, ExprKind::Float(1.0));
        let zero = self.push(Elem::F32, ExprKind::Float(0.0));
        let [item_side, best_side] =
            [item, best].map(|e| self.push(Elem::F32, ExprKind::Binary(BinaryOp::Div, one, e)));
        let equal = self.compare(CmpOp::Eq, item, best);
        let same_side = self.compare(CmpOp::Eq, item_side, best_side);
        let not_zero = self.compare(CmpOp::Ne, best, zero);
        let nan = self.compare(CmpOp::Ne, item, item);
        let settled = self.logic(BinaryOp::Or, same_side, not_zero);
        let equal = self.logic(BinaryOp::And, equal, settled);
        self.logic(BinaryOp::Or, equal, nan)
    }

    /// The place among the items: the axes flattened, the last fastest.
    fn flat(&mut self, axes: &[Index]) -> Expr {
        let mut place: Option<Expr> = None;
        for &axis in axes {
            let index = self.push(Elem::I64, ExprKind::Index(axis));
            place = Some(match place {
                None => index,
                Some(before) => {
                    let extent = self.out.indices[axis].extent;
                    let extent = self.push(Elem::I64, ExprKind::Int(extent));
                    let down = ExprKind::Binary(BinaryOp::Mul, before, extent);
                    let down = self.push(Elem::I64, down);
                    self.push(Elem::I64, ExprKind::Binary(BinaryOp::Add, down, index))
                }
            });
        }
        place.unwrap_or_else(|| self.push(Elem::I64, ExprKind::Int(0)))
    }
}
