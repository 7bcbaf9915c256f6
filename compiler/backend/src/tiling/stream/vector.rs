//! The vector program of a pass: blocks of items to records, weights to the cube, records merged.
//!
//! The rows of a core are cut into parts that are computed one after the other, each with an accumulator of its own in
//! the unified buffer from the first block of items to the last.

use std::collections::BTreeMap;

use ir::algo::{self, Expr, Index, Overflow, Round};
use ir::tile::{Arg, Buf, Chan, CoreQuery, EwOp, Op, Operand, View};
use isa::types::{Elem, Layout};

use super::Pass;
use super::gather::{self, Left};
use crate::Level;
use crate::partition::Rows as Space;
use crate::pass::derive::{Field, Part};
use crate::tiling::Result;
use crate::tiling::access::pitches;
use crate::tiling::builder::{Builder, Shape, whole};
use crate::tiling::expr::{Emitter, Extent, Internal, Kind, Place, Val, float_bits, round_up};
use crate::tiling::rows::{Block, Plan, column_unit};

/// What stays in the unified buffer from the first block of items to the last: of each field a buffer in which the
/// strips of a core's rows lie one behind the other.
pub(super) struct Kept {
    /// The accumulator; where its columns are merged part by part, the rows of a part follow those of the one before.
    state: Vec<Buf>,
    /// The record of the last block, and of the one before, of fields of the rows.
    next: Vec<Option<Buf>>,
    last: Vec<Option<Buf>>,
    /// What stands for a strip's part of these.
    strip_state: Vec<Buf>,
    strip_next: Vec<Option<Buf>>,
    strip_last: Vec<Option<Buf>>,
}

/// A strip of a core's rows: those that are computed with at a time.
pub(super) struct Strip {
    /// First row inside the block of rows, and in the tensor.
    inside: Arg,
    row0: Arg,
    rows: Arg,
    /// First row inside what a core keeps.
    offset: Arg,
    /// The outer indices.
    outer: Vec<Arg>,
}

/// Appends the vector program to the current block of `b`.
pub(super) fn emit(pass: &Pass<'_>, b: Builder) -> Result<Builder> {
    let cx = pass.cx;
    let mut em = Emitter::new(cx.algo, b, pass.gm, items_extent(pass));
    let group = Arg::Val(em.b.query(CoreQuery::Group));
    let blocks = pass.blocks(&mut em.b);
    em.for_loop(group, blocks, i64::from(cx.groups), |em, block| {
        block_of_rows(pass, em, block)
    })?;
    Ok(em.b)
}

pub(super) fn items_extent(pass: &Pass<'_>) -> Extent {
    let unit = column_unit(pass.cx.algo, &pass.stream.defs);
    let width = round_up(pass.size.n.min(round_up(pass.items(), 16)), unit.max(16));
    Extent {
        rows: vec![pass.rows],
        cols: vec![pass.items()],
        cap_rows: pass.size.rows,
        cap_cols: width,
        row0: Arg::Const(0),
        col0: Arg::Const(0),
        row_count: Arg::Const(pass.size.rows),
        col_count: Arg::Const(width),
        padded: false,
        depth: pass.cx.depth().min(pass.size.copies),
    }
}

fn columns_extent(pass: &Pass<'_>, columns: i64) -> Extent {
    let width = round_up(columns, 16);
    Extent {
        cols: vec![columns],
        cap_cols: width,
        col_count: Arg::Const(columns),
        padded: width == columns,
        // What comes here is read at once: the next part is on its way meanwhile.
        depth: pass.cx.depth(),
        ..items_extent(pass)
    }
}

fn block_of_rows(pass: &Pass<'_>, em: &mut Emitter<'_>, block: Arg) -> Result<()> {
    let rows = pass.enter(&mut em.b, block);
    let (low, high) = rows.blocks;
    place(pass, em, &rows.outer);
    hoist(pass, em)?;
    let kept = keep_room(pass, em);
    let pending = !pass.parts.is_empty();
    em.for_loop(low, high, 1, |em, j| -> Result<()> {
        items(pass, em, block, &kept, j)?;
        if !pending {
            return merge(pass, em, block, &kept);
        }
        let follows = em.b.cmp(algo::CmpOp::Gt, j, low);
        when(em, follows, |em| merge(pass, em, block, &kept))?;
        turn(pass, em, &kept);
        Ok(())
    })?;
    if pending {
        merge(pass, em, block, &kept)?;
    }
    strips(pass, em, block, &kept, |em, strip| {
        results(pass, em, strip, &kept)
    })
}

