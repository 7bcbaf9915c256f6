//! A step of definitions over rows × columns, on the vector cores.
//!
//! Blocks of rows go to the cores in turn. If a whole row fits into the unified buffer, everything happens in one pass;
//! otherwise rows are walked in chunks, once per level of reductions that depend on each other (a softmax: maximum, sum,
//! result), and what is element-wise is computed again. Sums keep 64 lanes a row, so chunking does not change a bit.

mod cascade;
mod first;
mod lanes;
mod wide;

use std::collections::BTreeMap;

use ir::algo::{Expr, ExprKind, Func, Order, Reduce};
use ir::tile::{Arg, Buf, CoreQuery, Op, View};
use isa::types::Elem;

use super::access::{collapse, flatten};
use super::builder::{Builder, whole};
use super::expr::{Emitter, Extent, GmMap, Internal, Kind, Place, SQUARE, ceil_div, round_up};
use super::{Result, StepCx};
use crate::Level;
use crate::partition::Rows;
use crate::schedule::{Given, Knob, Values};

/// Rows of a block that is reduced: lanes are joined by one repeat a row, and 255 are encoded.
const REDUCED_ROWS: i64 = 240;
pub(crate) use self::lanes::{identity, item, lane_elem};
pub(crate) use self::wide::runs_in_lanes;

/// Elements that one block of a buffer should hold: enough to hide latencies, small enough for a dozen buffers.
const BLOCK_ELEMENTS: i64 = 16384;

/// Copies of a buffer that is stored while the next is computed.
const DOUBLE: u32 = 2;
/// Most copies that a schedule may ask for.
const MOST_OUT: u32 = 4;

/// The size of a block.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Block {
    pub(crate) rows: i64,
    pub(crate) cols: i64,
    /// Elements from one row to the next in buffers.
    pub(crate) pitch: i64,
    /// Copies of what is stored. One, and not as many as of what is loaded, where whole rows take so long that a store is
    /// over before the next result is there.
    pub(crate) out_depth: u32,
}

impl Block {
    /// The same as values of a schedule.
    pub(crate) fn values(&self) -> Values {
        [
            (Knob::Rows, self.rows),
            (Knob::Cols, self.cols),
            (Knob::Pitch, self.pitch),
            (Knob::OutDepth, i64::from(self.out_depth)),
        ]
        .into()
    }

    /// A block whose rows follow each other without gaps.
    pub(crate) const fn packed(rows: i64, cols: i64) -> Block {
        Block {
            rows,
            cols,
            pitch: cols,
            out_depth: DOUBLE,
        }
    }
}

/// Block sizes worth trying, the best by rule first.
pub(crate) fn blocks(cx: &StepCx<'_>, step: &Rows) -> Vec<Block> {
    let mut sizes = blocks_by_rule(cx, step);
    if cx.level != Level::O0 {
        sizes.extend(shares(cx, step));
        if reads_across(cx, step) {
            sizes.extend(squares(step));
        }
    }
    for block in &mut sizes {
        block.out_depth = block.out_depth.min(cx.depth());
    }
    let lanes = wide_lanes(cx, step);
    let (_, cols) = extents_to_choose_by(cx, step);
    sizes.retain(|block| {
        let meets = |&lanes: &i64| block.cols % lanes == 0 || lanes % block.cols == 0;
        block.cols >= cols || lanes.iter().all(meets)
    });
    sizes
}

