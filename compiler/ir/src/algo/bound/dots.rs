//! Sums of exact products for all outputs at once, for references of whole matrix products.
//!
//! The same running sums as `sums` keeps, side by side for a tile of outputs: the sum, the magnitudes of the partial
//! sums, and the magnitudes of the products. Only operands without error qualify.

use isa::num;
use isa::types::Elem;

use super::Shadow;
use super::near::Near;
use super::sums::FloatSum;
use crate::algo::eval::EvalError;
use crate::algo::{BinaryOp, Expr, ExprKind, Index, ReduceOp};

/// Rows of a tile.
const ROWS: usize = 2;
/// Columns of a tile.
const COLUMNS: usize = 8;
/// The most values of one operand that are kept.
const MOST_VALUES: usize = 1 << 25;
/// Below this many products it is not worth it.
const LEAST_WORK: usize = 1 << 12;

/// Reduction values for all values of the free indices, and the distance of neighbours along each.
pub(super) struct Stored {
    values: Vec<Near>,
    strides: Vec<(Index, usize)>,
}

impl Stored {
    /// The value where the indices stand now.
    pub(super) fn at(&self, point: &[i64]) -> Near {
        let place = self.strides.iter().map(|(index, stride)| {
            point
                .get(index.as_u32() as usize)
                .map_or(0, |&value| value as usize * stride)
        });
        self.values
            .get(place.sum::<usize>())
            .copied()
            .unwrap_or(Near::unknown())
    }
}

/// Sum, magnitudes of partial sums, magnitudes of products.
type Tile = [[[f64; COLUMNS]; ROWS]; 3];

/// Computes a reduction for all values of its free indices, if it is a matrix product of exact values.
pub(super) fn all_dots(shadow: &mut Shadow<'_>, expr: Expr) -> Result<Option<Stored>, EvalError> {
    let Some(product) = Product::find(shadow, expr) else {
        return Ok(None);
    };
    let Some(a) = product.panels::<ROWS>(shadow, product.a, &product.rows)? else {
        return Ok(None);
    };
    let Some(b) = product.panels::<COLUMNS>(shadow, product.b, &product.columns)? else {
        return Ok(None);
    };
    let (rows, columns) = (
        product.count(shadow, &product.rows),
        product.count(shadow, &product.columns),
    );
    let items = product.count(shadow, &product.items);
    let mut values = vec![Near::unknown(); rows * columns];
    for (row_panel, a) in a.chunks_exact(items).enumerate() {
        for (column_panel, b) in b.chunks_exact(items).enumerate() {
            let corner = row_panel * ROWS * columns + column_panel * COLUMNS;
            let width = COLUMNS.min(columns - column_panel * COLUMNS);
            let sums = product.sums(multiply(a, b), items);
            for (row, to) in sums.iter().zip(values[corner..].chunks_mut(columns)) {
                to[..width].copy_from_slice(&row[..width]);
            }
        }
    }
    let mut strides = Vec::new();
    let mut stride = 1;
    for &index in product
        .columns
        .iter()
        .rev()
        .chain(product.rows.iter().rev())
    {
        strides.push((index, stride));
        stride *= shadow.func.indices[index].extent as usize;
    }
    Ok(Some(Stored { values, strides }))
}

/// One tile, items ascending; through `apply_slice` for the widest vectors there are.
fn multiply(a: &[[f64; ROWS]], b: &[[f64; COLUMNS]]) -> Tile {
    let mut result = [Tile::default()];
    num::apply_slice(&mut result, &[(a, b)], |(a, b)| {
        let [mut sum, mut partial, mut magnitude] = Tile::default();
        for (a, b) in a.iter().zip(b) {
            for r in 0..ROWS {
                for c in 0..COLUMNS {
                    let product = a[r] * b[c];
                    sum[r][c] += product;
                    partial[r][c] += sum[r][c].abs();
                    magnitude[r][c] += product.abs();
                }
            }
        }
        [sum, partial, magnitude]
    });
    let [tile] = result;
    tile
}

