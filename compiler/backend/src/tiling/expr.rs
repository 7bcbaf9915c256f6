//! Expressions as vector code: values of the algorithm become buffers over a block of rows × columns.
//!
//! Every expression has a [`Kind`]: what it varies with. It is computed once per kind's extent and broadcast where it
//! meets a wider one. Values are held in the element type that the machine computes in ([`rep`]); conversions, wraps
//! and legal instruction sequences are chosen here, so that only operations which the vector unit has reach the back
//! end. Equal expressions get equal numbers and are computed once per scope.

mod arith;
mod convert;
mod gather;
mod indexed;
mod kinds;
mod lanes;
mod load;
mod masks;

use crate::errors;
use crate::tiling::builder::{Builder, whole};
use diag::Diagnostic;
use ir::algo::{self, CmpOp, Expr, ExprKind, Func, Index, Overflow, Round};
use ir::tile::{self, Arg, Buf, EwOp, Op, Operand, View};
use isa::num;
use isa::types::Elem;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

pub(crate) use self::convert::int_range;
pub(crate) use self::load::SQUARE;

/// What a value varies with inside a block.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nothing.
    Uniform,
    /// The row.
    Row,
    /// The column.
    Col,
    /// Both.
    Full,
}

impl Kind {
    fn join(self, other: Kind) -> Kind {
        match (self, other) {
            (Kind::Uniform, k) | (k, Kind::Uniform) => k,
            (Kind::Row, Kind::Row) => Kind::Row,
            (Kind::Col, Kind::Col) => Kind::Col,
            (Kind::Row | Kind::Col | Kind::Full, Kind::Row | Kind::Col | Kind::Full) => Kind::Full,
        }
    }
}

/// Where an index gets its value.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// Dimension of the flattened rows.
    Row(usize),
    /// Dimension of the flattened columns.
    Col(usize),
    /// A scalar known where the code runs.
    Fixed(Arg),
}

/// A value that has been computed.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Val {
    /// A constant, as bits of its representation type.
    Bits(u32),
    /// A scalar whose low bits are the value in its representation type; integers sign-extended.
    Scalar(Arg),
    /// A buffer of the kind's extent.
    Buf(Kind, Buf),
}

/// The block that code is generated for.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    /// Extents of the row dimensions.
    pub(crate) rows: Vec<i64>,
    /// Extents of the column dimensions.
    pub(crate) cols: Vec<i64>,
    /// Capacity in rows.
    pub(crate) cap_rows: i64,
    /// Capacity in columns: the pitch of full buffers.
    pub(crate) cap_cols: i64,
    /// Flat position of the first row.
    pub(crate) row0: Arg,
    /// Flat position of the first column.
    pub(crate) col0: Arg,
    /// Rows present.
    pub(crate) row_count: Arg,
    /// Columns present.
    pub(crate) col_count: Arg,
    /// Loads initialise whole rows of full buffers, so that operations may run over the pitch.
    pub(crate) padded: bool,
    /// Copies of buffers that DMA fills or drains.
    pub(crate) depth: u32,
}

/// A tensor of the algorithm that another step or the caller put into global memory.
pub(crate) type GmMap = BTreeMap<algo::Tensor, tile::Tensor>;

/// What a tensor computed inside the step is.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Internal {
    /// A map: its value is inlined.
    Map(Expr),
    /// A value that is there already (a finished reduction).
    Ready(Val, Kind),
    /// A reduction that has not finished.
    Pending(Kind),
    /// The block of a product, in a channel's slot at this flat offset.
    Block {
        /// The ring.
        ring: tile::Tensor,
        /// Offset of the block's first row and column.
        at: Arg,
        /// Row pitch.
        pitch: i64,
    },
}

/// An access as it lies in memory.
struct Loaded {
    buf: Buf,
    /// The value of elements out of range, if the buffer does not hold it.
    beyond: Option<Val>,
}