/// Blocks of the sides that are given, each other side as one of the usual blocks has it; those that can be made.
pub(crate) fn given(cx: &StepCx<'_>, step: &Rows, given: &Given, usual: &[Block]) -> Vec<Block> {
    let unit = column_unit(cx.algo, &step.defs);
    let reduces = step.defs.iter().any(|&d| cx.algo.root_reduce(d).is_some());
    let most = if reduces { REDUCED_ROWS } else { i64::MAX };
    let whole_row = round_up(extents_to_choose_by(cx, step).1, unit);
    let side = |knob: Knob, own: i64| given.values.get(&knob).copied().unwrap_or(own);
    let mut made: Vec<Block> = Vec::new();
    for block in usual {
        let (rows, cols) = (side(Knob::Rows, block.rows), side(Knob::Cols, block.cols));
        let pitch = side(Knob::Pitch, cols);
        let out_depth = side(Knob::OutDepth, i64::from(block.out_depth));
        let out_depth = u32::try_from(out_depth).unwrap_or(u32::MAX);
        let block = Block {
            rows,
            cols,
            pitch,
            out_depth,
        };
        let possible = rows <= most
            && (1..=MOST_OUT).contains(&out_depth)
            && cols % unit == 0
            && cols <= whole_row.max(256)
            && (pitch == cols || (pitch > cols && pitch % unit == 0 && cols < whole_row));
        if possible && made.iter().all(|known| known.values() != block.values()) {
            made.push(block);
        }
    }
    made
}

/// Lanes of the sums that have more than a repeat.
fn wide_lanes(cx: &StepCx<'_>, step: &Rows) -> Vec<i64> {
    let reduces = step.defs.iter().filter_map(|&d| cx.algo.root_reduce(d));
    let lanes = reduces.filter_map(|reduce| match reduce.order {
        Order::Lanes(lanes) if lanes > 64 => Some(i64::from(lanes)),
        Order::Lanes(_) | Order::Ascending | Order::Tree | Order::Free => None,
    });
    lanes.collect()
}

/// Whether a load follows the columns of its tensor.
fn reads_across(cx: &StepCx<'_>, step: &Rows) -> bool {
    let across = |def: usize| {
        let order = cx.indices(def);
        let (rows, cols) = order.split_at(step.rows.len().min(order.len()));
        let (Some(&row), Some(&col)) = (rows.last(), cols.last()) else {
            return false;
        };
        let loads = cx.algo.accesses(cx.algo.defs[def].value);
        loads.into_iter().any(|e| {
            cx.algo
                .load(e)
                .and_then(|(tensor, at, _)| flatten(cx.algo, tensor, at))
                .is_some_and(|linear| linear.stride(row) == 1 && linear.stride(col) > 1)
        })
    };
    step.defs.iter().any(|&def| across(def))
}

/// Blocks of whole squares, for transpositions.
fn squares(step: &Rows) -> Vec<Block> {
    let sides = |extent: i64| {
        let most = round_up(extent, SQUARE);
        let sides = [16, 32, 64, 128, 256].into_iter();
        sides.filter(move |&side| side <= most)
    };
    let (rows, cols) = (product(&step.rows), product(&step.cols));
    let all = sides(rows).flat_map(|rows| sides(cols).map(move |cols| Block::packed(rows, cols)));
    all.filter(|block| block.rows * block.cols <= MOST_CELLS)
        .collect()
}

/// Rows and columns of a step; of symbolic rows as many as are usual, of symbolic columns the most there can be.
fn extents_to_choose_by(cx: &StepCx<'_>, step: &Rows) -> (i64, i64) {
    let (rows, cols) = (product(&step.rows), product(&step.cols));
    let symbols = &cx.algo.symbols;
    (symbols.assumed(rows), symbols.most(cols).unwrap_or(cols))
}

