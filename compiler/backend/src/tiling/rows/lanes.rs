//! Reductions along the columns: 64 lanes a row, or more (`wide`), joined at the end.

use ir::algo::{BinaryOp, Expr, ExprKind, Overflow, Reduce, ReduceOp, Round};
use ir::tile::{Arg, Buf, EwOp, Op, Operand, RedOp, View};
use isa::types::{Elem, Layout, Space};

use super::Plan;
use crate::Level;
use crate::errors;
use crate::tiling::Result;
use crate::tiling::builder::{Shape, whole};
use crate::tiling::expr::{Emitter, Internal, Kind, Val, float_bits, int_range, low_bits, rep};

/// Lanes of a row's partial sums: those of one f32 repeat.
pub(super) const LANES: i64 = 64;
/// Chunks of lanes that are joined pair by pair at most, an operation each: beyond, halves are.
const MOST_PAIRS: i64 = 8;
/// Rows from which an operation a pair is worth its start: they are its repeats.
const LEAST_ROWS: i64 = 8;

impl Plan<'_> {
    pub(super) fn start_lanes(&self, e: &mut Emitter<'_>, def: usize, reduce: &Reduce) -> Buf {
        self.start_as(e, self.result_elem(def), reduce)
    }

    /// The same of a reduction in f32.
    pub(super) fn start_sum(&self, e: &mut Emitter<'_>, reduce: &Reduce) -> Buf {
        self.start_as(e, Elem::F32, reduce)
    }

    fn start_as(&self, e: &mut Emitter<'_>, wanted: Elem, reduce: &Reduce) -> Buf {
        let elem = lane_elem(wanted);
        let lanes = self.lanes(elem, reduce);
        let acc = e.b.buf("acc", self.part_shape(elem, lanes));
        let rows = e.extent.row_count;
        let start = Operand::Bits(identity(reduce.op, wanted));
        e.b.ew(EwOp::Copy, acc, start, None, (rows, Arg::Const(lanes)));
        acc
    }

    pub(super) fn result_elem(&self, def: usize) -> Elem {
        self.cx.algo.exprs[self.cx.algo.defs[def].value].elem
    }

    pub(super) fn accumulate(
        &self,
        e: &mut Emitter<'_>,
        def: usize,
        reduce: &Reduce,
        acc: Buf,
    ) -> Result<()> {
        self.accumulate_as(e, self.result_elem(def), reduce, acc)
    }

    /// The same, of a reduction to a type.
    pub(super) fn accumulate_as(
        &self,
        e: &mut Emitter<'_>,
        wanted: Elem,
        reduce: &Reduce,
        acc: Buf,
    ) -> Result<()> {
        if self.cx.level != Level::O0
            && let Some(()) = self.accumulate_extreme(e, wanted, reduce, acc)?
        {
            return Ok(());
        }
        let src = self.items_as(e, wanted, reduce)?;
        if e.b.func.bufs[acc].cols > LANES {
            self.add_wide(e, acc, src, 0);
            return Ok(());
        }
        if reduce.op == ReduceOp::Prod {
            multiply_lanes(e, acc, src);
            return Ok(());
        }
        let op = red_op(reduce.op);
        let (rows, cols) = (e.extent.row_count, e.extent.col_count);
        e.b.push(Op::Accumulate {
            op,
            acc: whole(acc),
            src: whole(src),
            rows,
            cols,
        });
        Ok(())
    }

    /// What is reduced, in the type of its lanes.
    pub(super) fn items(&self, e: &mut Emitter<'_>, def: usize, reduce: &Reduce) -> Result<Buf> {
        self.items_as(e, self.result_elem(def), reduce)
    }

    fn items_as(&self, e: &mut Emitter<'_>, wanted: Elem, reduce: &Reduce) -> Result<Buf> {
        let elem = lane_elem(wanted);
        let mut item = item(e, reduce)?;
        if let Some(mask) = reduce.mask {
            let nothing = Val::Bits(identity(reduce.op, wanted));
            item = e.choose(elem, mask, item, nothing)?;
        }
        Ok(e.materialise(Kind::Full, elem, item))
    }

    /// The lanes of a reduction whose columns are all there: joined in any order that takes least time, for the order of
    /// a maximum changes no bit, and that of a sum where it is free is nobody's business. None if the order counts.
    pub(super) fn lanes_at_once(
        &self,
        e: &mut Emitter<'_>,
        def: usize,
        reduce: &Reduce,
    ) -> Result<Option<Buf>> {
        if let Some(lanes) = self.wide_at_once(e, def, reduce)? {
            return Ok(Some(lanes));
        }
        if self.cx.level == Level::O0 || reduce.mask.is_some() {
            return Ok(None);
        }
        let sum = reduce.op == ReduceOp::Sum && self.order_free;
        let float = self.result_elem(def).is_float();
        let (true, Arg::Const(cols)) = (sum && float, e.extent.col_count) else {
            return self.extreme(e, self.result_elem(def), reduce);
        };
        let half = largest_half(cols);
        if half < LANES || 2 * half != cols {
            return Ok(None);
        }
        let item = item(e, reduce)?;
        let src = e.materialise(Kind::Full, Elem::F32, item);
        let part = self.by_halves(e, EwOp::Add, Elem::F32, (src, cols), half);
        Ok(Some(part))
    }

    /// A maximum or minimum by halves, in the type that the items have in memory: no order and no exact conversion
    /// changes a bit of it. None if this is not one, or its columns are not known.
    fn accumulate_extreme(
        &self,
        e: &mut Emitter<'_>,
        wanted: Elem,
        reduce: &Reduce,
        acc: Buf,
    ) -> Result<Option<()>> {
        let Some(part) = self.extreme(e, wanted, reduce)? else {
            return Ok(None);
        };
        let rows = e.extent.row_count;
        e.b.push(Op::Accumulate {
            op: red_op(reduce.op),
            acc: whole(acc),
            src: whole(part),
            rows,
            cols: Arg::Const(LANES),
        });
        Ok(Some(()))
    }

    /// The lanes of a maximum or minimum over the columns that are there.
    fn extreme(&self, e: &mut Emitter<'_>, wanted: Elem, reduce: &Reduce) -> Result<Option<Buf>> {
        let op = match reduce.op {
            ReduceOp::Max => EwOp::Max,
            ReduceOp::Min => EwOp::Min,
            ReduceOp::Sum
            | ReduceOp::Prod
            | ReduceOp::Any
            | ReduceOp::All
            | ReduceOp::ArgMax
            | ReduceOp::ArgMin => return Ok(None),
        };
        let body = exactly_widened(e, reduce.body);
        let elem = rep(e.algo.exprs[body].elem);
        let lanes = lane_elem(wanted);
        let (Arg::Const(cols), None) = (e.extent.col_count, reduce.mask) else {
            return Ok(None);
        };
        let half = largest_half(cols);
        let aligned = (cols - half) * bytes(elem) % 32 == 0;
        if half < LANES || !aligned || e.kind(body) != Kind::Full {
            return Ok(None);
        }
        let val = e.value(body)?;
        let src = e.materialise(Kind::Full, elem, val);
        let part = self.by_halves(e, op, elem, (src, cols), half);
        if elem == lanes {
            return Ok(Some(part));
        }
        let wide = e.b.buf("part", self.part_shape(lanes, LANES));
        let dims = (e.extent.row_count, Arg::Const(LANES));
        let exact = EwOp::Cast(Round::Even, Overflow::Keep);
        e.b.ew(exact, wide, Operand::Full(whole(part)), None, dims);
        Ok(Some(wide))
    }

    /// Joins columns by halves until a repeat's lanes are left; the first step makes their number a power of two, where
    /// its halves may overlap. Of few columns of many rows neighbouring chunks are joined instead: halves lie a multiple
    /// of the banks' period apart, so that each of their reads would wait for the other (davinci-facts §7, rule 1).
    fn by_halves(
        &self,
        e: &mut Emitter<'_>,
        op: EwOp,
        elem: Elem,
        (src, cols): (Buf, i64),
        half: i64,
    ) -> Buf {
        let part = e.b.buf("part", self.part_shape(elem, half));
        let mut into = part;
        let many = matches!(e.extent.row_count, Arg::Const(rows) if rows >= LEAST_ROWS);
        let (mut from, mut width, mut right) = (src, half, cols - half);
        loop {
            if width == LANES && half > LANES && bytes(elem) == 4 {
                // Rows of lanes follow each other.
                into = e.b.buf("lanes", self.part_shape(elem, LANES));
            }
            let even = right == width && width <= MOST_PAIRS * LANES;
            let (pieces, apart) = match even && many && bytes(elem) == 4 {
                true => (width / LANES, LANES),
                false => (1, right),
            };
            for piece in 0..pieces {
                let at = |buf: Buf, col: i64| View {
                    col: Arg::Const(col),
                    ..whole(buf)
                };
                let first = 2 * piece * LANES;
                let rows = e.extent.row_count;
                e.b.push(Op::Ew {
                    op,
                    dst: at(into, piece * LANES),
                    a: Operand::Full(at(from, first)),
                    b: Some(Operand::Full(at(from, first + apart))),
                    c: None,
                    rows,
                    cols: Arg::Const(width / pieces),
                });
            }
            if width == LANES {
                return into;
            }
            (from, width, right) = (part, width / 2, width / 2);
        }
    }

    pub(super) fn part_shape(&self, elem: Elem, cols: i64) -> Shape {
        Shape {
            elem,
            space: Space::Ub,
            layout: Layout::Nd,
            depth: 1,
            rows: self.extent.cap_rows,
            cols,
        }
    }

    pub(super) fn finish_lanes(&self, e: &mut Emitter<'_>, def: usize, reduce: &Reduce, acc: Buf) {
        let wanted = self.result_elem(def);
        let mut val = self.finish_as(e, wanted, reduce, acc);
        if rep(wanted) == Elem::F16 {
            val = e.convert(val, Elem::F32, Elem::F16, Round::Even, Overflow::Keep);
        }
        let target = self.cx.algo.defs[def].target;
        e.internal.insert(target, Internal::Ready(val, Kind::Row));
    }

    /// The value of a reduction in f32.
    pub(super) fn finish_sum(&self, e: &mut Emitter<'_>, reduce: &Reduce, acc: Buf) -> Val {
        self.finish_as(e, Elem::F32, reduce, acc)
    }

    fn finish_as(&self, e: &mut Emitter<'_>, wanted: Elem, reduce: &Reduce, acc: Buf) -> Val {
        let acc = self.join_blocks(e, reduce, acc);
        let dst = e.temp(Kind::Row, lane_elem(wanted));
        e.clear_row_value(dst);
        if reduce.op == ReduceOp::Prod {
            join_factors(e, dst, acc);
            return Val::Buf(Kind::Row, dst);
        }
        let rows = e.extent.row_count;
        e.b.push(Op::Lanes {
            op: red_op(reduce.op),
            dst: whole(dst),
            acc: whole(acc),
            rows,
        });
        Val::Buf(Kind::Row, dst)
    }
}

