//! Expressions as vector code: values of the algorithm become buffers over a block of rows × columns.
//!
//! Every expression has a [`Kind`]: what it varies with. It is computed once per kind's extent and broadcast where it
//! meets a wider one. Values are held in the element type that the machine computes in ([`rep`]); conversions, wraps
//! and legal instruction sequences are chosen here, so that only operations which the vector unit has reach the back
//! end. Equal expressions get equal numbers and are computed once per scope.

use std::collections::BTreeMap;

use diag::Diagnostic;
use ir::algo::{
    self, Affine, Atom, BinaryOp, CmpOp, Expr, ExprKind, Func, Index, Overflow, Round, UnaryOp,
};
use ir::tile::{self, Arg, Buf, EwOp, Op, Operand, ScalarOp, View};
use isa::num;
use isa::types::{Elem, Layout, Space};

use super::access::{self, Linear};
use super::builder::{Builder, Shape, whole};
use crate::errors;

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
#[derive(Copy, Clone, Debug)]
pub(crate) enum Place {
    /// Dimension of the flattened rows.
    Row(usize),
    /// Dimension of the flattened columns.
    Col(usize),
    /// A scalar known where the code runs.
    Fixed(Arg),
}

/// A value that has been computed.
#[derive(Copy, Clone, Debug)]
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
#[derive(Copy, Clone, Debug)]
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
    pub(crate) place: BTreeMap<Index, Place>,
    pub(crate) extent: Extent,
    pub(crate) internal: BTreeMap<algo::Tensor, Internal>,
    numbers: BTreeMap<String, u32>,
    scopes: Vec<Scope>,
}

#[derive(Default)]
struct Scope {
    values: BTreeMap<u32, Val>,
    spread: BTreeMap<u32, Buf>,
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
            place: BTreeMap::new(),
            extent,
            internal: BTreeMap::new(),
            numbers: BTreeMap::new(),
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

    /// A loop over `first, first + step, …` below `bound`; nothing is emitted where at most one turn exists.
    pub(crate) fn for_loop_strided(
        &mut self,
        first: Arg,
        bound: i64,
        step: i64,
        body: impl FnOnce(&mut Self, Arg) -> Result<()>,
    ) -> Result<()> {
        self.for_loop(first, bound, step, body)
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
        for operand in crate::pass::normalize::operands(kind) {
            self.hoist(operand, wanted)?;
        }
        if let ExprKind::Load { tensor, .. } = kind
            && let Some(Internal::Map(value)) = self.internal.get(tensor).copied()
        {
            return self.hoist(value, wanted);
        }
        Ok(())
    }

