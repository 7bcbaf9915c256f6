//! Sums of products in ascending order, computed as blocked matrix products with the same bits.
//!
//! A reduction `sum(k) a * b` is a batch of matrix products, whatever its indices are called: those of both operands
//! are batch, those of one are rows, those of the other are columns. Each output still has one accumulator that meets
//! its items in ascending order; only different outputs are computed side by side. Operands are any expressions that
//! cannot fault; they are evaluated once per batch into panels of f32.
//!
//! Why f32 is enough:
//! - f16: a product has at most 22 digits and a small exponent, so the f32 product is exact.
//! - bf16: a product has 16 digits; it is exact unless it leaves the range of f32, which is checked beforehand.
//! - f32: the definition itself, a rounded product and a rounded sum. NaN is made canonical at the end, as no later sum
//!   undoes it.
//! - i8, u8: sums of up to [`DEPTH`] products are whole numbers below 2^24, exact in f32; they are added up in i32.

use isa::num;
use isa::types::Elem;

use super::EvalError;
use super::lanes::{CHUNK, Machine, Scope};
use crate::algo::data::Data;
use crate::algo::{BinaryOp, Expr, ExprKind, Func, Index, Order, ReduceOp};

/// Rows of a tile of outputs that is kept in registers.
const ROWS: usize = 6;
/// Columns of such a tile.
const COLUMNS: usize = 16;
/// Items between two visits of a tile to memory. 255² · 256 < 2^24.
const DEPTH: usize = 256;
/// Rows whose operand is evaluated at once.
const ROW_BLOCK: usize = 60;
/// The most outputs that are computed as a whole.
const MOST_OUTPUTS: usize = 1 << 28;
/// Below this many products it is not worth it.
const LEAST_WORK: usize = 1 << 10;

/// A reduction computed for all values of its free indices.
pub(super) struct Stored {
    /// Elements of the reduction's type.
    pub(super) data: Data,
    /// The distance between neighbours along each free index.
    pub(super) strides: Vec<(Index, usize)>,
}

/// Computes a reduction as a whole if that is possible and pays.
pub(super) fn contract(machine: &Machine<'_>, expr: Expr) -> Result<Option<Stored>, EvalError> {
    match Contraction::find(machine, expr) {
        Some(contraction) => contraction.compute(machine),
        None => Ok(None),
    }
}

/// A reduction as a batch of matrix products.
struct Contraction {
    elem: Elem,
    a: Expr,
    b: Expr,
    batch: Side,
    rows: Side,
    columns: Side,
    items: Side,
}

/// A group of indices, flattened with the last one fastest, and their values at each flat position.
struct Side {
    indices: Vec<Index>,
    count: usize,
    values: Vec<Vec<i64>>,
}

impl Side {
    fn new(func: &Func, indices: Vec<Index>) -> Option<Side> {
        let mut count = 1usize;
        for &index in &indices {
            count = count.checked_mul(func.indices[index].extent as usize)?;
        }
        Some(Side {
            indices,
            count,
            values: Vec::new(),
        })
    }

    /// Fills the table of values.
    fn tabulate(&mut self, func: &Func) {
        let mut inner = self.count;
        self.values.clear();
        for &index in &self.indices {
            let extent = func.indices[index].extent as usize;
            inner /= extent;
            let value = |position: usize| (position / inner % extent) as i64;
            self.values.push((0..self.count).map(value).collect());
        }
    }
}

impl Contraction {
    /// Recognises a sum of products by its structure.
    fn find(machine: &Machine<'_>, expr: Expr) -> Option<Contraction> {
        let func = machine.func;
        let ExprKind::Reduce(reduce) = &func.exprs[expr].kind else {
            return None;
        };
        let ascending = reduce.op == ReduceOp::Sum && reduce.order == Order::Ascending;
        if !ascending || reduce.mask.is_some() || machine.facts.may_fault(reduce.body) {
            return None;
        }
        let ExprKind::Binary(BinaryOp::Mul, a, b) = func.exprs[reduce.body].kind else {
            return None;
        };
        let elem = func.exprs[reduce.body].elem;
        if !suits(elem, reduce.exact_product) {
            return None;
        }
        let (of_a, of_b) = (machine.facts.free(a), machine.facts.free(b));
        let pick = |wanted: &dyn Fn(&Index) -> bool| {
            let free = machine.facts.free(expr).iter().copied().filter(wanted);
            Side::new(func, free.collect())
        };
        let contraction = Contraction {
            elem,
            a,
            b,
            batch: pick(&|i| of_a.contains(i) && of_b.contains(i))?,
            rows: pick(&|i| of_a.contains(i) && !of_b.contains(i))?,
            columns: pick(&|i| !of_a.contains(i) && of_b.contains(i))?,
            items: Side::new(func, reduce.axes.to_vec())?,
        };
        contraction.pays().then_some(contraction)
    }

