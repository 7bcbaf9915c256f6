//! Scalar code that the written form leaves out: sums, conditions and extents as values.
//!
//! It stands in the outermost block that has its operands, and nothing is computed twice: so extents that are equal are
//! one value.

use diag::Span;
use ir::algo::CmpOp;
use ir::tile::{Arg, Block, CoreQuery, Op, ScalarOp, Value};
use syntax::tile_ast::{TileArg, TileCond, TileSum};

use super::Loader;
use super::extents::{Extent, Linear};
use super::names::error;

/// A value, and how it is computed.
#[derive(Clone, Debug)]
pub(super) struct Computed {
    op: ScalarOp,
    a: Arg,
    b: Arg,
    dst: Value,
    /// How many blocks are around it.
    level: usize,
}

impl Loader {
    /// Appends an operation to the block that is being read.
    pub(super) fn emit(&mut self, op: Op, span: Span) {
        if let Some(block) = self.open.last() {
            self.func.push(*block, op, span);
        }
    }

    /// Opens a new block.
    pub(super) fn enter_block(&mut self) -> Block {
        let block = self.func.add_block();
        self.open.push(block);
        block
    }

    pub(super) fn leave_block(&mut self) {
        self.open.pop();
        let level = self.open.len();
        self.computed.retain(|computed| computed.level <= level);
    }

    /// A new value of the innermost block.
    pub(super) fn local_value(&mut self) -> Value {
        let value = self.func.add_value();
        self.levels.insert(value, self.open.len());
        value
    }

    /// The innermost block that an operand needs; 0 is none.
    fn level(&self, arg: Arg) -> usize {
        match arg {
            Arg::Const(_) => 0,
            Arg::Val(value) => self.levels.get(&value).copied().unwrap_or(self.open.len()),
        }
    }

    pub(super) fn scalar(&mut self, op: ScalarOp, a: Arg, b: Arg, span: Span) -> Arg {
        if let Some(known) = folded(op, a, b) {
            return known;
        }
        let same = |known: &&Computed| (known.op, known.a, known.b) == (op, a, b);
        if let Some(known) = self.computed.iter().find(same) {
            return Arg::Val(known.dst);
        }
        let level = self.level(a).max(self.level(b)).max(1);
        let dst = self.func.add_value();
        self.levels.insert(dst, level);
        if let Some(block) = self.open.get(level - 1) {
            self.func.push(*block, Op::Scalar { dst, op, a, b }, span);
        }
        self.computed.push(Computed {
            op,
            a,
            b,
            dst,
            level,
        });
        Arg::Val(dst)
    }

    pub(super) fn query(&mut self, what: CoreQuery, span: Span) -> Value {
        let dst = self.local_value();
        self.emit(Op::Query { dst, what }, span);
        dst
    }

    /// A sum as it was written; reports what is not linear.
    pub(super) fn linear(&mut self, sum: &TileSum) -> Option<Linear> {
        let mut total = Linear::default();
        for (negative, factors) in &sum.terms {
            let mut product = Linear::constant(1);
            for factor in factors {
                let factor = match factor {
                    TileArg::Int(int) => Linear::constant(self.int(*int)?),
                    TileArg::Name(name) => {
                        self.value(name)?;
                        Linear::name(&name.text)
                    }
                };
                product = self.fits(product.times(&factor), sum.span)?;
            }
            let sign = if *negative { -1 } else { 1 };
            total = self.fits(total.plus(&product, sign), sum.span)?;
        }
        Some(total)
    }

    /// What a computation with extents gave; reports if it gave nothing.
    pub(super) fn fits<T>(&mut self, made: Option<T>, span: Span) -> Option<T> {
        if made.is_none() {
            let message = "this is no sum of multiples of values within 64 bits";
            self.problem(span, message, "not linear, or too large");
        }
        made
    }

