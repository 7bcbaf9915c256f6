//! Reductions along the columns: 64 lanes a row, joined at the end.

use ir::algo::{BinaryOp, ExprKind, Overflow, Reduce, ReduceOp, Round};
use ir::tile::{Arg, Buf, EwOp, Op, Operand, RedOp};
use isa::types::{Elem, Layout, Space};

use super::Plan;
use crate::errors;
use crate::tiling::Result;
use crate::tiling::builder::{Shape, whole};
use crate::tiling::expr::{Emitter, Internal, Kind, Val, float_bits, int_range, low_bits, rep};

/// Lanes of a row's partial sums: those of one f32 repeat.
const LANES: i64 = 64;

impl Plan<'_> {
    pub(super) fn start_lanes(&self, e: &mut Emitter<'_>, def: usize, reduce: &Reduce) -> Buf {
        let elem = lane_elem(self.result_elem(def));
        let acc = e.b.buf(
            "acc",
            Shape {
                elem,
                space: Space::Ub,
                layout: Layout::Nd,
                depth: 1,
                rows: self.extent.cap_rows,
                cols: LANES,
            },
        );
        let rows = e.extent.row_count;
        let start = Operand::Bits(identity(reduce.op, self.result_elem(def)));
        e.b.ew(EwOp::Copy, acc, start, None, (rows, Arg::Const(LANES)));
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
        let elem = lane_elem(self.result_elem(def));
        let mut item = item(e, reduce)?;
        if let Some(mask) = reduce.mask {
            let nothing = Val::Bits(identity(reduce.op, self.result_elem(def)));
            item = e.choose(elem, mask, item, nothing)?;
        }
        let src = e.materialise(Kind::Full, elem, item);
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

    pub(super) fn finish_lanes(&self, e: &mut Emitter<'_>, def: usize, reduce: &Reduce, acc: Buf) {
        let wanted = self.result_elem(def);
        let elem = lane_elem(wanted);
        let dst = e.temp(Kind::Row, elem);
        e.clear_row_value(dst);
        let rows = e.extent.row_count;
        e.b.push(Op::Lanes {
            op: red_op(reduce.op),
            dst: whole(dst),
            acc: whole(acc),
            rows,
        });
        let mut val = Val::Buf(Kind::Row, dst);
        if rep(wanted) == Elem::F16 {
            val = e.convert(val, Elem::F32, Elem::F16, Round::Even, Overflow::Keep);
        }
        let target = self.cx.algo.defs[def].target;
        e.internal.insert(target, Internal::Ready(val, Kind::Row));
    }
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

fn red_op(op: ReduceOp) -> RedOp {
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
