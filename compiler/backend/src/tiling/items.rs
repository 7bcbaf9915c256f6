//! A reduction whose items are visited in their order, on the vector cores.
//!
//! The last index of the result runs along the vector; the other indices are scalars. Items come in blocks, each item a
//! row of the block: loaded and computed together, then joined as the language says. One accumulator per element for
//! ascending order, `n` for `n` lanes; lanes are joined by adjacent pairs, and a tree is built of such joins, one inside
//! the other. This is the way for every reduction that neither the cube nor lanes along the columns can take.

use ir::algo::{Order, Overflow, Reduce, ReduceOp, Round};
use ir::tile::{Arg, Buf, CoreQuery, EwOp, Op, Operand, View};
use isa::types::{Elem, Layout, Space};

use super::builder::{Builder, Shape, whole};
use super::expr::{Emitter, Extent, GmMap, Kind, Place, Val, ceil_div, decode, rep, round_up};
use super::rows::{column_unit, identity, item, lane_elem, product, row_of};
use super::{Result, StepCx};
use crate::errors;
use crate::schedule::{Given, Knob, Values};

/// What is in a block.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Items of the reduction: a power of two, so that lanes are whole blocks or blocks whole rounds of the lanes.
    items: i64,
    /// Columns of the result.
    cols: i64,
}

impl Size {
    /// The same as values of a schedule.
    pub(crate) fn values(&self) -> Values {
        [(Knob::Packet, self.items), (Knob::Cols, self.cols)].into()
    }
}

/// Most items of a block.
const MOST_ITEMS: i64 = 64;

/// Sizes worth trying, the best by rule first.
pub(crate) fn sizes(cx: &StepCx<'_>, def: usize) -> Vec<Size> {
    let width = (cx.algo.defs[def].indices.last()).map_or(1, |&i| cx.algo.indices[i].extent);
    let widest = round_up(width.min(cx.block_elements() / 8), 256);
    let halves = std::iter::successors(Some(widest), |cols| {
        (*cols > 256).then(|| round_up(cols / 2, 256))
    });
    let narrow = [64, 128].into_iter();
    let narrow = narrow.filter(|cols| cols % column_unit(cx.algo, &[def]) == 0);
    let most = most_items(cx, def);
    let mut widths: Vec<i64> = halves.collect();
    widths.reverse();
    let mut all = Vec::new();
    // Of equals the narrower keeps more cores busy.
    for cols in narrow.chain(widths) {
        let items = (cx.block_elements() / cols).clamp(1, most);
        all.push(Size { items, cols });
        if items >= 4 {
            let items = items / 4;
            all.push(Size { items, cols });
        }
    }
    let one = |size: &Size| Size { items: 1, ..*size };
    let single: Vec<Size> = all.iter().map(one).collect();
    all.extend(single);
    all.dedup();
    all
}

/// Items of a block at most: as many as there are, up to a power of two.
fn most_items(cx: &StepCx<'_>, def: usize) -> i64 {
    let axes = cx.algo.root_reduce(def).into_iter().flat_map(|r| &r.axes);
    let extents: Vec<i64> = axes.map(|&i| cx.algo.indices[i].extent).collect();
    power_of_two(product(&extents).min(MOST_ITEMS))
}

/// Sizes of the sides that are given, the other side as one of the usual sizes has it; those that can be made.
pub(crate) fn given(cx: &StepCx<'_>, def: usize, given: &Given, usual: &[Size]) -> Vec<Size> {
    let side = |knob: Knob, own: i64| given.values.get(&knob).copied().unwrap_or(own);
    let unit = column_unit(cx.algo, &[def]).max(64);
    let widest = usual.iter().map(|size| size.cols).max();
    let mut made: Vec<Size> = Vec::new();
    for size in usual {
        let size = Size {
            items: side(Knob::Packet, size.items),
            cols: side(Knob::Cols, size.cols),
        };
        let items = (1..=MOST_ITEMS).contains(&size.items) && size.items.count_ones() == 1;
        let cols = size.cols > 0 && size.cols % unit == 0 && Some(size.cols) <= widest;
        if items && cols && !made.contains(&size) {
            made.push(size);
        }
    }
    made
}

