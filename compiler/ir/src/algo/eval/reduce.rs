//! Accumulators of a reduction for many outputs at once.
//!
//! Each output has a row of cells. In lanes, item `i` is folded into cell `i mod n`; in a tree, it is put into cell
//! `i`. In the end the cells of a row are joined by adjacent pairs, which is both orders' last part.

use isa::num;
use isa::types::Elem;

use super::column::Column;
use super::reduction::{self, Plan};
use super::scalar::{self, Value};
use crate::algo::data::int_format;
use crate::algo::{BinaryOp, Reduce, ReduceOp};

/// The running state of one reduction.
pub(super) struct Accumulators {
    op: ReduceOp,
    /// Type of the accumulators.
    elem: Elem,
    /// Type of the items.
    item_elem: Elem,
    state: State,
}

enum State {
    F32(Cells<f32>),
    Half(Cells<u16>),
    Int(Cells<i64>),
    Bool(Cells<bool>),
    /// Rank and position of the best item so far, by output.
    Best(Vec<Option<(i64, usize)>>),
}

/// Rows of cells; the length of a row is a power of two.
struct Cells<T> {
    tree: bool,
    outputs: usize,
    width: usize,
    cells: Vec<T>,
}

/// A run of items: `count` from item `start` for each output, and which of them are taken.
#[derive(Copy, Clone)]
struct Run<'a> {
    start: usize,
    count: usize,
    taken: Option<&'a [bool]>,
}

impl Accumulators {
    /// Accumulators of type `elem` at the identity, for `outputs` reductions of `items` items each.
    pub(super) fn new(
        reduce: &Reduce,
        elem: Elem,
        item_elem: Elem,
        outputs: usize,
        items: usize,
    ) -> Accumulators {
        let (tree, width) = match reduction::plan(reduce) {
            Plan::Lanes(lanes) => (false, lanes),
            Plan::Tree => (true, items.next_power_of_two()),
        };
        let op = reduce.op;
        let identity = reduction::identity(op, elem);
        let size = outputs.saturating_mul(width);
        let state = match (op, elem) {
            (ReduceOp::ArgMax | ReduceOp::ArgMin, _) => State::Best(vec![None; outputs]),
            (_, Elem::F32) => State::F32(Cells {
                tree,
                outputs,
                width,
                cells: vec![identity.f32(); size],
            }),
            (_, Elem::F16 | Elem::Bf16) => State::Half(Cells {
                tree,
                outputs,
                width,
                cells: vec![identity.half(); size],
            }),
            (_, Elem::Bool) => State::Bool(Cells {
                tree,
                outputs,
                width,
                cells: vec![identity.is_true(); size],
            }),
            (_, Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8) => State::Int(Cells {
                tree,
                outputs,
                width,
                cells: vec![identity.int(); size],
            }),
        };
        Accumulators {
            op,
            elem,
            item_elem,
            state,
        }
    }

    /// Takes `count` items from item `start` of every output.
    pub(super) fn add(
        &mut self,
        start: usize,
        count: usize,
        taken: Option<&[bool]>,
        items: &Column,
    ) {
        let run = Run {
            start,
            count,
            taken,
        };
        let (op, elem) = (reduction::combiner(self.op), self.elem);
        match &mut self.state {
            State::F32(cells) => {
                let wide = items.widened(self.item_elem);
                add_f32s(cells, run, op, &wide);
            }
            State::Half(cells) => cells.fold(
                run,
                items.halves(),
                |item| item,
                |cell, item| {
                    let joined = scalar::binary(op, elem, Value::Half(cell), Value::Half(item));
                    joined.map_or(cell, Value::half)
                },
            ),
            State::Int(cells) => {
                let (bits, signed) = int_format(elem).unwrap_or((64, true));
                cells.fold(
                    run,
                    items.ints(),
                    |item| item,
                    |cell, item| scalar::binary_int(op, cell, item, bits, signed).unwrap_or(cell),
                );
            }
            State::Bool(cells) => cells.fold(
                run,
                items.bools(),
                |item| item,
                |cell, item| {
                    if op == BinaryOp::And {
                        cell & item
                    } else {
                        cell | item
                    }
                },
            ),
            State::Best(best) => {
                let ranks = ranks(self.op, self.item_elem, items);
                add_ranks(best, run, self.op, &ranks);
            }
        }
    }

    /// Takes exact products of two columns of items, as [`Accumulators::add`] does.
    pub(super) fn add_products(
        &mut self,
        start: usize,
        count: usize,
        taken: Option<&[bool]>,
        a: &Column,
        b: &Column,
    ) {
        let run = Run {
            start,
            count,
            taken,
        };
        let (halves_a, halves_b) = (a.halves(), b.halves());
        match (&mut self.state, self.item_elem) {
            (State::F32(cells), Elem::F16) => {
                let pairs: Vec<(u16, u16)> = zip(halves_a, halves_b);
                let step = |cell, (a, b)| num::mac_f16(cell, a, b);
                cells.fold(run, &pairs, |item| step(0.0, item), step);
            }
            (State::F32(cells), _) => {
                let pairs: Vec<(u16, u16)> = zip(halves_a, halves_b);
                let step = |cell, (a, b)| num::mac_bf16(cell, a, b);
                cells.fold(run, &pairs, |item| step(0.0, item), step);
            }
            (State::Int(cells), _) => {
                let pairs: Vec<(i64, i64)> = zip(a.ints(), b.ints());
                let step =
                    |cell, (a, b)| num::int_add(cell, num::int_mul(a, b, 32, true), 32, true);
                cells.fold(run, &pairs, |item| step(0, item), step);
            }
            (State::Half(_) | State::Bool(_) | State::Best(_), _) => {
                debug_assert!(false, "verified: exact products are summed in f32 or i32");
            }
        }
    }