/// Generates vector code for expressions of one function.
pub(crate) struct Emitter<'a> {
    pub(crate) algo: &'a Func,
    pub(crate) b: Builder,
    pub(crate) gm: &'a GmMap,
    pub(crate) place: Counted<BTreeMap<Index, Place>>,
    pub(crate) extent: Extent,
    /// Copies of buffers that DMA drains.
    pub(crate) out_depth: u32,
    pub(crate) internal: Counted<BTreeMap<algo::Tensor, Internal>>,
    /// Conditions that are known to hold, or not, for every element of the block.
    pub(crate) settled: BTreeMap<Expr, bool>,
    /// Values of expressions that were computed elsewhere.
    pub(crate) given: BTreeMap<Expr, Val>,
    numbers: BTreeMap<String, u32>,
    known: Known,
    scopes: Vec<Scope>,
}

/// Something whose changes are counted, so that what was derived from it knows when it is outdated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted<T> {
    value: T,
    changes: u64,
}

impl<T> Deref for Counted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Counted<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.changes += 1;
        &mut self.value
    }
}

/// Numbers and kinds of expressions, and under which places and tensors they hold: a long chain of definitions that each read the
/// last one twice would be walked along every path otherwise.
#[derive(Default)]
struct Known {
    changes: (u64, u64),
    numbers: BTreeMap<Expr, u32>,
    kinds: BTreeMap<Expr, Kind>,
}

#[derive(Default)]
struct Scope {
    values: BTreeMap<u32, Val>,
    spread: BTreeMap<u32, Buf>,
    /// Values of the only row as the scalar unit has read them.
    peeked: BTreeMap<u32, ir::tile::Value>,
}

/// The type in which the vector unit holds values of an element type.
pub(crate) fn rep(elem: Elem) -> Elem {
    match elem {
        Elem::F32 | Elem::Bf16 => Elem::F32,
        Elem::F16 => Elem::F16,
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 => Elem::I32,
        Elem::Bool => Elem::Bool,
    }
}

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