    fn pays(&self) -> bool {
        let tile = self.rows.count.checked_mul(self.columns.count);
        let outputs = tile.and_then(|tile| tile.checked_mul(self.batch.count));
        let enough = |outputs: usize| outputs.saturating_mul(self.items.count) >= LEAST_WORK;
        tile.is_some_and(|tile| tile > 1)
            && outputs.is_some_and(|outputs| outputs <= MOST_OUTPUTS && enough(outputs))
    }

    /// Computes all outputs; `None` if a product of bf16 might leave the range of f32.
    fn compute(mut self, machine: &Machine<'_>) -> Result<Option<Stored>, EvalError> {
        for side in [
            &mut self.batch,
            &mut self.rows,
            &mut self.columns,
            &mut self.items,
        ] {
            side.tabulate(machine.func);
        }
        let tile = self.rows.count * self.columns.count;
        let mut outputs = Outputs::new(self.elem, tile * self.batch.count);
        for batch in 0..self.batch.count {
            let b = self.panels::<COLUMNS>(
                machine,
                self.b,
                &self.columns,
                batch,
                0,
                self.columns.count,
            )?;
            let extremes_b = Extremes::of(b.as_flattened());
            for first in (0..self.rows.count).step_by(ROW_BLOCK) {
                let rows = ROW_BLOCK.min(self.rows.count - first);
                let a = self.panels::<ROWS>(machine, self.a, &self.rows, batch, first, rows)?;
                let exact = Extremes::of(a.as_flattened()).products_fit(extremes_b);
                if self.elem == Elem::Bf16 && !exact {
                    return Ok(None);
                }
                let start = batch * tile + first * self.columns.count;
                let block = rows * self.columns.count;
                outputs.multiply(start, block, self.columns.count, self.items.count, &a, &b);
            }
        }
        let strides = self.strides(tile);
        Ok(Some(Stored {
            data: outputs.into_data(),
            strides,
        }))
    }

    fn strides(&self, tile: usize) -> Vec<(Index, usize)> {
        let mut strides = Vec::new();
        let sides = [
            (&self.batch, tile),
            (&self.rows, self.columns.count),
            (&self.columns, 1),
        ];
        for (side, unit) in sides {
            let mut inner = side.count;
            for (&index, values) in side.indices.iter().zip(&side.values) {
                let extent = values.last().map_or(1, |&last| last as usize + 1);
                inner /= extent;
                strides.push((index, inner * unit));
            }
        }
        strides
    }

    /// An operand for `count` outer positions, in panels of `W`: all items of `W` outer positions, then the next `W`.
    /// The last panel repeats the last position.
    fn panels<const W: usize>(
        &self,
        machine: &Machine<'_>,
        operand: Expr,
        outer: &Side,
        batch: usize,
        first: usize,
        count: usize,
    ) -> Result<Vec<[f32; W]>, EvalError> {
        let free = machine.facts.free(operand);
        let items = self.items.count;
        let total = count.div_ceil(W) * items * W;
        let mut values = Vec::with_capacity(total);
        for start in (0..total).step_by(CHUNK) {
            let lanes = start..total.min(start + CHUNK);
            let mut outer_at = Vec::with_capacity(lanes.len());
            let mut item_at = Vec::with_capacity(lanes.len());
            for lane in lanes.clone() {
                let column = lane / W;
                outer_at.push(first + (column / items * W + lane % W).min(count - 1));
                item_at.push(column % items);
            }
            let batch_at = vec![batch; lanes.len()];
            let mut indices = Vec::new();
            for (side, at) in [
                (&self.batch, &batch_at),
                (outer, &outer_at),
                (&self.items, &item_at),
            ] {
                for (index, table) in side.indices.iter().zip(&side.values) {
                    if free.contains(index) {
                        indices.push((*index, at.iter().map(|&at| table[at]).collect()));
                    }
                }
            }
            let column = machine.evaluate(&Scope::new(lanes.len(), indices), operand, None)?;
            if self.elem.is_float() {
                values.extend(column.widened(self.elem));
            } else {
                values.extend(column.ints().iter().map(|&x| x as f32));
            }
        }
        Ok(values.as_chunks::<W>().0.to_vec())
    }
}

/// Whether f32 gives the definition's bits for items of this type.
fn suits(elem: Elem, exact_product: bool) -> bool {
    match elem {
        Elem::F16 | Elem::Bf16 | Elem::I8 | Elem::U8 => exact_product,
        Elem::F32 => true,
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::Bool => false,
    }
}

