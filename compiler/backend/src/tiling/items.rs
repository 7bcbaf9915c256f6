//! A reduction whose items are visited one after the other, on the vector cores.
//!
//! The last index of the result runs along the vector; the other indices and the reduced ones are scalars. One
//! accumulator per element for ascending order, `n` for `n` lanes; lanes are joined by adjacent pairs as the language
//! says, and a tree is built of such joins, one inside the other. This is the way for every reduction that neither the
//! cube nor lanes along the columns can take.

use ir::algo::{Order, Overflow, Reduce, ReduceOp, Round};
use ir::tile::{Arg, Buf, CoreQuery, EwOp, Op, Operand, View};
use isa::types::{Elem, Layout, Space};

use super::builder::{Builder, Shape, whole};
use super::expr::{Emitter, Extent, GmMap, Kind, Place, Val, ceil_div, decode, rep, round_up};
use super::rows::{identity, item, lane_elem, product, row_of};
use super::{Result, StepCx};
use crate::errors;

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
    let Some(reduce) = algo.root_reduce(def) else {
        return Err(errors::not_compiled(
            data.span,
            "this definition is not compiled yet",
        ));
    };
    let plan = Plan::of(algo, def, reduce)?;
    if plan.order == Order::Tree && algo.symbols.is_symbolic(plan.items) {
        return Err(Box::new(errors::needs_fixed(data.span)));
    }
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
    let chunks = e.b.parts(width, cap);
    let core = Arg::Val(e.b.query(CoreQuery::Core));
    let blocks = e.b.mul(product(&outer_extents), chunks);
    e.for_loop(core, blocks, cx.vector_cores(), |e, t| -> Result<()> {
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
        let acc = match plan.order {
            Order::Tree => plan.tree(e, reduce, Arg::Const(0), plan.items)?,
            Order::Ascending | Order::Lanes(_) | Order::Free => plan.lanes(e, reduce)?,
        };
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

/// Joined cells of one level of a tree.
const FAN: i64 = 16;

/// How a reduction goes over its items.
struct Plan {
    op: ReduceOp,
    order: Order,
    /// The type of its result.
    result: Elem,
    extents: Vec<i64>,
    items: i64,
}

impl Plan {
    fn of(algo: &ir::algo::Func, def: usize, reduce: &Reduce) -> Result<Plan> {
        let order = match reduce.op {
            ReduceOp::Any | ReduceOp::All | ReduceOp::ArgMax | ReduceOp::ArgMin => {
                return Err(errors::not_compiled(
                    algo.defs[def].span,
                    "a reduction to conditions or places in this place is not compiled yet",
                ));
            }
            ReduceOp::Max | ReduceOp::Min => Order::Ascending,
            ReduceOp::Sum | ReduceOp::Prod => reduce.order,
        };
        let extents: Vec<i64> = reduce
            .axes
            .iter()
            .map(|&i| algo.indices[i].extent)
            .collect();
        Ok(Plan {
            op: reduce.op,
            order,
            result: algo.exprs[algo.defs[def].value].elem,
            items: product(&extents),
            extents,
        })
    }

    /// Accumulators, one row each, at the identity.
    fn cells(&self, e: &mut Emitter<'_>, count: i64) -> Buf {
        let cap = e.extent.cap_cols;
        let shape = Shape {
            elem: lane_elem(self.result),
            space: Space::Ub,
            layout: Layout::Nd,
            depth: 1,
            rows: count,
            cols: cap,
        };
        let acc = e.b.buf("acc", shape);
        let start = Operand::Bits(identity(self.op, self.result));
        let all = (Arg::Const(count), Arg::Const(cap));
        e.b.ew(EwOp::Copy, acc, start, None, all);
        acc
    }

    /// Item `k` goes to cell `k` modulo the lanes; then the cells are joined.
    fn lanes(&self, e: &mut Emitter<'_>, reduce: &Reduce) -> Result<Buf> {
        let lanes = match self.order {
            Order::Lanes(n) => i64::from(n),
            Order::Free => 64,
            Order::Ascending | Order::Tree => 1,
        };
        let acc = self.cells(e, lanes);
        e.for_loop(0, self.items, 1, |e, k| -> Result<()> {
            let src = self.item(e, reduce, k)?;
            let lane = e.b.rem(k, lanes);
            let cell = row_of(acc, lane);
            let sources = [Operand::Full(cell), Operand::Full(whole(src))];
            one_row(e, ew_op(self.op), cell, sources);
            Ok(())
        })?;
        self.join(e, acc, lanes);
        Ok(acc)
    }

    /// The join of `items` items from `first` on, padded to a power of two, in row 0 of the buffer given back.
    fn tree(&self, e: &mut Emitter<'_>, reduce: &Reduce, first: Arg, items: i64) -> Result<Buf> {
        let mut below = 1;
        while below * FAN < items {
            below *= FAN;
        }
        let cells = power_of_two(ceil_div(items, below));
        let acc = self.cells(e, cells);
        let left = e.b.sub(self.items, first);
        let left = e.b.add(left, below - 1);
        let present = e.b.div(left, below);
        let present = e.b.min(present, cells);
        e.for_loop(0, present, 1, |e, i| -> Result<()> {
            let down = e.b.mul(i, below);
            let k = e.b.add(first, down);
            let src = if below == 1 {
                self.item(e, reduce, k)?
            } else {
                self.tree(e, reduce, k, below)?
            };
            copy_row(e, row_of(acc, i), src);
            Ok(())
        })?;
        self.join(e, acc, cells);
        Ok(acc)
    }

    /// Item `k`, or the identity where it is masked out.
    fn item(&self, e: &mut Emitter<'_>, reduce: &Reduce, k: Arg) -> Result<Buf> {
        for (&axis, value) in reduce.axes.iter().zip(decode(&mut e.b, k, &self.extents)) {
            e.place.insert(axis, Place::Fixed(value));
        }
        let elem = lane_elem(self.result);
        let mut val = item(e, reduce)?;
        if let Some(mask) = reduce.mask {
            let nothing = Val::Bits(identity(self.op, self.result));
            val = e.choose(elem, mask, val, nothing)?;
        }
        Ok(e.materialise(Kind::Col, elem, val))
    }

    /// Joins cells, a power of two of them, into the first by adjacent pairs.
    fn join(&self, e: &mut Emitter<'_>, acc: Buf, cells: i64) {
        let cols = Arg::Const(e.extent.cap_cols);
        let mut half = cells / 2;
        while half >= 1 {
            e.for_loop(0, half, 1, |e, i| {
                let left = e.b.mul(i, 2);
                let right = e.b.add(left, 1);
                e.b.push(Op::Ew {
                    op: ew_op(self.op),
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
}

fn power_of_two(cells: i64) -> i64 {
    let cells = u64::try_from(cells).unwrap_or(1).next_power_of_two();
    i64::try_from(cells).unwrap_or(1)
}

/// An operation on one row of cells, over the columns that the items have.
pub(super) fn one_row(e: &mut Emitter<'_>, op: EwOp, dst: View, [a, b]: [Operand; 2]) {
    let cols = columns(e);
    e.b.push(Op::Ew {
        op,
        dst,
        a,
        b: Some(b),
        c: None,
        rows: Arg::Const(1),
        cols,
    });
}

pub(super) fn copy_row(e: &mut Emitter<'_>, dst: View, src: Buf) {
    let cols = columns(e);
    e.b.push(Op::Ew {
        op: EwOp::Copy,
        dst,
        a: Operand::Full(whole(src)),
        b: None,
        c: None,
        rows: Arg::Const(1),
        cols,
    });
}

fn columns(e: &Emitter<'_>) -> Arg {
    if e.extent.padded {
        Arg::Const(e.extent.cap_cols)
    } else {
        e.extent.col_count
    }
}

/// The result in the type that is stored.
pub(super) fn store_form(e: &mut Emitter<'_>, cx: &StepCx<'_>, def: usize, acc: Buf) -> Buf {
    let data = &cx.algo.defs[def];
    let result = cx.algo.exprs[data.value].elem;
    // The first cell is copied, so that not all of them are doubled for the sake of the store.
    let elem = lane_elem(result);
    let first = e.temp(Kind::Col, elem);
    copy_row(e, whole(first), acc);
    let mut val = Val::Buf(Kind::Col, first);
    if rep(result) == Elem::F16 {
        val = e.convert(val, Elem::F32, Elem::F16, Round::Even, Overflow::Keep);
    }
    e.as_stored(cx.algo.tensors[data.target].elem, Kind::Col, val)
}

pub(super) fn ew_op(op: ReduceOp) -> EwOp {
    match op {
        ReduceOp::Prod => EwOp::Mul,
        ReduceOp::Max => EwOp::Max,
        ReduceOp::Min => EwOp::Min,
        ReduceOp::Sum | ReduceOp::Any | ReduceOp::All | ReduceOp::ArgMax | ReduceOp::ArgMin => {
            EwOp::Add
        }
    }
}