impl<'a> Emitter<'a> {
    pub(crate) fn new(algo: &'a Func, b: Builder, gm: &'a GmMap, extent: Extent) -> Emitter<'a> {
        Emitter {
            algo,
            b,
            gm,
            place: Counted::default(),
            out_depth: extent.depth,
            extent,
            internal: Counted::default(),
            settled: BTreeMap::new(),
            given: BTreeMap::new(),
            numbers: BTreeMap::new(),
            known: Known::default(),
            scopes: vec![Scope::default()],
        }
    }

    /// Runs `body` with values computed inside it forgotten afterwards.
    pub(crate) fn scoped<R>(&mut self, body: impl FnOnce(&mut Self) -> R) -> R {
        self.scopes.push(Scope::default());
        let result = body(self);
        self.scopes.pop();
        result
    }

    /// A loop whose body is a scope of its own.
    pub(crate) fn for_loop<R>(
        &mut self,
        lo: impl Into<Arg>,
        hi: impl Into<Arg>,
        step: i64,
        body: impl FnOnce(&mut Self, Arg) -> R,
    ) -> R {
        let (var, inner) = (self.b.func.add_value(), self.b.func.add_block());
        let (lo, hi) = (lo.into(), hi.into());
        self.b.push(Op::For {
            var,
            lo,
            hi,
            step,
            body: inner,
        });
        let outer = std::mem::replace(&mut self.b.block, inner);
        let result = self.scoped(|e| body(e, Arg::Val(var)));
        self.b.block = outer;
        result
    }

    /// Computes the largest subexpressions of the wanted kinds here.
    pub(crate) fn hoist(&mut self, expr: Expr, wanted: &dyn Fn(Kind) -> bool) -> Result<()> {
        let kind = &self.algo.exprs[expr].kind;
        if matches!(kind, ExprKind::Float(_) | ExprKind::Int(_)) {
            return Ok(());
        }
        if !matches!(kind, ExprKind::Reduce(_)) && wanted(self.kind(expr)) {
            let elem = rep(self.algo.exprs[expr].elem);
            if let Val::Buf(Kind::Row, buf) = self.value(expr)?
                && self.kind(expr) == Kind::Row
                && elem != Elem::Bool
            {
                // A full operation will want it once per column.
                self.spread(elem, buf);
            }
            return Ok(());
        }
        for operand in kind.operands() {
            self.hoist(operand, wanted)?;
        }
        if let ExprKind::Load { tensor, .. } = kind
            && let Some(Internal::Map(value)) = self.internal.get(tensor).copied()
        {
            return self.hoist(value, wanted);
        }
        Ok(())
    }

    /// Lets the last operation write a value to this buffer instead; no effect if it did not compute the value.
    pub(crate) fn redirect(&mut self, val: Val, to: View) -> bool {
        let Val::Buf(_, from) = val else {
            return false;
        };
        let last = self.b.func.blocks[self.b.block].insts.last().copied();
        let Some(last) = last else {
            return false;
        };
        let Op::Ew { dst, .. } = &mut self.b.func.insts[last].op else {
            return false;
        };
        if dst.buf != from {
            return false;
        }
        *dst = to;
        for scope in &mut self.scopes {
            let stale = |known: &Val| matches!(known, Val::Buf(_, buf) if *buf == from);
            scope.values.retain(|_, known| !stale(known));
        }
        true
    }

    /// Chooses by a condition between two values held in the same type.
    pub(crate) fn choose(&mut self, elem: Elem, c: Expr, a: Val, b: Val) -> Result<Val> {
        let c = self.value(c)?;
        self.select(elem, c, a, b)
    }

    /// An f32 value, or zero where it equals a constant.
    pub(crate) fn or_zero(&mut self, val: Val, but: u32) -> Result<Val> {
        let equal = self.compare(CmpOp::Eq, Elem::F32, val, Val::Bits(but))?;
        self.select(Elem::F32, equal, Val::Bits(0), val)
    }

    /// What a tensor's elements are computed with, of a buffer that holds them as memory does.
    pub(crate) fn loaded(&mut self, elem: Elem, buf: Buf) -> Val {
        self.as_computed(elem, Kind::Full, buf)
    }

    /// The product of two values held as `rep`.
    pub(crate) fn multiply(&mut self, rep: Elem, a: Val, b: Val) -> Val {
        self.ew2(EwOp::Mul, rep, a, b)
    }

    /// Fills a row value that will be written in part.
    pub(crate) fn clear_row_value(&mut self, dst: Buf) {
        self.clear_rows(dst, Elem::F32);
    }

    /// The block of a product, loaded.
    pub(crate) fn block_value(&mut self, tensor: algo::Tensor) -> Val {
        let elem = self.algo.tensors[tensor].elem;
        match self.internal.get(&tensor).copied() {
            Some(Internal::Block { ring, at, pitch }) => {
                let dst = self.dma_buf("c", Kind::Full, elem);
                self.push_load(dst, ring, at, self.extent.row_count, Arg::Const(pitch));
                self.as_computed(elem, Kind::Full, dst)
            }
            Some(Internal::Map(_) | Internal::Ready(..) | Internal::Pending(_)) | None => {
                debug_assert!(
                    false,
                    "a product's block is bound before its results are stored"
                );
                Val::Bits(0)
            }
        }
    }

    // ---- values ------------------------------------------------------------------------------------------------

    /// Computes an expression, or finds it computed.
    pub(crate) fn value(&mut self, expr: Expr) -> Result<Val> {
        if let Some(val) = self.given.get(&expr) {
            return Ok(*val);
        }
        let number = self.number(expr);
        if let Some(val) = self.scopes.iter().rev().find_map(|s| s.values.get(&number)) {
            return Ok(*val);
        }
        let span = std::mem::replace(&mut self.b.span, self.algo.exprs[expr].span);
        let val = self.compute(expr)?;
        self.b.span = span;
        if let Some(scope) = self.scopes.last_mut() {
            scope.values.insert(number, val);
        }
        Ok(val)
    }

    fn compute(&mut self, expr: Expr) -> Result<Val> {
        let data = self.algo.exprs[expr].clone();
        let elem = data.elem;
        match data.kind {
            ExprKind::Float(x) => Ok(Val::Bits(float_bits(x, elem))),
            ExprKind::Int(x) if elem == Elem::Bool => Ok(Val::Bits(u32::from(x != 0))),
            ExprKind::Int(x) => Ok(Val::Scalar(self.b.lift(Arg::Const(x)))),
            ExprKind::Index(i) => self.index_value(i),
            ExprKind::Load { tensor, at, border } => self.load(expr, tensor, &at, border),
            ExprKind::Gather { .. } => self.gather(expr),
            ExprKind::Unary(op, a) => {
                let a = self.value(a)?;
                self.unary(expr, op, a)
            }
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.binary(expr, op, a, b)
            }
            ExprKind::Compare(op, a, b) => {
                let of = self.algo.exprs[a].elem;
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.compare(op, of, a, b)
            }
            ExprKind::Select(c, a, b) if let Some(&holds) = self.settled.get(&c) => {
                self.value(if holds { a } else { b })
            }
            ExprKind::Select(c, a, b) => {
                let (c, a, b) = (self.value(c)?, self.value(a)?, self.value(b)?);
                self.select(elem, c, a, b)
            }
            ExprKind::Cast {
                value,
                round,
                overflow,
            } => {
                let from = self.algo.exprs[value].elem;
                let value = self.value(value)?;
                self.cast(value, from, elem, round, overflow)
            }
            ExprKind::Reduce(_) => Err(errors::not_compiled(
                data.span,
                "a reduction in this place is not compiled yet",
            )),
        }
    }

    /// The kind of a computed value.
    pub(crate) fn kind_of(val: Val) -> Kind {
        match val {
            Val::Bits(_) | Val::Scalar(_) => Kind::Uniform,
            Val::Buf(kind, _) => kind,
        }
    }
}

