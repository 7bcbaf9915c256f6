//! Building tile form: operations appended to a current block, scalar arithmetic folded as it is written.
//!
//! Knows the shape of the tile IR, nothing of algorithms or chips.

use std::collections::BTreeMap;

use diag::Span;
use ir::algo::CmpOp;
use ir::tile::{
    Arg, Block, Buf, BufData, CoreQuery, EwOp, Func, InstData, Op, Operand, Part, ScalarOp, Value,
    View,
};
use isa::types::{Elem, Layout, Space};

use super::expr::ceil_div;

/// Appends to `func` at the end of `block`.
#[derive(Debug)]
pub(crate) struct Builder {
    /// The function under construction.
    pub(crate) func: Func,
    /// Where operations go.
    pub(crate) block: Block,
    /// The span given to operations.
    pub(crate) span: Span,
    /// Buffers that stand for parts of others of the same pitch: what is written for them is done to those.
    pub(crate) alias: BTreeMap<Buf, View>,
    /// The block that everything else is nested in, and where values that hold in all of it are computed.
    root: (Block, usize),
    /// Products of symbolic sizes that are there, by number.
    sizes: BTreeMap<i64, Value>,
}

/// The shape of a buffer to declare.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) elem: Elem,
    pub(crate) space: Space,
    pub(crate) layout: Layout,
    pub(crate) depth: u32,
    pub(crate) rows: i64,
    pub(crate) cols: i64,
}

impl Builder {
    pub(crate) fn new(mut func: Func) -> Builder {
        let block = func.add_block();
        Builder {
            func,
            block,
            span: Span::NONE,
            alias: BTreeMap::new(),
            root: (block, 0),
            sizes: BTreeMap::new(),
        }
    }

    /// Appends an operation. Constants in it that stand for symbolic sizes become the values that the launch gives.
    pub(crate) fn push(&mut self, mut op: Op) {
        if !self.func.symbols.is_empty() {
            op.visit_args(|arg| *arg = self.lift(*arg));
        }
        if !self.alias.is_empty() {
            op.visit(|part| {
                if let Part::View(view, _) = part
                    && let Some(place) = self.alias.get(&view.buf)
                {
                    *view = *place;
                }
            });
        }
        self.func.push(self.block, op, self.span);
    }

    /// What a constant is at run time: a value, if it stands for a product of symbolic sizes.
    pub(crate) fn lift(&mut self, arg: Arg) -> Arg {
        match arg {
            Arg::Const(number) if self.func.symbols.is_symbolic(number) => {
                Arg::Val(self.size_value(number))
            }
            Arg::Const(_) | Arg::Val(_) => arg,
        }
    }

    /// A product of symbolic sizes, computed once, before everything else, unless registers are short.
    fn size_value(&mut self, number: i64) -> Value {
        let near = self.func.symbols.near;
        if let Some(&known) = self.sizes.get(&number)
            && !near
        {
            return known;
        }
        let (_, places) = self.func.symbols.factors(number);
        let place = places.first().copied().unwrap_or(0);
        let rest = number / self.func.symbols.all[place].number;
        let op = if rest == 1 {
            let what = CoreQuery::Size(u32::try_from(place).unwrap_or(u32::MAX));
            let dst = self.func.add_value();
            Op::Query { dst, what }
        } else {
            let size = self.size_value(number / rest);
            let rest = self.lift(Arg::Const(rest));
            let dst = self.func.add_value();
            Op::Scalar {
                dst,
                op: ScalarOp::Mul,
                a: Arg::Val(size),
                b: rest,
            }
        };
        let value = op.defines().unwrap_or(Value::from_u32(0));
        let span = self.span;
        if near {
            self.func.push(self.block, op, span);
            return value;
        }
        let inst = self.func.insts.push(InstData { op, span });
        let (block, at) = &mut self.root;
        self.func.blocks[*block].insts.insert(*at, inst);
        *at += 1;
        self.sizes.insert(number, value);
        value
    }

