//! Rows in order: keys with their places go through the machine's sort, items are gathered by place.
//!
//! The machine sorts f32 descending, keeps the order of equal keys and puts NaN first. For ascending order a row is sorted
//! backwards and read from its end: equal items then keep their order too, and NaN stands last. A key is the item plus
//! +0, because zeros of both signs are equal. What fills a row up to a multiple of 32 is -inf and comes after all items.

use ir::algo::{Overflow, Round};
use ir::tile::{Arg, Buf, CoreQuery, EwOp, Op, Operand};
use isa::types::{Elem, Layout, Space};

use super::builder::{Builder, Shape, whole};
use super::expr::{Emitter, Extent, GmMap, Kind, Place, Val, ceil_div, rep, round_up};
use super::rows::{product, row_of};
use super::{Result, StepCx};
use crate::partition::Sorted;

/// Keys that one repeat of the machine's sort takes.
const SORTED: i64 = 32;
/// Bytes of a key with its place.
const PAIR: i64 = 8;
const WORD: i64 = 4;
/// Keys of a block at most: 28 bytes each and what comes out must fit into UB.
const MOST_KEYS: i64 = 4096;
const MINUS_INFINITY: u32 = 0xff80_0000;

/// Rows at a time worth trying, the most first.
pub(crate) fn row_counts(cx: &StepCx<'_>, sorted: &Sorted) -> Vec<i64> {
    let (rows, length) = extents(cx, sorted);
    let share = ceil_div(product(&rows), cx.vector_cores()).max(1);
    let most = (MOST_KEYS / round_up(length, SORTED)).clamp(1, share);
    let mut counts = Vec::new();
    let mut count = most;
    while count > 1 {
        counts.push(count);
        count = ceil_div(count, 2);
    }
    counts.push(1);
    counts
}

/// Extents of the rows, and items of a row.
fn extents(cx: &StepCx<'_>, sorted: &Sorted) -> (Vec<i64>, i64) {
    let own = &cx.algo.defs[sorted.rank].indices;
    let extent = |i: ir::algo::Index| cx.algo.indices[i].extent;
    let outer = own.split_last().map_or(&[][..], |(_, outer)| outer);
    (
        outer.iter().map(|&i| extent(i)).collect(),
        extent(sorted.along),
    )
}

/// Appends the step to the current block of `b`, which every vector core runs.
pub(crate) fn emit(
    cx: &StepCx<'_>,
    sorted: &Sorted,
    rows: i64,
    b: Builder,
    gm: &GmMap,
) -> Result<Builder> {
    let plan = Plan::new(cx, sorted, rows);
    let mut e = Emitter::new(cx.algo, b, gm, plan.extent(cx));
    plan.bind(&mut e);
    let core = Arg::Val(e.b.query(CoreQuery::Core));
    let tables = plan.tables(&mut e);
    let total = product(&plan.outer);
    e.for_loop(core, ceil_div(total, rows), cx.vector_cores(), |e, t| {
        e.extent.row0 = e.b.mul(t, rows);
        let row0 = e.extent.row0;
        e.extent.row_count = e.b.clip(rows.min(total), total, row0);
        plan.block(e, &tables)
    })?;
    Ok(e.b)
}

struct Plan<'a> {
    cx: &'a StepCx<'a>,
    sorted: &'a Sorted,
    outer: Vec<i64>,
    /// Rows of a block.
    rows: i64,
    /// Items of a row, and keys that it is filled up to.
    length: i64,
    width: i64,
    /// Items wanted, and columns of the buffers that hold them.
    wanted: i64,
    room: i64,
}

/// Numbers that no row changes.
struct Tables {
    /// The place of each key, and of ascending order where it comes from, in bytes.
    places: Buf,
    backwards: Option<Buf>,
    /// Where the wanted places stand among the pairs, in bytes.
    picks: Buf,
    /// Bytes from the block's first row to each row of items, if there is more than one.
    starts: Option<Buf>,
}