/// The value of every dimension at a flat position.
pub(crate) fn decode<E: Copy + Into<Arg>>(
    b: &mut Builder,
    position: Arg,
    extents: &[E],
) -> Vec<Arg> {
    let mut rest = position;
    let mut values = vec![Arg::Const(0); extents.len()];
    for (d, &extent) in extents.iter().enumerate().rev() {
        if extents[..d].iter().all(|&e| e.into() == Arg::Const(1)) {
            values[d] = rest;
            break;
        }
        values[d] = b.rem(rest, extent);
        rest = b.div(rest, extent);
    }
    values
}

/// The view that starts at one element.
pub(crate) fn element(buf: Buf, row: Arg, col: Arg) -> View {
    View { buf, row, col }
}

/// The whole of a buffer as an operand.
pub(crate) fn full(buf: Buf) -> Operand {
    Operand::Full(whole(buf))
}

/// The bits of a float constant in the representation of an element type.
pub(crate) fn float_bits(x: f64, elem: Elem) -> u32 {
    if elem == Elem::F16 {
        u32::from(num::f64_to_f16(x, Round::Even, Overflow::Keep))
    } else {
        num::f64_to_f32(x, Round::Even).to_bits()
    }
}

/// How many parts of a size cover a length.
pub(crate) fn ceil_div(length: i64, part: i64) -> i64 {
    length.div_euclid(part) + i64::from(length.rem_euclid(part) != 0)
}

/// Rounds up to a multiple.
pub(crate) fn round_up(x: i64, unit: i64) -> i64 {
    ceil_div(x, unit) * unit
}

/// The low 32 bits.
pub(crate) fn low_bits(x: i64) -> u32 {
    u32::try_from(x & 0xffff_ffff).unwrap_or(0)
}