/// Multiplies the lanes of one row by its items.
fn multiply_lanes(e: &mut Emitter<'_>, acc: Buf, src: Buf) {
    let cols = e.extent.col_count;
    let groups = e.b.div(cols, LANES);
    let multiply = |e: &mut Emitter<'_>, col: Arg, dims: (Arg, Arg)| {
        let items = View { col, ..whole(src) };
        let (lanes, items) = (Operand::Full(whole(acc)), Operand::Full(items));
        e.b.ew(EwOp::Mul, acc, lanes, Some(items), dims);
    };
    if groups != Arg::Const(0) {
        e.for_loop(0, groups, 1, |e, group| {
            let col = e.b.mul(group, LANES);
            multiply(e, col, (Arg::Const(1), Arg::Const(LANES)));
        });
    }
    let rest = e.b.rem(cols, LANES);
    if rest != Arg::Const(0) {
        // Without a rest there is no row.
        let some = e.b.min(rest, 1);
        let (first, width) = (e.b.mul(groups, LANES), e.b.max(rest, 1));
        multiply(e, first, (some, width));
    }
}

/// Joins the lanes of one row by adjacent pairs: each lane is a block of its own then.
fn join_factors(e: &mut Emitter<'_>, dst: Buf, acc: Buf) {
    let shape = Shape {
        elem: Elem::F32,
        space: Space::Ub,
        layout: Layout::Nd,
        depth: 1,
        rows: LANES,
        cols: 8,
    };
    let blocks = e.b.buf("factors", shape);
    e.b.push(Op::Spread {
        dst: whole(blocks),
        src: whole(acc),
        rows: Arg::Const(LANES),
    });
    let dims = (Arg::Const(1), Arg::Const(8));
    let mut pairs = LANES / 2;
    while pairs > 0 {
        e.for_loop(0, pairs, 1, |e, pair| {
            let first = e.b.mul(pair, 2);
            let second = e.b.add(first, 1);
            let at = |row: Arg| {
                Operand::Full(View {
                    row,
                    ..whole(blocks)
                })
            };
            e.b.push(Op::Ew {
                op: EwOp::Mul,
                dst: View {
                    row: pair,
                    ..whole(blocks)
                },
                a: at(first),
                b: Some(at(second)),
                c: None,
                rows: dims.0,
                cols: dims.1,
            });
        });
        pairs /= 2;
    }
    e.b.ew(EwOp::Copy, dst, Operand::Full(whole(blocks)), None, dims);
}