/// A sum of products whose operands share no free index.
struct Product {
    a: Expr,
    b: Expr,
    rows: Vec<Index>,
    columns: Vec<Index>,
    items: Vec<Index>,
    order: crate::algo::Order,
    /// Whether each product rounds before it is added.
    rounds: bool,
}

impl Product {
    fn find(shadow: &Shadow<'_>, expr: Expr) -> Option<Product> {
        let func = shadow.func;
        let ExprKind::Reduce(reduce) = &func.exprs[expr].kind else {
            return None;
        };
        let body = &func.exprs[reduce.body];
        let ExprKind::Binary(BinaryOp::Mul, a, b) = body.kind else {
            return None;
        };
        let float = func.exprs[expr].elem == Elem::F32;
        let plain = reduce.op == ReduceOp::Sum && reduce.mask.is_none() && float;
        let rounds = !reduce.exact_product;
        if !plain || (rounds && body.elem != Elem::F32) || shadow.facts.may_fault(reduce.body) {
            return None;
        }
        let of = |operand: Expr| -> Vec<Index> {
            let free = shadow.facts.free(operand).iter().copied();
            free.filter(|index| !reduce.axes.contains(index)).collect()
        };
        let (rows, columns) = (of(a), of(b));
        let apart = rows.iter().all(|index| !columns.contains(index));
        let items = reduce.axes.to_vec();
        let product = Product {
            a,
            b,
            rows,
            columns,
            items,
            order: reduce.order,
            rounds,
        };
        (apart && product.pays(shadow)).then_some(product)
    }

    fn pays(&self, shadow: &Shadow<'_>) -> bool {
        let size = |side: &[Index]| self.size(shadow, side);
        let (Some(rows), Some(columns), Some(items)) =
            (size(&self.rows), size(&self.columns), size(&self.items))
        else {
            return false;
        };
        let small = |a: usize, b: usize| a.checked_mul(b).is_some_and(|n| n <= MOST_VALUES);
        let worth = rows.saturating_mul(columns).saturating_mul(items) >= LEAST_WORK;
        small(rows, items)
            && small(columns, items)
            && small(rows, columns)
            && worth
            && rows > 1
            && columns > 1
    }

    fn size(&self, shadow: &Shadow<'_>, side: &[Index]) -> Option<usize> {
        side.iter().try_fold(1usize, |size, &index| {
            size.checked_mul(shadow.func.indices[index].extent as usize)
        })
    }

    fn count(&self, shadow: &Shadow<'_>, side: &[Index]) -> usize {
        self.size(shadow, side).unwrap_or(0)
    }

    /// The values and errors of a tile.
    fn sums(&self, tile: Tile, items: usize) -> [[Near; COLUMNS]; ROWS] {
        std::array::from_fn(|r| {
            std::array::from_fn(|c| {
                let parts = tile.map(|part| part[r][c]);
                FloatSum::from_parts(parts, self.rounds, items).finish(self.order, items)
            })
        })
    }

    /// An operand in panels of `W` outer positions; `None` if a value has an error or is not finite.
    fn panels<const W: usize>(
        &self,
        shadow: &mut Shadow<'_>,
        operand: Expr,
        outer: &[Index],
    ) -> Result<Option<Vec<[f64; W]>>, EvalError> {
        let (count, items) = (self.count(shadow, outer), self.count(shadow, &self.items));
        let mut panels = vec![[0.0; W]; count.div_ceil(W) * items];
        for position in 0..count {
            shadow.assign(outer, position);
            for item in 0..items {
                shadow.assign(&self.items, item);
                let near = shadow.value(operand)?;
                if near.error != 0.0 || !near.value.is_finite() {
                    return Ok(None);
                }
                panels[position / W * items + item][position % W] = near.value;
            }
        }
        Ok(Some(panels))
    }
}