    /// How many parts of a size cover a length.
    pub(crate) fn parts(&mut self, length: i64, part: i64) -> Arg {
        if !self.func.symbols.is_symbolic(length) || length % part == 0 {
            return Arg::Const(ceil_div(length, part));
        }
        let up = self.add(length, part - 1);
        self.div(up, part)
    }

    /// Declares a buffer under `role` made unique and opens its first generation here.
    pub(crate) fn buf(&mut self, role: &str, shape: Shape) -> Buf {
        let buf = self.declare(role, shape);
        self.push(Op::Next { buf });
        buf
    }

    /// Declares a buffer without opening a generation; a number follows the role where its name is taken.
    pub(crate) fn declare(&mut self, role: &str, shape: Shape) -> Buf {
        let taken = self.func.bufs.values().any(|buf| buf.name == role);
        let name = if taken {
            format!("{role}{}", self.func.bufs.len())
        } else {
            role.to_owned()
        };
        self.func.bufs.push(BufData {
            name,
            elem: shape.elem,
            space: shape.space,
            layout: shape.layout,
            depth: shape.depth,
            rows: shape.rows,
            cols: shape.cols,
            addr: None,
            span: self.span,
        })
    }

    pub(crate) fn query(&mut self, what: CoreQuery) -> Value {
        let dst = self.func.add_value();
        self.push(Op::Query { dst, what });
        dst
    }

    pub(crate) fn scalar(&mut self, op: ScalarOp, a: Arg, b: Arg) -> Arg {
        // Products of numbers are numbers of products; nothing else may be folded.
        let product = op == ScalarOp::Mul && matches!((a, b), (Arg::Const(_), Arg::Const(_)));
        let (a, b) = match product {
            true => (a, b),
            false => (self.lift(a), self.lift(b)),
        };
        if let Some(folded) = fold(op, a, b) {
            return folded;
        }
        let dst = self.func.add_value();
        self.push(Op::Scalar { dst, op, a, b });
        Arg::Val(dst)
    }

    pub(crate) fn add(&mut self, a: impl Into<Arg>, b: impl Into<Arg>) -> Arg {
        self.scalar(ScalarOp::Add, a.into(), b.into())
    }

    pub(crate) fn sub(&mut self, a: impl Into<Arg>, b: impl Into<Arg>) -> Arg {
        self.scalar(ScalarOp::Sub, a.into(), b.into())
    }

    pub(crate) fn mul(&mut self, a: impl Into<Arg>, b: impl Into<Arg>) -> Arg {
        self.scalar(ScalarOp::Mul, a.into(), b.into())
    }

    pub(crate) fn div(&mut self, a: impl Into<Arg>, b: impl Into<Arg>) -> Arg {
        self.scalar(ScalarOp::Div, a.into(), b.into())
    }

    pub(crate) fn rem(&mut self, a: impl Into<Arg>, b: impl Into<Arg>) -> Arg {
        self.scalar(ScalarOp::Rem, a.into(), b.into())
    }

    pub(crate) fn min(&mut self, a: impl Into<Arg>, b: impl Into<Arg>) -> Arg {
        self.scalar(ScalarOp::Min, a.into(), b.into())
    }

    pub(crate) fn max(&mut self, a: impl Into<Arg>, b: impl Into<Arg>) -> Arg {
        self.scalar(ScalarOp::Max, a.into(), b.into())
    }

    pub(crate) fn cmp(&mut self, op: CmpOp, a: impl Into<Arg>, b: impl Into<Arg>) -> Arg {
        self.scalar(ScalarOp::Cmp(op), a.into(), b.into())
    }

    /// What is left of `total` from `start` on, at most `step`; constant where `step` divides `total`.
    pub(crate) fn clip(&mut self, step: i64, total: i64, start: Arg) -> Arg {
        if total % step == 0 {
            return Arg::Const(step);
        }
        let left = self.sub(total, start);
        self.min(step, left)
    }