/// The largest power of two times the lanes that is less than the columns; 0 if there is none.
fn largest_half(cols: i64) -> i64 {
    let mut half = 0;
    let mut next = LANES;
    while next < cols {
        half = next;
        next *= 2;
    }
    half
}

fn bytes(elem: Elem) -> i64 {
    i64::try_from(elem.bytes()).unwrap_or(4)
}

/// What an expression converts from, if that changes no value: f16 to f32.
fn exactly_widened(e: &Emitter<'_>, expr: Expr) -> Expr {
    if let ExprKind::Cast { value, .. } = e.algo.exprs[expr].kind
        && e.algo.exprs[expr].elem == Elem::F32
        && e.algo.exprs[value].elem == Elem::F16
    {
        return value;
    }
    expr
}

/// What a reduction adds, in the type of its lanes.
pub(crate) fn item(e: &mut Emitter<'_>, reduce: &Reduce) -> Result<Val> {
    let data = e.algo.exprs[reduce.body].clone();
    if reduce.exact_product {
        if data.elem == Elem::Bf16 {
            // The product of two bf16 may leave the range of f32; only the cube keeps it exact.
            return Err(errors::not_compiled(
                data.span,
                "a sum of bf16 products outside a matrix product is not compiled yet",
            ));
        }
        if let ExprKind::Binary(BinaryOp::Mul, a, b) = data.kind {
            let (a, b) = (e.value(a)?, e.value(b)?);
            let (a, b) = (e.widen(a, rep(data.elem)), e.widen(b, rep(data.elem)));
            return Ok(e.multiply(lane_elem(data.elem), a, b));
        }
    }
    let val = e.value(reduce.body)?;
    Ok(e.widen(val, rep(data.elem)))
}