/// Equal shares of the rows of a core, whole rows or chunks of them.
fn shares(cx: &StepCx<'_>, step: &Rows) -> Vec<Block> {
    let (rows, cols) = extents_to_choose_by(cx, step);
    let unit = column_unit(cx.algo, &step.defs);
    let whole_row = round_up(cols, unit);
    let spaced = SPACING % unit == 0;
    let share = ceil_div(rows, cx.vector_cores()).max(1);
    let reduces = step.defs.iter().any(|&d| cx.algo.root_reduce(d).is_some());
    let widths = [whole_row, 2048, 1024, 512, 256];
    let widths = widths.into_iter().enumerate();
    let mut sizes = Vec::new();
    for (_, width) in widths.filter(|&(n, width)| n == 0 || width < whole_row) {
        let mut last = 0;
        for parts in (1..=12).chain([16, 24, 32, 48, 64, 96, 128, i64::MAX]) {
            let block = ceil_div(share, parts).min(REDUCED_ROWS);
            let cells = block.saturating_mul(width);
            let several = block > 1 || (reduces && width == whole_row);
            if several && block != last && (LEAST_CELLS..=MOST_CELLS).contains(&cells) {
                sizes.push(Block::packed(block, width));
                if reduces && width == whole_row && cells >= BLOCK_ELEMENTS / 2 {
                    sizes.push(Block {
                        out_depth: 1,
                        ..Block::packed(block, width)
                    });
                }
                if width < whole_row && spaced {
                    sizes.push(Block {
                        pitch: width + SPACING,
                        ..Block::packed(block, width)
                    });
                }
                last = block;
            }
        }
    }
    sizes
}

/// Elements between rows that let neighbouring rows of 32-bit elements start in different halves of the bank groups of
/// UB (davinci-facts §7.1): an instruction whose repeats are rows then does not meet its own writes.
const SPACING: i64 = 64;
/// Elements of a block between which shares are tried: fewer do not pay for their barriers, more never fit.
const LEAST_CELLS: i64 = 2048;
const MOST_CELLS: i64 = 1 << 15;

/// Block sizes that fill buffers of the usual size, the largest first.
fn blocks_by_rule(cx: &StepCx<'_>, step: &Rows) -> Vec<Block> {
    let unit = column_unit(cx.algo, &step.defs);
    let (rows, cols) = extents_to_choose_by(cx, step);
    let reduces = step.defs.iter().any(|&d| cx.algo.root_reduce(d).is_some());
    let whole_row = round_up(cols, unit);
    let mut sizes = Vec::new();
    if whole_row <= 2 * BLOCK_ELEMENTS {
        let share = ceil_div(rows, cx.vector_cores()).max(1);
        let mut block = (cx.block_elements() / whole_row).clamp(1, share);
        if reduces {
            block = block.min(REDUCED_ROWS);
        }
        let balanced = whole_row.min(round_up(ceil_div(cols, cx.vector_cores()), unit));
        if !reduces && rows == 1 {
            sizes.push(Block::packed(1, balanced.min(cx.block_elements() / 2)));
        } else {
            while block > 1 {
                sizes.push(Block::packed(block, whole_row));
                block /= 2;
            }
            sizes.push(Block::packed(1, whole_row));
        }
    }
    let mut chunk = round_up(cx.block_elements() / 2, 256).min(round_up(whole_row, 256));
    if !reduces && rows == 1 {
        chunk = chunk.min(round_up(ceil_div(cols, cx.vector_cores()), 256));
    }
    while chunk >= 256 {
        sizes.push(Block::packed(1, chunk));
        chunk = round_up(chunk / 2, 256).min(chunk - 256).max(0);
    }
    sizes
}

/// Masks hold a bit an element and start at 32-byte blocks; other buffers hold 16-bit elements at least.
pub(crate) fn column_unit(algo: &Func, defs: &[usize]) -> i64 {
    let has = |found: &dyn Fn(Expr) -> bool| {
        defs.iter()
            .any(|&d| below(algo, algo.defs[d].value).into_iter().any(found))
    };
    if has(&|e| algo.exprs[e].elem == Elem::Bool || border(algo, e)) {
        256
    } else if has(&|e| algo.exprs[e].elem.bytes() == 1) {
        32
    } else if has(&|e| algo.exprs[e].elem.bytes() == 2) {
        16
    } else {
        8
    }
}

fn border(algo: &Func, e: Expr) -> bool {
    matches!(
        algo.exprs[e].kind,
        ExprKind::Load {
            border: Some(_),
            ..
        } | ExprKind::Gather {
            border: Some(_),
            ..
        }
    )
}