/// Appends the step to the current block of `b`, which every vector core runs.
pub(crate) fn emit(
    cx: &StepCx<'_>,
    def: usize,
    size: Size,
    b: Builder,
    gm: &GmMap,
) -> Result<Builder> {
    let (algo, cap) = (cx.algo, size.cols);
    let data = &algo.defs[def];
    let Some(reduce) = algo.root_reduce(def) else {
        return Err(errors::not_compiled(
            data.span,
            "this definition is not compiled yet",
        ));
    };
    let plan = Plan::of(algo, def, (reduce, size))?;
    if plan.way == Way::Tree && algo.symbols.is_symbolic(plan.items) {
        return Err(Box::new(errors::needs_fixed(data.span)));
    }
    let (outer, cols) = match data.indices.split_last() {
        Some((last, outer)) => (outer.to_vec(), vec![(*last, algo.indices[*last].extent)]),
        None => (Vec::new(), Vec::new()),
    };
    let width = cols.first().map_or(1, |c| c.1);
    let outer_extents: Vec<i64> = outer.iter().map(|&i| algo.indices[i].extent).collect();
    let extent = Extent {
        rows: plan.extents.clone(),
        cols: vec![width],
        cap_rows: size.items,
        cap_cols: cap,
        row0: Arg::Const(0),
        col0: Arg::Const(0),
        row_count: Arg::Const(1),
        col_count: Arg::Const(cap.min(width)),
        padded: cap == width,
        depth: cx.depth(),
    };
    let mut e = Emitter::new(algo, b, gm, extent);
    for (dim, &axis) in reduce.axes.iter().enumerate() {
        e.place.insert(axis, Place::Row(dim));
    }
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
        let acc = match plan.way {
            Way::Tree => plan.tree(e, reduce, Arg::Const(0), plan.items)?,
            Way::Cells(cells) => plan.cells_in_turn(e, reduce, cells)?,
            Way::Halves => plan.halves(e, reduce)?,
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

/// Pairs of cells up to which an operation a pair is written out.
const WRITTEN_OUT: i64 = 32;
/// Joined cells of one level of a tree.
const FAN: i64 = 16;

/// How items are joined.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Way {
    /// Item `k` goes to cell `k` modulo the cells, a power of two of them; then these are joined by adjacent pairs.
    Cells(i64),
    /// By adjacent pairs of items, of pairs, and so on.
    Tree,
    /// In any way: every one gives the same bits.
    Halves,
}

/// How a reduction goes over its items.
struct Plan {
    op: ReduceOp,
    way: Way,
    /// The type of its result.
    result: Elem,
    extents: Vec<i64>,
    items: i64,
    /// Items of a block.
    block: i64,
}

impl Plan {
    fn of(algo: &ir::algo::Func, def: usize, (reduce, size): (&Reduce, Size)) -> Result<Plan> {
        let result = algo.exprs[algo.defs[def].value].elem;
        let ordered = match reduce.order {
            Order::Lanes(n) => Way::Cells(i64::from(n)),
            Order::Free => Way::Cells(64),
            Order::Ascending => Way::Cells(1),
            Order::Tree => Way::Tree,
        };
        let way = match reduce.op {
            ReduceOp::Any | ReduceOp::All | ReduceOp::ArgMax | ReduceOp::ArgMin => {
                return Err(errors::not_compiled(
                    algo.defs[def].span,
                    "a reduction to conditions or places in this place is not compiled yet",
                ));
            }
            ReduceOp::Max | ReduceOp::Min => Way::Halves,
            ReduceOp::Sum if result.is_int() => Way::Halves,
            ReduceOp::Sum | ReduceOp::Prod => ordered,
        };
        let extents: Vec<i64> = reduce
            .axes
            .iter()
            .map(|&i| algo.indices[i].extent)
            .collect();
        Ok(Plan {
            op: reduce.op,
            way,
            result,
            items: product(&extents),
            extents,
            block: size.items,
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

    fn cells_in_turn(&self, e: &mut Emitter<'_>, reduce: &Reduce, cells: i64) -> Result<Buf> {
        let acc = self.cells(e, cells);
        e.for_loop(0, self.items, self.block, |e, k| -> Result<()> {
            let src = self.items_from(e, reduce, k, self.items)?;
            let count = e.extent.row_count;
            if self.block <= cells {
                let first = e.b.rem(k, cells);
                self.join_rows(e, (row_of(acc, first), row_of(src, Arg::Const(0))), count);
                return Ok(());
            }
            // Round by round of the cells.
            e.for_loop(0, count, cells, |e, first| {
                let here = match cells {
                    1 => Arg::Const(1),
                    _ => {
                        let left = e.b.sub(count, first);
                        e.b.min(left, cells)
                    }
                };
                self.join_rows(e, (row_of(acc, Arg::Const(0)), row_of(src, first)), here);
            });
            Ok(())
        })?;
        self.join_pairs(e, acc, cells);
        Ok(acc)
    }

    /// A cell for each item of a block; then half of the cells are joined to the other half.
    fn halves(&self, e: &mut Emitter<'_>, reduce: &Reduce) -> Result<Buf> {
        let acc = self.cells(e, self.block);
        let first = row_of(acc, Arg::Const(0));
        e.for_loop(0, self.items, self.block, |e, k| -> Result<()> {
            let src = self.items_from(e, reduce, k, self.items)?;
            let count = e.extent.row_count;
            self.join_rows(e, (first, whole(src)), count);
            Ok(())
        })?;
        let mut half = self.block / 2;
        while half >= 1 {
            self.join_rows(e, (first, row_of(acc, Arg::Const(half))), Arg::Const(half));
            half /= 2;
        }
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
        if below == 1 {
            let end = e.b.add(first, present);
            e.for_loop(0, present, self.block, |e, i| -> Result<()> {
                let k = e.b.add(first, i);
                let src = self.items_up_to(e, reduce, k, end)?;
                let (rows, cols) = (e.extent.row_count, columns(e));
                copy_rows(e, row_of(acc, i), src, (rows, cols));
                Ok(())
            })?;
        } else {
            e.for_loop(0, present, 1, |e, i| -> Result<()> {
                let down = e.b.mul(i, below);
                let k = e.b.add(first, down);
                let src = self.tree(e, reduce, k, below)?;
                copy_row(e, row_of(acc, i), src);
                Ok(())
            })?;
        }
        self.join_pairs(e, acc, cells);
        Ok(acc)
    }

    /// The block of items that begins at `k`, of so many in all.
    fn items_from(&self, e: &mut Emitter<'_>, reduce: &Reduce, k: Arg, all: i64) -> Result<Buf> {
        e.extent.row0 = k;
        e.extent.row_count = e.b.clip(self.block.min(all), all, k);
        self.block_of_items(e, reduce)
    }

    /// The block of items that begins at `k` and ends before `end`.
    fn items_up_to(&self, e: &mut Emitter<'_>, reduce: &Reduce, k: Arg, end: Arg) -> Result<Buf> {
        let left = e.b.sub(end, k);
        e.extent.row0 = k;
        e.extent.row_count = e.b.min(left, self.block);
        self.block_of_items(e, reduce)
    }

    /// The items of the present rows; those that are masked out are the identity.
    fn block_of_items(&self, e: &mut Emitter<'_>, reduce: &Reduce) -> Result<Buf> {
        let elem = lane_elem(self.result);
        let mut val = item(e, reduce)?;
        if let Some(mask) = reduce.mask {
            let nothing = Val::Bits(identity(self.op, self.result));
            val = e.choose(elem, mask, val, nothing)?;
        }
        Ok(e.materialise(Kind::Full, elem, val))
    }

    /// Joins rows to as many others, over the columns that the items have.
    fn join_rows(&self, e: &mut Emitter<'_>, (to, from): (View, View), rows: Arg) {
        let cols = columns(e);
        e.b.push(Op::Ew {
            op: ew_op(self.op),
            dst: to,
            a: Operand::Full(to),
            b: Some(Operand::Full(from)),
            c: None,
            rows,
            cols,
        });
    }

    /// Joins cells, a power of two of them, into the first by adjacent pairs; few of them without a loop.
    fn join_pairs(&self, e: &mut Emitter<'_>, acc: Buf, cells: i64) {
        let cols = Arg::Const(e.extent.cap_cols);
        let op = ew_op(self.op);
        let pair = move |b: &mut Builder, i: Arg| {
            let left = b.mul(i, 2);
            let right = b.add(left, 1);
            b.push(Op::Ew {
                op,
                dst: row_of(acc, i),
                a: Operand::Full(row_of(acc, left)),
                b: Some(Operand::Full(row_of(acc, right))),
                c: None,
                rows: Arg::Const(1),
                cols,
            });
        };
        let mut half = cells / 2;
        while half >= 1 {
            if half <= WRITTEN_OUT {
                (0..half).for_each(|i| pair(&mut e.b, Arg::Const(i)));
            } else {
                e.for_loop(0, half, 1, |e, i| pair(&mut e.b, i));
            }
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
    copy_rows(e, dst, src, (Arg::Const(1), cols));
}

fn copy_rows(e: &mut Emitter<'_>, dst: View, src: Buf, (rows, cols): (Arg, Arg)) {
    e.b.push(Op::Ew {
        op: EwOp::Copy,
        dst,
        a: Operand::Full(whole(src)),
        b: None,
        c: None,
        rows,
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