    /// Chooses by a condition between two values held in the same type.
    pub(crate) fn choose(&mut self, elem: Elem, c: Expr, a: Val, b: Val) -> Result<Val> {
        let c = self.value(c)?;
        self.select(elem, c, a, b)
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
                self.from_storage(elem, Kind::Full, dst)
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

    // ---- kinds and numbers -------------------------------------------------------------------------------------

    /// What an expression varies with under the present places.
    pub(crate) fn kind(&self, expr: Expr) -> Kind {
        let data = &self.algo.exprs[expr];
        let own = match &data.kind {
            ExprKind::Index(i) => self.place_kind(*i),
            ExprKind::Load { tensor, at, .. } => match self.internal.get(tensor) {
                Some(Internal::Map(value)) => self.kind(*value),
                Some(Internal::Ready(_, kind) | Internal::Pending(kind)) => *kind,
                Some(Internal::Block { .. }) => Kind::Full,
                None => at
                    .iter()
                    .map(|a| self.affine_kind(a))
                    .fold(Kind::Uniform, Kind::join),
            },
            ExprKind::Float(_)
            | ExprKind::Int(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. }
            | ExprKind::Reduce(_) => Kind::Uniform,
        };
        crate::pass::normalize::operands(&data.kind)
            .into_iter()
            .map(|e| self.kind(e))
            .fold(own, Kind::join)
    }

    fn place_kind(&self, index: Index) -> Kind {
        match self.place.get(&index) {
            Some(Place::Row(_)) => Kind::Row,
            Some(Place::Col(_)) => Kind::Col,
            Some(Place::Fixed(_)) | None => Kind::Uniform,
        }
    }

    fn affine_kind(&self, affine: &Affine) -> Kind {
        affine
            .terms
            .iter()
            .map(|(_, atom)| match atom {
                Atom::Index(i) => self.place_kind(*i),
                Atom::Div(a, _) | Atom::Mod(a, _) | Atom::Clamp(a, _, _) => self.affine_kind(a),
            })
            .fold(Kind::Uniform, Kind::join)
    }

    /// A number that equal expressions share under the present places.
    fn number(&mut self, expr: Expr) -> u32 {
        let data = &self.algo.exprs[expr];
        if let ExprKind::Load { tensor, .. } = &data.kind
            && let Some(Internal::Map(value)) = self.internal.get(tensor)
        {
            return self.number(*value);
        }
        let operands: Vec<u32> = crate::pass::normalize::operands(&data.kind)
            .into_iter()
            .map(|e| self.number(e))
            .collect();
        let own = match &data.kind {
            ExprKind::Float(x) => format!("float {:x}", x.to_bits()),
            ExprKind::Int(x) => format!("int {x}"),
            ExprKind::Index(i) => format!("index {:?}", self.place.get(i)),
            ExprKind::Load { tensor, at, .. } if self.internal.contains_key(tensor) => {
                format!("own {tensor} {}", at.len())
            }
            ExprKind::Load { tensor, at, .. } => {
                let at: Vec<String> = at.iter().map(|a| self.affine_text(a)).collect();
                format!("load {tensor} {at:?}")
            }
            ExprKind::Unary(op, _) => format!("{op:?}"),
            ExprKind::Binary(op, _, _) => format!("{op:?}"),
            ExprKind::Compare(op, _, _) => format!("cmp {op:?}"),
            ExprKind::Select(..) => "select".to_owned(),
            ExprKind::Cast {
                round, overflow, ..
            } => format!("cast {round:?} {overflow:?}"),
            ExprKind::Reduce(_) => format!("reduce {expr}"),
        };
        let key = format!("{own} {operands:?} {}", data.elem);
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(key).or_insert(next)
    }

    fn affine_text(&self, affine: &Affine) -> String {
        let mut text = affine.constant.to_string();
        for (factor, atom) in &affine.terms {
            let atom = match atom {
                Atom::Index(i) => format!("{:?}", self.place.get(i)),
                Atom::Div(a, n) => format!("({})/{n}", self.affine_text(a)),
                Atom::Mod(a, n) => format!("({})%{n}", self.affine_text(a)),
                Atom::Clamp(a, lo, hi) => format!("clamp({},{lo},{hi})", self.affine_text(a)),
            };
            text.push_str(&format!("+{factor}*{atom}"));
        }
        text
    }

    // ---- extents and buffers -----------------------------------------------------------------------------------

    /// Rows and columns that an operation on values of a kind covers.
    fn dims(&self, kind: Kind) -> (Arg, Arg) {
        let columns = if self.extent.padded {
            Arg::Const(self.extent.cap_cols)
        } else {
            self.extent.col_count
        };
        match kind {
            Kind::Uniform => (Arg::Const(1), Arg::Const(8)),
            Kind::Row => (Arg::Const(1), Arg::Const(self.row_capacity())),
            Kind::Col => (Arg::Const(1), columns),
            Kind::Full => (self.extent.row_count, columns),
        }
    }

    /// Rows are held as one padded row of a buffer.
    fn row_capacity(&self) -> i64 {
        round_up(self.extent.cap_rows, 16)
    }

    fn shape(&self, kind: Kind, elem: Elem, depth: u32) -> Shape {
        let (rows, cols) = match kind {
            Kind::Uniform => (1, 16),
            Kind::Row => (1, self.row_capacity()),
            Kind::Col => (1, self.extent.cap_cols),
            Kind::Full => (self.extent.cap_rows, self.extent.cap_cols),
        };
        let cols = if elem == Elem::Bool {
            round_up(cols, 256)
        } else {
            cols
        };
        Shape {
            elem,
            space: Space::Ub,
            layout: Layout::Nd,
            depth,
            rows,
            cols,
        }
    }

    /// A fresh temporary.
    pub(crate) fn temp(&mut self, kind: Kind, elem: Elem) -> Buf {
        let shape = self.shape(kind, elem, 1);
        self.b.buf("t", shape)
    }

    fn dma_buf(&mut self, role: &str, kind: Kind, elem: Elem) -> Buf {
        let shape = self.shape(kind, elem, self.extent.depth);
        self.b.buf(role, shape)
    }

    // ---- values ------------------------------------------------------------------------------------------------

    /// Computes an expression, or finds it computed.
    pub(crate) fn value(&mut self, expr: Expr) -> Result<Val> {
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
            ExprKind::Int(x) => Ok(Val::Scalar(Arg::Const(x))),
            ExprKind::Index(i) => self.index_value(i),
            ExprKind::Load { tensor, at, border } => self.load(expr, tensor, &at, border),
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
                self.compare(expr, op, of, a, b)
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
                self.cast(expr, value, from, elem, round, overflow)
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

    fn unary(&mut self, expr: Expr, op: UnaryOp, a: Val) -> Result<Val> {
        let elem = self.algo.exprs[expr].elem;
        let rep = rep(elem);
        let out = match op {
            UnaryOp::Not => return self.not_mask(a),
            UnaryOp::Neg if elem.is_float() => return Ok(self.negate(rep, a)),
            UnaryOp::Neg => self.ew2(EwOp::Mul, rep, a, Val::Scalar(Arg::Const(-1))),
            UnaryOp::Abs if elem.is_float() => return Ok(self.ew1(EwOp::Abs, rep, a)),
            UnaryOp::Abs => {
                let neg = self.ew2(EwOp::Mul, rep, a, Val::Scalar(Arg::Const(-1)));
                self.ew2(EwOp::Max, rep, a, neg)
            }
            UnaryOp::Exp => self.ew1(EwOp::Exp, rep, a),
            UnaryOp::Ln => self.ew1(EwOp::Ln, rep, a),
            UnaryOp::Sqrt => self.ew1(EwOp::Sqrt, rep, a),
            UnaryOp::Round(round) => return Ok(self.round_integral(rep, a, round)),
            UnaryOp::BitNot => self.ew1(EwOp::Not, rep, a),
        };
        Ok(self.settle(elem, out))
    }

    /// Of f16 the machine turns the sign bit alone; the maximum makes a NaN the usual one and changes nothing else.
    fn negate(&mut self, rep: Elem, a: Val) -> Val {
        let turned = self.ew1(EwOp::Neg, rep, a);
        if rep != Elem::F16 {
            return turned;
        }
        let least = Val::Bits(float_bits(f64::NEG_INFINITY, rep));
        self.ew2(EwOp::Max, rep, turned, least)
    }

    fn round_integral(&mut self, rep: Elem, a: Val, round: Round) -> Val {
        if rep == Elem::F32 {
            return self.ew1(EwOp::Round(round), rep, a);
        }
        let wide = self.convert(a, rep, Elem::F32, Round::Even, Overflow::Keep);
        let whole = self.ew1(EwOp::Round(round), Elem::F32, wide);
        self.convert(whole, Elem::F32, rep, Round::Even, Overflow::Keep)
    }

    fn binary(&mut self, expr: Expr, op: BinaryOp, a: Val, b: Val) -> Result<Val> {
        let data = &self.algo.exprs[expr];
        let elem = data.elem;
        if elem == Elem::Bool {
            return self.logic(expr, op, a, b);
        }
        if let (Val::Scalar(x), Val::Scalar(y)) = (a, b)
            && elem == Elem::I64
            && let Some(op) = scalar_op(op)
        {
            return Ok(Val::Scalar(self.b.scalar(op, x, y)));
        }
        let rep = rep(elem);
        let out = match op {
            BinaryOp::Add => self.ew2(EwOp::Add, rep, a, b),
            BinaryOp::Sub => self.subtract(rep, a, b),
            BinaryOp::Mul => self.ew2(EwOp::Mul, rep, a, b),
            // These give an operand, or bits of operands of one width: nothing to bring back into range.
            BinaryOp::Max => return Ok(self.ew2(EwOp::Max, rep, a, b)),
            BinaryOp::Min => return Ok(self.ew2(EwOp::Min, rep, a, b)),
            BinaryOp::Div if elem.is_float() => self.ew2(EwOp::Div, rep, a, b),
            BinaryOp::And => return Ok(self.ew2(EwOp::And, rep, a, b)),
            BinaryOp::Or => return Ok(self.ew2(EwOp::Or, rep, a, b)),
            BinaryOp::Xor => return Ok(self.xor(rep, a, b)),
            BinaryOp::Shl | BinaryOp::Shr if matches!(b, Val::Scalar(Arg::Const(_))) => {
                let op = if op == BinaryOp::Shl {
                    EwOp::Shl
                } else {
                    EwOp::Shr
                };
                self.ew2(op, rep, a, shift_amount(b, elem))
            }
            BinaryOp::Div => self.divide_ints(elem, a, b).0,
            BinaryOp::Rem => self.divide_ints(elem, a, b).1,
            BinaryOp::Shl => self.shift_ints(EwOp::Shl, elem, a, b),
            BinaryOp::Shr => self.shift_ints(EwOp::Shr, elem, a, b),
        };
        Ok(self.settle(elem, out))
    }

    fn subtract(&mut self, rep: Elem, a: Val, b: Val) -> Val {
        // a - c is a + (-c) bit for bit: negation is exact.
        match b {
            Val::Bits(c) => {
                let sign = if rep == Elem::F16 {
                    0x8000
                } else {
                    0x8000_0000
                };
                self.ew2(EwOp::Add, rep, a, Val::Bits(c ^ sign))
            }
            Val::Scalar(Arg::Const(c)) if rep == Elem::I32 => {
                self.ew2(EwOp::Add, rep, a, Val::Scalar(Arg::Const(c.wrapping_neg())))
            }
            Val::Scalar(_) | Val::Buf(..) => self.ew2(EwOp::Sub, rep, a, b),
        }
    }

    fn xor(&mut self, rep: Elem, a: Val, b: Val) -> Val {
        let either = self.ew2(EwOp::Or, rep, a, b);
        let both = self.ew2(EwOp::And, rep, a, b);
        let not_both = self.ew1(EwOp::Not, rep, both);
        self.ew2(EwOp::And, rep, either, not_both)
    }

    /// Quotient and remainder of integers, which the vector unit does not divide: in f32, truncated.
    ///
    /// Up to 16 bits the f32 quotient truncates to the right integer. Of 32 bits it is off by up to 2^9, so what remains
    /// is divided once more; that leaves an error of at most one, which the signs of the remainder show.
    fn divide_ints(&mut self, elem: Elem, a: Val, b: Val) -> (Val, Val) {
        let first = self.rough_quotient(a, b);
        let rest = self.remainder(a, first, b);
        if elem.bytes() < 4 {
            return (first, rest);
        }
        let second = self.rough_quotient(rest, b);
        let quotient = self.ew2(EwOp::Add, Elem::I32, first, second);
        let rest = self.remainder(rest, second, b);
        let step = self.missing_step(a, rest, b);
        let quotient = self.ew2(EwOp::Add, Elem::I32, quotient, step);
        (quotient, self.remainder(rest, step, b))
    }

    fn rough_quotient(&mut self, a: Val, b: Val) -> Val {
        let [a, b] =
            [a, b].map(|v| self.convert(v, Elem::I32, Elem::F32, Round::Even, Overflow::Keep));
        let quotient = self.ew2(EwOp::Div, Elem::F32, a, b);
        self.convert(
            quotient,
            Elem::F32,
            Elem::I32,
            Round::Trunc,
            Overflow::Saturate,
        )
    }

    /// `a - q * b` in the low 32 bits.
    fn remainder(&mut self, a: Val, q: Val, b: Val) -> Val {
        let taken = self.ew2(EwOp::Mul, Elem::I32, q, b);
        self.ew2(EwOp::Sub, Elem::I32, a, taken)
    }

    /// 1 or -1 where `rest` still holds a `b` or has not the sign of the dividend `a`, else 0.
    fn missing_step(&mut self, a: Val, rest: Val, b: Val) -> Val {
        let int = Elem::I32;
        let minus_one = Val::Scalar(Arg::Const(-1));
        // Magnitudes are compared as negative numbers: those have room for the least integer.
        let [rest_below, b_below] = [rest, b].map(|v| {
            let flipped = self.ew2(EwOp::Mul, int, v, minus_one);
            self.ew2(EwOp::Min, int, v, flipped)
        });
        let holds = self.compare_ints(CmpOp::Le, rest_below, b_below);
        let crossed = self.xor(int, rest, a);
        let zero = Val::Scalar(Arg::Const(0));
        let other_sign = self.compare_ints(CmpOp::Lt, crossed, zero);
        let some = self.compare_ints(CmpOp::Ne, rest, zero);
        let turned = self.both(other_sign, some);
        let kind = Self::kind_of(holds).join(Self::kind_of(turned));
        let [holds, turned] = [holds, turned].map(|m| self.mask_at(kind, m));
        let needed = self.ew2(EwOp::Or, Elem::Bool, holds, turned);
        let signs = self.xor(int, rest, b);
        let side = self.ew2(EwOp::Shr, int, signs, Val::Scalar(Arg::Const(31)));
        let twice = self.ew2(EwOp::Add, int, side, side);
        let step = self.ew2(EwOp::Add, int, twice, Val::Scalar(Arg::Const(1)));
        self.pick(int, needed, step, zero)
    }

    fn both(&mut self, a: Val, b: Val) -> Val {
        let kind = Self::kind_of(a).join(Self::kind_of(b));
        let [a, b] = [a, b].map(|m| self.mask_at(kind, m));
        self.ew2(EwOp::And, Elem::Bool, a, b)
    }

    /// A shift by an amount that differs per element: one step for each bit of the amount modulo the width.
    fn shift_ints(&mut self, op: EwOp, elem: Elem, a: Val, amount: Val) -> Val {
        let width = 8 * i64::try_from(elem.bytes()).unwrap_or(4);
        let mut value = a;
        let mut bit = 1;
        while bit < width {
            let constant = Val::Scalar(Arg::Const(bit));
            let present = self.ew2(EwOp::And, Elem::I32, amount, constant);
            let present = self.compare_ints(CmpOp::Eq, present, constant);
            let shifted = self.ew2(op, Elem::I32, value, constant);
            value = self.pick(Elem::I32, present, shifted, value);
            bit *= 2;
        }
        value
    }

    /// Brings the result of one operation into the value set of its element type.
    fn settle(&mut self, elem: Elem, val: Val) -> Val {
        match elem {
            Elem::Bf16 => {
                let narrow =
                    self.convert(val, Elem::F32, Elem::Bf16, Round::Even, Overflow::Saturate);
                self.convert(
                    narrow,
                    Elem::Bf16,
                    Elem::F32,
                    Round::Even,
                    Overflow::Saturate,
                )
            }
            Elem::I8 | Elem::I16 | Elem::U8 => self.wrap(elem, val),
            Elem::F32 | Elem::F16 | Elem::I64 | Elem::I32 | Elem::Bool => val,
        }
    }

    /// Keeps the low bits of an i32 as a narrower integer.
    fn wrap(&mut self, elem: Elem, val: Val) -> Val {
        let unused = 32 - 8 * i64::try_from(elem.bytes()).unwrap_or(4);
        if elem == Elem::U8 {
            return self.ew2(EwOp::And, Elem::I32, val, Val::Scalar(Arg::Const(0xff)));
        }
        let up = self.ew2(EwOp::Shl, Elem::I32, val, Val::Scalar(Arg::Const(unused)));
        self.ew2(EwOp::Shr, Elem::I32, up, Val::Scalar(Arg::Const(unused)))
    }

    // ---- masks -------------------------------------------------------------------------------------------------

    fn compare(&mut self, _expr: Expr, op: CmpOp, of: Elem, a: Val, b: Val) -> Result<Val> {
        if let (Val::Scalar(x), Val::Scalar(y)) = (a, b)
            && of.is_int()
        {
            return Ok(Val::Scalar(self.b.cmp(op, x, y)));
        }
        match rep(of) {
            Elem::Bool => {
                let (a, b) = (self.as_number(a), self.as_number(b));
                Ok(self.compare_floats(op, Elem::F32, a, b))
            }
            Elem::I32 => Ok(self.compare_ints(op, a, b)),
            rep => Ok(self.compare_floats(op, rep, a, b)),
        }
    }

    fn compare_floats(&mut self, op: CmpOp, rep: Elem, a: Val, b: Val) -> Val {
        match (a, b) {
            (Val::Bits(_) | Val::Scalar(_), Val::Buf(..)) => {
                self.ew2(EwOp::Cmp(flip(op)), rep, b, a)
            }
            _ => self.ew2(EwOp::Cmp(op), rep, a, b),
        }
    }

    /// The machine compares i32 for equality only: `a <= b` is `max(a, b) == b`.
    fn compare_ints(&mut self, op: CmpOp, a: Val, b: Val) -> Val {
        match op {
            CmpOp::Eq => self.equal_ints(a, b),
            CmpOp::Ne => {
                let equal = self.equal_ints(a, b);
                self.ew1(EwOp::Not, Elem::Bool, equal)
            }
            CmpOp::Le => {
                let top = self.ew2(EwOp::Max, Elem::I32, a, b);
                self.equal_ints(top, b)
            }
            CmpOp::Ge => self.compare_ints(CmpOp::Le, b, a),
            CmpOp::Lt | CmpOp::Gt => {
                let (lo, hi) = if op == CmpOp::Lt { (a, b) } else { (b, a) };
                let at_least = self.compare_ints(CmpOp::Le, hi, lo);
                self.ew1(EwOp::Not, Elem::Bool, at_least)
            }
        }
    }

    fn equal_ints(&mut self, a: Val, b: Val) -> Val {
        let (a, b) = if matches!(a, Val::Buf(..)) {
            (a, b)
        } else {
            (b, a)
        };
        self.ew2(EwOp::Cmp(CmpOp::Eq), Elem::I32, a, b)
    }

    fn logic(&mut self, expr: Expr, op: BinaryOp, a: Val, b: Val) -> Result<Val> {
        if let (Val::Scalar(x), Val::Scalar(y)) = (a, b)
            && let BinaryOp::And | BinaryOp::Or = op
        {
            let op = if op == BinaryOp::And {
                ScalarOp::And
            } else {
                ScalarOp::Or
            };
            return Ok(Val::Scalar(self.b.scalar(op, x, y)));
        }
        let op = match op {
            BinaryOp::And => EwOp::And,
            BinaryOp::Or => EwOp::Or,
            BinaryOp::Xor => return Ok(self.xor_masks(a, b)),
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Rem
            | BinaryOp::Max
            | BinaryOp::Min
            | BinaryOp::Shl
            | BinaryOp::Shr => {
                let span = self.algo.exprs[expr].span;
                return Err(errors::not_compiled(
                    span,
                    "arithmetic on bool is not compiled",
                ));
            }
        };
        let kind = solid(Self::kind_of(a).join(Self::kind_of(b)));
        let (a, b) = (self.mask_at(kind, a), self.mask_at(kind, b));
        Ok(self.ew2(op, Elem::Bool, a, b))
    }

    fn xor_masks(&mut self, a: Val, b: Val) -> Val {
        let kind = solid(Self::kind_of(a).join(Self::kind_of(b)));
        let (a, b) = (self.mask_at(kind, a), self.mask_at(kind, b));
        self.xor(Elem::Bool, a, b)
    }

    fn not_mask(&mut self, a: Val) -> Result<Val> {
        Ok(match a {
            Val::Bits(x) => Val::Bits(x ^ 1),
            Val::Scalar(x) => Val::Scalar(self.b.cmp(CmpOp::Eq, x, 0)),
            Val::Buf(..) => self.ew1(EwOp::Not, Elem::Bool, a),
        })
    }

    /// A bool as f32 0 or 1 of its own kind.
    fn as_number(&mut self, val: Val) -> Val {
        match val {
            Val::Bits(x) => Val::Bits(float_bits(f64::from(x), Elem::F32)),
            Val::Scalar(x) => {
                let one = i64::from(float_bits(1.0, Elem::F32));
                Val::Scalar(self.b.mul(x, one))
            }
            Val::Buf(kind, mask) => {
                let one = self.fill(kind, Elem::F32, Operand::Bits(float_bits(1.0, Elem::F32)));
                let zero = self.fill(kind, Elem::F32, Operand::Bits(0));
                let dst = self.temp(kind, Elem::F32);
                self.push_select(dst, kind, mask, full(one), full(zero));
                Val::Buf(kind, dst)
            }
        }
    }

    /// A bool as a mask of a wider kind.
    fn mask_at(&mut self, kind: Kind, val: Val) -> Val {
        let val = self.in_one_row(kind, val);
        if matches!(val, Val::Buf(k, _) if k == kind) || kind == Kind::Uniform {
            return val;
        }
        let number = self.as_number(val);
        let wide = self.materialise(kind, Elem::F32, number);
        self.ew2(
            EwOp::Cmp(CmpOp::Ne),
            Elem::F32,
            Val::Buf(kind, wide),
            Val::Bits(0),
        )
    }

    fn select(&mut self, elem: Elem, c: Val, a: Val, b: Val) -> Result<Val> {
        if let Val::Bits(c) = c {
            return Ok(if c != 0 { a } else { b });
        }
        if let (Val::Scalar(c), Val::Scalar(x), Val::Scalar(y)) = (c, a, b)
            && elem == Elem::I64
        {
            let difference = self.b.sub(x, y);
            let chosen = self.b.mul(c, difference);
            return Ok(Val::Scalar(self.b.add(y, chosen)));
        }
        if elem == Elem::Bool {
            let not = self.not_mask(c)?;
            let joined = [c, a, b]
                .into_iter()
                .map(Self::kind_of)
                .fold(Kind::Uniform, Kind::join);
            let kind = solid(joined);
            let [c, not, a, b] = [c, not, a, b].map(|v| self.mask_at(kind, v));
            let yes = self.ew2(EwOp::And, Elem::Bool, c, a);
            let no = self.ew2(EwOp::And, Elem::Bool, not, b);
            return Ok(self.ew2(EwOp::Or, Elem::Bool, yes, no));
        }
        Ok(self.pick(rep(elem), c, a, b))
    }

    /// Chooses between values held as `rep`, which is no mask.
    fn pick(&mut self, rep: Elem, c: Val, a: Val, b: Val) -> Val {
        let joined = [c, a, b]
            .into_iter()
            .map(Self::kind_of)
            .fold(Kind::Uniform, Kind::join);
        let kind = solid(joined);
        let mask = self.mask_at(kind, c);
        let mask = self.materialise(kind, Elem::Bool, mask);
        let (a, b) = (
            self.materialise(kind, rep, a),
            self.materialise(kind, rep, b),
        );
        let dst = self.temp(kind, rep);
        self.push_select(dst, kind, mask, full(a), full(b));
        Val::Buf(kind, dst)
    }

    fn push_select(&mut self, dst: Buf, kind: Kind, mask: Buf, a: Operand, b: Operand) {
        let (rows, cols) = self.dims(kind);
        self.b.push(Op::Ew {
            op: EwOp::Select,
            dst: whole(dst),
            a: full(mask),
            b: Some(a),
            c: Some(b),
            rows,
            cols,
        });
    }

    // ---- element-wise operations -------------------------------------------------------------------------------

    fn ew1(&mut self, op: EwOp, rep: Elem, a: Val) -> Val {
        let kind = solid(Self::kind_of(a));
        let source = self.materialise(kind, rep, a);
        let dst = self.temp(kind, rep);
        let dims = self.dims(kind);
        self.b.ew(op, dst, full(source), None, dims);
        Val::Buf(kind, dst)
    }

    /// Two operands, broadcast to the wider kind. A constant or scalar stays one where the machine takes it.
    fn ew2(&mut self, op: EwOp, rep: Elem, a: Val, b: Val) -> Val {
        let commutes = matches!(
            op,
            EwOp::Add | EwOp::Mul | EwOp::Max | EwOp::Min | EwOp::And | EwOp::Or
        );
        let (a, b) = if commutes && !matches!(a, Val::Buf(..)) {
            (b, a)
        } else {
            (a, b)
        };
        let kind = solid(Self::kind_of(a).join(Self::kind_of(b)));
        let takes_scalar = rep != Elem::Bool
            && matches!(
                op,
                EwOp::Add
                    | EwOp::Mul
                    | EwOp::Max
                    | EwOp::Min
                    | EwOp::Shl
                    | EwOp::Shr
                    | EwOp::Cmp(_)
            )
            && !(rep == Elem::I32 && matches!(op, EwOp::Cmp(_)));
        let left = self.operand(kind, rep, a, false);
        let right = self.operand(kind, rep, b, takes_scalar);
        let to = if matches!(op, EwOp::Cmp(_)) {
            Elem::Bool
        } else {
            rep
        };
        let dst = self.temp(kind, to);
        let dims = self.dims(kind);
        self.b.ew(op, dst, left, Some(right), dims);
        Val::Buf(kind, dst)
    }

    /// In a block of one row, what varies with the column is what varies with both.
    fn in_one_row(&self, kind: Kind, val: Val) -> Val {
        match (kind, val) {
            (Kind::Full, Val::Buf(Kind::Col, buf)) | (Kind::Col, Val::Buf(Kind::Full, buf))
                if self.extent.cap_rows == 1 =>
            {
                Val::Buf(kind, buf)
            }
            (
                Kind::Uniform | Kind::Row | Kind::Col | Kind::Full,
                Val::Buf(..) | Val::Bits(_) | Val::Scalar(_),
            ) => val,
        }
    }

    /// A value as an operand of an operation of a kind.
    fn operand(&mut self, kind: Kind, rep: Elem, val: Val, scalar: bool) -> Operand {
        match self.in_one_row(kind, val) {
            Val::Bits(bits) if scalar => Operand::Bits(bits),
            Val::Scalar(Arg::Const(x)) if scalar => Operand::Bits(low_bits(x)),
            Val::Scalar(Arg::Val(v)) if scalar => Operand::Scalar(v),
            Val::Buf(k, buf) if k == kind => full(buf),
            Val::Buf(Kind::Col, buf) => Operand::EachRow(whole(buf)),
            Val::Buf(Kind::Row, buf) => Operand::EachCol(whole(self.spread(rep, buf))),
            Val::Bits(_) | Val::Scalar(_) | Val::Buf(Kind::Uniform | Kind::Full, _) => {
                full(self.materialise(kind, rep, val))
            }
        }
    }

    /// A value as a buffer of a kind.
    pub(crate) fn materialise(&mut self, kind: Kind, rep: Elem, val: Val) -> Buf {
        match self.in_one_row(kind, val) {
            Val::Buf(k, buf) if k == kind => buf,
            Val::Bits(bits) => self.fill(kind, rep, Operand::Bits(bits)),
            Val::Scalar(Arg::Const(x)) => self.fill(kind, rep, Operand::Bits(low_bits(x))),
            Val::Scalar(Arg::Val(v)) => self.fill(kind, rep, Operand::Scalar(v)),
            Val::Buf(..) => {
                let source = self.operand(kind, rep, val, false);
                let dst = self.temp(kind, rep);
                let dims = self.dims(kind);
                self.b.ew(EwOp::Copy, dst, source, None, dims);
                dst
            }
        }
    }

    fn fill(&mut self, kind: Kind, rep: Elem, value: Operand) -> Buf {
        let dst = self.temp(kind, rep);
        let dims = self.dims(kind);
        self.b.ew(EwOp::Copy, dst, value, None, dims);
        dst
    }

    /// A row value with one block per row, for use in full operations.
    pub(crate) fn spread(&mut self, rep: Elem, source: Buf) -> Buf {
        let key = source.as_u32();
        if let Some(done) = self.scopes.iter().rev().find_map(|s| s.spread.get(&key)) {
            return *done;
        }
        let block = 32 / i64::try_from(rep.bytes()).unwrap_or(4);
        let shape = Shape {
            elem: rep,
            space: Space::Ub,
            layout: Layout::Nd,
            depth: 1,
            rows: round_up(self.extent.cap_rows, 8),
            cols: block,
        };
        let dst = self.b.buf("s", shape);
        let rows = self.extent.row_count;
        self.b.push(Op::Spread {
            dst: whole(dst),
            src: whole(source),
            rows,
        });
        if let Some(scope) = self.scopes.last_mut() {
            scope.spread.insert(key, dst);
        }
        dst
    }

    // ---- conversions -------------------------------------------------------------------------------------------

    /// One conversion instruction between machine types, on a value of any kind.
    pub(crate) fn convert(
        &mut self,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Val {
        let kind = solid(Self::kind_of(val));
        let source = self.materialise(kind, from, val);
        let dst = self.temp(kind, to);
        let dims = self.dims(kind);
        self.b
            .ew(EwOp::Cast(round, overflow), dst, full(source), None, dims);
        Val::Buf(kind, dst)
    }

    fn cast(
        &mut self,
        expr: Expr,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Result<Val> {
        if from == to {
            return Ok(val);
        }
        match (from, to) {
            (Elem::Bool, _) => {
                let one_or_zero = self.as_number(val);
                self.cast(
                    expr,
                    one_or_zero,
                    Elem::F32,
                    to,
                    Round::Even,
                    Overflow::Saturate,
                )
            }
            (_, Elem::Bool) => self.compare(expr, CmpOp::Ne, from, val, zero_of(from)),
            _ if from.is_int() && to.is_int() => Ok(self.int_to_int(val, to, overflow)),
            _ if from.is_int() => Ok(self.int_to_float(val, from, to, round, overflow)),
            _ if to.is_int() => Ok(self.float_to_int(val, from, to, round, overflow)),
            _ => Ok(self.float_to_float(val, from, to, round, overflow)),
        }
    }

    fn float_to_float(
        &mut self,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Val {
        let held = rep(from);
        match to {
            Elem::Bf16 => {
                let wide = self.widen(val, held);
                let narrow = self.convert(wide, Elem::F32, Elem::Bf16, round, overflow);
                self.convert(narrow, Elem::Bf16, Elem::F32, Round::Even, Overflow::Keep)
            }
            Elem::F16 => self.convert(val, Elem::F32, Elem::F16, round, overflow),
            _ => self.widen(val, held),
        }
    }

    /// A float held in f16 or f32 as f32.
    pub(crate) fn widen(&mut self, val: Val, held: Elem) -> Val {
        match (held, val) {
            (Elem::F16, Val::Bits(bits)) => {
                let half = u16::try_from(bits & 0xffff).unwrap_or(0);
                Val::Bits(num::f16_to_f32(half).to_bits())
            }
            (Elem::F16, _) => self.convert(val, Elem::F16, Elem::F32, Round::Even, Overflow::Keep),
            _ => val,
        }
    }

    fn float_to_int(
        &mut self,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Val {
        let wide = self.widen(val, rep(from));
        let int = self.convert(wide, Elem::F32, Elem::I32, round, overflow);
        match to {
            Elem::I8 | Elem::U8 | Elem::I16 if overflow == Overflow::Wrap => self.wrap(to, int),
            Elem::I8 | Elem::U8 | Elem::I16 => self.clamp(int, to),
            Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I32 | Elem::Bool => int,
        }
    }

    fn clamp(&mut self, val: Val, to: Elem) -> Val {
        let (lo, hi) = int_range(to);
        let low = self.ew2(EwOp::Max, Elem::I32, val, Val::Scalar(Arg::Const(lo)));
        self.ew2(EwOp::Min, Elem::I32, low, Val::Scalar(Arg::Const(hi)))
    }

    fn int_to_int(&mut self, val: Val, to: Elem, overflow: Overflow) -> Val {
        match to {
            Elem::I8 | Elem::U8 | Elem::I16 if overflow == Overflow::Wrap => self.wrap(to, val),
            Elem::I8 | Elem::U8 | Elem::I16 => self.clamp(val, to),
            Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I32 | Elem::Bool => val,
        }
    }

    fn int_to_float(
        &mut self,
        val: Val,
        from: Elem,
        to: Elem,
        round: Round,
        overflow: Overflow,
    ) -> Val {
        let small = matches!(from, Elem::I8 | Elem::U8 | Elem::I16);
        let val = if to == Elem::Bf16 && !small {
            self.sticky(val)
        } else {
            val
        };
        // i32 → f32 → f16 rounds once: what f32 cannot hold exactly is beyond the range of f16.
        let first = if to == Elem::F32 { round } else { Round::Even };
        let wide = self.convert(val, Elem::I32, Elem::F32, first, Overflow::Saturate);
        self.float_to_float(wide, Elem::F32, to, round, overflow)
    }

    /// An integer that f32 holds exactly and that rounds to bf16 as the given one does: where f32 does not hold it, the
    /// low eight bits are replaced by one above them that says whether any was set.
    fn sticky(&mut self, val: Val) -> Val {
        let int = Elem::I32;
        let constant = |x| Val::Scalar(Arg::Const(x));
        let float = self.convert(val, int, Elem::F32, Round::Even, Overflow::Keep);
        let back = self.convert(float, Elem::F32, int, Round::Even, Overflow::Saturate);
        let exact = self.compare_ints(CmpOp::Eq, val, back);
        let low = self.ew2(EwOp::And, int, val, constant(0xff));
        let none = self.compare_ints(CmpOp::Eq, low, constant(0));
        let mark = self.pick(int, none, constant(0), constant(0x100));
        let high = self.ew2(EwOp::And, int, val, constant(!0xff));
        let marked = self.ew2(EwOp::Or, int, high, mark);
        self.pick(int, exact, val, marked)
    }

    // ---- indices and loads -------------------------------------------------------------------------------------

    fn index_value(&mut self, index: Index) -> Result<Val> {
        match self.place.get(&index).copied() {
            Some(Place::Row(d)) => {
                let (extents, start) = (self.extent.rows.clone(), self.extent.row0);
                Ok(self.iota(Kind::Row, &extents, d, start))
            }
            Some(Place::Col(d)) => {
                let (extents, start) = (self.extent.cols.clone(), self.extent.col0);
                Ok(self.iota(Kind::Col, &extents, d, start))
            }
            Some(Place::Fixed(arg)) => Ok(Val::Scalar(arg)),
            None => Err(errors::not_compiled(
                self.b.span,
                "an index in this place is not compiled yet",
            )),
        }
    }

    fn iota(&mut self, kind: Kind, extents: &[i64], dim: usize, start: Arg) -> Val {
        let dst = self.temp(kind, Elem::I32);
        let dims = self.dims(kind);
        if extents.iter().filter(|&&e| e > 1).count() <= 1 {
            let first = match start {
                Arg::Const(x) => Operand::Bits(low_bits(x)),
                Arg::Val(v) => Operand::Scalar(v),
            };
            self.b.ew(EwOp::Iota, dst, first, None, dims);
            return Val::Buf(kind, dst);
        }
        let extents = extents.to_vec();
        self.b.ew(EwOp::Copy, dst, Operand::Bits(0), None, dims);
        let count = if kind == Kind::Row {
            self.extent.row_count
        } else {
            self.extent.col_count
        };
        self.b.for_loop(0, count, 1, |b, c| {
            let at = b.add(start, c);
            let value = decode(b, at, &extents)[dim];
            let dst = element(dst, Arg::Const(0), Arg::Val(c));
            b.push(Op::Poke { dst, value });
        });
        Val::Buf(kind, dst)
    }

    fn load(
        &mut self,
        expr: Expr,
        tensor: algo::Tensor,
        at: &[Affine],
        border: Option<Expr>,
    ) -> Result<Val> {
        match self.internal.get(&tensor).copied() {
            Some(Internal::Map(value)) => return self.value(value),
            Some(Internal::Ready(val, _)) => return Ok(val),
            Some(Internal::Pending(_)) => {
                return Err(errors::not_compiled(
                    self.algo.exprs[expr].span,
                    "a use of this reduction before it is complete is not compiled yet",
                ));
            }
            Some(Internal::Block { .. }) => return Ok(self.block_value(tensor)),
            None => {}
        }
        let kind = self.kind_at(at);
        if kind == Kind::Uniform
            && border.is_none()
            && let Some(linear) = access::flatten(self.algo, tensor, at)
        {
            return Ok(self.load_uniform(tensor, &linear));
        }
        let elem = self.algo.tensors[tensor].elem;
        let kind = solid(kind);
        let loaded = self.load_raw(tensor, at, border, kind)?;
        let val = self.from_storage(elem, kind, loaded.buf);
        match loaded.beyond {
            None => Ok(val),
            Some(otherwise) => {
                let inside = self.inside_mask(tensor, at, kind);
                self.b.span = self.algo.exprs[expr].span;
                self.select(elem, inside, val, otherwise)
            }
        }
    }

    /// An access as it lies in memory, by DMA if it can be.
    fn load_raw(
        &mut self,
        tensor: algo::Tensor,
        at: &[Affine],
        border: Option<Expr>,
        kind: Kind,
    ) -> Result<Loaded> {
        if border.is_none()
            && let Some(linear) = access::flatten(self.algo, tensor, at)
            && let Some(buf) = self.stream(tensor, &linear, kind)
        {
            return Ok(Loaded { buf, beyond: None });
        }
        self.poke_loads(tensor, at, border, kind)
    }

    /// A value in a buffer that can be stored. What is only moved keeps its storage form, and so all its bits.
    pub(crate) fn stored_form(&mut self, elem: Elem, kind: Kind, value: Expr) -> Result<Buf> {
        if let ExprKind::Load { tensor, at, border } = self.algo.exprs[value].kind.clone() {
            match self.internal.get(&tensor).copied() {
                Some(Internal::Map(inner)) => return self.stored_form(elem, kind, inner),
                Some(Internal::Ready(..) | Internal::Pending(_) | Internal::Block { .. }) => {}
                None => {
                    let own = self.kind_at(&at);
                    let one_row = self.extent.cap_rows == 1 && own == Kind::Col;
                    if storage(elem) != rep(elem) && (own == kind || one_row) {
                        let loaded = self.load_raw(tensor, &at, border, own)?;
                        if loaded.beyond.is_none() {
                            return Ok(loaded.buf);
                        }
                    }
                }
            }
        }
        let val = self.value(value)?;
        Ok(self.to_storage(elem, kind, val))
    }

    fn kind_at(&self, at: &[Affine]) -> Kind {
        at.iter()
            .map(|a| self.affine_kind(a))
            .fold(Kind::Uniform, Kind::join)
    }

    fn gm_tensor(&self, tensor: algo::Tensor) -> tile::Tensor {
        let found = self.gm.get(&tensor).copied();
        debug_assert!(
            found.is_some(),
            "partition: tensors of other steps are in global memory"
        );
        found.unwrap_or(tile::Tensor::from_u32(0))
    }

    /// The part of an offset that the code knows as a scalar.
    fn base(&mut self, linear: &Linear) -> Arg {
        let mut base = Arg::Const(linear.constant);
        for (index, stride) in &linear.strides {
            if let Some(Place::Fixed(arg)) = self.place.get(index).copied() {
                let term = self.b.mul(arg, *stride);
                base = self.b.add(base, term);
            }
        }
        base
    }

    fn load_uniform(&mut self, tensor: algo::Tensor, linear: &Linear) -> Val {
        let elem = self.algo.tensors[tensor].elem;
        let at = self.base(linear);
        let dst = self.b.func.add_value();
        let tensor = self.gm_tensor(tensor);
        self.b.push(Op::Peek { dst, tensor, at });
        let raw = Arg::Val(dst);
        Val::Scalar(match elem {
            Elem::Bf16 => self.b.scalar(ScalarOp::Shl, raw, Arg::Const(16)),
            Elem::I8 => self.sign_extend(raw, 8),
            Elem::I16 => self.sign_extend(raw, 16),
            Elem::I32 => self.sign_extend(raw, 32),
            Elem::F32 | Elem::F16 | Elem::I64 | Elem::U8 | Elem::Bool => raw,
        })
    }

    fn sign_extend(&mut self, raw: Arg, bits: i64) -> Arg {
        let sign = self.b.scalar(ScalarOp::Shr, raw, Arg::Const(bits - 1));
        let weight = self.b.scalar(ScalarOp::Shl, sign, Arg::Const(bits));
        self.b.sub(raw, weight)
    }

    /// Loads by DMA what lies in rows of consecutive elements; `None` if it does not.
    fn stream(&mut self, tensor: algo::Tensor, linear: &Linear, kind: Kind) -> Option<Buf> {
        let along_rows = access::collapse(&self.strides(linear, true));
        let along_cols = access::collapse(&self.strides(linear, false));
        let unit = match kind {
            Kind::Row => along_rows,
            Kind::Col | Kind::Full | Kind::Uniform => along_cols,
        };
        if unit != Some(1) {
            return None;
        }
        let elem = self.algo.tensors[tensor].elem;
        let gm = self.gm_tensor(tensor);
        let base = self.base(linear);
        let dst = self.dma_buf("x", kind, storage(elem));
        match (kind, along_rows) {
            (Kind::Row, _) => {
                self.clear_rows(dst, elem);
                let at = self.b.add(base, self.extent.row0);
                let (dst, cols) = (whole(dst), self.extent.row_count);
                self.b.push(Op::Load {
                    dst,
                    tensor: gm,
                    at,
                    rows: Arg::Const(1),
                    cols,
                    pitch: Arg::Const(0),
                });
            }
            (Kind::Full, Some(pitch)) if pitch > 0 => {
                let (row0, col0) = (self.extent.row0, self.extent.col0);
                let down = self.b.mul(row0, pitch);
                let row = self.b.add(base, down);
                let at = self.b.add(row, col0);
                self.push_load(dst, gm, at, self.extent.row_count, Arg::Const(pitch));
            }
            (Kind::Full, _) => self.load_rows_apart(dst, gm, linear, base),
            (Kind::Col | Kind::Uniform, _) => {
                let at = self.b.add(base, self.extent.col0);
                self.push_load(dst, gm, at, Arg::Const(1), Arg::Const(0));
            }
        }
        Some(dst)
    }

    fn push_load(&mut self, dst: Buf, tensor: tile::Tensor, at: Arg, rows: Arg, pitch: Arg) {
        let (dst, cols) = (whole(dst), self.extent.col_count);
        self.b.push(Op::Load {
            dst,
            tensor,
            at,
            rows,
            cols,
            pitch,
        });
    }

    /// Rows that no single pitch reaches: one load a row.
    fn load_rows_apart(&mut self, dst: Buf, tensor: tile::Tensor, linear: &Linear, base: Arg) {
        let strides = self.strides(linear, true);
        let extents = self.extent.rows.clone();
        let (row0, col0, cols) = (self.extent.row0, self.extent.col0, self.extent.col_count);
        let count = self.extent.row_count;
        self.b.for_loop(0, count, 1, |b, r| {
            let position = b.add(row0, r);
            let mut at = b.add(base, col0);
            for (value, (stride, _)) in decode(b, position, &extents).into_iter().zip(&strides) {
                let term = b.mul(value, *stride);
                at = b.add(at, term);
            }
            let dst = element(dst, Arg::Val(r), Arg::Const(0));
            b.push(Op::Load {
                dst,
                tensor,
                at,
                rows: Arg::Const(1),
                cols,
                pitch: Arg::Const(0),
            });
        });
    }

    /// Stride and extent of every row (or column) dimension.
    fn strides(&self, linear: &Linear, rows: bool) -> Vec<(i64, i64)> {
        let extents = if rows {
            &self.extent.rows
        } else {
            &self.extent.cols
        };
        let mut dims: Vec<(i64, i64)> = extents.iter().map(|&e| (0, e)).collect();
        for (index, stride) in &linear.strides {
            match self.place.get(index) {
                Some(Place::Row(d)) if rows => dims[*d].0 += stride,
                Some(Place::Col(d)) if !rows => dims[*d].0 += stride,
                _ => {}
            }
        }
        dims
    }

    /// Row values are computed over their whole capacity, so what a load leaves out must hold something.
    fn clear_rows(&mut self, dst: Buf, elem: Elem) {
        let complete = matches!(self.extent.row_count, Arg::Const(n) if n == self.row_capacity());
        if complete {
            return;
        }
        // A byte buffer is cleared as i8 through its load type; 16- and 32-bit types by a fill.
        if matches!(
            storage(elem),
            Elem::F32 | Elem::F16 | Elem::I32 | Elem::I16 | Elem::Bf16
        ) {
            let dims = (Arg::Const(1), Arg::Const(self.row_capacity()));
            self.b.ew(EwOp::Copy, dst, Operand::Bits(0), None, dims);
        } else {
            let capacity = self.row_capacity();
            self.b.for_loop(0, capacity, 1, |b, c| {
                let dst = element(dst, Arg::Const(0), Arg::Val(c));
                b.push(Op::Poke {
                    dst,
                    value: Arg::Const(0),
                });
            });
        }
    }

    /// A value as loaded, brought into its representation.
    fn from_storage(&mut self, elem: Elem, kind: Kind, buf: Buf) -> Val {
        let val = Val::Buf(kind, buf);
        match elem {
            Elem::F32 | Elem::F16 | Elem::I32 | Elem::I64 => val,
            Elem::Bf16 => self.convert(val, Elem::Bf16, Elem::F32, Round::Even, Overflow::Keep),
            Elem::I8 | Elem::U8 => {
                let half = self.convert(val, elem, Elem::F16, Round::Even, Overflow::Saturate);
                self.convert(half, Elem::F16, Elem::I32, Round::Even, Overflow::Saturate)
            }
            Elem::I16 => {
                let wide = self.convert(val, Elem::I16, Elem::F32, Round::Even, Overflow::Saturate);
                self.convert(wide, Elem::F32, Elem::I32, Round::Even, Overflow::Saturate)
            }
            Elem::Bool => {
                let half = self.convert(val, Elem::U8, Elem::F16, Round::Even, Overflow::Saturate);
                self.ew2(EwOp::Cmp(CmpOp::Ne), Elem::F16, half, Val::Bits(0))
            }
        }
    }

    /// A value brought from its representation into a buffer that can be stored.
    pub(crate) fn to_storage(&mut self, elem: Elem, kind: Kind, val: Val) -> Buf {
        let held = rep(elem);
        let round = Round::Even;
        let source = match elem {
            Elem::Bool => {
                let number = self.mask_at(kind, val);
                let number = self.as_number(number);
                let half = self.convert(number, Elem::F32, Elem::F16, round, Overflow::Saturate);
                let dst = self.dma_buf("y", kind, Elem::U8);
                return self.convert_into(dst, kind, Elem::F16, half);
            }
            Elem::F32 | Elem::F16 | Elem::I32 | Elem::I64 => {
                let buf = self.materialise(kind, held, val);
                let depth = self.extent.depth;
                let data = &mut self.b.func.bufs[buf];
                data.depth = data.depth.max(depth);
                buf
            }
            Elem::Bf16 => {
                // The value is a bf16 already, perhaps an infinity: nothing may saturate.
                let source = self.materialise(kind, held, val);
                let dst = self.dma_buf("y", kind, Elem::Bf16);
                let dims = self.dims(kind);
                let exact = EwOp::Cast(Round::Even, Overflow::Keep);
                self.b.ew(exact, dst, full(source), None, dims);
                return dst;
            }
            Elem::I8 | Elem::U8 => {
                let source = self.materialise(kind, held, val);
                let wide = self.convert(
                    Val::Buf(kind, source),
                    Elem::I32,
                    Elem::F32,
                    round,
                    Overflow::Saturate,
                );
                let half = self.convert(wide, Elem::F32, Elem::F16, round, Overflow::Saturate);
                let dst = self.dma_buf("y", kind, elem);
                return self.convert_into(dst, kind, Elem::F16, half);
            }
            Elem::I16 => {
                let source = self.materialise(kind, held, val);
                let wide = self.convert(
                    Val::Buf(kind, source),
                    Elem::I32,
                    Elem::F32,
                    round,
                    Overflow::Saturate,
                );
                let dst = self.dma_buf("y", kind, elem);
                return self.convert_into(dst, kind, Elem::F32, wide);
            }
        };
        source
    }

    fn convert_into(&mut self, dst: Buf, kind: Kind, from: Elem, val: Val) -> Buf {
        let source = self.materialise(kind, from, val);
        let dims = self.dims(kind);
        self.b.ew(
            EwOp::Cast(Round::Even, Overflow::Saturate),
            dst,
            full(source),
            None,
            dims,
        );
        dst
    }

    /// Fills a buffer element by element with scalar loads: any access, borders included.
    fn poke_loads(
        &mut self,
        tensor: algo::Tensor,
        at: &[Affine],
        border: Option<Expr>,
        kind: Kind,
    ) -> Result<Loaded> {
        let elem = self.algo.tensors[tensor].elem;
        let otherwise = match border {
            None => None,
            Some(e) => Some(self.value(e)?),
        };
        let constant = match otherwise {
            None => Some(0),
            Some(Val::Bits(bits)) => Some(storage_bits(bits, elem)),
            Some(Val::Scalar(Arg::Const(x))) => Some(x),
            Some(Val::Scalar(Arg::Val(_)) | Val::Buf(..)) => None,
        };
        let dst = self.dma_buf("g", kind, storage(elem));
        if kind == Kind::Row {
            self.clear_rows(dst, elem);
        }
        self.poke_each(
            tensor,
            at,
            kind,
            dst,
            constant.unwrap_or(0),
            border.is_some(),
        );
        Ok(Loaded {
            buf: dst,
            beyond: otherwise.filter(|_| constant.is_none()),
        })
    }

    /// The mask of elements whose coordinates are all in range.
    fn inside_mask(&mut self, tensor: algo::Tensor, at: &[Affine], kind: Kind) -> Val {
        let dst = self.dma_buf("g", kind, Elem::I32);
        if kind == Kind::Row {
            self.clear_rows(dst, Elem::I32);
        }
        let shape = self.algo.tensors[tensor].shape.clone();
        self.each_element(kind, |e, cell, env| {
            let ok = e.in_range(at, &shape, &env).unwrap_or(Arg::Const(1));
            let dst = element(dst, cell.0, cell.1);
            e.b.push(Op::Poke { dst, value: ok });
        });
        let one = Val::Scalar(Arg::Const(1));
        self.compare_ints(CmpOp::Eq, Val::Buf(kind, dst), one)
    }

    fn poke_each(
        &mut self,
        tensor: algo::Tensor,
        at: &[Affine],
        kind: Kind,
        dst: Buf,
        otherwise: i64,
        border: bool,
    ) {
        let shape = self.algo.tensors[tensor].shape.clone();
        let gm = self.gm_tensor(tensor);
        self.each_element(kind, |e, cell, env| {
            let ok = if border {
                e.in_range(at, &shape, &env)
            } else {
                None
            };
            let mut offset = Arg::Const(0);
            for (coordinate, pitch) in at.iter().zip(access::pitches(&shape)) {
                let value = e.affine_arg(coordinate, &env);
                let term = e.b.mul(value, pitch);
                offset = e.b.add(offset, term);
            }
            let dst = element(dst, cell.0, cell.1);
            let take = |b: &mut Builder| {
                let value = b.func.add_value();
                b.push(Op::Peek {
                    dst: value,
                    tensor: gm,
                    at: offset,
                });
                b.push(Op::Poke {
                    dst,
                    value: Arg::Val(value),
                });
            };
            match ok {
                None => take(&mut e.b),
                Some(ok) => e.b.if_else(ok, take, |b| {
                    b.push(Op::Poke {
                        dst,
                        value: Arg::Const(otherwise),
                    });
                }),
            }
        });
    }

    /// Runs `body` for every element of a kind with its cell and the values of all placed indices.
    fn each_element(
        &mut self,
        kind: Kind,
        body: impl FnOnce(&mut Self, (Arg, Arg), BTreeMap<Index, Arg>),
    ) {
        let zero = Arg::Const(0);
        let (rows, cols) = (self.extent.row_count, self.extent.col_count);
        match kind {
            Kind::Row => self.for_loop(0, rows, 1, |e, r| {
                let env = e.environment(Some(r), None);
                body(e, (zero, r), env);
            }),
            Kind::Col => self.for_loop(0, cols, 1, |e, c| {
                let env = e.environment(None, Some(c));
                body(e, (zero, c), env);
            }),
            Kind::Full | Kind::Uniform => self.for_loop(0, rows, 1, |e, r| {
                e.for_loop(0, cols, 1, |e, c| {
                    let env = e.environment(Some(r), Some(c));
                    body(e, (r, c), env);
                });
            }),
        }
    }

    fn environment(&mut self, r: Option<Arg>, c: Option<Arg>) -> BTreeMap<Index, Arg> {
        let (rows, cols) = (self.extent.rows.clone(), self.extent.cols.clone());
        let (row0, col0) = (self.extent.row0, self.extent.col0);
        let row = r.map(|r| {
            let at = self.b.add(row0, r);
            decode(&mut self.b, at, &rows)
        });
        let col = c.map(|c| {
            let at = self.b.add(col0, c);
            decode(&mut self.b, at, &cols)
        });
        self.place
            .iter()
            .filter_map(|(index, place)| match place {
                Place::Row(d) => Some((*index, *row.as_ref()?.get(*d)?)),
                Place::Col(d) => Some((*index, *col.as_ref()?.get(*d)?)),
                Place::Fixed(arg) => Some((*index, *arg)),
            })
            .collect()
    }

    /// An affine expression as scalar code. Division and remainder are made non-negative by a multiple of the divisor.
    fn affine_arg(&mut self, affine: &Affine, env: &BTreeMap<Index, Arg>) -> Arg {
        let mut sum = Arg::Const(affine.constant);
        for (factor, atom) in &affine.terms {
            let value = match atom {
                Atom::Index(i) => env.get(i).copied().unwrap_or(Arg::Const(0)),
                Atom::Div(a, n) => {
                    let (shifted, lift) = self.lifted(a, *n, env);
                    let quotient = self.b.div(shifted, *n);
                    self.b.sub(quotient, lift)
                }
                Atom::Mod(a, n) => {
                    let (shifted, _) = self.lifted(a, *n, env);
                    self.b.rem(shifted, *n)
                }
                Atom::Clamp(a, lo, hi) => {
                    let inner = self.affine_arg(a, env);
                    let low = self.b.max(inner, *lo);
                    self.b.min(low, *hi)
                }
            };
            let term = self.b.mul(value, *factor);
            sum = self.b.add(sum, term);
        }
        sum
    }

    fn lifted(&mut self, affine: &Affine, n: i64, env: &BTreeMap<Index, Arg>) -> (Arg, i64) {
        let lift = (-access::range(self.algo, affine).0.min(0)).div_euclid(n) + 1;
        let lift = if access::range(self.algo, affine).0 < 0 {
            lift
        } else {
            0
        };
        let inner = self.affine_arg(affine, env);
        (self.b.add(inner, lift * n), lift)
    }

    fn in_range(
        &mut self,
        at: &[Affine],
        shape: &[i64],
        env: &BTreeMap<Index, Arg>,
    ) -> Option<Arg> {
        let mut all = None;
        for (coordinate, size) in at.iter().zip(shape) {
            let (lo, hi) = access::range(self.algo, coordinate);
            let value = self.affine_arg(coordinate, env);
            let mut checks = Vec::new();
            if lo < 0 {
                checks.push(self.b.cmp(CmpOp::Ge, value, 0));
            }
            if hi >= *size {
                checks.push(self.b.cmp(CmpOp::Lt, value, *size));
            }
            for check in checks {
                all = Some(match all {
                    None => check,
                    Some(before) => self.b.scalar(ScalarOp::And, before, check),
                });
            }
        }
        all
    }
}

/// The value of every dimension at a flat position.
pub(crate) fn decode(b: &mut Builder, position: Arg, extents: &[i64]) -> Vec<Arg> {
    let mut rest = position;
    let mut values = vec![Arg::Const(0); extents.len()];
    for (d, &extent) in extents.iter().enumerate().rev() {
        if extents[..d].iter().all(|&e| e == 1) {
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

/// Vector code works on buffers, so a uniform value is held like a row.
fn solid(kind: Kind) -> Kind {
    if kind == Kind::Uniform {
        Kind::Row
    } else {
        kind
    }
}

fn storage(elem: Elem) -> Elem {
    if elem == Elem::Bool { Elem::U8 } else { elem }
}

fn storage_bits(bits: u32, elem: Elem) -> i64 {
    match elem {
        Elem::Bf16 => i64::from(bits >> 16),
        _ => i64::from(bits),
    }
}

/// The low 32 bits.
pub(crate) fn low_bits(x: i64) -> u32 {
    u32::try_from(x & 0xffff_ffff).unwrap_or(0)
}

fn shift_amount(b: Val, elem: Elem) -> Val {
    match b {
        Val::Scalar(Arg::Const(x)) => {
            let width = 8 * i64::try_from(elem.bytes()).unwrap_or(4);
            Val::Scalar(Arg::Const(x.rem_euclid(width)))
        }
        Val::Scalar(Arg::Val(_)) | Val::Bits(_) | Val::Buf(..) => b,
    }
}

fn zero_of(elem: Elem) -> Val {
    if elem.is_float() {
        Val::Bits(0)
    } else {
        Val::Scalar(Arg::Const(0))
    }
}

/// The least and greatest value of an integer type.
pub(crate) fn int_range(elem: Elem) -> (i64, i64) {
    match elem {
        Elem::I8 => (-128, 127),
        Elem::U8 => (0, 255),
        Elem::I16 => (-32768, 32767),
        Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I32 | Elem::Bool => {
            (i64::from(i32::MIN), i64::from(i32::MAX))
        }
    }
}

fn flip(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Lt => CmpOp::Gt,
        CmpOp::Le => CmpOp::Ge,
        CmpOp::Gt => CmpOp::Lt,
        CmpOp::Ge => CmpOp::Le,
        CmpOp::Eq | CmpOp::Ne => op,
    }
}

fn scalar_op(op: BinaryOp) -> Option<ScalarOp> {
    match op {
        BinaryOp::Add => Some(ScalarOp::Add),
        BinaryOp::Sub => Some(ScalarOp::Sub),
        BinaryOp::Mul => Some(ScalarOp::Mul),
        BinaryOp::Div => Some(ScalarOp::Div),
        BinaryOp::Rem => Some(ScalarOp::Rem),
        BinaryOp::Max => Some(ScalarOp::Max),
        BinaryOp::Min => Some(ScalarOp::Min),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Xor | BinaryOp::Shl | BinaryOp::Shr => None,
    }
}