/// Lanes are 32 bits wide.
pub(crate) fn lane_elem(elem: Elem) -> Elem {
    if elem.is_float() {
        Elem::F32
    } else {
        Elem::I32
    }
}

/// The identity of a reduction to `elem` as bits of a lane: of integers the end of their own range.
pub(crate) fn identity(op: ReduceOp, elem: Elem) -> u32 {
    let float = |x: f64| float_bits(x, Elem::F32);
    let (least, greatest) = int_range(elem);
    match (op, elem.is_float()) {
        (ReduceOp::Prod, true) => float(1.0),
        (ReduceOp::Max, true) => float(f64::NEG_INFINITY),
        (ReduceOp::Min, true) => float(f64::INFINITY),
        (ReduceOp::Prod, false) => 1,
        (ReduceOp::Max, false) => low_bits(least),
        (ReduceOp::Min, false) => low_bits(greatest),
        (
            ReduceOp::Sum | ReduceOp::Any | ReduceOp::All | ReduceOp::ArgMax | ReduceOp::ArgMin,
            true | false,
        ) => 0,
    }
}

pub(super) fn red_op(op: ReduceOp) -> RedOp {
    match op {
        ReduceOp::Max => RedOp::Max,
        ReduceOp::Min => RedOp::Min,
        ReduceOp::Sum
        | ReduceOp::Prod
        | ReduceOp::Any
        | ReduceOp::All
        | ReduceOp::ArgMax
        | ReduceOp::ArgMin => RedOp::Sum,
    }
}