fn below(algo: &Func, root: Expr) -> Vec<Expr> {
    let mut seen = std::collections::BTreeSet::new();
    let mut work = vec![root];
    while let Some(e) = work.pop() {
        if seen.insert(e) {
            work.extend(algo.exprs[e].kind.operands());
        }
    }
    seen.into_iter().collect()
}

/// Appends the step to the current block of `b`, which every vector core runs.
pub(crate) fn emit(
    cx: &StepCx<'_>,
    step: &Rows,
    block: Block,
    b: Builder,
    gm: &GmMap,
) -> Result<Builder> {
    let mut plan = Plan::new(cx, step, block);
    let mut e = Emitter::new(cx.algo, b, gm, plan.extent.clone());
    e.out_depth = block.out_depth;
    plan.enter_sizes(&mut e);
    plan.bind(&mut e);
    let core = Arg::Val(e.b.query(CoreQuery::Core));
    plan.hoist_invariants(&mut e)?;
    let blocks = match plan.reduces {
        true => plan.row_blocks,
        false => e.b.mul(plan.row_blocks, plan.chunks),
    };
    e.for_loop(core, blocks, cx.vector_cores(), |e, t| {
        if plan.reduces {
            plan.enter_rows(e, t);
            plan.rows_with_reductions(e)
        } else {
            let row_block = e.b.div(t, plan.chunks);
            let chunk = e.b.rem(t, plan.chunks);
            plan.enter_rows(e, row_block);
            plan.enter_chunk(e, chunk);
            plan.maps(e)
        }
    })?;
    if block.rows == 1 && cx.level != Level::O0 {
        let root = e.b.block;
        first::lanes_where_they_are_added(&mut e.b.func, root);
    }
    Ok(e.b)
}