    /// `for var in lo..hi step step { body }`.
    pub(crate) fn for_loop<R>(
        &mut self,
        lo: impl Into<Arg>,
        hi: impl Into<Arg>,
        step: i64,
        body: impl FnOnce(&mut Builder, Value) -> R,
    ) -> R {
        let var = self.func.add_value();
        let (outer, inner) = (self.block, self.func.add_block());
        let (lo, hi) = (lo.into(), hi.into());
        self.push(Op::For {
            var,
            lo,
            hi,
            step,
            body: inner,
        });
        self.block = inner;
        let result = body(self, var);
        self.block = outer;
        result
    }

    /// `if cond { then } else { els }`; of a known condition only its side.
    pub(crate) fn if_else(
        &mut self,
        cond: Arg,
        then: impl FnOnce(&mut Builder),
        els: impl FnOnce(&mut Builder),
    ) {
        match cond {
            Arg::Const(0) => return els(self),
            Arg::Const(_) => return then(self),
            Arg::Val(_) => {}
        }
        let outer = self.block;
        let (yes, no) = (self.func.add_block(), self.func.add_block());
        self.push(Op::If {
            cond,
            then: yes,
            els: Some(no),
        });
        self.block = yes;
        then(self);
        self.block = no;
        els(self);
        self.block = outer;
    }

    /// An element-wise operation with up to two operands.
    pub(crate) fn ew(
        &mut self,
        op: EwOp,
        dst: Buf,
        a: Operand,
        b: Option<Operand>,
        (rows, cols): (Arg, Arg),
    ) {
        self.push(Op::Ew {
            op,
            dst: whole(dst),
            a,
            b,
            c: None,
            rows,
            cols,
        });
    }
}

/// The view of a buffer from its first element.
pub(crate) fn whole(buf: Buf) -> View {
    View {
        buf,
        row: Arg::Const(0),
        col: Arg::Const(0),
    }
}

fn fold(op: ScalarOp, a: Arg, b: Arg) -> Option<Arg> {
    match (op, a, b) {
        (ScalarOp::Add, Arg::Const(0), x)
        | (ScalarOp::Add | ScalarOp::Sub, x, Arg::Const(0))
        | (ScalarOp::Mul, Arg::Const(1), x)
        | (ScalarOp::Mul | ScalarOp::Div, x, Arg::Const(1)) => Some(x),
        (ScalarOp::Mul, Arg::Const(0), _)
        | (ScalarOp::Mul, _, Arg::Const(0))
        | (ScalarOp::Rem, _, Arg::Const(1)) => Some(Arg::Const(0)),
        (_, Arg::Const(x), Arg::Const(y)) => constant(op, x, y).map(Arg::Const),
        (_, Arg::Const(_) | Arg::Val(_), Arg::Const(_) | Arg::Val(_)) => None,
    }
}

/// What an operation gives for known operands.
pub(super) fn constant(op: ScalarOp, x: i64, y: i64) -> Option<i64> {
    match op {
        ScalarOp::Add => x.checked_add(y),
        ScalarOp::Sub => x.checked_sub(y),
        ScalarOp::Mul => x.checked_mul(y),
        ScalarOp::Div => x.checked_div(y),
        ScalarOp::Rem => x.checked_rem(y),
        ScalarOp::Min => Some(x.min(y)),
        ScalarOp::Max => Some(x.max(y)),
        ScalarOp::And => Some(x & y),
        ScalarOp::Or => Some(x | y),
        ScalarOp::Shl => u32::try_from(y).ok().and_then(|y| x.checked_shl(y)),
        ScalarOp::Shr => u32::try_from(y)
            .ok()
            .and_then(|y| (x.cast_unsigned()).checked_shr(y))
            .map(u64::cast_signed),
        ScalarOp::Cmp(op) => Some(i64::from(match op {
            CmpOp::Eq => x == y,
            CmpOp::Ne => x != y,
            CmpOp::Lt => x < y,
            CmpOp::Le => x <= y,
            CmpOp::Gt => x > y,
            CmpOp::Ge => x >= y,
        })),
        ScalarOp::Float(_) => None,
    }
}