/// The least and the greatest finite magnitude other than 0.
#[derive(Copy, Clone)]
struct Extremes {
    least: f32,
    greatest: f32,
}

impl Extremes {
    fn of(values: &[f32]) -> Extremes {
        let mut extremes = Extremes {
            least: f32::MAX,
            greatest: 0.0,
        };
        for magnitude in values
            .iter()
            .map(|x| x.abs())
            .filter(|x| x.is_finite() && *x > 0.0)
        {
            extremes.least = extremes.least.min(magnitude);
            extremes.greatest = extremes.greatest.max(magnitude);
        }
        extremes
    }

    /// Whether every product of two finite values other than 0 is a normal f32.
    fn products_fit(self, other: Extremes) -> bool {
        let least = f64::from(self.least) * f64::from(other.least);
        let greatest = f64::from(self.greatest) * f64::from(other.greatest);
        least >= f64::from(f32::MIN_POSITIVE) && greatest <= f64::from(f32::MAX)
    }
}

/// Outputs, rows of columns, all batches.
enum Outputs {
    F32(Vec<f32>),
    I32(Vec<i32>),
}

type Tile = [[f32; COLUMNS]; ROWS];

impl Outputs {
    fn new(elem: Elem, count: usize) -> Outputs {
        match elem.is_float() {
            true => Outputs::F32(vec![0.0; count]),
            false => Outputs::I32(vec![0; count]),
        }
    }

    /// Adds the products of a block of rows with all columns, items ascending.
    fn multiply(
        &mut self,
        start: usize,
        size: usize,
        columns: usize,
        items: usize,
        a: &[[f32; ROWS]],
        b: &[[f32; COLUMNS]],
    ) {
        for depth in (0..items).step_by(DEPTH) {
            let now = depth..items.min(depth + DEPTH);
            for (column_panel, b) in b.chunks_exact(items).enumerate() {
                let b = &b[now.clone()];
                for (row_panel, a) in a.chunks_exact(items).enumerate() {
                    let a = &a[now.clone()];
                    let corner = row_panel * ROWS * columns + column_panel * COLUMNS;
                    let width = COLUMNS.min(columns - column_panel * COLUMNS);
                    match self {
                        Outputs::F32(all) => {
                            continue_tile(
                                &mut all[start..start + size],
                                corner,
                                columns,
                                width,
                                a,
                                b,
                            );
                        }
                        Outputs::I32(all) => {
                            add_tile(&mut all[start..start + size], corner, columns, width, a, b);
                        }
                    }
                }
            }
        }
    }

    fn into_data(self) -> Data {
        let bytes = match self {
            Outputs::F32(x) => x
                .iter()
                .flat_map(|&x| num::canonical_f32(x).to_le_bytes())
                .collect(),
            Outputs::I32(x) => x.iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        Data { bytes }
    }
}

/// The inner loop: one accumulator per output, products added in the order of the items.
///
/// It goes through `apply_slice` for one tile, because that compiles it for the widest vectors there are.
fn multiply_tile(tile: Tile, a: &[[f32; ROWS]], b: &[[f32; COLUMNS]]) -> Tile {
    let mut result = [tile];
    num::apply_slice(&mut result, &[(tile, a, b)], |(mut tile, a, b)| {
        for (a, b) in a.iter().zip(b) {
            for (row, &a) in tile.iter_mut().zip(a) {
                for (cell, &b) in row.iter_mut().zip(b) {
                    *cell += a * b;
                }
            }
        }
        tile
    });
    let [tile] = result;
    tile
}

fn continue_tile(
    outputs: &mut [f32],
    corner: usize,
    columns: usize,
    width: usize,
    a: &[[f32; ROWS]],
    b: &[[f32; COLUMNS]],
) {
    let mut tile = Tile::default();
    for (row, from) in tile.iter_mut().zip(outputs[corner..].chunks(columns)) {
        row[..width].copy_from_slice(&from[..width]);
    }
    let tile = multiply_tile(tile, a, b);
    for (row, to) in tile.iter().zip(outputs[corner..].chunks_mut(columns)) {
        to[..width].copy_from_slice(&row[..width]);
    }
}

fn add_tile(
    outputs: &mut [i32],
    corner: usize,
    columns: usize,
    width: usize,
    a: &[[f32; ROWS]],
    b: &[[f32; COLUMNS]],
) {
    let tile = multiply_tile(Tile::default(), a, b);
    for (row, to) in tile.iter().zip(outputs[corner..].chunks_mut(columns)) {
        for (to, &sum) in to[..width].iter_mut().zip(row) {
            *to = to.wrapping_add(sum as i32);
        }
    }
}