pub(crate) struct Plan<'a> {
    cx: &'a StepCx<'a>,
    step: &'a Rows,
    extent: Extent,
    rows: i64,
    cols: i64,
    row_blocks: Arg,
    /// Chunks of a row; known to be one if a row fits whatever the sizes.
    chunks: Arg,
    /// Columns of a chunk.
    width: i64,
    reduces: bool,
    /// Whether items may be added in any order.
    pub(crate) order_free: bool,
    level: BTreeMap<usize, u32>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(cx: &'a StepCx<'a>, step: &'a Rows, block: Block) -> Plan<'a> {
        let (rows, cols) = (product(&step.rows), product(&step.cols));
        let most = cx.algo.symbols.most(cols).unwrap_or(cols);
        let chunks = ceil_div(most, block.cols).max(1);
        let mut plan = Plan {
            cx,
            step,
            extent: Extent {
                rows: step.rows.clone(),
                cols: step.cols.clone(),
                cap_rows: block.rows,
                cap_cols: block.pitch,
                row0: Arg::Const(0),
                col0: Arg::Const(0),
                row_count: Arg::Const(block.rows.min(rows)),
                col_count: Arg::Const(block.cols.min(cols)),
                padded: false,
                depth: cx.depth(),
            },
            rows,
            cols,
            row_blocks: Arg::Const(ceil_div(rows, block.rows).max(1)),
            chunks: Arg::Const(chunks),
            width: block.cols,
            reduces: step.defs.iter().any(|&d| cx.algo.root_reduce(d).is_some()),
            order_free: false,
            level: BTreeMap::new(),
        };
        plan.extent.padded = block.cols == block.pitch
            && (cols == block.cols || (chunks == 1 && plan.loads_fill_rows(block.cols)));
        for &def in &step.defs {
            let level = plan.level_of(def);
            plan.level.insert(def, level);
        }
        plan
    }

    /// Computes what depends on symbolic sizes, before everything else.
    fn enter_sizes(&mut self, e: &mut Emitter<'_>) {
        self.row_blocks = e.b.parts(self.rows, self.extent.cap_rows);
        if !self.one_chunk() {
            self.chunks = e.b.parts(self.cols, self.width);
        } else if self.cx.algo.symbols.is_symbolic(self.cols) {
            e.extent.col_count = e.b.lift(Arg::Const(self.cols));
        }
    }

    fn one_chunk(&self) -> bool {
        self.chunks == Arg::Const(1)
    }

    /// Whether every load initialises its buffer's rows up to `pitch`: DMA fills the last 32 B block.
    fn loads_fill_rows(&self, pitch: i64) -> bool {
        let algo = self.cx.algo;
        self.step.defs.iter().all(|&def| {
            let order = self.cx.indices(def);
            let cols = order.get(self.step.rows.len()..).unwrap_or(&[]).to_vec();
            algo.accesses(algo.defs[def].value).into_iter().all(|e| {
                let ExprKind::Load { tensor, at, border } = &algo.exprs[e].kind else {
                    // Elements that data names are put one by one.
                    return false;
                };
                if self.member(*tensor).is_some() {
                    return true;
                }
                let Some(linear) = flatten(algo, *tensor, at) else {
                    return false;
                };
                let dims: Vec<_> = cols
                    .iter()
                    .map(|&i| (linear.stride(i), algo.indices[i].extent))
                    .collect();
                let unit = 32 / i64::try_from(algo.tensors[*tensor].elem.bytes()).unwrap_or(1);
                border.is_none()
                    && match collapse(&dims) {
                        Some(0) => true,
                        Some(1) => round_up(self.cols, unit) == pitch,
                        Some(_) | None => false,
                    }
            })
        })
    }

    fn member(&self, tensor: ir::algo::Tensor) -> Option<usize> {
        self.step
            .defs
            .iter()
            .copied()
            .find(|&d| self.cx.algo.defs[d].target == tensor)
    }

    /// In which pass a definition can be computed: after the reductions that it needs.
    fn level_of(&self, def: usize) -> u32 {
        if let Some(cascade) = self.cascade()
            && let Some(level) = self.level_in(cascade, def)
        {
            return level;
        }
        let algo = self.cx.algo;
        algo.accesses(algo.defs[def].value)
            .into_iter()
            .filter_map(|e| algo.load(e))
            .filter_map(|(tensor, ..)| self.member(tensor))
            .map(|source| {
                let level = self.level.get(&source).copied().unwrap_or(0);
                level + u32::from(algo.root_reduce(source).is_some())
            })
            .max()
            .unwrap_or(0)
    }

    fn bind(&self, e: &mut Emitter<'_>) {
        let algo = self.cx.algo;
        for &def in &self.step.defs {
            for (d, index) in self.cx.indices(def).into_iter().enumerate() {
                let place = if algo.indices[index].extent == 1 {
                    Place::Fixed(Arg::Const(0))
                } else if d < self.step.rows.len() {
                    Place::Row(d)
                } else {
                    Place::Col(d - self.step.rows.len())
                };
                e.place.insert(index, place);
            }
            let target = algo.defs[def].target;
            let internal = match algo.root_reduce(def) {
                Some(_) => Internal::Pending(Kind::Row),
                None => Internal::Map(algo.defs[def].value),
            };
            e.internal.insert(target, internal);
        }
    }

    /// Computes before the loop what no row changes.
    fn hoist_invariants(&self, e: &mut Emitter<'_>) -> Result<()> {
        let widest = if self.one_chunk() {
            Kind::Col
        } else {
            Kind::Uniform
        };
        // What is loaded once needs one copy.
        let depth = std::mem::replace(&mut e.extent.depth, 1);
        for &def in &self.step.defs {
            e.hoist(self.cx.algo.defs[def].value, &|kind| {
                kind == Kind::Uniform || kind == widest
            })?;
        }
        e.extent.depth = depth;
        Ok(())
    }

    fn enter_rows(&self, e: &mut Emitter<'_>, block: Arg) {
        let cap = self.extent.cap_rows;
        e.extent.row0 = e.b.mul(block, cap);
        let row0 = e.extent.row0;
        e.extent.row_count = e.b.clip(cap.min(self.rows), self.rows, row0);
    }

    fn enter_chunk(&self, e: &mut Emitter<'_>, chunk: Arg) {
        let cap = self.width;
        e.extent.col0 = e.b.mul(chunk, cap);
        let col0 = e.extent.col0;
        e.extent.col_count = e.b.clip(cap.min(self.cols), self.cols, col0);
    }

    fn rows_with_reductions(&self, e: &mut Emitter<'_>) -> Result<()> {
        if self.one_chunk() {
            for &def in &self.step.defs {
                match self.cx.algo.root_reduce(def) {
                    Some(reduce) => self.reduce_at_once(e, def, reduce)?,
                    None => self.store_map(e, def)?,
                }
            }
        } else {
            let passes = self.level.values().copied().max().unwrap_or(0);
            for pass in 0..=passes {
                self.pass(e, pass)?;
            }
        }
        self.store_row_results(e)?;
        self.forget_reductions(e);
        Ok(())
    }

    /// A reduction over all columns of the block, whose value is then there.
    pub(crate) fn reduce_at_once(
        &self,
        e: &mut Emitter<'_>,
        def: usize,
        reduce: &Reduce,
    ) -> Result<()> {
        let lanes = match self.lanes_at_once(e, def, reduce)? {
            Some(lanes) => lanes,
            None => {
                let acc = self.start_lanes(e, def, reduce);
                self.accumulate(e, def, reduce, acc)?;
                acc
            }
        };
        self.finish_lanes(e, def, reduce, lanes);
        Ok(())
    }

    /// One walk over the chunks of the rows: the reductions and results of one level.
    fn pass(&self, e: &mut Emitter<'_>, pass: u32) -> Result<()> {
        let algo = self.cx.algo;
        let here: Vec<usize> = self
            .step
            .defs
            .iter()
            .copied()
            .filter(|d| self.level.get(d) == Some(&pass) && self.walks(*d))
            .collect();
        if here.is_empty() {
            return Ok(());
        }
        let here = match self.cascade() {
            Some(cascade) if here.iter().any(|def| self.is_field(cascade, *def)) => {
                self.walk_once(e, cascade)?;
                let others = here.into_iter();
                others.filter(|def| !self.is_field(cascade, *def)).collect()
            }
            Some(_) | None => here,
        };
        if here.is_empty() {
            return Ok(());
        }
        for &def in &here {
            e.hoist(algo.defs[def].value, &|kind| kind == Kind::Row)?;
        }
        let lanes: Vec<Option<Buf>> = here
            .iter()
            .map(|&d| algo.root_reduce(d).map(|r| self.start_lanes(e, d, r)))
            .collect();
        e.for_loop(0, self.chunks, 1, |e, chunk| -> Result<()> {
            self.enter_chunk(e, chunk);
            for (&def, acc) in here.iter().zip(&lanes) {
                match (algo.root_reduce(def), acc) {
                    (Some(reduce), Some(acc)) => self.accumulate(e, def, reduce, *acc)?,
                    _ => self.store_map(e, def)?,
                }
            }
            Ok(())
        })?;
        for (&def, acc) in here.iter().zip(&lanes) {
            if let (Some(reduce), Some(acc)) = (algo.root_reduce(def), acc) {
                self.finish_lanes(e, def, reduce, *acc);
            }
        }
        Ok(())
    }

    /// Whether a definition needs its columns walked: reductions, and full results.
    fn walks(&self, def: usize) -> bool {
        self.cx.algo.root_reduce(def).is_some() || (self.cx.stored(def) && !self.is_row(def))
    }

    fn is_row(&self, def: usize) -> bool {
        let dims = self.cx.algo.defs[def].indices.len();
        self.cx.algo.root_reduce(def).is_some()
            || dims < self.step.rows.len() + self.step.cols.len()
    }

    fn maps(&self, e: &mut Emitter<'_>) -> Result<()> {
        for &def in &self.step.defs {
            self.store_map(e, def)?;
        }
        Ok(())
    }

    fn store_map(&self, e: &mut Emitter<'_>, def: usize) -> Result<()> {
        if !self.cx.stored(def) || self.is_row(def) {
            return Ok(());
        }
        let (target, value) = self.target(def);
        let elem = self.cx.algo.tensors[target].elem;
        let src = e.stored_form(elem, Kind::Full, value)?;
        let row = e.extent.row0;
        let (start, pitch) = self.memory(def);
        let down = e.b.mul(row, pitch);
        let first = e.b.add(down, start);
        let col0 = e.extent.col0;
        let at = e.b.add(first, col0);
        let (rows, cols) = (e.extent.row_count, e.extent.col_count);
        self.store(e, target, (at, pitch), src, (rows, cols));
        Ok(())
    }

    /// The offset of a definition's first element in memory, and the distance of its rows.
    fn memory(&self, def: usize) -> (i64, i64) {
        let target = self.cx.algo.defs[def].target;
        let whole = (0, self.cols);
        let Some(part) = self.cx.parts.get(&target) else {
            return whole;
        };
        let shape = &self.cx.algo.tensors[target].shape;
        let pitch = part.pitch(shape, self.step.rows.len());
        debug_assert!(pitch.is_some(), "partition: boxes are rows at one distance");
        pitch.map_or(whole, |pitch| (part.start, pitch))
    }

    /// Stores what varies with the row alone, once every reduction has finished.
    fn store_row_results(&self, e: &mut Emitter<'_>) -> Result<()> {
        for &def in &self.step.defs {
            if self.is_row(def) {
                self.store_row(e, def)?;
            }
        }
        Ok(())
    }

    fn store_row(&self, e: &mut Emitter<'_>, def: usize) -> Result<()> {
        if !self.cx.stored(def) {
            return Ok(());
        }
        let (target, value) = self.target(def);
        let val = match e.internal.get(&target) {
            Some(Internal::Ready(val, _)) => *val,
            _ => e.value(value)?,
        };
        let src = e.as_stored(self.cx.algo.tensors[target].elem, Kind::Row, val);
        let (at, cols) = (e.extent.row0, e.extent.row_count);
        self.store(e, target, (at, self.cols), src, (Arg::Const(1), cols));
        Ok(())
    }

    fn store(
        &self,
        e: &mut Emitter<'_>,
        target: ir::algo::Tensor,
        (at, pitch): (Arg, i64),
        src: Buf,
        (rows, cols): (Arg, Arg),
    ) {
        if let Some(&tensor) = e.gm.get(&target) {
            let pitch = Arg::Const(pitch);
            e.b.push(Op::Store {
                tensor,
                at,
                src: whole(src),
                rows,
                cols,
                pitch,
            });
        }
    }

    fn target(&self, def: usize) -> (ir::algo::Tensor, Expr) {
        let def = &self.cx.algo.defs[def];
        (def.target, def.value)
    }

    fn forget_reductions(&self, e: &mut Emitter<'_>) {
        for &def in &self.step.defs {
            if self.cx.algo.root_reduce(def).is_some() {
                e.internal
                    .insert(self.cx.algo.defs[def].target, Internal::Pending(Kind::Row));
            }
        }
    }
}

/// The product of extents; the front end has checked that tensors are addressable.
pub(crate) fn product(extents: &[i64]) -> i64 {
    extents.iter().product()
}

/// The view of one row.
pub(crate) fn row_of(buf: Buf, row: Arg) -> View {
    View {
        buf,
        row,
        col: Arg::Const(0),
    }
}
