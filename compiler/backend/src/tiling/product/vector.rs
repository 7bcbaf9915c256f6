//! The vector program of a product: definitions computed from the blocks that the cube core hands over.

use ir::tile::{Arg, Chan, CoreQuery, Op};

use super::sizes::Tiles;
use super::{Extents, Walk, result_offset};
use crate::Level;
use crate::partition::Product;
use crate::tiling::builder::{Builder, whole};
use crate::tiling::expr::{Emitter, Extent, GmMap, Internal, Kind, Place, ceil_div, round_up};
use crate::tiling::rows::column_unit;
use crate::tiling::{Result, StepCx};

/// Appends the vector program that computes `defs` from the blocks of a ring. `rows` is how many rows at a time.
#[expect(
    clippy::too_many_arguments,
    reason = "one step with its sizes and its ring"
)]
pub(crate) fn emit(
    cx: &StepCx<'_>,
    product: &Product,
    defs: &[usize],
    t: &Tiles,
    chan: Chan,
    rows: i64,
    b: Builder,
    gm: &GmMap,
) -> Result<Builder> {
    let e = Extents::of(cx, product);
    // Rows of bytes start at blocks of 32; masks are rounded up by themselves.
    let width = round_up(t.n, column_unit(cx.algo, defs).min(32));
    let rows_of = product.rows();
    let rows_of = rows_of.iter().map(|&i| cx.algo.indices[i].extent);
    let extent = Extent {
        rows: rows_of.collect(),
        cols: vec![e.n],
        cap_rows: rows,
        cap_cols: width,
        row0: Arg::Const(0),
        col0: Arg::Const(0),
        row_count: Arg::Const(rows),
        col_count: Arg::Const(t.n),
        padded: false,
        depth: cx.depth(),
    };
    let ring = b.func.chans[chan].tensor;
    let mut em = Emitter::new(cx.algo, b, gm, extent);
    let walk = Walk::new(cx, &mut em.b, product, (&e, t));
    let group = Arg::Val(em.b.query(CoreQuery::Group));
    let sub = Arg::Val(em.b.query(CoreQuery::Sub));
    let half = round_up(t.m, 32) / 2;
    let first_row = em.b.mul(sub, half);
    let count = walk.count(&mut em.b);
    em.for_loop(
        group,
        count,
        i64::from(cx.groups),
        |em, block| -> Result<()> {
            let (outer, m0, n0) = walk.decode(&mut em.b, block, t);
            let m = em.b.clip(t.m.min(e.m), e.m, m0);
            em.extent.col0 = n0;
            em.extent.col_count = em.b.clip(t.n.min(e.n), e.n, n0);
            em.extent.padded = matches!(em.extent.col_count, Arg::Const(n) if n == width);
            let slot = em.b.func.add_value();
            em.b.push(Op::Take { dst: slot, chan });
            place_block(cx, product, defs, em, &outer);
            for &def in defs {
                em.hoist(cx.algo.defs[def].value, &|kind| {
                    matches!(kind, Kind::Uniform | Kind::Col)
                })?;
            }
            let mine = own_rows(&mut em.b, m, first_row, half);
            em.for_loop(0, mine, rows, |em, r| -> Result<()> {
                em.extent.row_count = match mine {
                    Arg::Const(mine) => em.b.clip(rows.min(mine), mine, r),
                    Arg::Val(_) => {
                        let left = em.b.sub(mine, r);
                        em.b.min(left, rows)
                    }
                };
                let in_block = em.b.add(first_row, r);
                em.extent.row0 = em.b.add(m0, in_block);
                let down = em.b.mul(in_block, t.n);
                let at = em.b.add(Arg::Val(slot), down);
                let target = cx.algo.defs[product.def].target;
                em.internal.insert(
                    target,
                    Internal::Block {
                        ring,
                        at,
                        pitch: t.n,
                    },
                );
                let (row0, col0) = (em.extent.row0, em.extent.col0);
                let (at, pitch) = result_offset(cx, product, &mut em.b, (&outer, row0, col0));
                store_defs(cx, product, defs, em, at, pitch)
            })?;
            em.b.push(Op::Release { chan });
            Ok(())
        },
    )?;
    Ok(em.b)
}

/// Numbers of rows worth trying, the largest first.
pub(crate) fn row_counts(cx: &StepCx<'_>, t: &Tiles) -> Vec<i64> {
    let most = (cx.block_elements() / t.n).clamp(1, t.m / 2);
    let mut counts: Vec<i64> =
        std::iter::successors(Some(most), |r| (*r > 1).then_some(r / 2)).collect();
    if cx.level != Level::O0 {
        let half = round_up(t.m, 32) / 2;
        counts.extend((1..=8).map(|parts| ceil_div(half, parts)));
    }
    counts
}

/// Rows of a block that one of the two vector cores takes; known where it is the same for both.
fn own_rows(b: &mut Builder, m: Arg, first_row: Arg, half: i64) -> Arg {
    if m == Arg::Const(2 * half) {
        return Arg::Const(half);
    }
    let mine = b.sub(m, first_row);
    let mine = b.max(mine, 0);
    b.min(mine, half)
}

fn place_block(
    cx: &StepCx<'_>,
    product: &Product,
    defs: &[usize],
    em: &mut Emitter<'_>,
    outer: &[Arg],
) {
    let own = &cx.algo.defs[product.def].indices;
    let target = cx.algo.defs[product.def].target;
    let rows = product.rows();
    em.internal.insert(target, Internal::Pending(Kind::Full));
    for &def in defs {
        let data = &cx.algo.defs[def];
        em.internal.insert(data.target, Internal::Map(data.value));
        for (&index, &as_own) in data.indices.iter().zip(own) {
            let place = if cx.algo.indices[index].extent == 1 {
                Place::Fixed(Arg::Const(0))
            } else if let Some(row) = rows.iter().position(|&i| i == as_own) {
                Place::Row(row)
            } else if as_own == product.n {
                Place::Col(0)
            } else {
                let found = product.outer.iter().position(|&i| i == as_own);
                Place::Fixed(
                    found
                        .and_then(|i| outer.get(i).copied())
                        .unwrap_or(Arg::Const(0)),
                )
            };
            em.place.insert(index, place);
        }
    }
}

fn store_defs(
    cx: &StepCx<'_>,
    product: &Product,
    defs: &[usize],
    em: &mut Emitter<'_>,
    at: Arg,
    pitch: i64,
) -> Result<()> {
    for def in [product.def].into_iter().chain(defs.iter().copied()) {
        let data = &cx.algo.defs[def];
        if !cx.stored(def) {
            continue;
        }
        let val = if def == product.def {
            em.block_value(data.target)
        } else {
            em.value(data.value)?
        };
        let src = em.as_stored(cx.algo.tensors[data.target].elem, Kind::Full, val);
        let (rows, cols) = (em.extent.row_count, em.extent.col_count);
        if let Some(&tensor) = em.gm.get(&data.target) {
            em.b.push(Op::Store {
                tensor,
                at,
                src: whole(src),
                rows,
                cols,
                pitch: Arg::Const(pitch),
            });
        }
    }
    Ok(())
}