impl<'a> Plan<'a> {
    fn new(cx: &'a StepCx<'a>, sorted: &'a Sorted, rows: i64) -> Plan<'a> {
        let (outer, length) = extents(cx, sorted);
        let last = cx.algo.defs[sorted.places].indices.last();
        let wanted = last.map_or(1, |&i| cx.algo.indices[i].extent);
        Plan {
            cx,
            sorted,
            outer,
            rows,
            length,
            width: round_up(length, SORTED),
            wanted,
            room: round_up(wanted, SORTED),
        }
    }

    fn extent(&self, cx: &StepCx<'_>) -> Extent {
        Extent {
            rows: self.outer.clone(),
            cols: vec![self.length],
            cap_rows: self.rows,
            cap_cols: self.width,
            row0: Arg::Const(0),
            col0: Arg::Const(0),
            row_count: Arg::Const(self.rows),
            col_count: Arg::Const(self.length),
            padded: self.length == self.width,
            depth: cx.depth(),
        }
    }

    fn bind(&self, e: &mut Emitter<'_>) {
        let own = &self.cx.algo.defs[self.sorted.rank].indices;
        for (d, &index) in own.iter().enumerate().take(self.outer.len()) {
            e.place.insert(index, Place::Row(d));
        }
        e.place.insert(self.sorted.along, Place::Col(0));
    }

    fn words(&self, e: &mut Emitter<'_>, role: &str, (rows, cols): (i64, i64)) -> Buf {
        e.b.buf(role, shape(Elem::I32, 1, (rows, cols)))
    }

    /// `first`, `first + step`, … in each row.
    fn steps(&self, e: &mut Emitter<'_>, role: &str, cols: i64, [first, step]: [i64; 2]) -> Buf {
        let all = (self.rows, cols);
        let dst = self.words(e, role, all);
        number(e, EwOp::Iota, dst, None, 0, all);
        number(e, EwOp::Mul, dst, Some(dst), step, all);
        number(e, EwOp::Add, dst, Some(dst), first, all);
        dst
    }

    /// Adds `by` for each row before a row.
    fn move_rows(&self, e: &mut Emitter<'_>, dst: Buf, by: i64) {
        for row in 1..self.rows {
            let cols = e.b.func.bufs[dst].cols;
            let view = row_of(dst, Arg::Const(row));
            e.b.push(Op::Ew {
                op: EwOp::Add,
                dst: view,
                a: Operand::Full(view),
                b: Some(Operand::Bits(low(row * by))),
                c: None,
                rows: Arg::Const(1),
                cols: Arg::Const(cols),
            });
        }
    }

    fn tables(&self, e: &mut Emitter<'_>) -> Tables {
        let (length, width) = (self.length, self.width);
        let all = (self.rows, width);
        let (places, backwards, picks) = if self.sorted.descending {
            let places = self.steps(e, "places", width, [0, 1]);
            (
                places,
                None,
                self.steps(e, "picks", self.room, [WORD, PAIR]),
            )
        } else {
            let places = self.steps(e, "places", width, [length - 1, -1]);
            // What fills the row up stays behind it: a negative place is taken from the row's end.
            let backwards = self.words(e, "backwards", all);
            number(e, EwOp::Shr, backwards, Some(places), 31, all);
            number(e, EwOp::Mul, backwards, Some(backwards), -width, all);
            let both = Some(Operand::Full(whole(places)));
            let dims = (Arg::Const(self.rows), Arg::Const(width));
            e.b.ew(
                EwOp::Add,
                backwards,
                Operand::Full(whole(backwards)),
                both,
                dims,
            );
            number(e, EwOp::Mul, backwards, Some(backwards), WORD, all);
            self.move_rows(e, backwards, WORD * width);
            let last = (length - 1) * PAIR + WORD;
            let picks = self.steps(e, "picks", self.room, [last, -PAIR]);
            number(
                e,
                EwOp::Max,
                picks,
                Some(picks),
                WORD,
                (self.rows, self.room),
            );
            (places, Some(backwards), picks)
        };
        self.move_rows(e, picks, PAIR * width);
        let starts = (self.rows > 1).then(|| {
            let starts = self.words(e, "starts", (self.rows, self.room));
            let dims = (Arg::Const(self.rows), Arg::Const(self.room));
            e.b.ew(EwOp::Copy, starts, Operand::Bits(0), None, dims);
            self.move_rows(e, starts, self.item_bytes() * width);
            starts
        });
        Tables {
            places,
            backwards,
            picks,
            starts,
        }
    }

    fn elem(&self) -> Elem {
        let load = self.cx.algo.load(self.sorted.item);
        load.map_or(Elem::F32, |(tensor, ..)| self.cx.algo.tensors[tensor].elem)
    }

    /// Bytes of an item as it is gathered: bytes are widened first.
    fn item_bytes(&self) -> i64 {
        match self.elem().bytes() {
            2 => 2,
            _ => WORD,
        }
    }

    fn block(&self, e: &mut Emitter<'_>, tables: &Tables) -> Result<()> {
        let (items, val) = e.block_of(self.sorted.item)?;
        let keys = self.keys(e, val, tables);
        let all = (2 * self.rows, 2 * self.width);
        let pairs = self.words(e, "pairs", all);
        e.b.push(Op::Sort {
            dst: whole(pairs),
            keys: whole(keys),
            places: whole(tables.places),
            rows: Arg::Const(self.rows),
            cols: Arg::Const(self.width),
        });
        let depth = self.cx.depth();
        let places =
            e.b.buf("places", shape(Elem::I32, depth, (self.rows, self.room)));
        e.b.push(Op::Gather {
            dst: whole(places),
            src: whole(pairs),
            at: whole(tables.picks),
            rows: Arg::Const(self.rows),
            cols: Arg::Const(self.room),
        });
        if self.cx.stored(self.sorted.places) {
            self.store(e, self.sorted.places, places);
        }
        if !self.sorted.values.is_empty() {
            let wide = self.elem().bytes() == 1;
            let items = match val {
                Val::Buf(_, buf) if wide => buf,
                Val::Buf(..) | Val::Bits(_) | Val::Scalar(_) => items,
            };
            self.values(e, items, places, tables);
        }
        Ok(())
    }

    /// The keys of the block, filled up.
    fn keys(&self, e: &mut Emitter<'_>, val: Val, tables: &Tables) -> Buf {
        let held = rep(self.elem());
        let wide = e.convert(val, held, Elem::F32, Round::Even, Overflow::Keep);
        let source = e.materialise(Kind::Full, Elem::F32, wide);
        let all = (self.rows, self.width);
        let keys = e.b.buf("keys", shape(Elem::F32, 1, all));
        let dims = (Arg::Const(self.rows), Arg::Const(self.width));
        e.b.ew(EwOp::Copy, keys, Operand::Bits(MINUS_INFINITY), None, dims);
        let present = (e.extent.row_count, Arg::Const(self.length));
        let source = Operand::Full(whole(source));
        e.b.ew(EwOp::Add, keys, source, Some(Operand::Bits(0)), present);
        let Some(backwards) = tables.backwards else {
            return keys;
        };
        let turned = e.b.buf("turned", shape(Elem::F32, 1, all));
        e.b.push(Op::Gather {
            dst: whole(turned),
            src: whole(keys),
            at: whole(backwards),
            rows: Arg::Const(self.rows),
            cols: Arg::Const(self.width),
        });
        turned
    }

    /// The items that the places name.
    fn values(&self, e: &mut Emitter<'_>, items: Buf, places: Buf, tables: &Tables) {
        let all = (self.rows, self.room);
        let at = self.words(e, "offsets", all);
        // Room beyond what is wanted may name what fills the row up.
        number(e, EwOp::Min, at, Some(places), self.length - 1, all);
        number(e, EwOp::Max, at, Some(at), 0, all);
        number(e, EwOp::Mul, at, Some(at), self.item_bytes(), all);
        if let Some(starts) = tables.starts {
            let both = Some(Operand::Full(whole(starts)));
            let dims = (Arg::Const(self.rows), Arg::Const(self.room));
            e.b.ew(EwOp::Add, at, Operand::Full(whole(at)), both, dims);
        }
        let elem = e.b.func.bufs[items].elem;
        let chosen = e.b.buf("chosen", shape(elem, self.cx.depth(), all));
        e.b.push(Op::Gather {
            dst: whole(chosen),
            src: whole(items),
            at: whole(at),
            rows: e.extent.row_count,
            cols: Arg::Const(self.room),
        });
        let outer = e.extent.clone();
        e.extent.cap_cols = self.room;
        e.extent.col_count = Arg::Const(self.room);
        e.extent.padded = true;
        let src = match self.elem().bytes() {
            1 => e.as_stored(self.elem(), Kind::Full, Val::Buf(Kind::Full, chosen)),
            _ => chosen,
        };
        e.extent = outer;
        for &def in &self.sorted.values {
            if self.cx.stored(def) {
                self.store(e, def, src);
            }
        }
    }

    fn store(&self, e: &mut Emitter<'_>, def: usize, src: Buf) {
        let Some(&tensor) = e.gm.get(&self.cx.algo.defs[def].target) else {
            return;
        };
        let row0 = e.extent.row0;
        let at = e.b.mul(row0, self.wanted);
        e.b.push(Op::Store {
            tensor,
            at,
            src: whole(src),
            rows: e.extent.row_count,
            cols: Arg::Const(self.wanted),
            pitch: Arg::Const(self.wanted),
        });
    }
}

fn shape(elem: Elem, depth: u32, (rows, cols): (i64, i64)) -> Shape {
    Shape {
        elem,
        space: Space::Ub,
        layout: Layout::Nd,
        depth,
        rows,
        cols,
    }
}

/// An operation with a number: on the columns' own numbers if there is no source.
fn number(
    e: &mut Emitter<'_>,
    op: EwOp,
    dst: Buf,
    src: Option<Buf>,
    by: i64,
    (rows, cols): (i64, i64),
) {
    let by = Operand::Bits(low(by));
    let dims = (Arg::Const(rows), Arg::Const(cols));
    match src {
        Some(src) => e.b.ew(op, dst, Operand::Full(whole(src)), Some(by), dims),
        None => e.b.ew(op, dst, by, None, dims),
    }
}

fn low(x: i64) -> u32 {
    super::expr::low_bits(x)
}
