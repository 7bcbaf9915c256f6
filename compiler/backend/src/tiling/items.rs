//! A reduction whose items are visited one after the other, on the vector cores.
//!
//! The last index of the result runs along the vector; the other indices and the reduced ones are scalars. One
//! accumulator per element for ascending order, `n` for `n` lanes, one per item for a tree; lanes are joined by
//! adjacent pairs as the language says. This is the way for every reduction that neither the cube nor lanes along the
//! columns can take.

use ir::algo::{Order, Overflow, Reduce, ReduceOp, Round};
use ir::tile::{Arg, Buf, CoreQuery, EwOp, Op, Operand};
use isa::types::{Elem, Layout, Space};

use super::builder::{Builder, Shape, whole};
use super::expr::{Emitter, Extent, GmMap, Kind, Place, Val, ceil_div, decode, rep, round_up};
use super::rows::{identity, item, lane_elem, product, row_of};
use super::{Result, StepCx};
use crate::errors;
use crate::partition::root_reduce;

/// Column capacities worth trying, best first.
pub(crate) fn capacities(cx: &StepCx<'_>, def: usize) -> Vec<i64> {
    let cols = cx.algo.defs[def]
        .indices
        .last()
        .map_or(1, |&i| cx.algo.indices[i].extent);
    let mut sizes = Vec::new();
    let mut cap = round_up(cols.min(cx.block_elements() / 8), 256);
    while cap >= 256 {
        sizes.push(cap);
        cap = if cap == 256 {
            0
        } else {
            round_up(cap / 2, 256)
        };
    }
    sizes
}

/// Appends the step to the current block of `b`, which every vector core runs.
pub(crate) fn emit(
    cx: &StepCx<'_>,
    def: usize,
    cap: i64,
    b: Builder,
    gm: &GmMap,
) -> Result<Builder> {
    let algo = cx.algo;
    let data = &algo.defs[def];
    let Some(reduce) = root_reduce(algo, def) else {
        return Err(errors::not_compiled(
            data.span,
            "this definition is not compiled yet",
        ));
    };
    let lanes = lanes(cx, def, reduce)?;
    let (outer, cols) = match data.indices.split_last() {
        Some((last, outer)) => (outer.to_vec(), vec![(*last, algo.indices[*last].extent)]),
        None => (Vec::new(), Vec::new()),
    };
    let width = cols.first().map_or(1, |c| c.1);
    let outer_extents: Vec<i64> = outer.iter().map(|&i| algo.indices[i].extent).collect();
    let extent = Extent {
        rows: Vec::new(),
        cols: vec![width],
        cap_rows: 1,
        cap_cols: cap,
        row0: Arg::Const(0),
        col0: Arg::Const(0),
        row_count: Arg::Const(1),
        col_count: Arg::Const(cap.min(width)),
        padded: cap == width,
        depth: cx.depth(),
    };
    let mut e = Emitter::new(algo, b, gm, extent);
    let chunks = ceil_div(width, cap);
    let core = Arg::Val(e.b.query(CoreQuery::Core));
    let blocks = product(&outer_extents) * chunks;
    e.for_loop_strided(core, blocks, cx.vector_cores(), |e, t| {
        let position = e.b.div(t, chunks);
        for (&index, value) in outer.iter().zip(decode(&mut e.b, position, &outer_extents)) {
            e.place.insert(index, Place::Fixed(value));
        }
        let chunk = e.b.rem(t, chunks);
        e.extent.col0 = e.b.mul(chunk, cap);
        let col0 = e.extent.col0;
        e.extent.col_count = e.b.clip(cap.min(width), width, col0);
        if let Some((last, _)) = cols.first() {
            let place = if width == 1 {
                Place::Fixed(Arg::Const(0))
            } else {
                Place::Col(0)
            };
            e.place.insert(*last, place);
        }
        let acc = visit(e, def, reduce, lanes, cap)?;
        finish(e, cx, def, reduce, lanes, acc);
        let at = e.b.mul(position, width);
        let at = e.b.add(at, col0);
        let src = store_form(e, cx, def, acc);
        if let Some(&tensor) = e.gm.get(&data.target) {
            let cols = e.extent.col_count;
            e.b.push(Op::Store {
                tensor,
                at,
                src: whole(src),
                rows: Arg::Const(1),
                cols,
                pitch: Arg::Const(0),
            });
        }
        Ok(())
    })?;
    Ok(e.b)
}

