//! Sums in more lanes than one repeat has: chunks of as many columns are added to them, and blocks of eight adjacent lanes
//! joined to one until a repeat's are left. Few rows at a time keep the vector unit as busy as many rows do with 64 lanes.

use ir::algo::{Order, Reduce, ReduceOp};
use ir::tile::{Arg, Buf, EwOp, Op, Operand, View};
use isa::types::Elem;

use super::Plan;
use super::lanes::{LANES, lane_elem, red_op};
use crate::tiling::Result;
use crate::tiling::builder::{Builder, whole};
use crate::tiling::expr::{Emitter, round_up};

/// Lanes of a block, which one instruction joins.
const BLOCK: i64 = 8;
/// Most lanes of a row that the vector unit adds to: 16 KiB.
const MOST_LANES: u32 = 4096;

/// Whether a sum in this order runs along the columns.
pub(crate) fn runs_in_lanes(order: Order) -> bool {
    match order {
        Order::Free => true,
        Order::Lanes(lanes) => (64..=MOST_LANES).contains(&lanes),
        Order::Ascending | Order::Tree => false,
    }
}

impl Plan<'_> {
    /// Lanes of a row. Those that no item reaches stay at the identity, so that there need not be more than items; and
    /// integers have the same bits in any order.
    pub(super) fn lanes(&self, elem: Elem, reduce: &Reduce) -> i64 {
        let sum = reduce.op == ReduceOp::Sum && elem.is_float();
        let (Order::Lanes(wanted), true) = (reduce.order, sum) else {
            return LANES;
        };
        let most = (self.cx.algo.symbols.most(self.cols)).unwrap_or(i64::from(wanted));
        i64::from(wanted).min(round_up(most, LANES))
    }

    /// Lanes of a sum whose columns are all there and reach every lane, so that they need not start at the identity.
    pub(super) fn wide_at_once(
        &self,
        e: &mut Emitter<'_>,
        def: usize,
        reduce: &Reduce,
    ) -> Result<Option<Buf>> {
        let elem = lane_elem(self.result_elem(def));
        let lanes = self.lanes(elem, reduce);
        let all = matches!(e.extent.col_count, Arg::Const(cols) if cols >= lanes);
        if lanes == LANES || !all {
            return Ok(None);
        }
        let src = self.items(e, def, reduce)?;
        if e.b.func.bufs[src].cols == lanes && joins_with_zeros(lanes) {
            return Ok(Some(src));
        }
        let acc = e.b.buf("acc", self.part_shape(elem, lanes));
        let dims = (e.extent.row_count, Arg::Const(lanes));
        // A lane starts at +0, which is what makes its first item +0 if that is -0; where all lanes meet a +0 later, the
        // first two items are added at once.
        let all = |cols| matches!(e.extent.col_count, Arg::Const(there) if there >= cols);
        let (other, first) = match joins_with_zeros(lanes) && all(2 * lanes) {
            true => {
                let col = Arg::Const(lanes);
                (Operand::Full(View { col, ..whole(src) }), 2 * lanes)
            }
            false => (Operand::Bits(0), lanes),
        };
        e.b.ew(EwOp::Add, acc, Operand::Full(whole(src)), Some(other), dims);
        self.add_wide(e, acc, src, first);
        Ok(Some(acc))
    }

    /// Joins lanes to those of one repeat, a block of adjacent ones to one at a time. What a row has less than whole
    /// repeats is +0, which changes no sum but that of nothing else than -0.
    pub(super) fn join_blocks(&self, e: &mut Emitter<'_>, reduce: &Reduce, acc: Buf) -> Buf {
        let (elem, mut lanes) = (e.b.func.bufs[acc].elem, e.b.func.bufs[acc].cols);
        let (mut from, rows) = (acc, e.extent.row_count);
        while lanes > LANES {
            let (joined, width) = (lanes / BLOCK, round_up(lanes / BLOCK, LANES));
            let part = e.b.buf("part", self.part_shape(elem, width));
            if joined < width {
                let dims = (rows, Arg::Const(width));
                e.b.ew(EwOp::Copy, part, Operand::Bits(0), None, dims);
            }
            e.b.push(Op::BlockReduce {
                op: red_op(reduce.op),
                dst: whole(part),
                src: whole(from),
                rows,
                cols: Arg::Const(lanes),
            });
            (from, lanes) = (part, width);
        }
        from
    }

    /// Adds columns to as many lanes, in all of the rows: item `c` to lane `c` modulo the lanes. Chunks are multiples of
    /// the lanes, or the lanes of chunks.
    pub(super) fn add_wide(&self, e: &mut Emitter<'_>, acc: Buf, src: Buf, first: i64) {
        let lanes = e.b.func.bufs[acc].cols;
        let (rows, cols) = (e.extent.row_count, e.extent.col_count);
        let lane = match self.one_chunk() || self.width % lanes == 0 {
            true => Arg::Const(0),
            false => {
                let start = e.extent.col0;
                e.b.rem(start, lanes)
            }
        };
        let add = move |b: &mut Builder, col: Arg, width: Arg| {
            let sum = View {
                col: lane,
                ..whole(acc)
            };
            let from = View { col, ..whole(src) };
            b.push(Op::Ew {
                op: EwOp::Add,
                dst: sum,
                a: Operand::Full(sum),
                b: Some(Operand::Full(from)),
                c: None,
                rows,
                cols: width,
            });
        };
        if let Arg::Const(cols) = cols {
            let mut col = first;
            while col < cols {
                let width = lanes.min(cols - col);
                add(&mut e.b, Arg::Const(col), Arg::Const(width));
                col += lanes;
            }
            return;
        }
        if self.width <= lanes {
            add(&mut e.b, Arg::Const(0), cols);
            return;
        }
        let turns = e.b.div(cols, lanes);
        e.for_loop(first / lanes, turns, 1, |e, turn| {
            let col = e.b.mul(turn, lanes);
            add(&mut e.b, col, Arg::Const(lanes));
        });
        let done = e.b.mul(turns, lanes);
        let rest = e.b.sub(cols, done);
        e.b.if_else(rest, |b| add(b, done, rest), |_| ());
    }
}

/// Whether so many lanes meet a +0 on the way to a row's sum, which is then never -0.
fn joins_with_zeros(mut lanes: i64) -> bool {
    while lanes > LANES {
        let joined = lanes / BLOCK;
        lanes = round_up(joined, LANES);
        if joined < lanes {
            return true;
        }
    }
    false
}