    /// The value of each output.
    pub(super) fn finish(self) -> Column {
        let (op, elem) = (self.op, self.elem);
        match self.state {
            State::F32(cells) => {
                let (op, elem) = (op, elem);
                Column::F32(
                    cells
                        .join(|a, b| reduction::join(op, elem, Value::F32(a), Value::F32(b)).f32()),
                )
            }
            State::Half(cells) => Column::Half(
                cells.join(|a, b| reduction::join(op, elem, Value::Half(a), Value::Half(b)).half()),
            ),
            State::Int(cells) => Column::Int(
                cells.join(|a, b| reduction::join(op, elem, Value::Int(a), Value::Int(b)).int()),
            ),
            State::Bool(cells) => {
                Column::Bool(cells.join(|a, b| if op == ReduceOp::All { a & b } else { a | b }))
            }
            State::Best(best) => Column::Int(
                best.into_iter()
                    .map(|best| best.map_or(0, |(_, item)| item as i64))
                    .collect(),
            ),
        }
    }
}

fn zip<T: Copy>(a: &[T], b: &[T]) -> Vec<(T, T)> {
    a.iter().copied().zip(b.iter().copied()).collect()
}

/// One loop per operation, so that the choice is outside.
fn add_f32s(cells: &mut Cells<f32>, run: Run<'_>, op: BinaryOp, items: &[f32]) {
    let leaf = num::canonical_f32;
    match op {
        BinaryOp::Add => cells.fold(run, items, leaf, num::add_f32),
        BinaryOp::Mul => cells.fold(run, items, leaf, num::mul_f32),
        BinaryOp::Max => cells.fold(run, items, leaf, num::max_f32),
        BinaryOp::Min => cells.fold(run, items, leaf, num::min_f32),
        BinaryOp::Sub
        | BinaryOp::Div
        | BinaryOp::Rem
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr => debug_assert!(false, "no reduction combines by {op:?}"),
    }
}

fn ranks(op: ReduceOp, elem: Elem, items: &Column) -> Vec<i64> {
    if elem.is_float() {
        let wide = items.widened(elem);
        wide.into_iter()
            .map(|x| reduction::rank_f32(op, x))
            .collect()
    } else {
        items.ints().to_vec()
    }
}

fn add_ranks(best: &mut [Option<(i64, usize)>], run: Run<'_>, op: ReduceOp, ranks: &[i64]) {
    for (output, best) in best.iter_mut().enumerate() {
        for c in 0..run.count {
            let lane = output * run.count + c;
            let taken = run.taken.is_none_or(|taken| taken[lane]);
            if taken && best.is_none_or(|(old, _)| reduction::beats(op, ranks[lane], old)) {
                *best = Some((ranks[lane], run.start + c));
            }
        }
    }
}

impl<T: Copy> Cells<T> {
    /// Takes the items of a run: `step` meets a cell with an item, `leaf` makes an item a cell of a tree.
    fn fold<I: Copy>(
        &mut self,
        run: Run<'_>,
        items: &[I],
        leaf: impl Fn(I) -> T,
        step: impl Fn(T, I) -> T,
    ) {
        let rows = self.cells.chunks_exact_mut(self.width);
        for (output, (row, items)) in rows.zip(items.chunks_exact(run.count)).enumerate() {
            let taken = run
                .taken
                .map(|taken| &taken[output * run.count..][..run.count]);
            match (self.tree, taken) {
                (true, _) => put(&mut row[run.start..], items, taken, &leaf),
                (false, None) => fold_row(row, run.start, items, &step),
                (false, Some(taken)) => fold_taken(row, run.start, items, taken, &step),
            }
        }
    }

    /// Joins the cells of each row by adjacent pairs.
    fn join(mut self, join: impl Fn(T, T) -> T) -> Vec<T> {
        while self.width > 1 {
            self.cells = self
                .cells
                .as_chunks::<2>()
                .0
                .iter()
                .map(|&[a, b]| join(a, b))
                .collect();
            self.width /= 2;
        }
        self.cells.truncate(self.outputs);
        self.cells
    }
}

fn put<T, I: Copy>(row: &mut [T], items: &[I], taken: Option<&[bool]>, leaf: &impl Fn(I) -> T) {
    for (c, (cell, &item)) in row.iter_mut().zip(items).enumerate() {
        if taken.is_none_or(|taken| taken[c]) {
            *cell = leaf(item);
        }
    }
}

fn fold_row<T: Copy, I: Copy>(row: &mut [T], start: usize, items: &[I], step: &impl Fn(T, I) -> T) {
    if let [cell] = row {
        *cell = items.iter().fold(*cell, |cell, &item| step(cell, item));
        return;
    }
    let mut rest = items;
    let mut first = start & (row.len() - 1);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(row.len() - first));
        for (cell, &item) in row[first..].iter_mut().zip(now) {
            *cell = step(*cell, item);
        }
        (rest, first) = (later, 0);
    }
}

fn fold_taken<T: Copy, I: Copy>(
    row: &mut [T],
    start: usize,
    items: &[I],
    taken: &[bool],
    step: &impl Fn(T, I) -> T,
) {
    let last = row.len() - 1;
    for (c, (&item, _)) in items
        .iter()
        .zip(taken)
        .enumerate()
        .filter(|(_, (_, taken))| **taken)
    {
        let cell = &mut row[(start + c) & last];
        *cell = step(*cell, item);
    }
}