/// How many accumulators an element has.
fn lanes(cx: &StepCx<'_>, def: usize, reduce: &Reduce) -> Result<i64> {
    let span = cx.algo.defs[def].span;
    match reduce.op {
        ReduceOp::Any | ReduceOp::All | ReduceOp::ArgMax | ReduceOp::ArgMin => {
            return Err(errors::not_compiled(
                span,
                "`any`, `all`, `argmax` and `argmin` are not compiled yet",
            ));
        }
        ReduceOp::Max | ReduceOp::Min => return Ok(1),
        ReduceOp::Sum | ReduceOp::Prod => {}
    }
    let items: i64 = reduce
        .axes
        .iter()
        .map(|&i| cx.algo.indices[i].extent)
        .product();
    match reduce.order {
        Order::Ascending => Ok(1),
        Order::Lanes(n) => Ok(i64::from(n)),
        Order::Free => Ok(64),
        Order::Tree => {
            let padded = u64::try_from(items).unwrap_or(1).next_power_of_two();
            match i64::try_from(padded) {
                Ok(padded) if padded <= 128 => Ok(padded),
                Ok(_) | Err(_) => Err(errors::not_compiled(
                    span,
                    "`order: tree` over more than 128 items is not compiled yet",
                )),
            }
        }
    }
}

/// Visits the items and leaves the accumulators: one row a lane.
fn visit(e: &mut Emitter<'_>, def: usize, reduce: &Reduce, lanes: i64, cap: i64) -> Result<Buf> {
    let algo = e.algo;
    let elem = lane_elem(algo.exprs[algo.defs[def].value].elem);
    let shape = Shape {
        elem,
        space: Space::Ub,
        layout: Layout::Nd,
        depth: 1,
        rows: lanes,
        cols: cap,
    };
    let acc = e.b.buf("acc", shape);
    let all = (Arg::Const(lanes), Arg::Const(cap));
    e.b.ew(
        EwOp::Copy,
        acc,
        Operand::Bits(identity(reduce.op, elem)),
        None,
        all,
    );
    let extents: Vec<i64> = reduce
        .axes
        .iter()
        .map(|&i| algo.indices[i].extent)
        .collect();
    e.for_loop(0, product(&extents), 1, |e, k| -> Result<()> {
        for (&axis, value) in reduce.axes.iter().zip(decode(&mut e.b, k, &extents)) {
            e.place.insert(axis, Place::Fixed(value));
        }
        let mut val = item(e, reduce)?;
        let lane = e.b.rem(k, lanes);
        let old = row_of(acc, lane);
        if let Some(mask) = reduce.mask {
            val = e.choose(elem, mask, val, Val::Bits(identity(reduce.op, elem)))?;
        }
        let src = e.materialise(Kind::Col, elem, val);
        let cols = if e.extent.padded {
            Arg::Const(cap)
        } else {
            e.extent.col_count
        };
        e.b.push(Op::Ew {
            op: ew_op(reduce.op),
            dst: old,
            a: Operand::Full(old),
            b: Some(Operand::Full(whole(src))),
            c: None,
            rows: Arg::Const(1),
            cols,
        });
        Ok(())
    })?;
    Ok(acc)
}

/// Joins the lanes into the first by adjacent pairs.
fn finish(e: &mut Emitter<'_>, cx: &StepCx<'_>, def: usize, reduce: &Reduce, lanes: i64, acc: Buf) {
    debug_assert!(lanes >= 1 && def < cx.algo.defs.len());
    let cols = Arg::Const(e.extent.cap_cols);
    let mut half = lanes / 2;
    while half >= 1 {
        e.for_loop(0, half, 1, |e, i| {
            let left = e.b.mul(i, 2);
            let right = e.b.add(left, 1);
            e.b.push(Op::Ew {
                op: ew_op(reduce.op),
                dst: row_of(acc, i),
                a: Operand::Full(row_of(acc, left)),
                b: Some(Operand::Full(row_of(acc, right))),
                c: None,
                rows: Arg::Const(1),
                cols,
            });
        });
        half /= 2;
    }
}

/// The result in the type that is stored.
fn store_form(e: &mut Emitter<'_>, cx: &StepCx<'_>, def: usize, acc: Buf) -> Buf {
    let data = &cx.algo.defs[def];
    let result = cx.algo.exprs[data.value].elem;
    let mut val = Val::Buf(Kind::Col, acc);
    if rep(result) == Elem::F16 {
        val = e.convert(val, Elem::F32, Elem::F16, Round::Even, Overflow::Keep);
    }
    e.to_storage(cx.algo.tensors[data.target].elem, Kind::Col, val)
}

fn ew_op(op: ReduceOp) -> EwOp {
    match op {
        ReduceOp::Prod => EwOp::Mul,
        ReduceOp::Max => EwOp::Max,
        ReduceOp::Min => EwOp::Min,
        ReduceOp::Sum | ReduceOp::Any | ReduceOp::All | ReduceOp::ArgMax | ReduceOp::ArgMin => {
            EwOp::Add
        }
    }
}