    /// The value of a sum; reports a name that is not known here.
    pub(super) fn linear_arg(&mut self, linear: &Linear, span: Span) -> Option<Arg> {
        let mut sum = Arg::Const(0);
        for (name, times) in &linear.terms {
            let Some(value) = self.values.get(name).copied() else {
                let message = format!("the extent depends on `{name}`, which is not known here");
                self.problem(span, &message, "not the same on this side");
                return None;
            };
            let term = self.scalar(ScalarOp::Mul, Arg::Val(value), Arg::Const(*times), span);
            sum = self.scalar(ScalarOp::Add, sum, term, span);
        }
        Some(self.scalar(ScalarOp::Add, sum, Arg::Const(linear.constant), span))
    }

    pub(super) fn extent_arg(&mut self, extent: &Extent, span: Span) -> Option<Arg> {
        let mut value = Arg::Const(extent.most);
        let mut below_zero = false;
        for cut in &extent.cuts {
            let at = self.linear_arg(&cut.at, span)?;
            let left = self.scalar(ScalarOp::Sub, Arg::Const(cut.limit), at, span);
            value = self.scalar(ScalarOp::Min, value, left, span);
            let last = cut.at.range(&self.ranges).map(|(_, high)| high);
            below_zero |= last.is_none_or(|last| last > cut.limit);
        }
        if below_zero {
            value = self.scalar(ScalarOp::Max, value, Arg::Const(0), span);
        }
        Some(value)
    }

    /// 1 if the condition holds, else 0.
    pub(super) fn condition(&mut self, cond: &TileCond) -> Option<Arg> {
        let join = if cond.any {
            ScalarOp::Or
        } else {
            ScalarOp::And
        };
        let mut all: Option<Arg> = None;
        for test in &cond.tests {
            let lhs = self.linear(&test.lhs)?;
            let lhs = self.linear_arg(&lhs, test.lhs.span)?;
            let rhs = self.linear(&test.rhs)?;
            let rhs = self.linear_arg(&rhs, test.rhs.span)?;
            let op = match test.op.text.as_str() {
                "==" => CmpOp::Eq,
                "!=" => CmpOp::Ne,
                "<" => CmpOp::Lt,
                "<=" => CmpOp::Le,
                ">" => CmpOp::Gt,
                ">=" => CmpOp::Ge,
                other => {
                    let message = format!("unknown comparison `{other}`");
                    let wrong = error(test.op.span, message, "not a comparison");
                    self.diagnostics.push(wrong);
                    return None;
                }
            };
            let holds = self.scalar(ScalarOp::Cmp(op), lhs, rhs, cond.span);
            all = Some(match all {
                None => holds,
                Some(before) => self.scalar(join, before, holds, cond.span),
            });
        }
        all
    }
}

/// What needs no instruction.
fn folded(op: ScalarOp, a: Arg, b: Arg) -> Option<Arg> {
    match (op, a, b) {
        (ScalarOp::Add, Arg::Const(0), x)
        | (ScalarOp::Add | ScalarOp::Sub, x, Arg::Const(0))
        | (ScalarOp::Mul | ScalarOp::Div, x, Arg::Const(1)) => Some(x),
        (ScalarOp::Add, Arg::Const(x), Arg::Const(y)) => x.checked_add(y).map(Arg::Const),
        (ScalarOp::Sub, Arg::Const(x), Arg::Const(y)) => x.checked_sub(y).map(Arg::Const),
        (ScalarOp::Mul, Arg::Const(x), Arg::Const(y)) => x.checked_mul(y).map(Arg::Const),
        (ScalarOp::Min, Arg::Const(x), Arg::Const(y)) => Some(Arg::Const(x.min(y))),
        (ScalarOp::Max, Arg::Const(x), Arg::Const(y)) => Some(Arg::Const(x.max(y))),
        (ScalarOp::Rem, _, Arg::Const(1)) => Some(Arg::Const(0)),
        (
            ScalarOp::Add
            | ScalarOp::Sub
            | ScalarOp::Mul
            | ScalarOp::Div
            | ScalarOp::Rem
            | ScalarOp::Min
            | ScalarOp::Max
            | ScalarOp::And
            | ScalarOp::Or
            | ScalarOp::Shl
            | ScalarOp::Shr
            | ScalarOp::Cmp(_)
            | ScalarOp::Float(_),
            ..,
        ) => None,
    }
}