/// Computes before the loops what neither rows nor items change.
pub(super) fn hoist(pass: &Pass<'_>, em: &mut Emitter<'_>) -> Result<()> {
    let algo = pass.cx.algo;
    em.extent = items_extent(pass);
    bind_maps(pass, em);
    for product in &pass.stream.scores {
        let pending = Internal::Pending(Kind::Full);
        em.internal.insert(algo.defs[product.def].target, pending);
    }
    for field in &pass.stream.cascade.fields {
        let pending = Internal::Pending(kind_of(field));
        for tensor in [field.tensor, field.sides[0], field.sides[1]] {
            em.internal.insert(tensor, pending);
        }
    }
    for &def in &pass.stream.defs {
        let part = (pass.stream.cascade.parts).get(&algo.defs[def].target);
        if !matches!(part, Some(Part::Score | Part::Product)) {
            em.hoist(algo.defs[def].value, &|kind| kind == Kind::Uniform)?;
        }
    }
    Ok(())
}

/// Runs a part of the program where a scalar is not 0, as a scope of its own.
pub(super) fn when(
    em: &mut Emitter<'_>,
    cond: Arg,
    body: impl FnOnce(&mut Emitter<'_>) -> Result<()>,
) -> Result<()> {
    let then = em.b.func.add_block();
    em.b.push(Op::If {
        cond,
        then,
        els: None,
    });
    let outer = std::mem::replace(&mut em.b.block, then);
    let done = em.scoped(body);
    em.b.block = outer;
    done
}

/// Where the indices of every member get their values.
pub(super) fn place(pass: &Pass<'_>, em: &mut Emitter<'_>, outer: &[Arg]) {
    let algo = pass.cx.algo;
    let last = pass.outer.len();
    for &def in &pass.stream.defs {
        let axes = algo.root_reduce(def).map(|reduce| reduce.axes.to_vec());
        let own: Vec<Index> = algo.defs[def].indices.to_vec();
        for (position, index) in own.into_iter().enumerate() {
            let place = match outer.get(position) {
                _ if algo.indices[index].extent == 1 => Place::Fixed(Arg::Const(0)),
                Some(outer) => Place::Fixed(*outer),
                None if position == last => Place::Row(0),
                None => Place::Col(0),
            };
            em.place.insert(index, place);
        }
        for axis in axes.into_iter().flatten() {
            let place = match algo.indices[axis].extent {
                1 => Place::Fixed(Arg::Const(0)),
                _ => Place::Col(0),
            };
            em.place.insert(axis, place);
        }
    }
}

pub(super) fn is_row(field: &Field) -> bool {
    field.weights.is_none()
}

impl Kept {
    /// The record of a field of the rows that is merged next.
    pub(super) fn record(&self, pass: &Pass<'_>, number: usize) -> Option<Buf> {
        let records = match pass.parts.is_empty() {
            true => &self.next,
            false => &self.last,
        };
        records.get(number).copied().flatten()
    }
}

/// Columns of a field that is a product.
pub(super) fn width(pass: &Pass<'_>, number: usize) -> i64 {
    let product = pass.stream.sums.iter().find(|(field, _)| *field == number);
    product.map_or(1, |(_, product)| pass.extent(product.n))
}

/// Makes room for accumulators and records; the accumulators are those of nothing.
pub(super) fn keep_room(pass: &Pass<'_>, em: &mut Emitter<'_>) -> Kept {
    let fields = &pass.stream.cascade.fields;
    let mut kept = Kept {
        state: Vec::new(),
        next: Vec::new(),
        last: Vec::new(),
        strip_state: Vec::new(),
        strip_next: Vec::new(),
        strip_last: Vec::new(),
    };
    for (number, field) in fields.iter().enumerate() {
        let kind = kind_of(field);
        em.extent = field_extent(pass, number, Arg::Const(0));
        let (all, part) = room(pass, em, (kind, columns_parts(pass, number)));
        kept.state.push(all);
        kept.strip_state.push(part);
        set_to_start(em, field, all);
        for (of_all, of_strip) in [
            (&mut kept.next, &mut kept.strip_next),
            (&mut kept.last, &mut kept.strip_last),
        ] {
            let buf = is_row(field).then(|| room(pass, em, (kind, 1)));
            of_all.push(buf.map(|(all, _)| all));
            of_strip.push(buf.map(|(_, part)| part));
        }
    }
    kept
}

/// Fills a buffer with what merging with changes nothing.
pub(super) fn set_to_start(em: &mut Emitter<'_>, field: &Field, buf: Buf) {
    let start = Operand::Bits(float_bits(field.start, Elem::F32));
    let shape = &em.b.func.bufs[buf];
    let dims = (Arg::Const(shape.rows), Arg::Const(shape.cols));
    em.b.ew(EwOp::Copy, buf, start, None, dims);
}

/// Lets the accumulators be those of nothing.
pub(super) fn clear(pass: &Pass<'_>, em: &mut Emitter<'_>, kept: &Kept) {
    for (field, state) in pass.stream.cascade.fields.iter().zip(&kept.state) {
        set_to_start(em, field, *state);
    }
}

/// Elements that a value of the rows has of each strip.
fn strip_room(pass: &Pass<'_>) -> i64 {
    round_up(pass.size.rows, 16)
}

/// A buffer for all strips of all parts of the columns, and what stands for the part of one.
fn room(pass: &Pass<'_>, em: &mut Emitter<'_>, (kind, parts): (Kind, i64)) -> (Buf, Buf) {
    let strips = pass.half() / pass.size.rows;
    let full = kind == Kind::Full;
    let (rows, cols) = match full {
        true => (em.extent.cap_rows, em.extent.cap_cols),
        false => (1, strip_room(pass)),
    };
    let part = Shape {
        elem: Elem::F32,
        space: isa::types::Space::Ub,
        layout: Layout::Nd,
        depth: 1,
        rows,
        cols,
    };
    let whole = match full {
        true => Shape {
            rows: rows * strips * parts,
            ..part
        },
        false => Shape {
            cols: cols * strips,
            ..part
        },
    };
    (em.b.buf("kept", whole), em.b.declare("strip", part))
}

/// Runs code for each strip of a core's rows. Where it lies is computed in each anew: scalars are few.
pub(super) fn strips(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    block: Arg,
    kept: &Kept,
    mut body: impl FnMut(&mut Emitter<'_>, &Strip) -> Result<()>,
) -> Result<()> {
    let size = pass.size.rows;
    em.for_loop(0, pass.half() / size, 1, |em, number| -> Result<()> {
        let (outer, m0, m) = pass.rows_of(&mut em.b, block);
        place(pass, em, &outer);
        let sub = Arg::Val(em.b.query(CoreQuery::Sub));
        let first = em.b.mul(sub, pass.half());
        let offset = em.b.mul(number, size);
        let inside = em.b.add(first, offset);
        let rows = if m == Arg::Const(pass.size.m) {
            Arg::Const(size)
        } else {
            let left = em.b.sub(m, inside);
            let left = em.b.max(left, 0);
            em.b.min(left, size)
        };
        let strip = Strip {
            inside,
            row0: em.b.add(m0, inside),
            rows,
            offset,
            outer,
        };
        let place_in_rows = strip_place(pass, em, number);
        alias(pass, em, kept, offset, place_in_rows);
        let done = body(em, &strip);
        em.b.alias.clear();
        done
    })
}

/// Where a strip lies in values of the rows.
fn strip_place(pass: &Pass<'_>, em: &mut Emitter<'_>, number: Arg) -> Arg {
    em.b.mul(number, strip_room(pass))
}

/// The part of a buffer from a row or column on.
fn part_of(buf: Buf, row: Arg, col: Arg) -> View {
    View { buf, row, col }
}

/// Lets what stands for a strip's part of the kept buffers be that part.
fn alias(pass: &Pass<'_>, em: &mut Emitter<'_>, kept: &Kept, offset: Arg, place: Arg) {
    let zero = Arg::Const(0);
    let fields = pass.stream.cascade.fields.iter();
    for (field, (all, part)) in fields.zip(kept.state.iter().zip(&kept.strip_state)) {
        let view = match is_row(field) {
            true => part_of(*all, zero, place),
            false => part_of(*all, offset, zero),
        };
        em.b.alias.insert(*part, view);
    }
    let records = kept.next.iter().zip(&kept.strip_next);
    for (all, part) in records.chain(kept.last.iter().zip(&kept.strip_last)) {
        if let (Some(all), Some(part)) = (all, part) {
            em.b.alias.insert(*part, part_of(*all, zero, place));
        }
    }
}

fn kind_of(field: &Field) -> Kind {
    if is_row(field) { Kind::Row } else { Kind::Full }
}

/// In how many parts the columns of a field are merged.
fn columns_parts(pass: &Pass<'_>, number: usize) -> i64 {
    let product = pass.stream.sums.iter().find(|(field, _)| *field == number);
    product.map_or(1, |(_, product)| {
        let columns = pass.extent(product.n);
        columns / pass.merged_columns(columns).max(1)
    })
}

/// Runs code for each part of the columns, with the first column of each, and lets what stands for a strip's part of the
/// full fields be that of the part.
fn each_part(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    (strip, kept): (&Strip, &Kept),
    (parts, each): (i64, i64),
    mut body: impl FnMut(&mut Emitter<'_>, Arg) -> Result<()>,
) -> Result<()> {
    if parts <= 1 {
        return body(em, Arg::Const(0));
    }
    em.for_loop(0, parts, 1, |em, part| -> Result<()> {
        let down = em.b.mul(part, pass.half());
        let row = em.b.add(down, strip.offset);
        let fields = pass.stream.cascade.fields.iter();
        for (field, (all, own)) in fields.zip(kept.state.iter().zip(&kept.strip_state)) {
            if !is_row(field) {
                em.b.alias.insert(*own, part_of(*all, row, Arg::Const(0)));
            }
        }
        let first = em.b.mul(part, each);
        body(em, first)
    })
}

/// The extent over which a part of a field is merged.
fn field_extent(pass: &Pass<'_>, number: usize, first: Arg) -> Extent {
    let product = pass.stream.sums.iter().find(|(field, _)| *field == number);
    match product {
        Some((_, product)) => part_extent(pass, pass.extent(product.n), first),
        None => items_extent(pass),
    }
}

/// Some of the columns, from one on.
fn part_extent(pass: &Pass<'_>, columns: i64, first: Arg) -> Extent {
    let each = pass.merged_columns(columns);
    Extent {
        cols: vec![columns],
        col0: first,
        ..columns_extent(pass, each)
    }
}

/// Elements of a value of all rows of a core.
fn all_rows(pass: &Pass<'_>) -> i64 {
    pass.half() / pass.size.rows * strip_room(pass)
}

/// The record of the last block becomes the one before.
pub(super) fn turn(pass: &Pass<'_>, em: &mut Emitter<'_>, kept: &Kept) {
    let dims = (Arg::Const(1), Arg::Const(all_rows(pass)));
    for (next, last) in kept.next.iter().zip(&kept.last) {
        if let (Some(next), Some(last)) = (next, last) {
            let next = Operand::Full(whole(*next));
            em.b.ew(EwOp::Copy, *last, next, None, dims);
        }
    }
}

/// Puts a value of the rows where it is kept.
fn put_row(pass: &Pass<'_>, em: &mut Emitter<'_>, dst: Buf, val: Val) {
    let src = em.materialise(Kind::Row, Elem::F32, val);
    let dims = (Arg::Const(1), Arg::Const(round_up(pass.size.rows, 16)));
    em.b.ew(EwOp::Copy, dst, Operand::Full(whole(src)), None, dims);
}

fn enter(em: &mut Emitter<'_>, strip: &Strip) {
    em.extent.row0 = strip.row0;
    em.extent.row_count = strip.rows;
}

// ---- one block of items ----

pub(super) fn items(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    block: Arg,
    kept: &Kept,
    j: Arg,
) -> Result<()> {
    let whole = pass.limits.as_ref().map(|limits| {
        let within = pass.items_of(&mut em.b, j);
        let (outer, m0, m) = pass.rows_of(&mut em.b, block);
        limits.whole(&mut em.b, &outer, (m0, m), within)
    });
    let taken = each(em, &pass.scores, |dst, chan| Op::Take { dst, chan });
    let given = each(em, &pass.weights, |dst, chan| Op::Acquire { dst, chan });
    strips(pass, em, block, kept, |em, strip| {
        em.extent = items_extent(pass);
        let (first, count) = pass.items_of(&mut em.b, j);
        em.extent.col0 = first;
        em.extent.col_count = count;
        em.extent.padded = matches!(count, Arg::Const(n) if n == em.extent.cap_cols);
        enter(em, strip);
        let down = em.b.mul(strip.inside, pass.size.n);
        let full = full_block(pass, em, count);
        let from = (&taken[..], down);
        if full.is_none() {
            load_scores(pass, em, from);
        }
        let weights = weight_buffers(pass, em);
        em.settled = pass.stream.cascade.settled.clone();
        let usual = match (whole, full) {
            (Some(whole), Some(full)) => Some(em.b.mul(whole, full)),
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => None,
        };
        match usual {
            Some(usual) => {
                let some = em.b.sub(1, usual);
                let make = |em: &mut Emitter<'_>| {
                    if full.is_some() {
                        load_scores(pass, em, from);
                    }
                    record(pass, em, kept, &weights)
                };
                when(em, some, make)?;
                if let Some(limits) = &pass.limits {
                    em.settled.insert(limits.condition, limits.holds);
                }
                let extent = em.extent.clone();
                if full.is_some() {
                    em.extent.col_count = Arg::Const(pass.size.n);
                    em.extent.padded = pass.size.n == em.extent.cap_cols;
                }
                when(em, usual, make)?;
                em.extent = extent;
            }
            None => record(pass, em, kept, &weights)?,
        }
        em.settled = BTreeMap::new();
        hand_over(pass, em, (&weights, &given), down);
        Ok(())
    })?;
    for &chan in &pass.scores {
        em.b.push(Op::Release { chan });
    }
    for &chan in &pass.weights {
        em.b.push(Op::Publish { chan });
    }
    Ok(())
}

/// Whether a block has as many items as any has, where not all of them have.
fn full_block(pass: &Pass<'_>, em: &mut Emitter<'_>, count: Arg) -> Option<Arg> {
    let several = matches!(count, Arg::Val(_)) && pass.cx.level != Level::O0;
    several.then(|| em.b.cmp(algo::CmpOp::Ge, count, pass.size.n))
}

fn each(
    em: &mut Emitter<'_>,
    chans: &[Chan],
    op: impl Fn(ir::tile::Value, Chan) -> Op,
) -> Vec<Arg> {
    let mut slots = Vec::new();
    for &chan in chans {
        let slot = em.b.func.add_value();
        em.b.push(op(slot, chan));
        slots.push(Arg::Val(slot));
    }
    slots
}

/// Brings a strip's scores.
fn load_scores(pass: &Pass<'_>, em: &mut Emitter<'_>, (taken, down): (&[Arg], Arg)) {
    let algo = pass.cx.algo;
    for ((product, chan), slot) in pass.stream.scores.iter().zip(&pass.scores).zip(taken) {
        let target = algo.defs[product.def].target;
        let elem = algo.tensors[target].elem;
        let shape = full_shape(em, elem);
        let dst = em.b.buf("scores", shape);
        let at = em.b.add(*slot, down);
        em.b.push(Op::Load {
            dst: whole(dst),
            tensor: em.b.func.chans[*chan].tensor,
            at,
            rows: em.extent.row_count,
            cols: em.extent.col_count,
            pitch: Arg::Const(pass.size.n),
        });
        let val = em.loaded(elem, dst);
        em.internal.insert(target, Internal::Ready(val, Kind::Full));
    }
}

fn full_shape(em: &Emitter<'_>, elem: Elem) -> Shape {
    Shape {
        elem,
        space: isa::types::Space::Ub,
        layout: Layout::Nd,
        depth: em.extent.depth,
        rows: em.extent.cap_rows,
        cols: em.extent.cap_cols,
    }
}

fn weight_buffers(pass: &Pass<'_>, em: &mut Emitter<'_>) -> Vec<Buf> {
    let mut bufs = Vec::new();
    for (_, product) in &pass.stream.sums {
        let shape = full_shape(em, pass.cx.algo.tensors[product.a.tensor].elem);
        bufs.push(em.b.buf("weights", shape));
    }
    bufs
}

/// The record of one block for a strip, and its weights.
fn record(pass: &Pass<'_>, em: &mut Emitter<'_>, kept: &Kept, weights: &[Buf]) -> Result<()> {
    let algo = pass.cx.algo;
    let space = Space {
        rows: vec![pass.rows],
        cols: vec![pass.items()],
        defs: Vec::new(),
        cascade: None,
    };
    let block = Block::packed(em.extent.cap_rows, em.extent.cap_cols);
    let mut plan = Plan::new(pass.cx, &space, block);
    // Blocks of items are merged in any case.
    plan.order_free = true;
    bind_maps(pass, em);
    for (number, field) in pass.stream.cascade.fields.iter().enumerate() {
        let Some(def) = pass.def(field.tensor) else {
            continue;
        };
        if let (None, Some(reduce)) = (field.weights, algo.root_reduce(def)) {
            plan.reduce_at_once(em, def, reduce)?;
            keep(pass, em, kept, number, field)?;
        } else if let Some(of) = field.weights {
            let sum = pass.stream.sums.iter().position(|(at, _)| *at == number);
            if let Some(to) = sum.and_then(|sum| weights.get(sum)) {
                weigh(pass, em, of, *to)?;
            }
        }
    }
    Ok(())
}

/// Item maps and values of the rows are computed where they are needed.
fn bind_maps(pass: &Pass<'_>, em: &mut Emitter<'_>) {
    let algo = pass.cx.algo;
    for &def in &pass.stream.defs {
        let data = &algo.defs[def];
        if let Some(Part::Item | Part::Row | Part::After) =
            pass.stream.cascade.parts.get(&data.target)
        {
            em.internal.insert(data.target, Internal::Map(data.value));
        }
    }
}

/// Keeps a field of the block's record; what shifts exponentials is 0 for the rest of the block where it is nothing.
fn keep(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    kept: &Kept,
    number: usize,
    field: &Field,
) -> Result<()> {
    let Some(Internal::Ready(val, kind)) = em.internal.get(&field.tensor).copied() else {
        return Ok(());
    };
    if let Some(Some(next)) = kept.strip_next.get(number) {
        put_row(pass, em, *next, val);
    }
    if field.shifts {
        let safe = em.or_zero(val, float_bits(field.start, Elem::F32))?;
        em.internal
            .insert(field.tensor, Internal::Ready(safe, kind));
    }
    Ok(())
}

/// Computes weights into a buffer, as memory holds them.
fn weigh(pass: &Pass<'_>, em: &mut Emitter<'_>, weights: algo::Tensor, to: Buf) -> Result<()> {
    let algo = pass.cx.algo;
    let Some(def) = pass.def(weights) else {
        return Ok(());
    };
    let val = em.value(algo.defs[def].value)?;
    let elem = algo.tensors[weights].elem;
    let (held, op) = if elem == Elem::Bf16 {
        // The value is a bf16 already: nothing may saturate.
        (Elem::F32, EwOp::Cast(Round::Even, Overflow::Keep))
    } else if em.redirect(val, whole(to)) {
        return Ok(());
    } else {
        (elem, EwOp::Copy)
    };
    let src = em.materialise(Kind::Full, held, val);
    let dims = (em.extent.row_count, em.extent.col_count);
    em.b.ew(op, to, Operand::Full(whole(src)), None, dims);
    Ok(())
}

fn hand_over(pass: &Pass<'_>, em: &mut Emitter<'_>, (weights, given): (&[Buf], &[Arg]), down: Arg) {
    for ((src, slot), chan) in weights.iter().zip(given).zip(&pass.weights) {
        let at = em.b.add(*slot, down);
        let (rows, cols) = (em.extent.row_count, em.extent.col_count);
        em.b.push(Op::Store {
            tensor: em.b.func.chans[*chan].tensor,
            at,
            src: whole(*src),
            rows,
            cols,
            pitch: Arg::Const(pass.size.n),
        });
    }
}

// ---- merging ----

/// Merges the record of a block into every accumulator: the one before with products of the cube, else the last.
pub(super) fn merge(pass: &Pass<'_>, em: &mut Emitter<'_>, block: Arg, kept: &Kept) -> Result<()> {
    let slots = each(em, &pass.parts, |dst, chan| Op::Take { dst, chan });
    em.scoped(|em| merge_all(pass, em, block, kept, &slots))?;
    for &chan in &pass.parts {
        em.b.push(Op::Release { chan });
    }
    Ok(())
}

/// Values of the rows at once, products strip by strip.
pub(super) fn merge_all(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    block: Arg,
    kept: &Kept,
    slots: &[Arg],
) -> Result<()> {
    let fields = &pass.stream.cascade.fields;
    bind_sides(pass, em, kept);
    em.extent = items_extent(pass);
    em.extent.cap_rows = all_rows(pass);
    em.extent.row_count = Arg::Const(all_rows(pass));
    let mut merged = Vec::new();
    let mut factors: Vec<(Expr, Buf)> = Vec::new();
    for (number, field) in fields.iter().enumerate() {
        if is_row(field) {
            merged.push((number, em.value(field.merge)?));
            continue;
        }
        for factor in row_factors(em, field.merge) {
            let val = em.value(factor)?;
            let buf = em.materialise(Kind::Row, Elem::F32, val);
            factors.push((factor, buf));
        }
    }
    if !pass.parts.is_empty() {
        strips(pass, em, block, kept, |em, strip| {
            merge_strip(pass, em, strip, kept, (slots, &factors))
        })?;
    }
    let dims = (Arg::Const(1), Arg::Const(all_rows(pass)));
    em.extent.cap_rows = all_rows(pass);
    for (number, val) in merged {
        let src = em.materialise(Kind::Row, Elem::F32, val);
        em.b.ew(
            EwOp::Copy,
            kept.state[number],
            Operand::Full(whole(src)),
            None,
            dims,
        );
    }
    Ok(())
}

/// The accumulator is the first side of a merge, the record the other; products come with the strips.
fn bind_sides(pass: &Pass<'_>, em: &mut Emitter<'_>, kept: &Kept) {
    let record = match pass.parts.is_empty() {
        true => &kept.next,
        false => &kept.last,
    };
    for (number, field) in pass.stream.cascade.fields.iter().enumerate() {
        let kind = kind_of(field);
        let ready = |buf: Buf| Internal::Ready(Val::Buf(kind, buf), kind);
        let sides = match record.get(number) {
            Some(Some(record)) => [ready(kept.state[number]), ready(*record)],
            _ => [Internal::Pending(kind), Internal::Pending(kind)],
        };
        for (side, value) in field.sides.iter().zip(sides) {
            em.internal.insert(*side, value);
        }
    }
}

/// The largest parts of an expression that vary with the row alone.
fn row_factors(em: &mut Emitter<'_>, expr: Expr) -> Vec<Expr> {
    match em.kind(expr) {
        Kind::Row => vec![expr],
        Kind::Uniform => Vec::new(),
        Kind::Col | Kind::Full => em.algo.exprs[expr]
            .kind
            .operands()
            .flat_map(|operand| row_factors(em, operand))
            .collect(),
    }
}

fn merge_strip(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    strip: &Strip,
    kept: &Kept,
    (slots, factors): (&[Arg], &[(Expr, Buf)]),
) -> Result<()> {
    // The part of each factor begins where that of any field of the rows does.
    let place = (kept.strip_last.iter().flatten()).find_map(|part| em.b.alias.get(part).copied());
    for (factor, buf) in factors {
        let shape = Shape {
            elem: Elem::F32,
            space: isa::types::Space::Ub,
            layout: Layout::Nd,
            depth: 1,
            rows: 1,
            cols: strip_room(pass),
        };
        let part = em.b.declare("strip", shape);
        let col = place.map_or(Arg::Const(0), |place| place.col);
        em.b.alias.insert(part, part_of(*buf, Arg::Const(0), col));
        em.given.insert(*factor, Val::Buf(Kind::Row, part));
    }
    let fields = &pass.stream.cascade.fields;
    for (number, field) in fields.iter().enumerate().filter(|(_, f)| !is_row(f)) {
        let state = kept.strip_state[number];
        let extent = field_extent(pass, number, Arg::Const(0));
        let parts = (columns_parts(pass, number), extent.cap_cols);
        each_part(pass, em, (strip, kept), parts, |em, from| {
            let first = Val::Buf(Kind::Full, state);
            em.internal
                .insert(field.sides[0], Internal::Ready(first, Kind::Full));
            let later = part(pass, em, strip, (number, from), slots);
            em.internal.insert(field.sides[1], later);
            em.extent = field_extent(pass, number, from);
            enter(em, strip);
            em.scoped(|em| merge_full(em, field, state))
        })?;
    }
    em.given.clear();
    Ok(())
}

fn merge_full(em: &mut Emitter<'_>, field: &Field, state: Buf) -> Result<()> {
    let val = em.value(field.merge)?;
    let place = em.b.alias.get(&state).copied().unwrap_or(whole(state));
    if !em.redirect(val, place) {
        let buf = em.materialise(Kind::Full, Elem::F32, val);
        let dims = (em.extent.row_count, em.extent.col_count);
        em.b.ew(EwOp::Copy, state, Operand::Full(whole(buf)), None, dims);
    }
    Ok(())
}

/// The cube's product of a block, where it lies in its channel.
fn part(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    strip: &Strip,
    (number, from): (usize, Arg),
    slots: &[Arg],
) -> Internal {
    let found = pass.stream.sums.iter().position(|(at, _)| *at == number);
    let (Some(sum), Some((_, product))) = (found, found.and_then(|sum| pass.stream.sums.get(sum)))
    else {
        return Internal::Pending(Kind::Full);
    };
    let (Some(&ring), Some(slot)) = (pass.rings.get(sum), slots.get(sum)) else {
        return Internal::Pending(Kind::Full);
    };
    let pitch = pass.width(product);
    let down = em.b.mul(strip.inside, pitch);
    let at = em.b.add(*slot, down);
    Internal::Block {
        ring,
        at: em.b.add(at, from),
        pitch,
    }
}

// ---- results ----

/// What follows from the merged fields of a block of rows, or those of its fields that a group has.
pub(super) fn finish(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    (block, group): (Arg, Arg),
    kept: &Kept,
) -> Result<()> {
    let Some(left) = &pass.left else {
        return strips(pass, em, block, kept, |em, strip| {
            results(pass, em, strip, kept)
        });
    };
    let at = gather::place(pass, &mut em.b, (block, group));
    strips(pass, em, block, kept, |em, strip| {
        leave(pass, em, (strip, kept), (left, at))
    })
}

/// Leaves what a strip has accumulated in memory.
fn leave(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    (strip, kept): (&Strip, &Kept),
    (left, at): (&Left, Arg),
) -> Result<()> {
    let at = em.b.add(at, strip.inside);
    let fields = pass.stream.cascade.fields.iter().enumerate();
    for ((number, field), &tensor) in fields.zip(&left.fields) {
        let src = whole(kept.strip_state[number]);
        if is_row(field) {
            em.b.push(Op::Store {
                tensor,
                at,
                src,
                rows: Arg::Const(1),
                cols: strip.rows,
                pitch: Arg::Const(pass.size.m),
            });
            continue;
        }
        let width = width(pass, number);
        let each = field_extent(pass, number, Arg::Const(0))
            .cap_cols
            .min(width);
        let parts = (columns_parts(pass, number), each);
        let at = em.b.mul(at, width);
        each_part(pass, em, (strip, kept), parts, |em, first| {
            let at = em.b.add(at, first);
            em.b.push(Op::Store {
                tensor,
                at,
                src,
                rows: strip.rows,
                cols: Arg::Const(each),
                pitch: Arg::Const(width),
            });
            Ok(())
        })?;
    }
    Ok(())
}

/// Computes and stores what follows from the merged fields.
pub(super) fn results(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    strip: &Strip,
    kept: &Kept,
) -> Result<()> {
    let algo = pass.cx.algo;
    bind_maps(pass, em);
    for (field, buf) in pass.stream.cascade.fields.iter().zip(&kept.strip_state) {
        let kind = kind_of(field);
        let ready = Internal::Ready(Val::Buf(kind, *buf), kind);
        em.internal.insert(field.tensor, ready);
    }
    for &def in &pass.stream.defs {
        let target = algo.defs[def].target;
        if !pass.cx.stored(def) {
            continue;
        }
        let shape = &algo.tensors[target].shape;
        let row = shape.len() == pass.outer.len() + 1;
        let columns = shape.last().copied().filter(|_| !row);
        let each = columns.map_or(1, |columns| pass.merged_columns(columns));
        let parts = columns.map_or(1, |columns| columns / each.max(1)).max(1);
        each_part(pass, em, (strip, kept), (parts, each), |em, first| {
            em.extent = match columns {
                Some(columns) => part_extent(pass, columns, first),
                None => items_extent(pass),
            };
            enter(em, strip);
            em.scoped(|em| store(pass, em, def, (&strip.outer, row)))
        })?;
    }
    Ok(())
}

fn store(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    def: usize,
    (outer, row): (&[Arg], bool),
) -> Result<()> {
    let algo = pass.cx.algo;
    let target = algo.defs[def].target;
    let val = match em.internal.get(&target).copied() {
        Some(Internal::Ready(val, _)) => val,
        _ => em.value(algo.defs[def].value)?,
    };
    let kind = if row { Kind::Row } else { Kind::Full };
    let src = em.as_stored(algo.tensors[target].elem, kind, val);
    let steps = pitches(&algo.tensors[target].shape);
    let mut at = Arg::Const(0);
    for (value, pitch) in outer.iter().chain([&em.extent.row0.clone()]).zip(&steps) {
        let term = em.b.mul(*value, *pitch);
        at = em.b.add(at, term);
    }
    if !row {
        at = em.b.add(at, em.extent.col0);
    }
    let pitch = steps.get(pass.outer.len()).copied().unwrap_or(1);
    let (count, cols) = match row {
        true => (Arg::Const(1), em.extent.row_count),
        false => (em.extent.row_count, em.extent.col_count),
    };
    if let Some(&tensor) = em.gm.get(&target) {
        em.b.push(Op::Store {
            tensor,
            at,
            src: whole(src),
            rows: count,
            cols,
            pitch: Arg::Const(pitch),
        });
    }
    Ok(())
}
